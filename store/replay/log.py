"""Read a run's replay log: every episode of every writer, as segments appear."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from store.errors import ForeignSegmentError, SegmentError, StoreError
from store.files.protocol import Files
from store.quarantine import quarantine_file
from store.replay.dedupe import RecentUuids
from store.replay.episodes import EpisodeBatch, EpisodeSchema
from store.replay.fetch import Fetcher
from store.replay.known_segments import KnownSegments
from store.replay.segments import SegmentName, decode_segment, is_writer_name
from store.replay.walk import merged_newest_first
from store.replay.window import ReplayWindow, SavedWindow, TakenSegment, TakenSegments, Window
from store.run import REPLAY_FOLDER, Run
from store.upgrades import VersionError, upgrade_episodes

Cursor = Mapping[str, int]
"""A place in a log: for each writer the seq of the first segment not yet read. JSON-able."""

Segment = tuple[str, SegmentName]
"""A writer and the name of one of its segments."""

RECENT_EPISODES = 500_000
"""Episodes whose UUIDs are remembered at least: 32 MiB at most, hours of what one process plays."""

BYTES_AHEAD = 2**26  # decoded, of the segments fetched ahead while a window is filled
LEAST_AHEAD = 2  # segments, however large
GIVE_UP_S = 3600.0  # of a segment that could not be read for as long

_logger = logging.getLogger("ludens.store")


class ReplayLog:
    """Reads a run's episodes of one schema, each once, never failing on a bad file.

    Segments are noted first, then taken. Writers name what they have committed (`announce`, which
    asks nothing of the store); listing is for resuming (`find`) and, now and then (`sweep`), for
    what was committed and not named. What is noted is kept as names; `take` reads it in that order,
    several files at a time. A listing notes segments in the order (writer, seq).

    A damaged segment is moved to `<run>/quarantine/` with its reason beside it; an intact one that
    is not for this reader (newer version, other schema) stays in place. Either way one warning is
    logged and reading goes on. A segment that cannot be read now is retried for
    GIVE_UP_S.

    A segment is read once by its name. An episode whose UUID is among the newest RECENT_EPISODES
    read (up to twice as many) is dropped. That is enough, because only an actor that resumes from a
    checkpoint makes an episode again, and only one that it had made since that checkpoint.

    Args:
        run: the run.
        schema: of the episodes that are read.
        start: where to begin; at the beginning if None.
        on_segment: called with each segment's writer, name and episodes, duplicates included, as
            it is read.
        window: what a resumed reader loads again; the order of its segments is kept for that.

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
        window: Window | None = None,
    ) -> None:
        self.schema = schema
        self._window = window or Window(0)
        self._check_field(self._window.of)
        self._taken = TakenSegments(self._window.rows)
        self._on_segment = on_segment
        self.episodes_read = 0
        self.duplicates_dropped = 0
        self._files = run.files
        self._known = {writer: KnownSegments(seq) for writer, seq in (start or {}).items()}
        self._noted: deque[Segment] = deque()
        self._failed: list[Segment] = []
        self._failing_since: dict[Segment, float] = {}
        self._fetcher = Fetcher(self._files)
        self._warned: set[str] = set()
        self._uuids = RecentUuids(RECENT_EPISODES)

    @property
    def cursor(self) -> dict[str, int]:
        """Return the reader's position for a checkpoint: before all segments not read."""
        ends = {writer: known.end for writer, known in self._known.items()}
        for writer, name in (*self._noted, *self._failed):
            ends[writer] = min(ends[writer], name.seq)
        return {writer: end for writer, end in ends.items() if end}

    @property
    def saved_window(self) -> SavedWindow:
        """Return the order in which the window's segments were taken, for a checkpoint."""
        cursor, unread = self.cursor, {*self._noted, *self._failed}
        ahead = [
            segment_key(writer, name)
            for writer, known in sorted(self._known.items())
            if cursor.get(writer, 0) < known.end
            for name in known.newest_from(cursor.get(writer, 0))
            if (writer, name) not in unread
        ]
        return SavedWindow(tuple(self._taken), tuple(ahead))

    @property
    def segments_to_take(self) -> int:
        """Number of segments noted and not taken."""
        return len(self._noted)

    @property
    def unread_episodes(self) -> int:
        """Number of episodes in the segments noted and not read."""
        return sum(name.episodes for _, name in (*self._noted, *self._failed))

    def announce(self, keys: Iterable[str]) -> None:
        """Note segments by the keys that `SegmentWriter.commit` returned; skip known ones.

        Raises StoreError for a key that is no segment's.
        """
        self._retry()
        for key in keys:
            self._note(*parse_segment_key(key))

    def find(self, until: Cursor | None = None) -> None:
        """List the store and note every unknown segment.

        Args:
            until: only what lies before this cursor (writers it lacks are left out).
        """
        self._retry()
        for writer, names in self._listed_writers(until):
            for name in names:
                self._note(writer, name)

    def sweep(self) -> None:
        """Find new segments as `find` does, without listing silent writers.

        Those are the ones that named nothing between two sweeps, and of which the second found
        nothing new. They are listed again after they have named a segment, so that a sweep costs
        what the active writers cost, however many there have been.
        """
        self._retry()
        for writer, names in self._listed_writers(None, silent=False):
            known = self._known[writer]
            fresh = [name for name in names if not known.is_known(name)]
            for name in fresh:
                self._note(writer, name)
            known.listed(found=bool(fresh))

    def take(self, max_segments: int | None = None, *, wait: bool = True) -> list[EpisodeBatch]:
        """Read the noted segments, the oldest notes first, one batch each; [] when all are read.

        Args:
            max_segments: most segments read, to bound the memory.
            wait: False takes only what has arrived, and lets the rest come.
        """
        batches: list[tuple[str, EpisodeBatch]] = []
        count = len(self._noted)
        for _ in range(count if max_segments is None else min(max_segments, count)):
            if not wait or len(self._noted) > 1:
                nearest = islice(self._noted, self._fetcher.at_once)
                self._fetcher.ahead(segment_key(*segment) for segment in nearest)
            if not wait and not self._fetcher.has(segment_key(*self._noted[0])):
                break
            segment = self._noted.popleft()
            batch = self._read(*segment)
            if batch is not None:
                batches.append((segment_key(*segment), batch))
        return self._take_new(batches)

    def mark_taken(self, key: str, batch: EpisodeBatch) -> None:
        """Count a segment as read that the learner has taken without reading it.

        Args:
            key: as `SegmentWriter.commit` returned it.
            batch: its episodes, which the learner took after all that it had taken before.

        Raises:
            StoreError: the key is no segment's.
        """
        writer, name = parse_segment_key(key)
        self._known_of(writer).add(name)
        if self._on_segment is not None:
            self._on_segment(writer, name, batch)
        self._uuids.add_new(batch.uuids)
        self.episodes_read += len(batch)
        self._taken.add(TakenSegment(key, batch.rows(self._window.of)))

    def poll(
        self, until: Cursor | None = None, max_segments: int | None = None
    ) -> list[EpisodeBatch]:
        """Find and take the segments not read before, one batch each."""
        self.find(until)
        return self.take(max_segments)

    def load_newest(
        self, rows: int, of: str | None = None, until: Cursor | None = None
    ) -> list[EpisodeBatch]:
        """Load the newest segments that together hold at least `rows` rows, oldest first.

        What lies before them counts as read, so that `find` goes on after them. Newest is by each
        writer's own order and, between writers, by the time of the commit.

        Args:
            rows: wanted number of rows.
            of: name of the array whose items are counted as rows; episodes are if None.
            until: consider only what lies before this cursor.

        Raises:
            StoreError: the schema has no array `of`.
        """
        self._check_field(of)
        segments = [
            (writer, name)
            for writer, names in self._listed_writers(until)
            for name in names
            if not self._known[writer].is_known(name)
        ]
        batches = self._read_newest(newest_first(self._files, segments), rows, of)
        for writer, name in segments:
            self._known[writer].add(name)
        for known in self._known.values():
            known.listed(found=True)
        self._failed.clear()  # what could not be read is not in the window, and lies before it
        batches.reverse()
        return self._take_new(batches)

    def load_window(self, saved: SavedWindow, until: Cursor) -> ReplayWindow:
        """Return the window of a checkpoint, to be read in the order in which it was taken.

        What lies before the cursor counts as read, whether the window is read or not, and so does
        what the window holds: `find` goes on with all others. Nothing is listed. A segment that
        cannot be read is left out with a warning, and keeps its rows' numbers.

        Args:
            saved: the order in the checkpoint.
            until: the checkpoint's cursor.

        Raises:
            StoreError: a key is no segment's.
        """
        self._known = {writer: KnownSegments(seq) for writer, seq in until.items()}
        taken = [(segment, parse_segment_key(segment.key)) for segment in saved.segments]
        for writer, name in (*(s for _, s in taken), *map(parse_segment_key, saved.ahead)):
            known = self._known_of(writer)
            if not known.is_known(name):
                known.add(name)
        rows = sum(segment.rows for segment in saved.segments)
        for segment in saved.segments:
            self._taken.add(segment)
        return ReplayWindow(self._read_again(taken), rows)

    def _read_again(
        self, taken: Sequence[tuple[TakenSegment, Segment]]
    ) -> Iterator[tuple[int, EpisodeBatch | None]]:
        """Read segments in order, a few ahead; yield (rows, episodes that were taken)."""
        ahead = LEAST_AHEAD
        for i, (segment, part) in enumerate(taken):
            self._fetcher.ahead(s.key for s, _ in taken[i : i + ahead])
            batch = self._read(*part)
            if part in self._failed:
                self._failed.remove(part)
            if batch is not None:
                size = max(sum(array.nbytes for array in batch.values.values()), 1)
                ahead = max(LEAST_AHEAD, min(BYTES_AHEAD // size, self._fetcher.at_once))
                self._uuids.add_new(batch.uuids)
                if segment.dropped:
                    batch = batch.take(np.setdiff1d(np.arange(len(batch)), segment.dropped))
                self.episodes_read += len(batch)
            yield segment.rows, batch
        self._fetcher.drop()

    def _read_newest(
        self, newest: Iterator[Segment], rows: int, of: str | None
    ) -> list[tuple[str, EpisodeBatch]]:
        """Read segments until they hold `rows` rows together, fetching ahead."""
        batches: list[tuple[str, EpisodeBatch]] = []
        coming: deque[Segment] = deque()
        gathered = 0
        while gathered < rows:
            wanted = -(-(rows - gathered) * len(batches) // gathered) if gathered else 1
            coming.extend(islice(newest, max(0, min(wanted, self._fetcher.at_once) - len(coming))))
            if not coming:
                break
            if len(coming) > 1:
                self._fetcher.ahead(segment_key(*segment) for segment in coming)
            segment = coming.popleft()
            batch = self._read(*segment)
            if batch is not None:
                batches.append((segment_key(*segment), batch))
                gathered += batch.rows(of)
        self._fetcher.drop()
        return batches

    def _note(self, writer: str, name: SegmentName) -> None:
        known = self._known_of(writer)
        if not known.is_known(name):
            known.add(name)
            self._noted.append((writer, name))

    def _retry(self) -> None:
        """Queue unreadable segments again, after all noted ones."""
        self._noted.extend(self._failed)
        self._failed.clear()

    def _known_of(self, writer: str) -> KnownSegments:
        return self._known.setdefault(writer, KnownSegments(0))

    def _listed_writers(
        self, until: Cursor | None, silent: bool = True
    ) -> Iterator[tuple[str, list[SegmentName]]]:
        """List each writer's possibly unknown segments before `until`, in order.

        Without the `silent` writers, if they are not wanted.
        """
        writers = [
            writer
            for writer in self._writers()
            if (silent or not self._known_of(writer).settled)
            and (until is None or until.get(writer))
        ]
        for writer, names in zip(writers, self._fetcher.each(self._segment_names, writers)):
            if names is not None:
                end = None if until is None else until[writer]
                yield writer, [name for name in names if end is None or name.seq < end]

    def _writers(self) -> Iterator[str]:
        for writer in self._listed(self._files.folders, REPLAY_FOLDER) or []:
            if is_writer_name(writer):
                yield writer
            else:
                self._warn_once(writer, f"{REPLAY_FOLDER}/{writer}: not a writer's folder, skipped")

    def _listed(self, listing: Callable[[str], list[str]], folder: str) -> list[str] | None:
        try:
            return listing(folder)
        except OSError as error:  # may heal: tried again at the next call
            self._warn_once(folder, f"{self._files.url}/{folder} cannot be listed: {error}")
            return None

    def _segment_names(self, writer: str) -> list[SegmentName] | None:
        """List the writer's possibly unknown segments (and some known ones), in order."""
        listed = self._listed(self._files.names, f"{REPLAY_FOLDER}/{writer}")
        if listed is None:
            return None
        names: list[SegmentName] = []
        before = f"{self._known_of(writer).first_open():09d}-"
        for text in listed:
            if text[9:10] == "-" and text < before:  # most are, and parsing them takes time
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
            batch = self._in_our_schema(decode_segment(name, self._fetcher.get(key)))
        except SegmentError as error:
            self._quarantine(writer, name, error)
            batch = None
        except ForeignSegmentError as error:
            self._warn_once(key, f"segment {key} skipped: {error}")
            batch = None
        except FileNotFoundError:  # pruned since it was listed
            batch = None
        except OSError as error:  # may heal
            self._note_failure(writer, name, error)
            return None
        self._failing_since.pop((writer, name), None)
        if batch is not None and self._on_segment is not None:
            self._on_segment(writer, name, batch)
        return batch

    def _note_failure(self, writer: str, name: SegmentName, error: OSError) -> None:
        """Keep a segment to be read later, but not for ever.

        Nothing of its writer after the reader's position is pruned, so a file that never heals
        would let the replay grow with the run.
        """
        key, now = segment_key(writer, name), time.monotonic()
        if now - self._failing_since.setdefault((writer, name), now) < GIVE_UP_S:
            self._warn_once(key, f"segment {key} skipped for now: {error}")
            self._failed.append((writer, name))
            return
        del self._failing_since[writer, name]
        self._warn_once(f"{key} lost", f"segment {key} left out, unreadable for too long: {error}")

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

    def _take_new(self, batches: Iterable[tuple[str, EpisodeBatch]]) -> list[EpisodeBatch]:
        """Return the episodes not taken before, and record the order of their segments."""
        taken: list[EpisodeBatch] = []
        for key, batch in batches:
            is_new = self._uuids.add_new(batch.uuids)
            kept = batch if is_new.all() else batch.take(np.flatnonzero(is_new))
            self.episodes_read += len(kept)
            self.duplicates_dropped += len(batch) - len(kept)
            dropped = tuple(np.flatnonzero(~is_new).tolist())
            self._taken.add(TakenSegment(key, kept.rows(self._window.of), dropped))
            if len(kept):
                taken.append(kept)
        return taken

    def _check_field(self, of: str | None) -> None:
        if of is not None and of not in self.schema.fields:
            raise StoreError(f"no array {of!r} in the schema; it has {list(self.schema.fields)}")

    def _quarantine(self, writer: str, name: SegmentName, reason: SegmentError) -> None:
        key = segment_key(writer, name)
        try:
            outcome = f"moved to {quarantine_file(self._files, key, f'{writer}-{name}', reason)}"
        except FileNotFoundError:
            outcome = "another reader has moved it already"
        except (OSError, StoreError) as error:
            outcome = f"left in place, it could not be moved ({error})"
        self._warn_once(key, f"segment {self._files.url}/{key} is damaged: {reason}; {outcome}")

    def _warn_once(self, key: str, message: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            _logger.warning("%s", message)


def newest_first(
    files: Files, segments: Iterable[tuple[str, SegmentName]]
) -> Iterator[tuple[str, SegmentName]]:
    """Merge the writers' segments by commit time, newest first, keeping each writer's order.

    Args:
        files: the run's.
        segments: (writer, name), each writer's in rising order.
    """
    # One listing has all dates. What is gone since counts as old, which reading it will tell.
    committed = {entry.key: entry.modified_ns for entry in files.tree(REPLAY_FOLDER)}
    return merged_newest_first(segments, lambda *part: committed.get(segment_key(*part), 0))


def segment_key(writer: str, name: SegmentName) -> str:
    """Return a segment's key in its run."""
    return f"{REPLAY_FOLDER}/{writer}/{name}"


def parse_segment_key(key: str) -> Segment:
    """Parse a segment's key into writer and name; raises StoreError for another key."""
    folder, _, rest = key.partition("/")
    writer, _, text = rest.partition("/")
    name = SegmentName.parse(text)
    if folder != REPLAY_FOLDER or not is_writer_name(writer) or name is None:
        raise StoreError(
            f"{key!r} is no segment's key; expected "
            f"'{REPLAY_FOLDER}/<32 hexadecimal digits>/<seq>-<episodes>-<crc>.arrow'"
        )
    return writer, name
