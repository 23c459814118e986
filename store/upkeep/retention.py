"""Plan and carry out the pruning of a run's checkpoints and segments.

Pruning beside a running trainer is safe and takes no lock. The trainer reads only segments after
the cursor of its newest checkpoint, which are kept; if it dies, it resumes from the newest valid
checkpoint, which is kept with its window; what it saves meanwhile was not in the pruner's list, and
only things in that list are removed. Two pruners may meet as well: each keeps the newest valid
checkpoint and what that needs, and a file that is gone already is no error. Readers announce what
they use (`store.upkeep.holds`); one that starts during a pruning may find a file gone, which
`ReplayLog` takes as pruned, and `latest_valid` as a reason to list again.

The checkpoints that are kept for being the newest, RESUMABLE at most, keep the replay that resuming
from them reads, so that a trainer can pass over damaged ones. Milestones and others are for playing
and rating: resuming from one finds only the part of its window that is still stored.

The newest segment of a writer stays, of the LAST_SEGMENTS writers that committed last: a writer
without a checkpoint finds its place by it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from store import checkpoints
from store.errors import (
    CheckpointNotFoundError,
    ForeignSegmentError,
    SegmentError,
    StoreError,
)
from store.files.protocol import FileEntry
from store.replay.log import Cursor, parse_segment_key, segment_key
from store.replay.segments import SegmentName, decode_segment
from store.replay.walk import StoredSegment, merged_newest_first, stored_segments
from store.replay.window import WINDOW_FILE, SavedWindow, Window
from store.run import CHECKPOINT_FOLDER, REPLAY_FOLDER, Run
from store.upkeep.holds import HeldThings
from store.upkeep.keeps import kept_names
from store.upkeep.milestones import milestones

RESUMABLE = 5
"""Checkpoints, the newest, that can be resumed from with all of their replay window."""

LAST_SEGMENTS = 1000
"""Writers whose newest segment stays though nothing needs it, those that committed last."""


class Resuming(NamedTuple):
    """The segments that resuming from a checkpoint reads.

    Those of its window, by their keys, and those that are not before its cursor. Without `keys`
    (None: a checkpoint from before they were kept) the window is the newest before the cursor.
    """

    cursor: Cursor | None
    keys: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Retention:
    """What to keep.

    Attributes:
        keep_last: number of newest checkpoints; None keeps all.
        keep_every: also keep the steps that are multiples of it; 0 is none.
        keep_rows: the newest segments that hold this many rows; None keeps all.
        best: a step that is kept in any case.
        milestones: of each power of two of steps, this many of the newest cells keep their first
            checkpoint (`store.upkeep.milestones`); 0 is none.
        window: what resuming loads; None if unknown, and no segment is dropped.
    """

    keep_last: int | None = None
    keep_every: int = 0
    keep_rows: int | None = None
    best: int | None = None
    window: Window | None = None
    milestones: int = 0


@dataclass(frozen=True)
class Known:
    """A trainer's knowledge of its run, which saves a pruner from reading files.

    Attributes:
        intact: steps of checkpoints that it has saved or loaded, rising.
        resuming: {step: what resuming from it reads}; what is looked up is added.
        rows: {a segment's key: its rows}; of segments that it lacks nothing is known, and they
            count as empty, so that rather too many are kept.
    """

    intact: Sequence[int]
    resuming: MutableMapping[int, Resuming]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class PrunePlan:
    """The files that would be dropped, and why not more.

    Attributes:
        drop_steps: checkpoints, rising.
        drop_unfinished: steps older than the newest valid one of which a part was left behind.
        drop_segments: keys, the oldest first.
        drop_folders: folders of writers without remaining files.
        kept_steps: checkpoints that stay, rising.
        kept_segments: number of segments that stay.
        bytes_freed: sizes of the dropped files together.
        held_by: owners of the holds without which more would be dropped.
        pinned_by: the oldest step for whose resuming segments stay beyond `keep_rows`, or None.
        all_segments_because: why no segment may go though `keep_rows` was given; else empty.
    """

    drop_steps: list[int]
    drop_unfinished: list[int]
    drop_segments: list[str]
    kept_steps: list[int]
    kept_segments: int
    bytes_freed: int
    held_by: list[str] = field(default_factory=list)
    pinned_by: int | None = None
    all_segments_because: str = ""
    drop_folders: list[str] = field(default_factory=list)


def plan_pruning(
    run: Run,
    retention: Retention,
    holds: Sequence[HeldThings] = (),
    known: Known | None = None,
) -> PrunePlan:
    """Plan a pruning; changes nothing.

    A few listings, and no request for each file. Without what a trainer has `known`, the newest
    valid checkpoint is read as well, and the segments that hold the rows to be kept.

    Raises:
        CheckpointError: there are checkpoints, but none is intact: then nothing should go.
        ValueError: `keep_last` is below 1, or another number below 0.
    """
    if (retention.keep_rows or 0) < 0:
        raise ValueError(f"expected keep_rows >= 0; got {retention.keep_rows}")
    intact = _newest_valid(run) if known is None else list(known.intact)
    files = run.files.tree(CHECKPOINT_FOLDER)
    all_steps = checkpoints.complete_steps(files)
    wanted = _steps_wanted(all_steps, retention, intact) | (
        kept_names(run.files).steps & {*all_steps}
    )
    kept_steps = wanted | _steps_held(all_steps, holds)
    segments = stored_segments(run.files)
    needs = _Needs(run, segments, retention, known)
    newest = min(RESUMABLE, retention.keep_last or RESUMABLE)
    resumable = kept_steps & {*all_steps[-newest:], *intact[-newest:]}
    required = needs.oldest_needed(resumable, is_resumable=bool(intact))
    held = _oldest_held(segments, holds)
    dropped = [s for s in segments if _is_before(s, required) and _is_before(s, held)]
    drop_steps = [step for step in all_steps if step not in kept_steps]
    unfinished = _unfinished(run, all_steps, max(intact, default=None))
    blocking = [h for h in holds if _blocks(h, segments, required, set(all_steps) - wanted)]
    return PrunePlan(
        drop_steps,
        unfinished,
        [segment_key(segment.writer, segment.name) for segment in dropped],
        sorted(kept_steps),
        len(segments) - len(dropped),
        _bytes_of(files, [*drop_steps, *unfinished]) + sum(s.size for s in dropped),
        [hold.owner for hold in blocking],
        needs.pinned_by,
        _why_all(retention, is_resumable=bool(intact)),
        _emptied(segments, dropped),
    )


def prune(run: Run, plan: PrunePlan) -> None:
    """Remove the files of a plan: checkpoints first, then segments.

    Killed anywhere, it leaves a run that resumes as before. Files already gone are skipped.
    Raises OSError when the store refuses.
    """
    checkpoints.delete(run, [*plan.drop_unfinished, *plan.drop_steps])
    if plan.drop_segments:
        run.files.remove_many(plan.drop_segments)
    for folder in plan.drop_folders:
        with suppress(OSError):  # the writer has come back
            run.files.remove_folder(folder)


def _newest_valid(run: Run) -> list[int]:
    newest = checkpoints.latest_valid(run)
    return [newest.step] if newest else []


class _Needs:
    """The segments that must stay, as the oldest seq of each writer; each read at most once."""

    def __init__(
        self, run: Run, segments: list[StoredSegment], retention: Retention, known: Known | None
    ) -> None:
        self._run = run
        self._segments = segments
        self._committed = {(s.writer, s.name): s.committed_ns for s in segments}
        self._retention = retention
        self._known = known
        self._rows: dict[str, int] = {}
        self.pinned_by: int | None = None

    def oldest_needed(self, resumable: Collection[int], *, is_resumable: bool) -> dict[str, int]:
        """Return the seq from which each writer's segments stay; none for one that may go."""
        everything = dict.fromkeys({segment.writer for segment in self._segments}, 0)
        rows = self._retention.keep_rows
        if rows is None or _why_all(self._retention, is_resumable=is_resumable):
            return everything
        needed = _last_of_writers(self._segments)
        _lower(needed, self._newest([(s.writer, s.name) for s in self._segments], rows))
        for step in sorted(resumable, reverse=True):
            try:
                reads = self._reads_of(step)
            except (StoreError, CheckpointNotFoundError):
                continue  # no trainer can resume from it
            before = dict(needed)
            all_of_it = reads.cursor is None
            _lower(needed, everything.items() if all_of_it else self._resuming(reads))
            if needed != before:
                self.pinned_by = step
        return needed

    def _reads_of(self, step: int) -> Resuming:
        resuming = {} if self._known is None else self._known.resuming
        if step not in resuming:
            resuming[step] = _stored_resuming(self._run, step)
        return resuming[step]

    def _resuming(self, reads: Resuming) -> Iterable[tuple[str, int]]:
        """Yield (writer, oldest seq) of the segments read on resuming from a checkpoint."""
        assert self._retention.window is not None
        cursor = reads.cursor or {}
        if reads.keys is None:
            earlier = [(s.writer, s.name) for s in self._segments if not _is_after(s, cursor)]
            yield from self._newest(earlier, self._retention.window.rows)
        else:
            for writer, name in map(parse_segment_key, reads.keys):
                yield writer, name.seq
        for segment in self._segments:
            if _is_after(segment, cursor):
                yield segment.writer, segment.name.seq

    def _newest(
        self, segments: list[tuple[str, SegmentName]], rows: int
    ) -> Iterator[tuple[str, int]]:
        gathered = 0
        for writer, name in merged_newest_first(segments, lambda *s: self._committed[s]):
            if gathered >= rows:
                break
            gathered += self._rows_of(segment_key(writer, name), name)
            yield writer, name.seq

    def _rows_of(self, key: str, name: SegmentName) -> int:
        if self._known is not None:
            return self._known.rows.get(key, 0)
        if key not in self._rows:
            self._rows[key] = self._count_rows(key, name)
        return self._rows[key]

    def _count_rows(self, key: str, name: SegmentName) -> int:
        """Count a segment's rows as `ReplayLog.load_newest` does: 0 if it is unreadable."""
        assert self._retention.window is not None
        of = self._retention.window.of
        try:
            batch = decode_segment(name, self._run.files.read(key))
        except (SegmentError, ForeignSegmentError, OSError):
            return 0
        return batch.rows(of) if of is None or of in batch.values else 0


def _stored_resuming(run: Run, step: int) -> Resuming:
    saved = checkpoints.load(run, step, names=(), if_there=[WINDOW_FILE])
    cursor = saved.metadata.get("cursor")
    if WINDOW_FILE not in saved.files:
        return Resuming(cursor)
    window = SavedWindow.from_bytes(saved.files[WINDOW_FILE])
    return Resuming(cursor, tuple(segment.key for segment in window.segments))


def _is_after(segment: StoredSegment, cursor: Cursor) -> bool:
    return segment.name.seq >= cursor.get(segment.writer, 0)


def _last_of_writers(segments: Iterable[StoredSegment]) -> dict[str, int]:
    """Map the LAST_SEGMENTS writers that committed last to the seq of their last segment."""
    last = {segment.writer: segment for segment in segments}
    newest = sorted(last.values(), key=lambda segment: segment.committed_ns)[-LAST_SEGMENTS:]
    return {segment.writer: segment.name.seq for segment in newest}


def _emptied(segments: Iterable[StoredSegment], dropped: Iterable[StoredSegment]) -> list[str]:
    gone = {*dropped}
    staying = {segment.writer for segment in segments if segment not in gone}
    return sorted(f"{REPLAY_FOLDER}/{writer}" for writer in {s.writer for s in gone} - staying)


def _why_all(retention: Retention, *, is_resumable: bool) -> str:
    if retention.keep_rows is None:
        return ""
    if retention.window is None:
        return "the run's settings do not tell how many rows resuming needs"
    return "" if is_resumable else "there is no checkpoint yet to resume from"


def _steps_wanted(all_steps: list[int], retention: Retention, intact: Sequence[int]) -> set[int]:
    if retention.keep_last is None:
        return set(all_steps)
    kept = {*checkpoints.steps_to_keep(all_steps, retention.keep_last, retention.keep_every)}
    kept.update(intact[-retention.keep_last :])
    if retention.milestones:
        kept.update(milestones(all_steps, retention.milestones))
    if retention.best is not None:
        kept.add(retention.best)
    return kept & {*all_steps}


def _unfinished(run: Run, all_steps: list[int], valid: int | None) -> list[int]:
    """List unfinished steps that no trainer can be writing: those before the newest valid."""
    found = [int(n) for n in run.files.folders(CHECKPOINT_FOLDER) if n.isascii() and n.isdigit()]
    return sorted(s for s in found if valid is not None and s < valid and s not in all_steps)


def _steps_held(all_steps: list[int], holds: Sequence[HeldThings]) -> set[int]:
    if any(hold.holds_all for hold in holds):
        return set(all_steps)
    return {step for hold in holds for step in hold.checkpoints if step in all_steps}


def _oldest_held(segments: list[StoredSegment], holds: Sequence[HeldThings]) -> dict[str, int]:
    held: dict[str, int] = {}
    for hold in holds:
        writers = {segment.writer for segment in segments}
        _lower(held, dict.fromkeys(writers, 0).items() if hold.holds_all else hold.segments.items())
    return held


def _blocks(
    hold: HeldThings, segments: list[StoredSegment], required: dict[str, int], droppable: set[int]
) -> bool:
    """Whether this hold alone keeps a file that would be dropped."""
    own = _oldest_held(segments, [hold])
    keeps_segment = any(_is_before(s, required) and not _is_before(s, own) for s in segments)
    return keeps_segment or bool(_steps_held(sorted(droppable), [hold]))


def _is_before(segment: StoredSegment, oldest: dict[str, int]) -> bool:
    return segment.writer not in oldest or segment.name.seq < oldest[segment.writer]


def _lower(oldest: dict[str, int], found: Iterable[tuple[str, int]]) -> None:
    for writer, seq in found:
        oldest[writer] = min(seq, oldest.get(writer, seq))


def _bytes_of(files: Iterable[FileEntry], steps: Iterable[int]) -> int:
    folders = {f"{CHECKPOINT_FOLDER}/{step:09d}" for step in steps}
    return sum(file.size for file in files if file.key.rpartition("/")[0] in folders)
