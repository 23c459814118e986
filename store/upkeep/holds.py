"""Hold the files that a reader needs, so that no pruner removes them.

    <run>/holds/<uuid>-<renewal>.json    the oldest segment per writer, and checkpoints

Nothing in a store is replaced, so a hold is renewed by its next file, and the last but one is
removed: a listing made meanwhile sees the last. Clocks of different machines are not compared: a
hold counts until its owner releases it, or until the pruner itself has watched it for HOLD_SECONDS
without seeing a renewal.
"""

import json
import logging
import os
import platform
import re
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from store.errors import UNREADABLE, StoreError
from store.files.protocol import MOST_JSON_BYTES, Files
from store.printable import printable
from store.run import Run
from store.upgrades import HOLD, VersionError

HOLD_FOLDER = "holds"
HOLD_SECONDS = 60.0
RENEW_SECONDS = HOLD_SECONDS / 4  # so that a few slow renewals do no harm

_NAME = re.compile(r"([0-9a-f]{32})-(\d{9})\.json")
_logger = logging.getLogger("ludens.store")


class Hold:
    """Keeps segments and checkpoints of a run from being pruned, until released.

    Use it in a `with`; a thread renews it meanwhile. It binds every pruning that begins after the
    constructor has returned; against one that had begun before, readers retry as ever.

    Args:
        run: the run, which must be writable.
        segments: {writer: seq of the oldest segment in use}; what is newer is held too.
        checkpoints: steps in use.
        renew_seconds: time between two renewals.

    Raises:
        StoreWriteError: the hold cannot be written.
    """

    def __init__(
        self,
        run: Run,
        *,
        segments: Mapping[str, int] | None = None,
        checkpoints: Collection[int] = (),
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._files = run.files
        self._name = uuid.uuid4().hex
        self._renewal = 0
        owner = f"process {os.getpid()} on {platform.node()}"
        self._data = _encode(owner, segments or {}, checkpoints)
        self._files.create(self._key_of(0), self._data)
        self._released = threading.Event()
        self._thread = threading.Thread(
            target=self._renew_until_released, args=(renew_seconds,), name="hold", daemon=True
        )
        self._thread.start()

    def _key_of(self, renewal: int) -> str:
        return f"{HOLD_FOLDER}/{self._name}-{renewal:09d}.json"

    def renew(self) -> None:
        """Renew the hold; raises OSError or StoreWriteError."""
        before = self._renewal - 1
        self._files.create(self._key_of(self._renewal + 1), self._data)
        self._renewal += 1
        if before >= 0:
            self._files.remove(self._key_of(before))

    def release(self) -> None:
        """Release the hold; harmless when repeated."""
        if self._released.is_set():
            return
        self._released.set()
        self._thread.join()
        _remove_hold(self._files, self._name)

    def _renew_until_released(self, seconds: float) -> None:
        while not self._released.wait(seconds):
            try:
                self.renew()
            except (OSError, StoreError) as error:  # tried again; the old file still counts
                _logger.warning("a hold could not be renewed: %s", error)

    def __enter__(self) -> "Hold":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _encode(owner: str, segments: Mapping[str, int], steps: Collection[int]) -> bytes:
    content = {"owner": owner, "segments": dict(segments), "checkpoints": sorted(steps)}
    return json.dumps({"format": HOLD.name, **content}, sort_keys=True).encode()


@dataclass(frozen=True)
class HeldThings:
    """A hold read from its file; `holds_all` when the file cannot be understood.

    Attributes:
        name: its UUID.
        renewal: how often it was renewed.
        owner: the holder's description.
        segments: {writer: seq of the oldest segment held}.
        checkpoints: steps held.
    """

    name: str
    renewal: int
    owner: str
    segments: Mapping[str, int]
    checkpoints: frozenset[int]
    holds_all: bool = False


def read_holds(files: Files) -> list[HeldThings]:
    """Read the holds on a run, each in its newest renewal. Files gone meanwhile are skipped."""
    newest: dict[str, int] = {}
    for entry in files.tree(HOLD_FOLDER):
        if match := _NAME.fullmatch(entry.key.removeprefix(f"{HOLD_FOLDER}/")):
            newest[match[1]] = max(newest.get(match[1], 0), int(match[2]))
    found = (_read_hold(files, name, renewal) for name, renewal in newest.items())
    return [hold for hold in found if hold is not None]


def _read_hold(files: Files, name: str, renewal: int) -> HeldThings | None:
    try:
        data = files.read(f"{HOLD_FOLDER}/{name}-{renewal:09d}.json", MOST_JSON_BYTES)
        content = HOLD.read(json.loads(data))
        segments = {str(writer): int(seq) for writer, seq in content["segments"].items()}
        steps = frozenset(map(int, content["checkpoints"]))
        return HeldThings(name, renewal, printable(str(content["owner"])), segments, steps)
    except FileNotFoundError:
        # Released, or renewed in between: the next file is there before this one goes.
        names = [n for n in files.names(HOLD_FOLDER) if n.startswith(name)]
        renewals = [int(match[2]) for match in map(_NAME.fullmatch, names) if match]
        return _read_hold(files, name, max(renewals)) if renewals else None
    except VersionError as error:
        return HeldThings(name, renewal, f"a hold of {error}", {}, frozenset(), holds_all=True)
    except UNREADABLE:
        return HeldThings(name, renewal, "an unreadable hold", {}, frozenset(), holds_all=True)


class HoldWatch:
    """One observer's record of a run's holds, by its own monotonic clock.

    Args:
        files: the run's.
        clock: seconds, as `time.monotonic`.
        sleep: as `time.sleep`.
    """

    def __init__(
        self,
        files: Files,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._files = files
        self._clock = clock
        self._sleep = sleep
        self._first_seen: dict[tuple[str, int], float] = {}

    def living(self) -> list[HeldThings]:
        """List the holds that count: those not seen unrenewed for HOLD_SECONDS."""
        return [hold for hold, is_dead in self._look() if not is_dead]

    def wait(self, poll_seconds: float = RENEW_SECONDS / 4) -> list[HeldThings]:
        """Watch until each hold is renewed, released or expired; return those that count.

        The files of expired holds are removed.
        """
        began = {hold.name: hold.renewal for hold in self.living()}
        while any(hold.renewal == began.get(hold.name) for hold in self.living()):
            self._sleep(poll_seconds)
        return self.sweep()

    def sweep(self) -> list[HeldThings]:
        """List the holds that count; remove the files of expired ones."""
        looked = self._look()
        for hold, is_dead in looked:
            if is_dead:
                _remove_hold(self._files, hold.name)
        return [hold for hold, is_dead in looked if not is_dead]

    def _look(self) -> list[tuple[HeldThings, bool]]:
        now = self._clock()
        holds = read_holds(self._files)
        self._first_seen = {
            (hold.name, hold.renewal): self._first_seen.get((hold.name, hold.renewal), now)
            for hold in holds
        }
        ages = [now - self._first_seen[hold.name, hold.renewal] for hold in holds]
        return [(hold, age >= HOLD_SECONDS) for hold, age in zip(holds, ages, strict=True)]


def _remove_hold(files: Files, name: str) -> None:
    """Remove the files of a hold, with a warning where that fails."""
    for file in files.names(HOLD_FOLDER):
        if file.startswith(name):
            _remove_quietly(files, f"{HOLD_FOLDER}/{file}")


def _remove_quietly(files: Files, key: str) -> None:
    try:
        files.remove(key)
    except OSError as error:
        _logger.warning("could not remove %s: %s", key, error)
