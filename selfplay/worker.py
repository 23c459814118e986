"""A worker: the actor of self-play, asked for one round after another from another process.

It plays until its share of rows is made or its time is over, commits what it finished to the store
and answers: what it has answered for is in the store. It knows nothing of Ray but how to fetch
weights; `selfplay.cluster` decides where it runs.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError

from selfplay.actor import Actor, fresh_number
from selfplay.config import TrainConfig
from selfplay.inference_server import RemoteEvaluator
from selfplay.origin import check_packages
from selfplay.own_game import game_of
from selfplay.supervision import Ready
from selfplay.warm_up import one_at_a_time, warm_up_playing
from store import checkpoints
from store.run import open_run

ROUND_S = 20.0  # a round ends by then, however few rows it has made
WEIGHTS_TIMEOUT_S = 60.0
_logger = logging.getLogger("ludens.selfplay")


@dataclass(frozen=True)
class RoundReport:
    """What a worker has done since its last report, all of it committed.

    Attributes:
        writer: its id in the store.
        step: version of the network that it played with.
        seconds: time it played.
        counters: of the search, games, rows, plies, and of resignations.
        host: where it runs.
        segments: keys of what it committed, for the learner to fetch. Those of the report before
            are among them once more, in case that one was lost on the way.
    """

    writer: str
    step: int
    seconds: float
    counters: dict[str, int]
    host: str
    segments: tuple[str, ...]


def worker_config(config: TrainConfig) -> TrainConfig:
    """The settings of one worker: as many threads as cores, each with as many games as before.

    With an inference actor a core has two threads, so that one half of its games searches while
    the other half is evaluated elsewhere.
    """
    play, cluster = config.selfplay, config.cluster
    threads = cluster.worker_cpus * (2 if cluster.inference_actors else 1)
    shaped = replace(play, shards=threads, games=threads * (play.games // play.shards))
    return replace(config, selfplay=shaped)


class Worker:
    """Plays rounds for a training; `stop` may be called from another thread meanwhile."""

    def __init__(
        self,
        store_url: str,
        run_name: str,
        config: TrainConfig,
        inference: Sequence[Any] = (),
    ) -> None:
        self.config = worker_config(config)
        self.step = -1
        self.stopping = False
        self._where = store_url, run_name
        self._inference = inference
        self._opened = False

    def _open(self) -> None:
        """What could fail, at the first call: an error in making an actor reaches nobody whole."""
        if self._opened:
            return
        check_packages()
        game = game_of(self.config)
        self.run = open_run(*self._where, game=game.name)
        with one_at_a_time():
            warm_up_playing(game, self.config.search)
        self.actor = Actor(self.run, self.config, number=fresh_number())
        self.remote = self._remote_evaluators()
        if self.remote:
            self.actor.use(self.remote, 0)
        self._counted = self._counters()
        self._committed: list[str] = []
        self._named: list[str] = []
        self._opened = True

    def _remote_evaluators(self) -> list[RemoteEvaluator]:
        """One for each shard, by turns of the inference actors; [] without those.

        A version that changes within a round is noted by the shard before its first answer.
        """
        if not self._inference:
            return []
        return [
            RemoteEvaluator(
                self._inference[number % len(self._inference)],
                self.config.cluster.inference_timeout_s,
                partial(self.actor.renew, number),
            )
            for number in range(len(self.actor.shards))
        ]

    def prepare(self) -> Ready:
        """Open the run and compile, so that the first round is played at full speed.

        Raises RuntimeError where other packages would be imported than ours, and the store's
        errors.
        """
        self._open()
        return Ready(os.uname().nodename)

    def play_round(self, rows: int, step: int, weights: Sequence[Any]) -> RoundReport:
        """Play for `rows` more training rows, ROUND_S at most, and commit the games finished.

        `weights` holds one reference to the safetensors bytes of version `step`; in a list, so that
        they are fetched only where they are new.

        Raises StoreWriteError: the games are then kept, and committed first in the next round;
        InferenceError where an inference actor does not answer; what `prepare` raises; and the
        store's errors.
        """
        self._open()
        begun = time.monotonic()
        self._committed += self.actor.commit()
        self._take_weights(step, weights)
        self.actor.begin_round(rows)
        self.actor.play(lambda: self.stopping or time.monotonic() > begun + ROUND_S)
        self._committed += self.actor.commit()
        counted = self._counters()
        change = {name: count - self._counted[name] for name, count in counted.items()}
        self._counted = counted
        seconds = time.monotonic() - begun
        segments = (*self._named, *self._committed)
        self._named, self._committed = self._committed, []
        host = os.uname().nodename
        return RoundReport(self.actor.writer.writer, self.step, seconds, change, host, segments)

    def stop(self) -> None:
        """End the round that is being played soon, and those to come at once."""
        self.stopping = True

    def _take_weights(self, step: int, weights: Sequence[Any]) -> None:
        """Play on with version `step`, or with the store's newest if it cannot be fetched."""
        if self.remote:  # an inference actor brings its weights by itself
            self.step = max(evaluator.step for evaluator in self.remote)
            return
        if step == self.step:
            return
        try:
            data = ray.get(weights[0], timeout=WEIGHTS_TIMEOUT_S)
        except RayError as error:  # whoever published them is gone
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

    def _counters(self) -> dict[str, int]:
        return self.actor.counters() | asdict(self.actor.resign_statistics())
