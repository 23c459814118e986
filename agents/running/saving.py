"""Save the checkpoints of a run: in time, named for their minutes, old ones dropped after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.training import TrainConfig
from store import checkpoints
from store.replay.log import Cursor
from store.replay.window import WINDOW_FILE, SavedWindow, Window
from store.run import Run
from store.upkeep.minutes import MinuteNames
from store.upkeep.tidy import Upkeep

ROUNDS_BETWEEN = 8  # of the loop, between the checkpoints of a run without a clock


def checkpoint_rows(config: TrainConfig, least: int = 0) -> int:
    """Return the new training rows between checkpoints; 0 if they go by the clock.

    A run limited by games or rows in one process is deterministic. A checkpoint restarts running
    searches, so the clock must not decide when to save one. Without a number of its own a run
    saves every few networks, and never after fewer than `least` rows.
    """
    by_counts = (config.games or config.rows) and not config.minutes and not config.workers
    if config.checkpoint_rows or not by_counts:
        return config.checkpoint_rows
    return max(ROUNDS_BETWEEN * config.publish_rows, least)


class Saving:
    """The checkpoints of a run, in the process that trains it.

    Args:
        run: the run, locked by the caller.
        config: says how often, and whether old ones stay.
        window: the replay that stays; see `LearningMethod.kept_replay`.
        keep_minutes: minutes of training whose checkpoints are kept by name.
        rows_between: training rows between two; 0 goes by the clock.
        clock: monotonic seconds.

    Attributes:
        checkpoint: the newest valid one, to continue from; None in a new run.
        upkeep: is told of each segment, so that dropping old ones needs to read none.
        saved_step: learner steps of the newest checkpoint, -1 before the first.
    """

    def __init__(
        self,
        run: Run,
        config: TrainConfig,
        *,
        window: Window,
        keep_minutes: Sequence[float] = (),
        rows_between: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._config, self._clock = run, config, clock
        self._rows_between = rows_between
        self.upkeep = Upkeep(run, window, keep_all=config.keep_all)
        self.checkpoint = checkpoints.latest_valid(run)
        self.saved_step = -1
        self._names = MinuteNames(run, keep_minutes, self.metadata.get("elapsed_s", 0.0))
        self._rows_at_save = 0
        self._saved_at = clock()

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the checkpoint to continue from; empty without one."""
        return self.checkpoint.metadata if self.checkpoint else {}

    def continue_from(
        self, checkpoint: checkpoints.Checkpoint, rows: int, window: SavedWindow | None = None
    ) -> None:
        """Record that training has continued from a checkpoint, with `rows` trained on before.

        `window` is the order of segments that it keeps, if it does.
        """
        self.saved_step = checkpoint.step
        self._rows_at_save = rows
        self._saved_at = self._clock()
        self.upkeep.note_checkpoint(checkpoint.step, checkpoint.metadata["cursor"], window)

    def is_due(self, elapsed_s: float, rows: int) -> bool:
        """Return whether the rows or the minutes between two checkpoints have passed.

        By the clock, one is due too when `elapsed_s`, the seconds trained, reach a minute whose
        checkpoint is kept by name. `rows` are the training rows since the run began.
        """
        if self._rows_between:
            return rows - self._rows_at_save >= self._rows_between
        if self._names.is_due(elapsed_s):
            return True
        return self._clock() - self._saved_at >= 60.0 * self._config.checkpoint_minutes

    def save(
        self,
        step: int,
        files: Mapping[str, bytes],
        metadata: Mapping[str, Any],
        *,
        rows: int,
        cursor: Cursor,
        window: SavedWindow | None = None,
    ) -> None:
        """Save a checkpoint of the learner's `step`, and drop what is then no longer needed.

        Nothing is dropped if `keep_all` is set (see `store.upkeep.tidy`).

        Args:
            step: names it.
            files: the content of each by its name.
            metadata: JSON values, with "elapsed_s", "budget" and "counters" (`Budget.metadata`).
            rows: training rows since the run began.
            cursor: the place in the replay log that it knows.
            window: the order of the segments that resuming reads, if it does.
        """
        files = files if window is None else {**files, WINDOW_FILE: window.to_bytes()}
        checkpoints.save(self._run, step, files, {"cursor": cursor, **metadata})
        self.saved_step = step
        self._saved_at = self._clock()
        self._rows_at_save = rows
        self.upkeep.note_checkpoint(step, cursor, window)
        self._names.name(step, metadata.get("elapsed_s", 0.0))
        self.upkeep.tidy()
