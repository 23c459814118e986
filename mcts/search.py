"""The search as Python sees it: place positions, simulate with any evaluator, read the roots.

The search never sees a network. `select` yields a batch of encoded leaves, `receive` takes their
logits and values; `run` does both with an evaluator function until every search is over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.game import Game
from mcts import kernels
from mcts.config import SearchConfig
from mcts.forest import COUNTERS, Forest, allocate, params_of

# planes float32 [n, C, H, W] -> (policy logits float32 [n, A], value_to_play float32 [n])
Evaluator = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class CompiledEvaluator:
    """An evaluator compiled into the search, which then never returns to Python between leaves."""

    code: int


UNIFORM = CompiledEvaluator(kernels.UNIFORM)  # uniform priors, value 0
ROLLOUT = CompiledEvaluator(kernels.ROLLOUT)  # uniform priors, one random game


class RootResults(NamedTuple):
    """What n finished searches found; all values are for the side to move at the root."""

    policy: NDArray[np.float32]  # [n, A] training target, sums to 1
    value_to_play: NDArray[np.float32]  # [n]
    action: NDArray[np.int64]  # [n] sampled by the temperature
    best_action: NDArray[np.int64]  # [n] without chance
    exact: NDArray[np.float32]  # [n] proven value, or NaN
    plies: NDArray[np.int16]  # [n] plies to the proven end
    visits: NDArray[np.int32]  # [n, A]
    q: NDArray[np.float32]  # [n, A] exact or mean value of each move, NaN where unvisited


def empty_results(count: int, num_actions: int) -> RootResults:
    """RootResults for `count` roots, to be filled."""
    return RootResults(
        policy=np.zeros((count, num_actions), np.float32),
        value_to_play=np.zeros(count, np.float32),
        action=np.zeros(count, np.int64),
        best_action=np.zeros(count, np.int64),
        exact=np.zeros(count, np.float32),
        plies=np.zeros(count, np.int16),
        visits=np.zeros((count, num_actions), np.int32),
        q=np.zeros((count, num_actions), np.float32),
    )


class Search:
    """A forest of `trees` searches over one game, each with its own random stream.

    Not safe for use by two threads at once; two Search objects are independent of each other.
    """

    def __init__(
        self,
        game: Game,
        config: SearchConfig,
        trees: int,
        *,
        max_simulations: int | None = None,
        seed: int = 0,
    ) -> None:
        self.game = game
        self.config = config
        self.trees = trees
        self.max_simulations = max_simulations or config.simulations
        self.params = params_of(config)
        self.forest: Forest = allocate(game, config, trees, self.max_simulations, seed)
        slots = trees * config.leaves_per_tree
        self._planes = np.zeros((slots, *game.planes_shape), np.float32)
        self._done = np.zeros(trees, np.int64)
        self._waiting = 0

    def place(self, states: NDArray[Any], trees: NDArray[np.int64] | None = None) -> None:
        """Make records [n] the roots of the first n trees, or of `trees` int64 [n]."""
        chosen = np.arange(len(states), dtype=np.int64) if trees is None else trees
        kernels.place_roots(self.forest, chosen, states)

    def begin(
        self,
        trees: NDArray[np.int64],
        simulations: int | NDArray[np.int32],
        explore: bool | NDArray[np.bool_] = False,
    ) -> None:
        """Start searches of `simulations` root visits each (those kept by reuse count).

        Raises ValueError for more simulations than the forest has room for.
        """
        counts = np.broadcast_to(np.asarray(simulations, np.int32), trees.shape)
        if counts.size and counts.max() > self.max_simulations:
            raise ValueError(
                f"{counts.max()} simulations asked of a forest made for {self.max_simulations}"
            )
        noise = np.broadcast_to(np.asarray(explore, np.uint8), trees.shape)
        kernels.begin(self.forest, trees, counts.copy(), noise.copy())

    def select(self) -> NDArray[np.float32]:
        """Encoded leaves float32 [n, C, H, W] awaiting evaluation; n = 0 when all are done.

        A view that the next call overwrites.
        """
        if self._waiting:
            raise RuntimeError(f"{self._waiting} leaves still await receive()")
        self._waiting = kernels.select_batch(self.forest, self.params, self._planes)
        return self._planes[: self._waiting]

    def receive(self, logits: NDArray[np.float32], values_to_play: NDArray[np.float32]) -> None:
        """Hand in the evaluations of the leaves last selected, in their order."""
        if len(values_to_play) != self._waiting or len(logits) != self._waiting:
            raise ValueError(f"{self._waiting} leaves wait, got {len(values_to_play)} evaluations")
        kernels.receive_batch(self.forest, self.params, logits, values_to_play)
        self._waiting = 0

    def run(self, evaluator: Evaluator | CompiledEvaluator) -> None:
        """Simulate until every begun search is done."""
        if isinstance(evaluator, CompiledEvaluator):
            kernels.search_compiled(self.forest, self.params, evaluator.code)
            return
        while len(planes := self.select()):
            self.receive(*evaluator(planes))

    def done(self) -> NDArray[np.int64]:
        """The trees whose search is over and has not been read yet."""
        return self._done[: kernels.done_trees(self.forest, self._done)].copy()

    def read(
        self, trees: NDArray[np.int64], temperatures: NDArray[np.float64] | float = 0.0
    ) -> RootResults:
        """Results of finished searches, which this ends; each move sampled at its temperature."""
        out = empty_results(len(trees), self.game.num_actions)
        degrees = np.broadcast_to(np.asarray(temperatures, np.float64), trees.shape).copy()
        kernels.read_roots(self.forest, self.params, trees, degrees, out)
        return out

    def play(self, trees: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
        """Play a legal action at each root; the subtree stays if the config reuses trees."""
        kernels.play_roots(self.forest, trees, actions, self.config.keeps_tree)

    def roots(self, trees: NDArray[np.int64]) -> NDArray[Any]:
        """Copies of the root positions, records [n]."""
        copies: NDArray[Any] = self.forest.states[trees, 0].copy()
        return copies

    def clear_cache(self) -> None:
        """Forget all evaluations: for a new version of the network."""
        self.forest.cache["key"] = 0

    def counters(self) -> dict[str, int]:
        """Totals since the start: simulations, evaluations, cache_hits, proven_leaves and _roots."""
        return dict(zip(COUNTERS, self.forest.counters.tolist(), strict=True))


def run_parallel(
    searches: Sequence[Search], evaluators: Sequence[Evaluator | CompiledEvaluator]
) -> None:
    """Run several searches to their end, each in a thread of its own with its own evaluator.

    Compiled code and networks release the interpreter's lock, and the searches share nothing, so
    the result does not depend on the threads' order.
    """
    if len(searches) == 1:
        searches[0].run(evaluators[0])
        return
    with ThreadPoolExecutor(len(searches)) as pool:
        list(pool.map(lambda pair: pair[0].run(pair[1]), zip(searches, evaluators, strict=True)))
