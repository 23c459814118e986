"""The trainer: a learner, its reader of the replay log, and its checkpoints.

It is the half of a run that writes weights; the loop (`selfplay.loop`) puts an actor beside
it in one process, the cluster (`selfplay.cluster.driver`) puts many in others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agents.algorithm import Actor
from agents.registry import algorithm_of
from agents.running.saving import Saving, checkpoint_rows
from agents.torch_state import TRAINER_FILE, dump_trainer, load_trainer
from agents.training import TrainConfig
from selfplay.rate_limiter import RateLimiter
from store import checkpoints
from store.errors import CheckpointError
from store.replay.episodes import EpisodeBatch
from store.replay.log import Cursor, ReplayLog
from store.replay.window import WINDOW_FILE, ReplayWindow, SavedWindow, Window
from store.run import Run

SEGMENTS_AT_ONCE = 32  # decoded and taken into the window together


def rows_between(config: TrainConfig) -> int:
    """Return the new training rows between checkpoints; 0 if they go by the clock.

    Where counts decide, none cuts a segment short: a network may be published every few rows.
    """
    algorithm = algorithm_of(config)
    least = algorithm.segment_rows(config) if algorithm.writes_through(config) else 0
    return checkpoint_rows(config, least)


class Trainer:
    """Trains on a run's replay log and saves checkpoints; resumes from the newest valid one.

    Attributes:
        checkpoint: what it continued from, or None.
        learned: metrics of the last training; empty before the first.
        version: learner steps of the weights last published.
        rows_read: training rows read from the store by this object.
        counted: what the episodes read since its creation add to the counters of a run, without
            those of the window that it resumed with.
    """

    def __init__(self, run: Run, config: TrainConfig) -> None:
        self.run = run
        self.config = config
        self.learned: Mapping[str, float] = {}
        self.version = 0
        self.rows_read = 0
        self.counted: Counter[str] = Counter()
        self.algorithm = algorithm = algorithm_of(config)
        self.learner = algorithm.make_learner(config)
        self.limiter = RateLimiter(algorithm.passes(config), self.learner.batch_size)
        self.row_field = algorithm.row_field(config)
        self.window = Window(algorithm.window_rows(config), of=self.row_field)
        self._saving = Saving(
            run,
            config,
            window=self.window,
            keep_minutes=algorithm.keep_minutes,
            rows_between=rows_between(config),
        )
        self.log = ReplayLog(
            run,
            algorithm.schema(config),
            on_segment=self._saving.upkeep.note_segment,
            window=self.window,
        )
        self.checkpoint = self._saving.checkpoint
        if self.checkpoint:
            self._restore(self.checkpoint)

    def _restore(self, checkpoint: checkpoints.Checkpoint) -> None:
        """Resume from a checkpoint: the learner's state, its window, and the rate limit."""
        state = load_trainer(checkpoint.files[TRAINER_FILE])
        window, saved = self._window_of(checkpoint)
        self.rows_read = window.rows
        try:
            self.learner.load_state(state, window)
            self.limiter.credit = state["rows_credit"]
        except KeyError as error:
            raise CheckpointError(
                f"checkpoint {checkpoint.step} of run {self.run.name!r}: {TRAINER_FILE} lacks "
                f"{error}, which resuming needs"
            ) from error
        self._saving.continue_from(checkpoint, self.learner.rows_added, saved)

    def _window_of(
        self, checkpoint: checkpoints.Checkpoint
    ) -> tuple[ReplayWindow, SavedWindow | None]:
        """Return the window to fill again and its order in the checkpoint, None in an old one."""
        cursor = checkpoint.metadata["cursor"]
        if WINDOW_FILE in checkpoint.files:
            saved = SavedWindow.from_bytes(checkpoint.files[WINDOW_FILE])
            return self.log.load_window(saved, cursor), saved
        newest = self.log.load_newest(self.window.rows, of=self.row_field, until=cursor)
        return ReplayWindow.of(newest, self.row_field), None

    @property
    def saved(self) -> dict[str, Any]:
        """Return the metadata of the checkpoint it resumed from; empty without one."""
        return self._saving.metadata

    @property
    def saved_step(self) -> int:
        """Return the learner steps of the newest checkpoint, -1 before the first."""
        return self._saving.saved_step

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

    def counters_on(self) -> dict[str, int]:
        """Read all announced games; return the checkpoint's counters brought up to what was read.

        For the start of a session whose actors make nothing again that the store holds.
        """
        self.read()
        before = self.saved.get("counters", {})
        return {
            name: before.get(name, 0) + self.counted[name] for name in {**before, **self.counted}
        }

    def read_some(self, *, wait: bool = True) -> int:
        """Take the next few segments, or those that have arrived; return their rows."""
        batches = self.log.take(SEGMENTS_AT_ONCE, wait=wait)
        for batch in batches:
            self.counted.update(self.algorithm.counted(self.config, batch))
        rows = self.add(batches)
        self.rows_read += rows
        return rows

    def add(self, batches: Sequence[EpisodeBatch]) -> int:
        """Pass episodes to the learner, which may train on them from now on; return their rows.

        Those that did not come from the store are to be named by `mark_sealed` later, and all that
        is announced is to be read before them.
        """
        rows = self.learner.add(batches)
        after_start = self.learner.rows_added - self.algorithm.start_rows(self.config)
        self.limiter.earn(max(0, min(rows, after_start)))
        return rows

    def mark_sealed(self, key: str, batch: EpisodeBatch) -> None:
        """Record the segment of episodes that the learner got by `add`, in the same order."""
        self.log.mark_taken(key, batch)

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
        if steps <= 0:
            return 0
        before = self.learner.steps
        found = self.learner.train(steps, progress_share)
        made = self.learner.steps - before  # none where the rows do not suffice yet
        if made:
            self.learned = found
            self.limiter.spend(made)
        return made

    def publish(self) -> bytes:
        """Return the weights to act by, as safetensors bytes, and record their version."""
        self.version = self.learner.steps
        return self.learner.weights()

    def publish_to(self, actor: Actor) -> None:
        """Let an actor of this process act by the weights of now, and record their version."""
        self.version = self.learner.steps
        self.algorithm.pass_weights(self.learner, actor)

    def checkpoint_due(self, elapsed_s: float) -> bool:
        """Return whether the configured rows or minutes since the last checkpoint have passed.

        By the clock, one is due too when `elapsed_s`, the seconds trained, reach a minute whose
        checkpoint is kept by name.
        """
        return self._saving.is_due(elapsed_s, self.learner.rows_added)

    def is_saved(self) -> bool:
        """Return whether the newest checkpoint, named by its step, holds all training steps."""
        return self.learner.steps == self.saved_step

    def save(self, files: Mapping[str, bytes], metadata: Mapping[str, Any]) -> None:
        """Save a checkpoint of this trainer and of what else the caller needs to continue.

        Then drops what is no longer needed, unless `keep_all` is set (see `store.upkeep.tidy`).
        """
        learned = {**self.learner.state(), "rows_credit": self.limiter.credit}
        self._saving.save(
            self.learner.steps,
            {
                checkpoints.MODEL_FILE: self.learner.weights(),
                TRAINER_FILE: dump_trainer(learned),
                **files,
            },
            metadata,
            rows=self.learner.rows_added,
            cursor=self.log.cursor,
            window=self.log.saved_window,
        )
