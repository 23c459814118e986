"""The learner as an actor of its own: asked for one stretch of learning after another."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray
import torch

from selfplay.config import TrainConfig
from selfplay.origin import check_packages
from selfplay.own_game import game_of
from selfplay.trainer import Trainer
from store.run import open_run

STRETCH_S = 2.0  # of learning, after which it answers
STEPS_AT_ONCE = 8


@dataclass(frozen=True)
class LearnReport:
    """Where the learner stands after a stretch.

    Attributes:
        steps, policy_loss, value_loss, learning_rate: as in `agents.progress.Progress`.
        rows: training rows read since the run began.
        window_rows: rows that it samples from.
        backlog_rows: rows read and not trained on as often as the rate limit admits.
        version: learner steps of the published weights.
        weights: one reference to their safetensors bytes.
        saved_step: step of the newest checkpoint, -1 before the first.
        trained: steps of this stretch.
        saved: metadata of the checkpoint that it continued from, its counters brought up to what
            the store holds.
        host: where it runs.
    """

    steps: int
    policy_loss: float
    value_loss: float
    learning_rate: float
    rows: int
    window_rows: int
    backlog_rows: int
    version: int
    weights: list[Any]
    saved_step: int
    trained: int
    saved: Mapping[str, Any]
    host: str


class LearnerNode:
    """Reads the games of all workers from the store, trains, publishes, saves.

    It holds the run's trainer lock from the first call until `close` or the end of its process.
    Every call raises RunLockedError where another has it, and the store's other errors.
    """

    def __init__(self, store_url: str, run_name: str, config: TrainConfig) -> None:
        self.config = config
        self._where = store_url, run_name
        self._opened = False

    def _open(self) -> None:
        """What could fail, at the first call: an error in making an actor reaches nobody whole."""
        if self._opened:
            return
        check_packages()
        torch.set_num_threads(self.config.cluster.learner_cpus)
        run = open_run(*self._where, game=game_of(self.config).name)
        self.lock = run.lock_trainer()
        self.trainer = Trainer(run, self.config)
        self.saved = self._counted_on()
        rows = self.config.publish_rows * self.config.learner.passes
        self.steps_per_version = max(1, int(rows // self.config.learner.batch_size))
        self._publish()
        self._opened = True

    def _counted_on(self) -> dict[str, Any]:
        """The checkpoint's metadata, its counters brought up to what the store holds after it."""
        known = self.trainer.log.episodes_read
        rows = self.trainer.read()
        found = {"games": self.trainer.log.episodes_read - known, "rows": rows}
        counters = dict(self.trainer.saved.get("counters", {}))
        for name, count in found.items():
            counters[name] = counters.get(name, 0) + count
        return {**self.trainer.saved, "counters": counters}

    def _publish(self) -> None:
        self.weights = [ray.put(self.trainer.publish())]

    def report(self, trained: int = 0, progress_share: float = 0.0) -> LearnReport:
        """Where it stands."""
        self._open()
        trainer, learner = self.trainer, self.trainer.learner
        return LearnReport(
            steps=learner.steps,
            policy_loss=trainer.losses.policy,
            value_loss=trainer.losses.value,
            learning_rate=learner.learning_rate(progress_share),
            rows=learner.ring.total_added,
            window_rows=learner.ring.sampled_rows,
            backlog_rows=int(learner.rows_credit / self.config.learner.passes),
            version=trainer.version,
            weights=self.weights,
            saved_step=trainer.saved_step,
            trained=trained,
            saved={} if trained else self.saved,
            host=os.uname().nodename,
        )

    def learn(
        self, progress_share: float, metadata: Mapping[str, Any], finish: bool = False
    ) -> LearnReport:
        """Read what is new, train for STRETCH_S at most, publish and save what is due.

        `metadata` goes into a checkpoint; with `finish` one is saved in any case.
        """
        self._open()
        begun, trained = time.monotonic(), 0
        self.trainer.read()
        while time.monotonic() < begun + STRETCH_S:
            steps = self.trainer.learn(progress_share, STEPS_AT_ONCE)
            trained += steps
            if not steps:
                break
        if self.trainer.learner.steps - self.trainer.version >= self.steps_per_version:
            self._publish()
        due = finish or self.trainer.checkpoint_due()
        if due and not self.trainer.is_saved():
            self.trainer.save({}, metadata)
        return self.report(trained, progress_share)

    def close(self) -> None:
        """Let another trainer have the run: nothing more is learned here."""
        if self._opened:
            self.lock.release()
