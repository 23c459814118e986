"""Log a run's progress in records, in files that are written once and merged with age.

    <run>/progress/<session>/about.json                          facts of the session
    <run>/progress/<session>/<level>-<first>-<last>.json         records number first to last

A session is one start of a run's training; its name begins with the time, so names sort. Each flush
commits a file of level 0. `FAN_IN` files of a level are merged into one of the next, which keeps at
most `kept_records` records: recent ones are complete, older ones are thinned out. A day at a record
every ten seconds takes some 50 files and 1 MB, and a year less than ten times that.

A merged file is committed before its parts are removed, and records are numbered, so a reader in
between meets a record twice at worst. An unreadable file costs only its own records.
"""

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from store.errors import StoreError
from store.files.protocol import MOST_JSON_BYTES, Files
from store.upgrades import PROGRESS, VersionError

PROGRESS_FOLDER = "progress"
ABOUT_FILE = "about.json"
FAN_IN = 16
MOST_WAITING = 128  # records, when nothing can be written
LATEST = 253_402_300_799.0  # the last second that a session's name can hold
LISTINGS = 4  # a reader lists again when files were merged while it read

_FILE = re.compile(r"(\d{1,2})-(\d{9})-(\d{9})\.json")
_SESSION = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
_UNUSABLE = (
    *(VersionError, ValueError, KeyError, TypeError),
    *(AttributeError, OverflowError, RecursionError),
)
_logger = logging.getLogger("ludens.store")

Record = Mapping[str, Any]  # JSON values by name
Numbered = tuple[int, Record]
Thinner = Callable[[Sequence[Record]], Record]


def kept_records(level: int) -> int:
    """Return the most records in a file of a level (1 or more): 64, 128, 256, ..."""
    return 32 * 2**level


class FileName(NamedTuple):
    """The parts of a record file's name."""

    level: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.level}-{self.first:09d}-{self.last:09d}.json"

    @classmethod
    def parse(cls, text: str) -> "FileName | None":
        """Parse a file name; None if it is no record file's."""
        found = _FILE.fullmatch(text)
        return cls(*map(int, found.groups())) if found else None


def session_name(now: float) -> str:
    """Make a new session's name; `now` is in seconds since 1970."""
    begun = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    return f"{begun}-{uuid.uuid4().hex[:8]}"


