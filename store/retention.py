"""Which checkpoints and segments of a run may go, and letting them go.

Pruning beside a running trainer is safe and takes no lock. The trainer reads only segments after
the cursor of its newest checkpoint, which are kept; if it dies, it resumes from the newest valid
checkpoint, which is kept with its window; what it saves meanwhile was not in the pruner's list, and
only things in that list are removed. Two pruners may meet as well: each keeps the newest valid
checkpoint and what that needs, and a file that is gone already is no error. Readers announce what
they use (`store.holds`); one that comes in the middle finds a file gone, which `ReplayLog` takes as
pruned, and `latest_valid` as a reason to look again.

The newest segment of a writer always stays: a writer without a checkpoint finds its place by it.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from store import checkpoints
from store.errors import CheckpointError, CheckpointNotFoundError, ForeignSegmentError, SegmentError
from store.holds import HeldThings
from store.replay import Cursor, newest_first, segment_key
from store.run import CHECKPOINT_FOLDER, Run
from store.segments import SegmentName, decode_segment
from store.walk import list_segments, size_of, walk

_logger = logging.getLogger("ludens.store")

Segment = tuple[str, SegmentName]


@dataclass(frozen=True)
class Window:
    """What a trainer loads when it resumes: the newest `rows` before its cursor.

    `of` names the array whose items are counted as rows, as in `ReplayLog.load_newest`; episodes
    are counted where it is None.
    """

    rows: int
    of: str | None = None


@dataclass(frozen=True)
class Retention:
    """What to keep.

    Attributes:
        keep_last: the newest so many checkpoints; None keeps all.
        keep_every: besides, the steps that are multiples of it; 0 is none.
        keep_rows: the newest segments that hold so many rows; None keeps all.
        best: a step that is kept in any case.
        window: what resuming loads; None if unknown, and no segment is dropped.
    """

    keep_last: int | None = None
    keep_every: int = 0
    keep_rows: int | None = None
    best: int | None = None
    window: Window | None = None


@dataclass(frozen=True)
class PrunePlan:
    """What would be dropped, and why not more.

    Attributes:
        drop_steps: checkpoints, rising.
        drop_unfinished: steps older than the newest valid one of which a part was left behind.
        drop_segments: keys, in the order of removal.
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


def plan_pruning(run: Run, retention: Retention, holds: Sequence[HeldThings] = ()) -> PrunePlan:
    """Decide what may go, reading no more segments than those that stay; changes nothing.

    Raises:
        CheckpointError: there are checkpoints, but none is intact: then nothing should go.
        ValueError: `keep_last` is below 1, or another number below 0.
    """
    if (retention.keep_rows or 0) < 0:
        raise ValueError(f"expected keep_rows >= 0; got {retention.keep_rows}")
    newest = checkpoints.latest_valid(run)
    valid = newest.step if newest else None
    all_steps = checkpoints.steps(run)
    wanted = _steps_wanted(all_steps, retention, valid)
    kept_steps = wanted | _steps_held(all_steps, holds)
    segments = list_segments(run.files)
    needs = _Needs(run, segments, retention)
    required = needs.oldest_needed(kept_steps, valid)
    held = _oldest_held(segments, holds)
    dropped = [s for s in segments if _is_before(s, required) and _is_before(s, held)]
    drop_steps = [step for step in all_steps if step not in kept_steps]
    unfinished = _unfinished(run, all_steps, valid)
    blocking = [h for h in holds if _blocks(h, segments, required, set(all_steps) - wanted)]
    return PrunePlan(
        drop_steps,
        unfinished,
        [segment_key(*segment) for segment in dropped],
        sorted(kept_steps),
        len(segments) - len(dropped),
        _bytes_of(run, [*drop_steps, *unfinished], dropped),
        [hold.owner for hold in blocking],
        needs.pinned_by,
        _why_all(retention, valid),
    )


def prune(run: Run, plan: PrunePlan) -> None:
    """Remove what a plan drops: checkpoints first, then segments, the oldest first.

    Killed anywhere, it leaves a run that resumes as before. What is gone already is passed over.
    Raises OSError when the store refuses.
    """
    for step in [*plan.drop_unfinished, *plan.drop_steps]:
        _unless_gone(partial(checkpoints.delete, run, step))
    for key in plan.drop_segments:
        _unless_gone(partial(run.files.remove, key))


