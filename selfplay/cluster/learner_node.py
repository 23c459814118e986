"""The learner as a Ray actor, called for one stretch of training after another."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
import torch

from agents.registry import algorithm_of
from agents.running.compiling import one_at_a_time
from agents.training import TrainConfig
from selfplay.own_game import game_of
from selfplay.package_check import check_packages
from selfplay.trainer import Trainer
from store.run import Run, open_run

STRETCH_S = 2.0  # of learning, after which it answers
STEPS_AT_ONCE = 8
SWEEP_S = 300.0  # between two listings of the store, for what was committed and not announced


@dataclass(frozen=True)
class LearnReport:
    """State of the learner after a stretch.

    Attributes:
        steps: training steps since the run began.
        learned: metrics of the last training; empty before the first.
        rows: training rows read since the run began.
        window_rows: rows that it samples from.
        backlog_rows: rows read and not trained on as often as the rate limit admits.
        unread_rows: rows announced and not read, about.
        version: learner steps of the published weights.
        weights: one reference to their safetensors bytes.
        saved_step: step of the newest checkpoint, -1 before the first.
        trained: steps of this stretch.
        saved: metadata of the checkpoint that it continued from, its counters brought up to what
            the store holds.
        host: where it runs.
    """

    steps: int
    learned: Mapping[str, float]
    rows: int
    window_rows: int
    backlog_rows: int
    unread_rows: int
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
        """Initialise on the first call, because Ray truncates constructor errors."""
        if self._opened:
            return
        check_packages()
        torch.set_num_threads(self.config.cluster.learner_cpus)
        with one_at_a_time():
            algorithm_of(self.config).warm_up(self.config, acting=False, learning=True)
        run = self._open_run()
        self.lock = run.lock_trainer()
        self.trainer = Trainer(run, self.config)
        self.saved = self._counted_on()
        self.steps_per_version = self.trainer.limiter.steps_of(self.config.publish_rows)
        self._publish()
        self._sweep_at = time.monotonic() + SWEEP_S
        self._opened = True

    def _open_run(self) -> Run:
        return open_run(*self._where, game=game_of(self.config).name)

    def _counted_on(self) -> dict[str, Any]:
        """Update the counters in a checkpoint's metadata with what the store holds after it."""
        self.trainer.find()
        return {**self.trainer.saved, "counters": self.trainer.counters_on()}

    def _publish(self) -> None:
        self.weights = [ray.put(self.trainer.publish())]

    def report(self, trained: int = 0) -> LearnReport:
        """Return the state of the learner."""
        self._open()
        trainer, learner = self.trainer, self.trainer.learner
        return LearnReport(
            steps=learner.steps,
            learned=trainer.learned,
            rows=learner.rows_added,
            window_rows=learner.window_rows,
            backlog_rows=trainer.limiter.rows_owed(),
            unread_rows=trainer.unread_rows,
            version=trainer.version,
            weights=self.weights,
            saved_step=trainer.saved_step,
            trained=trained,
            saved={} if trained else self.saved,
            host=os.uname().nodename,
        )

    def learn(
        self,
        progress_share: float,
        metadata: Mapping[str, Any],
        segments: Sequence[str] = (),
        finish: bool = False,
    ) -> LearnReport:
        """Read and train in turn for STRETCH_S at most, then publish and save what is due.

        `metadata` goes into a checkpoint; with `finish` one is saved in any case. `segments` are
        keys of what workers have committed and answered for. All that was announced is read before
        a checkpoint is saved, so that its cursor is after the games that its counters count.
        """
        self._open()
        self.trainer.announce(segments)
        self._sweep_if_due(finish)
        trained = self._stretch(progress_share)
        due = finish or self.trainer.checkpoint_due(metadata.get("elapsed_s", 0.0))
        if due:
            self.trainer.read()
        if finish:
            trained += self.trainer.learn(progress_share, 1, is_last=True)
        if self.trainer.learner.steps - self.trainer.version >= self.steps_per_version:
            self._publish()
        if due and not self.trainer.is_saved():
            self.trainer.save({}, metadata)
        return self.report(trained)

    def _stretch(self, progress_share: float) -> int:
        """Take arrived segments and train on them in turn; return the steps made."""
        begun, trained = time.monotonic(), 0
        while time.monotonic() < begun + STRETCH_S:
            rows = self.trainer.read_some(wait=not self.trainer.limiter.steps_allowed())
            steps = self.trainer.learn(progress_share, STEPS_AT_ONCE)
            trained += steps
            if not (rows or steps):
                break
        return trained

    def _sweep_if_due(self, finish: bool) -> None:
        """Search for segments that were committed and not announced because their worker died."""
        if finish or time.monotonic() >= self._sweep_at:
            self.trainer.log.sweep()
            self._sweep_at = time.monotonic() + SWEEP_S

    def close(self) -> None:
        """Release the run's lock for another trainer; no further training here."""
        if self._opened:
            self.lock.release()