def _after_newest(files: Files) -> float:
    """Return a time after the beginning of every session there is, in seconds since 1970.

    A clock may have gone back, or be another host's: a session must not sort before the one that it
    continues.
    """
    try:
        names = [name for name in files.folders(PROGRESS_FOLDER) if _SESSION.fullmatch(name)]
        newest = datetime.strptime(max(names)[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except (OSError, ValueError):  # nothing can be listed, or there is none
        return 0.0
    return min(newest.timestamp() + 1.0, LATEST)


# --- writing ------------------------------------------------------------------------------------


def newest_of(records: Sequence[Record]) -> Record:
    """Return the last of the records that one is to stand for."""
    return records[-1]


class ProgressWriter:
    """Writes the records of one session.

    Args:
        files: the run's.
        about: facts of the session, JSON values.
        stand_in: makes one record of several neighbours when they are thinned out.
        now: seconds since 1970.
    """

    def __init__(
        self,
        files: Files,
        about: Mapping[str, Any],
        stand_in: Thinner = newest_of,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.session = session_name(max(now(), _after_newest(files)))
        self._files = files
        self._about: bytes | None = _encode({"format": PROGRESS.name, **about})
        self._stand_in = stand_in
        self._count = 0
        self._waiting: list[Numbered] = []
        self._levels: list[list[tuple[FileName, list[Numbered]]]] = [[]]

    def append(self, record: Record) -> None:
        """Add a record for the next flush; very many are thinned out."""
        self._waiting.append((self._count, record))
        self._count += 1
        if len(self._waiting) > MOST_WAITING:
            self._waiting = self._thinned(self._waiting, MOST_WAITING // 2)

    def flush(self) -> None:
        """Commit the appended records, and merge full levels; raises OSError or StoreError.

        What was not committed stays, for the next flush.
        """
        if self._about is not None and self._waiting:  # of a session that has begun
            self._files.create_same(self._key(ABOUT_FILE), self._about)
            self._about = None
        if self._waiting:
            self._commit(0, self._waiting)
            self._waiting = []
        level = 0
        while len(self._levels[level]) >= FAN_IN:
            self._merge(level)
            level += 1

    def close(self) -> None:
        """Flush, and merge the files of the lowest level into one."""
        self.flush()
        if len(self._levels[0]) > 1:
            self._merge(0)

    def _commit(self, level: int, records: list[Numbered]) -> None:
        name = FileName(level, records[0][0], records[-1][0])
        self._files.create_same(self._key(str(name)), _encode_records(records))
        if level == len(self._levels):
            self._levels.append([])
        self._levels[level].append((name, records))

    def _merge(self, level: int) -> None:
        parts = self._levels[level]
        together = [record for _, records in parts for record in records]
        self._commit(level + 1, self._thinned(together, kept_records(level + 1)))
        self._levels[level] = []
        self._files.remove_many([self._key(str(name)) for name, _ in parts])

    def _thinned(self, records: list[Numbered], most: int) -> list[Numbered]:
        """Thin to at most `most` records, each standing for its neighbours; keep the last."""
        if len(records) <= most:
            return records
        bounds = [i * len(records) // most for i in range(most + 1)]
        parts = [records[a:b] for a, b in pairwise(bounds)]
        return [(part[-1][0], self._stand_in([record for _, record in part])) for part in parts]

    def _key(self, name: str) -> str:
        return f"{PROGRESS_FOLDER}/{self.session}/{name}"


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def _encode_records(records: Sequence[Numbered]) -> bytes:
    """Encode records as a table: names once, then a row a record, its number first."""
    names = list(dict.fromkeys(name for _, record in records for name in record))
    rows = [[number, *map(record.get, names)] for number, record in records]
    return _encode({"format": PROGRESS.name, "names": names, "rows": rows})


# --- reading ------------------------------------------------------------------------------------


class Session:
    """One session: its `name`, its facts, and its records by number."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.about: dict[str, Any] = {}
        self.by_number: dict[int, Record] = {}

    @property
    def records(self) -> list[Record]:
        """List the records in order."""
        return [self.by_number[number] for number in sorted(self.by_number)]


class ProgressReader:
    """Follows the sessions of a run from anywhere; writes nothing.

    Attributes:
        sessions: all there are, in the order of their beginning, as of the last `poll`.
    """

    def __init__(self, files: Files) -> None:
        self.sessions: list[Session] = []
        self._files = files
        self._known: set[str] = set()  # keys that need not be read again

    def poll(self) -> int:
        """Read new records after one listing; return their number.

        Raises OSError when it cannot list.
        """
        found = {session.name: session for session in self.sessions}
        before = self._records()
        for name, names in self._listed().items():
            self._read_session(found.setdefault(name, Session(name)), names)
        self.sessions = [found[name] for name in sorted(found)]
        return self._records() - before

    def _listed(self) -> dict[str, list[str]]:
        """List the names of each session's files."""
        listed: dict[str, list[str]] = {}
        for entry in self._files.tree(PROGRESS_FOLDER):
            session, _, name = entry.key.removeprefix(f"{PROGRESS_FOLDER}/").partition("/")
            if _SESSION.fullmatch(session) and "/" not in name:
                listed.setdefault(session, []).append(name)
        return listed

    def _records(self) -> int:
        return sum(len(session.by_number) for session in self.sessions)

    def _read_session(self, session: Session, names: list[str]) -> None:
        folder = f"{PROGRESS_FOLDER}/{session.name}"
        for _ in range(LISTINGS):
            if sum(self._read(session, folder, name) for name in names) == len(names):
                return
            names = self._files.names(folder)

    def _read(self, session: Session, folder: str, name: str) -> bool:
        """Read a file; False if it is gone, because it was merged into another."""
        key = f"{folder}/{name}"
        if key in self._known:
            return True
        parsed = FileName.parse(name)
        if parsed is None and name != ABOUT_FILE:
            self._known.add(key)
            return True
        try:
            document = PROGRESS.read(json.loads(self._files.read(key, MOST_JSON_BYTES)))
            if parsed is None:
                session.about = {k: v for k, v in document.items() if k != "format"}
            else:
                session.by_number.update(_decode_records(document))
        except FileNotFoundError:
            return False
        except _UNUSABLE as error:
            _logger.warning("%s skipped: %s", key, error)
        except (OSError, StoreError) as error:  # may heal: read again at the next poll
            _logger.warning("%s skipped for now: %s", key, error)
            return True
        self._known.add(key)
        return True


def _decode_records(document: Mapping[str, Any]) -> dict[int, Record]:
    names = document["names"]
    return {int(row[0]): dict(zip(names, row[1:], strict=True)) for row in document["rows"]}
