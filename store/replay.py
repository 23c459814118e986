"""The replay log of a run: every episode of every writer, read as segments appear."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import numpy as np

from store.dedupe import UuidSet
from store.episodes import EpisodeBatch, EpisodeSchema
from store.errors import ForeignSegmentError, SegmentError, StoreError
from store.files import Files
from store.run import Run
from store.segments import QUARANTINE_FOLDER as QUARANTINE_FOLDER
from store.segments import REPLAY_FOLDER, SegmentName, decode_segment, is_writer_name
from store.upgrades import VersionError, upgrade_episodes
from store.walk import merged_newest_first

Cursor = Mapping[str, int]
"""A place in a log: for each writer the seq of the first segment not yet read. JSON-able."""

REMEMBERED = 64  # segments of a writer that are known by name, the newest read

_logger = logging.getLogger("ludens.store")


class ReplayLog:
    """Reads a run's episodes of one schema, each once, never failing on a bad file.

    A damaged segment is moved to `<run>/quarantine/` with its reason beside it; an intact one that
    is not for this reader (newer version, other schema) stays where it is. Either way one warning
    is logged and reading goes on. Segments come in the order (writer, seq). An episode whose UUID
    was read before by this object is dropped.

    Args:
        run: the run.
        schema: of the episodes that are read.
        start: where to begin; at the beginning if None.
        on_segment: called with each segment's writer, name and episodes, duplicates included, as
            it is read.

    Attributes:
        episodes_read: episodes returned so far.
        duplicates_dropped: episodes dropped so far.
    """

    def __init__(
        self,
        run: Run,
        schema: EpisodeSchema,
        start: Cursor | None = None,
        on_segment: Callable[[str, SegmentName, EpisodeBatch], None] | None = None,
    ) -> None:
        self.schema = schema
        self._on_segment = on_segment
        self.episodes_read = 0
        self.duplicates_dropped = 0
        self._files = run.files
        self._marks = {writer: _Marks(seq) for writer, seq in (start or {}).items()}
        self._warned: set[str] = set()
        self._uuids = UuidSet()

    @property
    def cursor(self) -> dict[str, int]:
        """Where this reader stands, to be kept in a checkpoint."""
        return {writer: marks.end for writer, marks in self._marks.items() if marks.end}

    def poll(
        self, until: Cursor | None = None, max_segments: int | None = None
    ) -> list[EpisodeBatch]:
        """The segments not read before, one batch each; [] when there is nothing new.

        Args:
            until: read only what lies before this cursor (writers it lacks are left out).
            max_segments: read at most so many, to bound the memory.
        """
        batches: list[EpisodeBatch] = []
        for writer, name in self._unread(until):
            if max_segments is not None and len(batches) >= max_segments:
                break
            batch = self._read(writer, name)
            if batch is not None:
                batches.append(batch)
        return [kept for batch in batches if len(kept := self._without_duplicates(batch))]

    def load_newest(
        self, rows: int, of: str | None = None, until: Cursor | None = None
    ) -> list[EpisodeBatch]:
        """The newest segments that together hold at least `rows` rows, oldest first.

        What lies before them counts as read, so that `poll` goes on after them. Newest is by each
        writer's own order and, between writers, by the time of the commit.

        Args:
            rows: wanted number of rows.
            of: name of the array whose items are counted as rows; episodes are if None.
            until: consider only what lies before this cursor.

        Raises:
            StoreError: the schema has no array `of`.
        """
        if of is not None and of not in self.schema.fields:
            raise StoreError(f"no array {of!r} in the schema; it has {list(self.schema.fields)}")
        segments = list(self._unread(until))
        batches: list[EpisodeBatch] = []
        gathered = 0
        for writer, name in newest_first(self._files, segments):
            if gathered >= rows:
                break
            batch = self._read(writer, name)
            if batch is not None:
                batches.append(batch)
                gathered += batch.rows(of)
        for writer, name in segments:
            self._mark_done(writer, name)
        batches.reverse()
        return [kept for batch in batches if len(kept := self._without_duplicates(batch))]

    def _unread(self, until: Cursor | None) -> Iterator[tuple[str, SegmentName]]:
        for writer in self._listed(self._files.folders, REPLAY_FOLDER):
            if not is_writer_name(writer):
                self._warn_once(writer, f"{REPLAY_FOLDER}/{writer}: not a writer's folder, skipped")
                continue
            end = None if until is None else until.get(writer, 0)
            marks = self._marks.setdefault(writer, _Marks(0))
            for name in self._segment_names(writer, marks.first_open()):
                if end is not None and name.seq >= end:
                    break
                if not marks.is_read(name):
                    yield writer, name

    def _listed(self, listing: Callable[[str], list[str]], folder: str) -> list[str]:
        try:
            return listing(folder)
        except OSError as error:  # may heal: tried again at the next poll
            self._warn_once(folder, f"{self._files.url}/{folder} cannot be listed: {error}")
            return []

    def _segment_names(self, writer: str, start: int) -> list[SegmentName]:
        """The writer's segments from seq `start` on (and some before it), in order."""
        names: list[SegmentName] = []
        before = f"{start:09d}-"
        for text in self._listed(self._files.names, f"{REPLAY_FOLDER}/{writer}"):
            if text[9:10] == "-" and text < before:  # most are, and reading them takes its time
                continue
            name = SegmentName.parse(text)
            if name is None:
                key = f"{REPLAY_FOLDER}/{writer}/{text}"
                self._warn_once(key, f"{key}: not a segment's name, skipped")
            else:
                names.append(name)
        return sorted(names)

    def _read(self, writer: str, name: SegmentName) -> EpisodeBatch | None:
        key = segment_key(writer, name)
        try:
            batch = self._in_our_schema(decode_segment(name, self._files.read(key)))
        except SegmentError as error:
            self._quarantine(writer, name, error)
            batch = None
        except ForeignSegmentError as error:
            self._warn_once(key, f"segment {key} skipped: {error}")
            batch = None
        except FileNotFoundError:  # pruned since it was listed
            batch = None
        except OSError as error:  # may heal: tried again at the next poll
            self._warn_once(key, f"segment {key} skipped for now: {error}")
            return None
        self._mark_done(writer, name)
        if batch is not None and self._on_segment is not None:
            self._on_segment(writer, name, batch)
        return batch

    def _in_our_schema(self, batch: EpisodeBatch) -> EpisodeBatch:
        try:
            batch = upgrade_episodes(batch, self.schema.kind)
        except VersionError as error:
            raise ForeignSegmentError(str(error)) from error
        if batch.schema != self.schema:
            raise ForeignSegmentError(
                f"it holds {batch.schema.to_json()}, this reader expects {self.schema.to_json()}"
            )
        return batch

    def _mark_done(self, writer: str, name: SegmentName) -> None:
        self._marks.setdefault(writer, _Marks(0)).mark(name)

    def _without_duplicates(self, batch: EpisodeBatch) -> EpisodeBatch:
        is_new = self._uuids.add_new(batch.uuids)
        kept = batch if is_new.all() else batch.take(np.flatnonzero(is_new))
        self.episodes_read += len(kept)
        self.duplicates_dropped += len(batch) - len(kept)
        return kept

    def _quarantine(self, writer: str, name: SegmentName, reason: SegmentError) -> None:
        key = segment_key(writer, name)
        target = f"{QUARANTINE_FOLDER}/{writer}-{name}"
        try:
            self._files.move(key, target)
            self._files.create(f"{target}.reason.txt", f"{key}\n{reason}\n".encode())
            outcome = f"moved to {target}"
        except FileNotFoundError:
            outcome = "another reader has moved it already"
        except (OSError, StoreError) as error:
            outcome = f"left in place, it could not be moved ({error})"
        self._warn_once(key, f"segment {self._files.url}/{key} is damaged: {reason}; {outcome}")

    def _warn_once(self, key: str, message: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            _logger.warning("%s", message)


class _Marks:
    """Which of one writer's segments are read: the newest by name, all before those.

    By name, because the newest may be found late, or twice under one seq (work repeated after a
    crash with another result).
    """

    def __init__(self, start: int) -> None:
        self.end = start
        self._start = start
        self._newest: set[SegmentName] = set()

    def first_open(self) -> int:
        """The first seq that is judged by name."""
        return max(self._start, self.end - REMEMBERED)

    def is_read(self, name: SegmentName) -> bool:
        return name.seq < self.first_open() or name in self._newest

    def mark(self, name: SegmentName) -> None:
        self.end = max(self.end, name.seq + 1)
        self._newest.add(name)
        if len(self._newest) > 2 * REMEMBERED:
            self._newest = {kept for kept in self._newest if kept.seq >= self.first_open()}


def newest_first(
    files: Files, segments: Iterable[tuple[str, SegmentName]]
) -> Iterator[tuple[str, SegmentName]]:
    """A merge of the writers by commit time, newest first, that keeps each writer's own order.

    Args:
        files: the run's.
        segments: (writer, name), each writer's in rising order.
    """
    return merged_newest_first(segments, partial(_commit_time, files))


def _commit_time(files: Files, writer: str, name: SegmentName) -> int:
    try:
        return files.modified_ns(segment_key(writer, name))
    except OSError:  # gone since it was listed; reading it will tell
        return 0


def segment_key(writer: str, name: SegmentName) -> str:
    """A segment's key in its run."""
    return f"{REPLAY_FOLDER}/{writer}/{name}"
