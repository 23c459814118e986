"""A worker: the actor of self-play, asked for one round after another from another process.

It plays until its share of rows is made or its time is over, commits what it finished to the store
and answers: what it has answered for is in the store. It knows nothing of Ray but how to fetch
weights; `selfplay.cluster` decides where it runs.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError

from envs.game import Game
from mcts.config import SearchConfig
from selfplay.actor import Actor, fresh_number
from selfplay.config import SelfPlayConfig, TrainConfig
from selfplay.games import Shard
from selfplay.inference_server import RemoteEvaluator
from selfplay.origin import check_packages
from selfplay.own_game import game_of
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
    """

    writer: str
    step: int
    seconds: float
    counters: dict[str, int]
    host: str


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
        """What could fail, at the first round: an error in making an actor reaches nobody whole."""
        if self._opened:
            return
        check_packages()
        game = game_of(self.config)
        self.run = open_run(*self._where, game=game.name)
        with one_at_a_time():
            warm_kernels(game, self.config.search)
        self.actor = Actor(self.run, self.config, number=fresh_number())
        self.remote = [RemoteEvaluator(game, handle) for handle in self._inference]
        if self.remote:
            shards = len(self.actor.shards)
            self.actor.use([self.remote[i % len(self.remote)] for i in range(shards)], 0)
        self._counted = self._counters()
        self._opened = True

    def play_round(self, rows: int, step: int, weights: Sequence[Any]) -> RoundReport:
        """Play for `rows` more training rows, ROUND_S at most, and commit the games finished.

        `weights` holds one reference to the safetensors bytes of version `step`; in a list, so that
        they are fetched only where they are new.

        Raises StoreWriteError: the games are then kept, and committed first in the next round;
        RuntimeError where other packages would be imported than ours; and the store's errors.
        """
        self._open()
        begun = time.monotonic()
        self.actor.commit()
        self._take_weights(step, weights)
        self.actor.begin_round(rows)
        self.actor.play(lambda: self.stopping or time.monotonic() > begun + ROUND_S)
        self.actor.commit()
        counted = self._counters()
        change = {name: count - self._counted[name] for name, count in counted.items()}
        self._counted = counted
        seconds = time.monotonic() - begun
        host = os.uname().nodename
        return RoundReport(self.actor.writer.writer, self.step, seconds, change, host)

    def stop(self) -> None:
        """End the round that is being played soon, and those to come at once."""
        self.stopping = True

    def _take_weights(self, step: int, weights: Sequence[Any]) -> None:
        """Play on with version `step`, or with the store's newest if it cannot be fetched."""
        if self.remote:
            answered = max(evaluator.step for evaluator in self.remote)
            if answered != self.step:
                self.actor.use(self.actor.evaluators, answered)
                self.step = answered
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


def warm_kernels(game: Game, search: SearchConfig) -> None:
    """Compile all that self-play needs, or load it from the cache on disk."""

    def evaluate(planes: Any) -> tuple[Any, Any]:
        count = len(planes)
        return np.zeros((count, game.num_actions), np.float32), np.zeros(count, np.float32)

    few = replace(search, simulations=4, cache_size=min(search.cache_size, 64))
    play = SelfPlayConfig(games=2, shards=1, fast_simulations=2)
    Shard(game, few, play, 2, seed=0, number=0).play(evaluate, 1)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keeps the other processes of this machine waiting that share its kernel cache.

    Several that compile at once would write the same files.
    """
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    with (folder / "compiling.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
