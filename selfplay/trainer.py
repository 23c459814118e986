"""The trainer: a learner, its reader of the replay log, and its checkpoints.

It is the half of a run that writes weights; the loop (`selfplay.loop`) puts an actor beside
it in one process, the cluster (`selfplay.cluster.driver`) puts many in others.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from agents.registry import algorithm_of
from agents.torch_state import dump_trainer, load_trainer
from agents.training import TrainConfig
from selfplay.rate_limiter import RateLimiter
from store import checkpoints
from store.errors import CheckpointError
from store.replay.log import Cursor, ReplayLog
from store.run import Run
from store.upkeep.minutes import MinuteNames
from store.upkeep.retention import Window
from store.upkeep.tidy import Upkeep

TRAINER_FILE = "trainer.pt"
ROUNDS_BETWEEN = 8  # of the loop, between the checkpoints of a run without a clock
SEGMENTS_AT_ONCE = 32  # decoded and taken into the window together


def checkpoint_rows(config: TrainConfig) -> int:
    """Return the new training rows between checkpoints; 0 if they go by the clock.

    A run limited by games in one process is deterministic. A checkpoint restarts running
    searches, so the clock must not decide when to save one.
    """
    by_games = config.games and not config.minutes and not config.workers
    return config.checkpoint_rows or (ROUNDS_BETWEEN * config.publish_rows if by_games else 0)


class Trainer:
    """Trains on a run's replay log and saves checkpoints; resumes from the newest valid one.

    Attributes:
        checkpoint: what it continued from, or None.
        learned: metrics of the last training; empty before the first.
        version: learner steps of the weights last published.
        saved_step: learner steps of the newest checkpoint, -1 before the first.
        rows_read: training rows read from the store by this object.
    """

    def __init__(self, run: Run, config: TrainConfig) -> None:
        self.run = run
        self.config = config
        self.learned: Mapping[str, float] = {}
        self.version = 0
        self.saved_step = -1
        self.rows_read = 0
        algorithm = algorithm_of(config)
        self.learner = algorithm.make_learner(config)
        self.limiter = RateLimiter(algorithm.passes(config), self.learner.batch_size)
        self.row_field = algorithm.row_field(config)
        self.window_rows = algorithm.window_rows(config)
        self.upkeep = Upkeep(run, Window(self.window_rows, of=self.row_field))
        self.log = ReplayLog(run, algorithm.schema(config), on_segment=self.upkeep.note_segment)
        self.checkpoint = checkpoints.latest_valid(run)
        if self.checkpoint:
            self._restore(self.checkpoint)
        self._names = MinuteNames(run, algorithm.keep_minutes, self.saved.get("elapsed_s", 0.0))
        self._saved_at = time.monotonic()
        self._rows_at_save = self.learner.rows_added

    def _restore(self, checkpoint: checkpoints.Checkpoint) -> None:
        """Resume from a checkpoint: the learner's state, its window, and the rate limit."""
        state = load_trainer(checkpoint.files[TRAINER_FILE])
        cursor = checkpoint.metadata["cursor"]
        newest = self.log.load_newest(self.window_rows, of=self.row_field, until=cursor)
        self.rows_read = sum(batch.rows(self.row_field) for batch in newest)
        try:
            self.learner.load_state(state, newest)
            self.limiter.credit = state["rows_credit"]
        except KeyError as error:
            raise CheckpointError(
                f"checkpoint {checkpoint.step} of run {self.run.name!r}: {TRAINER_FILE} lacks "
                f"{error}, which resuming needs"
            ) from error
        self.saved_step = checkpoint.step
        self.upkeep.note_checkpoint(checkpoint.step, checkpoint.metadata["cursor"])

    @property
    def saved(self) -> dict[str, Any]:
        """Return the metadata of the checkpoint it resumed from; empty without one."""
        return self.checkpoint.metadata if self.checkpoint else {}

    @property
    def unread_rows(self) -> int:
        """Estimate the unread training rows in the store from the rows a game so far."""
        rows_per_game = self.rows_read / self.log.episodes_read if self.log.episodes_read else 1.0
        return round(self.log.unread_episodes * rows_per_game)

    def announce(self, segments: Iterable[str]) -> None:
        """Add segments to be read, by key; makes no request to the store."""
        self.log.announce(segments)

    def find(self, until: Cursor | None = None) -> None:
        """List the store for segments that were not announced; used on resume."""
        self.log.find(until)

    def read(self) -> int:
        """Read all announced games from the store; return their training rows."""
        rows = 0
        while self.log.segments_to_take:
            rows += self.read_some()
        return rows

    def read_some(self, *, wait: bool = True) -> int:
        """Take the next few segments, or those that have arrived; return their rows."""
        rows = self.learner.add(self.log.take(SEGMENTS_AT_ONCE, wait=wait))
        self.limiter.earn(rows)
        self.rows_read += rows
        return rows

    def learn(
        self, progress_share: float, most_steps: int | None = None, *, is_last: bool = False
    ) -> int:
        """Train as much as the rate limit admits, `most_steps` at most; return the steps made.

        The last call of a session makes a step if there is any row to train on. Without it no
        checkpoint would record the games since the last one, and the budget that they used.
        """
        allowed = self.limiter.steps_allowed()
        if is_last and self.limiter.credit > 0.0:
            allowed = max(allowed, 1)
        steps = allowed if most_steps is None else min(allowed, most_steps)
        if steps:
            self.learned = self.learner.train(steps, progress_share)
            self.limiter.spend(steps)
        return steps

    def publish(self) -> bytes:
        """Return the weights to act by, as safetensors bytes, and record their version."""
        self.version = self.learner.steps
        return self.learner.weights()

    def checkpoint_due(self, elapsed_s: float) -> bool:
        """Return whether the configured rows or minutes since the last checkpoint have passed.

        By the clock, one is due too when `elapsed_s`, the seconds trained, reach a minute whose
        checkpoint is kept by name.
        """
        if rows := checkpoint_rows(self.config):
            return self.learner.rows_added - self._rows_at_save >= rows
        if self._names.is_due(elapsed_s):
            return True
        return time.monotonic() - self._saved_at >= 60.0 * self.config.checkpoint_minutes

    def is_saved(self) -> bool:
        """Return whether the newest checkpoint, named by its step, holds all training steps."""
        return self.learner.steps == self.saved_step

    def save(self, files: Mapping[str, bytes], metadata: Mapping[str, Any]) -> None:
        """Save a checkpoint of this trainer and of what else the caller needs to continue.

        Then drops what is no longer needed, unless `keep_all` is set (see `store.upkeep.tidy`).
        """
        cursor = self.log.cursor
        checkpoints.save(
            self.run,
            self.learner.steps,
            {
                checkpoints.MODEL_FILE: self.learner.weights(),
                TRAINER_FILE: dump_trainer(
                    {**self.learner.state(), "rows_credit": self.limiter.credit}
                ),
                **files,
            },
            {"cursor": cursor, **metadata},
        )
        self.saved_step = self.learner.steps
        self._saved_at = time.monotonic()
        self._rows_at_save = self.learner.rows_added
        self.upkeep.note_checkpoint(self.saved_step, cursor)
        self._names.name(self.saved_step, metadata.get("elapsed_s", 0.0))
        if not self.config.keep_all:
            self.upkeep.tidy()