class _Needs:
    """Which segments must stay, as the oldest seq of each writer; each is read once at most."""

    def __init__(self, run: Run, segments: list[Segment], retention: Retention) -> None:
        self._run = run
        self._segments = segments
        self._retention = retention
        self._rows: dict[str, int] = {}
        self.pinned_by: int | None = None

    def oldest_needed(self, kept_steps: Collection[int], valid: int | None) -> dict[str, int]:
        """For each writer the seq from which on its segments stay."""
        everything = dict.fromkeys({writer for writer, _ in self._segments}, 0)
        rows = self._retention.keep_rows
        if rows is None or _why_all(self._retention, valid):
            return everything
        needed = {writer: name.seq for writer, name in self._segments}  # each writer's last
        _lower(needed, self._newest(self._segments, rows))
        for step in sorted(kept_steps, reverse=True):
            try:
                cursor = checkpoints.read_metadata(self._run, step).get("cursor")
            except (CheckpointError, CheckpointNotFoundError):
                continue  # nobody can resume from it
            before = dict(needed)
            _lower(needed, everything.items() if cursor is None else self._resuming(cursor))
            if needed != before:
                self.pinned_by = step
        return needed

    def _resuming(self, cursor: Cursor) -> Iterable[tuple[str, int]]:
        """(writer, oldest seq) of what a trainer reads that resumes at this cursor."""
        assert self._retention.window is not None
        earlier = [(w, name) for w, name in self._segments if name.seq < cursor.get(w, 0)]
        yield from self._newest(earlier, self._retention.window.rows)
        for writer, name in self._segments:
            if name.seq >= cursor.get(writer, 0):
                yield writer, name.seq

    def _newest(self, segments: list[Segment], rows: int) -> Iterable[tuple[str, int]]:
        gathered = 0
        for writer, name in newest_first(self._run.files, segments):
            if gathered >= rows:
                break
            gathered += self._rows_of(writer, name)
            yield writer, name.seq

    def _rows_of(self, writer: str, name: SegmentName) -> int:
        key = segment_key(writer, name)
        if key not in self._rows:
            self._rows[key] = self._count_rows(key, name)
        return self._rows[key]

    def _count_rows(self, key: str, name: SegmentName) -> int:
        """As `ReplayLog.load_newest` counts: what it could not read does not count."""
        assert self._retention.window is not None
        of = self._retention.window.of
        try:
            batch = decode_segment(name, self._run.files.read(key))
        except (SegmentError, ForeignSegmentError, OSError):
            return 0
        return batch.rows(of) if of is None or of in batch.values else 0


def _why_all(retention: Retention, valid: int | None) -> str:
    if retention.keep_rows is None:
        return ""
    if retention.window is None:
        return "the run's settings do not tell how many rows resuming needs"
    return "" if valid is not None else "there is no checkpoint yet to resume from"


def _steps_wanted(all_steps: list[int], retention: Retention, valid: int | None) -> set[int]:
    if retention.keep_last is None:
        return set(all_steps)
    kept = checkpoints.steps_to_keep(all_steps, retention.keep_last, retention.keep_every)
    kept += [step for step in (valid, retention.best) if step in all_steps and step is not None]
    return set(kept)


def _unfinished(run: Run, all_steps: list[int], valid: int | None) -> list[int]:
    """Steps without a manifest that no trainer can be writing: those before the newest valid."""
    found = [int(n) for n in run.files.folders(CHECKPOINT_FOLDER) if n.isascii() and n.isdigit()]
    return sorted(s for s in found if valid is not None and s < valid and s not in all_steps)


def _steps_held(all_steps: list[int], holds: Sequence[HeldThings]) -> set[int]:
    if any(hold.holds_all for hold in holds):
        return set(all_steps)
    return {step for hold in holds for step in hold.checkpoints if step in all_steps}


def _oldest_held(segments: list[Segment], holds: Sequence[HeldThings]) -> dict[str, int]:
    held: dict[str, int] = {}
    for hold in holds:
        writers = {writer for writer, _ in segments}
        _lower(held, dict.fromkeys(writers, 0).items() if hold.holds_all else hold.segments.items())
    return held


def _blocks(
    hold: HeldThings, segments: list[Segment], required: dict[str, int], droppable: set[int]
) -> bool:
    """Whether something goes without this hold that stays with it."""
    own = _oldest_held(segments, [hold])
    keeps_segment = any(_is_before(s, required) and not _is_before(s, own) for s in segments)
    return keeps_segment or bool(_steps_held(sorted(droppable), [hold]))


def _is_before(segment: Segment, oldest: dict[str, int]) -> bool:
    writer, name = segment
    return writer not in oldest or name.seq < oldest[writer]


def _lower(oldest: dict[str, int], found: Iterable[tuple[str, int]]) -> None:
    for writer, seq in found:
        oldest[writer] = min(seq, oldest.get(writer, seq))


def _bytes_of(run: Run, steps: Iterable[int], segments: Iterable[Segment]) -> int:
    folders = (f"{CHECKPOINT_FOLDER}/{step:09d}" for step in steps)
    keys = [key for folder in folders for key in walk(run.files, folder)]
    keys += [segment_key(*segment) for segment in segments]
    return sum(size_of(run.files, key) for key in keys)


def _unless_gone(remove: Callable[[], None]) -> None:
    try:
        remove()
    except FileNotFoundError as error:  # another pruner was here
        _logger.info("gone already: %s", error)
