"""The actor: plays games with the newest weights it was given and writes them to the store."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.alphazero.episodes import SCHEMA
from agents.inference import NetworkEvaluator, load_state
from mcts.search import Evaluator
from selfplay.config import TrainConfig
from selfplay.games import ResignStatistics, Shard
from selfplay.own_game import game_of
from store.checkpoints import tensors_from_bytes, tensors_to_bytes
from store.replay.episodes import Episode
from store.replay.segments import SegmentWriter
from store.run import Run
from store.upgrades import ACTOR


def writer_name(run_name: str, seed: int, number: int) -> str:
    """The store's writer id of an actor, the same whenever the run is resumed."""
    return hashlib.blake2b(f"{run_name}/{seed}/{number}".encode(), digest_size=16).hexdigest()


def fresh_number() -> int:
    """The number of an actor that no other has or had, in any run."""
    return uuid.uuid4().int >> 66  # 62 bits: a seed, and with the shards' numbers still an int64


class Actor:
    """Plays shards of games, each in a thread of its own, and commits what they finish.

    Numba and torch keep one thread a shard, so that the threads add up to the cores.
    """

    def __init__(
        self, run: Run, config: TrainConfig, *, number: int = 0, next_seq: int | None = None
    ) -> None:
        self.config = config
        self.game = game_of(config)
        self.writer = SegmentWriter(
            run, SCHEMA, writer=writer_name(run.name, config.seed, number), next_seq=next_seq
        )
        per_shard = config.selfplay.games // config.selfplay.shards
        self.shards = [
            Shard(
                self.game,
                config.search,
                config.selfplay,
                per_shard,
                seed=config.seed,
                number=number * config.selfplay.shards + i,
            )
            for i in range(config.selfplay.shards)
        ]
        self.evaluators: list[Evaluator] = []
        self._goals = [0] * len(self.shards)
        self._finished: list[list[Episode]] = [[] for _ in self.shards]
        self._pool = ThreadPoolExecutor(
            len(self.shards), "shard", initializer=torch.set_num_threads, initargs=(1,)
        )

    @property
    def evaluator(self) -> NetworkEvaluator:
        """The network that plays; for use between calls of `play` only."""
        assert isinstance(self.evaluators[0], NetworkEvaluator)
        return self.evaluators[0]

    def load_weights(self, data: bytes, step: int) -> None:
        """Play on with these safetensors weights; what the old ones evaluated is forgotten."""
        state = load_state(data)
        networks = [e for e in self.evaluators if isinstance(e, NetworkEvaluator)]
        for network in networks:
            network.update(state, step)
        self.use(networks or self._compiled(state, step), step)

    def _compiled(self, state: dict[str, torch.Tensor], step: int) -> list[NetworkEvaluator]:
        """A network for each shard."""
        config = self.config
        first = NetworkEvaluator(self.game, config.network, state, step=step, device=config.device)
        return [first, *(first.replica() for _ in self.shards[1:])]

    def use(self, evaluators: Sequence[Evaluator], step: int) -> None:
        """Play on with an evaluator for each shard, of the network of this step."""
        self.evaluators = list(evaluators)
        for number in range(len(self.shards)):
            self.renew(number, step)

    def renew(self, number: int, step: int) -> None:
        """Note that a shard's evaluator has the weights of `step` from now on.

        What other weights evaluated is forgotten. Called between two rounds, or from the shard's
        own evaluator before it answers.
        """
        self.shards[number].network_step = step
        self.shards[number].search.clear_cache()

    def begin_round(self, rows: int) -> None:
        """Set every shard the goal of finishing games with its part of `rows` more rows."""
        part = -(-rows // len(self.shards))
        self._goals = [shard.rows_made + part for shard in self.shards]

    def play(self, pause: Callable[[], bool]) -> bool:
        """Play towards the round's goals until `pause` answers True; whether all are reached."""

        def play_shard(i: int) -> list[Episode]:
            return self.shards[i].play(self.evaluators[i], self._goals[i], pause)

        for i, episodes in enumerate(self._pool.map(play_shard, range(len(self.shards)))):
            self._finished[i] += episodes
        return all(s.rows_made >= goal for s, goal in zip(self.shards, self._goals, strict=True))

    def commit(self) -> list[str]:
        """Write the games finished since the last commit as one segment, shard by shard.

        Returns its key, for whoever reads it; [] where no game was finished. Once this returns,
        they are in the store. Raises StoreWriteError; they are then kept for another try.
        """
        for episodes in self._finished:
            while episodes:
                self.writer.append(episodes.pop(0))
        key = self.writer.commit()
        return [] if key is None else [key]

    def games_finished(self) -> int:
        """Games finished by all shards."""
        return sum(shard.games_finished for shard in self.shards)

    def counters(self) -> dict[str, int]:
        """Totals of all shards: the search's counters, games, rows and plies."""
        totals: dict[str, int] = {}
        for shard in self.shards:
            parts = shard.search.counters() | {
                "games": shard.games_finished,
                "rows": shard.rows_made,
                "plies": shard.plies_played,
            }
            for name, count in parts.items():
                totals[name] = totals.get(name, 0) + count
        return totals

    def resign_statistics(self) -> ResignStatistics:
        """Resignations of all shards."""
        every = [shard.resign for shard in self.shards]
        return ResignStatistics(
            sum(r.resigned for r in every),
            sum(r.played_on for r in every),
            sum(r.false_positives for r in every),
        )

    def forget_trees(self) -> None:
        """Begin every running search anew, as a resumed actor does."""
        for shard in self.shards:
            shard.forget_trees()

    def state(self) -> tuple[bytes, dict[str, Any]]:
        """The running games as safetensors bytes, and the rest as JSON values."""
        arrays: dict[str, NDArray[Any]] = {}
        for i, shard in enumerate(self.shards):
            for name, array in shard.state_arrays().items():
                arrays[f"{i}.{name}"] = np.ascontiguousarray(array)
        rest = {
            "format": ACTOR.name,
            "rng": [shard.state_dict() for shard in self.shards],
            "next_seq": self.writer.next_seq,
        }
        return tensors_to_bytes(arrays), rest

    def load_state(self, data: bytes, rest: dict[str, Any]) -> None:
        """Continue the running games of `state`; raises VersionError for a newer version's."""
        saved = ACTOR.read({**rest, "arrays": tensors_from_bytes(data)})
        arrays = saved["arrays"]
        for i, shard in enumerate(self.shards):
            own = {k.partition(".")[2]: v for k, v in arrays.items() if k.startswith(f"{i}.")}
            shard.load_state(own, saved["rng"][i])

    def close(self) -> None:
        """Release the threads."""
        self._pool.shutdown()
