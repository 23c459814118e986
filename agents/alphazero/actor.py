"""The actor of AlphaZero: plays games against itself with its newest weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.inference import NetworkEvaluator
from agents.alphazero.shard import Shard
from agents.cores import give_back_memory
from agents.progress import Elapsed
from agents.torch_state import load_state
from envs.game import Game
from mcts.search import Evaluator
from store.checkpoints import tensors_from_bytes, tensors_to_bytes
from store.replay.episodes import Episode
from store.upgrades import ACTOR


class AlphaZeroActor:
    """Plays shards of games, each in a thread of its own.

    Numba and torch keep one thread a shard, so that the threads add up to the cores.
    """

    def __init__(self, game: Game, config: AlphaZeroConfig, number: int) -> None:
        self.config = config
        self.game = game
        play = config.selfplay
        self.shards = [
            Shard(
                self.game,
                config.search,
                play,
                play.games // play.shards,
                seed=config.seed,
                number=number * play.shards + i,
            )
            for i in range(play.shards)
        ]
        self.evaluators: list[Evaluator] = []
        self._goals = [0] * len(self.shards)
        self._finished: list[list[Episode]] = [[] for _ in self.shards]
        self._counted_before: dict[str, int] = {}  # by the actor whose state this one was given
        self._pool = ThreadPoolExecutor(
            len(self.shards), "shard", initializer=torch.set_num_threads, initargs=(1,)
        )

    @property
    def policy(self) -> NetworkEvaluator:
        """Return the network that plays; only between calls of `play`."""
        assert isinstance(self.evaluators[0], NetworkEvaluator)
        return self.evaluators[0]

    @property
    def threads(self) -> int:
        """Return the number of evaluators needed: one a shard."""
        return len(self.shards)

    def load_weights(self, data: bytes, step: int) -> None:
        """Switch to these safetensors weights; forget the evaluations of the old ones."""
        state = load_state(data)
        networks = [e for e in self.evaluators if isinstance(e, NetworkEvaluator)]
        if networks:
            networks[0].update(state, step)
        for network in networks[1:]:
            network.copy_weights(networks[0])  # on a processor they are these already
        if networks:
            self.use(networks, step)
            return
        self.use(self._compiled(state, step), step)
        del state
        give_back_memory()

    def _compiled(self, state: dict[str, torch.Tensor], step: int) -> list[NetworkEvaluator]:
        """Return a network for each shard."""
        config = self.config
        first = NetworkEvaluator(self.game, config.network, state, step=step, device=config.device)
        return [first, *(first.replica() for _ in self.shards[1:])]

    def use(self, evaluators: Sequence[Evaluator], step: int) -> None:
        """Switch to an evaluator for each shard, of the network of this step."""
        self.evaluators = list(evaluators)
        for number in range(len(self.shards)):
            self.renew(number, step)

    def renew(self, number: int, step: int) -> None:
        """Record that a shard's evaluator has the weights of `step` from now on.

        Evaluations of other weights are forgotten. Called between two rounds, or from the shard's
        own evaluator before it answers.
        """
        self.shards[number].network_step = step
        self.shards[number].search.clear_cache()

    def begin_round(self, rows: int, elapsed: Elapsed) -> None:
        """Set every shard's goal to its part of `rows` more rows."""
        part = -(-rows // len(self.shards))
        self._goals = [shard.rows_made + part for shard in self.shards]

    def play(self, pause: Callable[[], bool]) -> bool:
        """Play until all goals are reached or `pause` returns True; return whether they are."""

        def play_shard(i: int) -> list[Episode]:
            return self.shards[i].play(self.evaluators[i], self._goals[i], pause)

        for i, episodes in enumerate(self._pool.map(play_shard, range(len(self.shards)))):
            self._finished[i] += episodes
        return all(s.rows_made >= goal for s, goal in zip(self.shards, self._goals, strict=True))

    def take_episodes(self) -> list[Episode]:
        """Return the games finished since the last call, shard by shard."""
        taken = [episode for episodes in self._finished for episode in episodes]
        self._finished = [[] for _ in self.shards]
        return taken

    def counters(self) -> dict[str, int]:
        """Return games, rows, plies, resignations and the search's counters since creation.

        Counts from before a loaded state are not included.
        """
        return {
            name: count - self._counted_before.get(name, 0)
            for name, count in self._shards_counters().items()
        }

    def _shards_counters(self) -> dict[str, int]:
        totals: dict[str, int] = {}
        for shard in self.shards:
            for name, count in shard.counters().items():
                totals[name] = totals.get(name, 0) + count
        return totals

    def on_checkpoint(self) -> None:
        """Restart every running search, as a resumed actor does."""
        for shard in self.shards:
            shard.forget_trees()

    def state(self) -> tuple[bytes, dict[str, Any]]:
        """Return the running games as safetensors bytes, the random generators as JSON values."""
        arrays: dict[str, NDArray[Any]] = {}
        for i, shard in enumerate(self.shards):
            for name, array in shard.state_arrays().items():
                arrays[f"{i}.{name}"] = np.ascontiguousarray(array)
        rng = [shard.state_dict() for shard in self.shards]
        return tensors_to_bytes(arrays), {"format": ACTOR.name, "rng": rng}

    def load_state(self, data: bytes, rest: Mapping[str, Any]) -> None:
        """Continue the running games of `state`; raises VersionError for a newer version's."""
        saved = ACTOR.read({**rest, "arrays": tensors_from_bytes(data)})
        arrays = saved["arrays"]
        for i, shard in enumerate(self.shards):
            own = {k.partition(".")[2]: v for k, v in arrays.items() if k.startswith(f"{i}.")}
            shard.load_state(own, saved["rng"][i])
        self._counted_before = self._shards_counters()

    def close(self) -> None:
        """Release the threads."""
        self._pool.shutdown()
