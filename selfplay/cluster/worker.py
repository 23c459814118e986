"""A worker: the actor of self-play in its own process, called for one round after another.

It plays until its rows are made or its time is up, commits finished games to the store and answers:
all that an answer names is in the store. It uses Ray only to fetch weights;
`selfplay.cluster.driver` decides where it runs.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import ray
from ray.exceptions import RayError

from agents.algorithm import EvaluatedElsewhere
from agents.progress import AT_START, Elapsed
from agents.registry import algorithm_of
from agents.running.compiling import one_at_a_time
from agents.running.episode_log import fresh_number
from agents.training import TrainConfig
from selfplay.cluster.inference_server import RemoteEvaluator
from selfplay.cluster.supervision import Ready
from selfplay.committing import CommittingActor
from selfplay.own_game import game_of
from selfplay.package_check import check_packages
from store import checkpoints
from store.run import open_run

ROUND_S = 20.0  # longest round, however few rows it has made
WEIGHTS_TIMEOUT_S = 60.0
_logger = logging.getLogger("ludens.selfplay")


@dataclass(frozen=True)
class RoundReport:
    """What a worker has committed since its last report.

    Attributes:
        writer: its id in the store.
        step: version of the network that it played with.
        seconds: time it played.
        counters: those of the actor, of this round.
        host: where it runs.
        segments: keys of what it committed, for the learner to fetch. Those of the report before
            are among them once more, in case that report was lost in transit.
    """

    writer: str
    step: int
    seconds: float
    counters: dict[str, float]
    host: str
    segments: tuple[str, ...]


class Worker:
    """Plays rounds for a run; another thread may call `stop` meanwhile."""

    def __init__(
        self,
        store_url: str,
        run_name: str,
        config: TrainConfig,
        inference: Sequence[Any] = (),
    ) -> None:
        self.algorithm = algorithm_of(config)
        self.config = self.algorithm.worker_config(config)
        self.step = -1
        self.stopping = False
        self._where = store_url, run_name
        self._inference = inference
        self._opened = False

    def _open(self) -> None:
        """Initialise on the first call, because Ray truncates constructor errors."""
        if self._opened:
            return
        check_packages()
        game = game_of(self.config)
        self.run = open_run(*self._where, game=game.name)
        with one_at_a_time():
            self.algorithm.warm_up(self.config, acting=True, learning=False)
        self.committing = CommittingActor(self.run, self.config, number=fresh_number())
        self.actor = self.committing.actor
        self.remote = self._remote_evaluators()
        self._counted = self.actor.counters()
        self._committed: list[str] = []
        self._named: list[str] = []
        self._opened = True

    def _remote_evaluators(self) -> list[RemoteEvaluator]:
        """Assign inference actors to the actor's threads in rotation; [] if there are none.

        The actor records a version that changes within a round before its first answer.
        """
        if not self._inference:
            return []
        actor = cast(EvaluatedElsewhere, self.actor)
        remote = [
            RemoteEvaluator(
                self._inference[number % len(self._inference)],
                self.config.cluster.inference_timeout_s,
                partial(actor.renew, number),
            )
            for number in range(actor.threads)
        ]
        actor.use(remote, 0)
        return remote

    def prepare(self) -> Ready:
        """Open the run and compile, so that the first round plays at full speed.

        Raises RuntimeError if packages other than ours would be imported, and the store's errors.
        """
        self._open()
        return Ready(os.uname().nodename)

    def play_round(
        self, rows: int, step: int, weights: Sequence[Any], elapsed: Elapsed = AT_START
    ) -> RoundReport:
        """Play `rows` more training rows, for ROUND_S at most, and commit the finished games.

        `weights` holds one reference to the safetensors bytes of version `step`; in a list, so that
        they are fetched only if they are new.

        Raises StoreWriteError: the games are then kept, and committed first in the next round;
        InferenceError where an inference actor does not answer; what `prepare` raises; and the
        store's errors.
        """
        self._open()
        begun = time.monotonic()
        self._committed += self.committing.commit()
        self._take_weights(step, weights)
        self.actor.begin_round(rows, elapsed)
        self.actor.play(lambda: self.stopping or time.monotonic() > begun + ROUND_S)
        self._committed += self.committing.commit()
        counted = self.actor.counters()
        change = {name: count - self._counted[name] for name, count in counted.items()}
        self._counted = counted
        seconds = time.monotonic() - begun
        segments = (*self._named, *self._committed)
        self._named, self._committed = self._committed, []
        host = os.uname().nodename
        return RoundReport(
            self.committing.writer.writer, self.step, seconds, change, host, segments
        )

    def stop(self) -> None:
        """End the current round soon and later ones at once."""
        self.stopping = True

    def _take_weights(self, step: int, weights: Sequence[Any]) -> None:
        """Switch to version `step`, or to the store's newest if it cannot be fetched."""
        if self.remote:  # an inference actor has its own weights
            self.step = max(evaluator.step for evaluator in self.remote)
            return
        if step == self.step:
            return
        try:
            data = ray.get(weights[0], timeout=WEIGHTS_TIMEOUT_S)
        except RayError as error:  # the process that published them is gone
            _logger.warning("weights of step %d cannot be fetched: %s", step, error)
            step, data = self._newest_saved(error)
            if step == self.step:
                return
        self.actor.load_weights(data, step)
        self.step = step

    def _newest_saved(self, reason: RayError) -> tuple[int, bytes]:
        found = checkpoints.latest_valid(self.run, names=[checkpoints.MODEL_FILE])
        if found is None:
            raise reason
        return found.step, found.files[checkpoints.MODEL_FILE]
