"""Prune a run during training: after each checkpoint, drop files no longer needed.

What stays of the checkpoints:

- the newest KEEP_LAST, from which training can go on with all of its window,
- milestones, at distances that double with age (`store.upkeep.milestones`),
- those that are named, and the best as it was noted (`store.upkeep.keeps`),
- those that a reader holds (`store.upkeep.holds`).

Of the replay, the segments stay that resuming from the newest few reads, and those that a reader
holds. So a run's size depends on its window and its network's size, and hardly on its age.

A round costs a few listings and bulk deletions, whatever was saved before; no file of the replay is
read, because the trainer knows the rows of each segment since it read them itself.
"""

import logging

from store.errors import RunLostError, StoreError
from store.replay.episodes import EpisodeBatch
from store.replay.log import Cursor, segment_key
from store.replay.segments import SegmentName
from store.replay.window import SavedWindow, Window
from store.run import Run
from store.upkeep.holds import HoldWatch
from store.upkeep.milestones import EACH
from store.upkeep.retention import (
    RESUMABLE,
    Known,
    PrunePlan,
    Resuming,
    Retention,
    plan_pruning,
    prune,
)

KEEP_LAST = RESUMABLE

_logger = logging.getLogger("ludens.store")


class Upkeep:
    """Prunes a run during training, in the trainer's process.

    Args:
        run: the run, locked by the caller.
        window: what the trainer loads when it resumes.
        keep_all: drop nothing, and remember nothing for it.
    """

    def __init__(self, run: Run, window: Window, *, keep_all: bool = False) -> None:
        self._run = run
        self._keep_all = keep_all
        self._window = window
        self._holds = HoldWatch(run.files)
        self._intact: list[int] = []
        self._resuming: dict[int, Resuming] = {}
        self._rows: dict[str, int] = {}
        self._warned = False

    def note_segment(self, writer: str, name: SegmentName, batch: EpisodeBatch) -> None:
        """Record the rows of a segment that was read, duplicates included."""
        if self._keep_all:
            return
        self._rows[segment_key(writer, name)] = batch.rows(self._window.of)

    def note_checkpoint(
        self, step: int, cursor: Cursor | None, window: SavedWindow | None = None
    ) -> None:
        """Record that a checkpoint is intact, after saving or loading it.

        Args:
            step: its.
            cursor: in its metadata.
            window: the order of segments that it keeps, if it does.
        """
        if self._keep_all:
            return
        self._intact = sorted({*self._intact, step})[-KEEP_LAST:]
        keys = None if window is None else tuple(segment.key for segment in window.segments)
        self._resuming[step] = Resuming(cursor, keys)

    def tidy(self) -> PrunePlan | None:
        """Drop files no longer needed; return what was dropped, None on failure or if all is kept.

        A failure is logged once, and retried at the next checkpoint: training goes on.

        Raises:
            RunLostError: another process trains the run now.
        """
        if self._keep_all:
            return None
        try:
            plan = self._plan()
            prune(self._run, plan)
        except RunLostError:
            raise
        except (OSError, StoreError) as error:
            if not self._warned:
                _logger.warning("old checkpoints and replay could not be dropped: %s", error)
            self._warned = True
            return None
        self._forget(plan)
        return plan

    def _plan(self) -> PrunePlan:
        retention = Retention(
            keep_last=KEEP_LAST, keep_rows=0, window=self._window, milestones=EACH
        )
        known = Known(self._intact, self._resuming, self._rows)
        return plan_pruning(self._run, retention, self._holds.sweep(), known)

    def _forget(self, plan: PrunePlan) -> None:
        for key in plan.drop_segments:
            self._rows.pop(key, None)
        newest = plan.kept_steps[-RESUMABLE:]
        self._resuming = {step: reads for step, reads in self._resuming.items() if step in newest}
