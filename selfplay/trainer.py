"""The trainer: a learner, what it has read of the replay log, and its checkpoints.

It is the half of a training that writes weights; the loop (`selfplay.loop`) puts an actor beside
it in one process, the cluster (`selfplay.cluster`) puts many in others.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from agents.alphazero.episodes import SCHEMA
from agents.alphazero.learner import Learner, Losses
from agents.inference import dump_state, dump_trainer, load_trainer
from selfplay.config import TrainConfig
from selfplay.own_game import game_of
from store import checkpoints
from store.replay.log import Cursor, ReplayLog
from store.run import Run
from store.upkeep.retention import Window
from store.upkeep.tidy import Upkeep

TRAINER_FILE = "trainer.pt"
ROUNDS_BETWEEN = 8  # of the loop, between the checkpoints of a training without a clock
SEGMENTS_AT_ONCE = 32  # decoded and taken into the window together


def checkpoint_rows(config: TrainConfig) -> int:
    """New training rows between checkpoints; 0 where they go by the clock.

    A training by games in one process makes the same games always. A checkpoint begins running
    searches again, so the clock must not decide when there is one.
    """
    by_games = config.games and not config.minutes and not config.workers
    return config.checkpoint_rows or (ROUNDS_BETWEEN * config.publish_rows if by_games else 0)


class Trainer:
    """Learns from a run's replay log and saves checkpoints; continues from the newest valid one.

    Attributes:
        checkpoint: what it continued from, or None.
        losses: mean losses of the last training.
        version: learner steps of the weights last published.
        saved_step: learner steps of the newest checkpoint, -1 before the first.
        rows_read: training rows read from the store by this object.
    """

    def __init__(self, run: Run, config: TrainConfig) -> None:
        self.run = run
        self.config = config
        self.losses = Losses(float("nan"), float("nan"))
        self.version = 0
        self.saved_step = -1
        self.rows_read = 0
        self.learner = Learner(
            game_of(config),
            config.network,
            config.learner,
            seed=config.seed,
            device=config.device,
        )
        self.upkeep = Upkeep(run, Window(config.learner.window_rows, of="row_ply"))
        self.log = ReplayLog(run, SCHEMA, on_segment=self.upkeep.note_segment)
        self.checkpoint = checkpoints.latest_valid(run)
        if self.checkpoint:
            self._restore(self.checkpoint)
        self._saved_at = time.monotonic()
        self._rows_at_save = self.learner.ring.total_added

    def _restore(self, checkpoint: checkpoints.Checkpoint) -> None:
        """Continue from a checkpoint: weights, optimiser, window."""
        state = load_trainer(checkpoint.files[TRAINER_FILE])
        newest = self.log.load_newest(
            self.config.learner.window_rows, of="row_ply", until=checkpoint.metadata["cursor"]
        )
        self.learner.load_window(newest, state["rows_added"])
        self.rows_read = sum(batch.rows("row_ply") for batch in newest)
        self.learner.load_state_dict(state)
        self.saved_step = checkpoint.step
        self.upkeep.note_checkpoint(checkpoint.step, checkpoint.metadata["cursor"])

    @property
    def saved(self) -> dict[str, Any]:
        """Metadata of the checkpoint it continued from; empty without one."""
        return self.checkpoint.metadata if self.checkpoint else {}

    @property
    def unread_rows(self) -> int:
        """Training rows in the store that are known and not read, by the games read so far."""
        rows_per_game = self.rows_read / self.log.episodes_read if self.log.episodes_read else 1.0
        return round(self.log.unread_episodes * rows_per_game)

    def announce(self, segments: Iterable[str]) -> None:
        """Note segments to be read, by their keys; asks nothing of the store."""
        self.log.announce(segments)

    def find(self, until: Cursor | None = None) -> None:
        """List the store for segments to be read that were not announced; for resuming."""
        self.log.find(until)

    def read(self) -> int:
        """Take all games noted from the store; how many training rows they hold."""
        rows = 0
        while self.log.segments_to_take:
            rows += self.read_some()
        return rows

    def read_some(self, *, wait: bool = True) -> int:
        """Take the next few segments from the store, or those that have arrived; their rows."""
        rows = self.learner.add(self.log.take(SEGMENTS_AT_ONCE, wait=wait))
        self.rows_read += rows
        return rows

    def learn(
        self, progress_share: float, most_steps: int | None = None, *, is_last: bool = False
    ) -> int:
        """Train as much as the rate limit admits, or `most_steps`; the steps made.

        The last call of a session makes a step where there is any row to train on yet. Without one
        no checkpoint would tell of the games since the last, and so of the budget that they used.
        """
        allowed = self.learner.steps_allowed()
        if is_last and self.learner.rows_credit > 0.0:
            allowed = max(allowed, 1)
        steps = allowed if most_steps is None else min(allowed, most_steps)
        if steps:
            self.losses = self.learner.train(steps, progress_share)
        return steps

    def publish(self) -> bytes:
        """The averaged weights to play with, as safetensors bytes; their version is noted."""
        self.version = self.learner.steps
        return dump_state(self.learner.published())

    def checkpoint_due(self) -> bool:
        """Whether the configured rows or minutes since the last checkpoint are over."""
        if rows := checkpoint_rows(self.config):
            return self.learner.ring.total_added - self._rows_at_save >= rows
        return time.monotonic() - self._saved_at >= 60.0 * self.config.checkpoint_minutes

    def is_saved(self) -> bool:
        """Whether the newest checkpoint has all that was learned: it is named by the step."""
        return self.learner.steps == self.saved_step

    def save(self, files: Mapping[str, bytes], metadata: Mapping[str, Any]) -> None:
        """Commit a checkpoint of this trainer and of what else the caller needs to continue.

        Then what nobody needs any more goes, unless all is to be kept (see `store.upkeep.tidy`).
        """
        cursor = self.log.cursor
        checkpoints.save(
            self.run,
            self.learner.steps,
            {
                checkpoints.MODEL_FILE: dump_state(self.learner.published()),
                TRAINER_FILE: dump_trainer(self.learner.state_dict()),
                **files,
            },
            {"cursor": cursor, **metadata},
        )
        self.saved_step = self.learner.steps
        self._saved_at = time.monotonic()
        self._rows_at_save = self.learner.ring.total_added
        self.upkeep.note_checkpoint(self.saved_step, cursor)
        if not self.config.keep_all:
            self.upkeep.tidy()
