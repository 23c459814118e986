"""The search's Python interface: place positions, simulate with any evaluator, read the roots.

The search never sees a network. `select` returns a batch of encoded leaves, `receive` takes their
logits and values; `run` does both with an evaluator until every search has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import typeof
from numpy.typing import NDArray

from envs.game import Game
from mcts import kernels
from mcts.config import SearchConfig
from mcts.forest import COUNTERS, Forest, allocate, params_of

type_of: Any = typeof  # it has no type annotations

# planes float32 [n, C, H, W] -> (policy logits float32 [n, A], value_to_play float32 [n])
Evaluator = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class CompiledEvaluator:
    """An evaluator compiled into the search, which then runs without returning to Python."""

    code: int


UNIFORM = CompiledEvaluator(kernels.UNIFORM)  # uniform priors, value 0
ROLLOUT = CompiledEvaluator(kernels.ROLLOUT)  # uniform priors, one random game


class RootResults(NamedTuple):
    """The results of n finished searches; all values are for the side to move at the root."""

    policy: NDArray[np.float32]  # [n, A] training target, sums to 1
    value_to_play: NDArray[np.float32]  # [n]
    action: NDArray[np.int64]  # [n] sampled at the temperature
    best_action: NDArray[np.int64]  # [n] without sampling
    exact: NDArray[np.float32]  # [n] proven value, or NaN
    plies: NDArray[np.int16]  # [n] plies to the proven end
    visits: NDArray[np.int32]  # [n, A]
    q: NDArray[np.float32]  # [n, A] exact or mean value of each move, NaN where unvisited


def empty_results(count: int, num_actions: int) -> RootResults:
    """Allocate RootResults for `count` roots, to be filled."""
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

    Not thread-safe; two Search objects are independent of each other.
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
        self._entries: dict[Any, Callable[..., Any]] = {}

    def place(self, states: NDArray[Any], trees: NDArray[np.int64] | None = None) -> None:
        """Make records [n] the roots of the first n trees, or of `trees` int64 [n].

        Raises ValueError if the numbers of states and trees differ, for an unknown tree, or for
        states of another game.
        """
        chosen = self._known(np.arange(len(states)) if trees is None else trees)
        if len(chosen) != len(states):
            raise ValueError(f"{len(states)} states for {len(chosen)} trees")
        if states.dtype != self.game.dtype:
            raise ValueError(f"expected positions of {self.game.name}, got {states.dtype}")
        self._call(kernels.place_roots, self.forest, chosen, _plain(states, self.game.dtype))

    def begin(
        self,
        trees: NDArray[np.int64],
        simulations: int | NDArray[np.int32],
        explore: bool | NDArray[np.bool_] = False,
        temperatures: NDArray[np.float64] | float = 0.0,
    ) -> None:
        """Start searches of `simulations` root visits each, including visits kept by tree reuse.

        Searches that `explore` have the root noise of self-play. Other Gumbel roots have noise
        scaled by the temperature at which `read` will choose the move: none at 0.

        Raises ValueError for fewer simulations than 1, for more than the forest has room for, or
        for an unknown tree.
        """
        chosen = self._known(trees)
        counts = np.full(len(chosen), simulations, np.int32)
        if len(counts) and not 1 <= counts.min() <= counts.max() <= self.max_simulations:
            asked = counts.max() if counts.min() >= 1 else counts.min()
            raise ValueError(f"{asked} simulations: this forest takes 1 to {self.max_simulations}")
        explores = np.full(len(chosen), explore, np.uint8)
        degrees = np.full(len(chosen), temperatures, np.float64)
        self._call(kernels.begin, self.forest, chosen, counts, explores, degrees)

    def select(self) -> NDArray[np.float32]:
        """Return encoded leaves float32 [n, C, H, W] to evaluate; n = 0 when all are done.

        The array is a view that the next call overwrites.
        """
        if self._waiting:
            raise RuntimeError(f"{self._waiting} leaves still await receive()")
        self._waiting = self._call(kernels.select_batch, self.forest, self.params, self._planes)
        return self._planes[: self._waiting]

    def receive(self, logits: NDArray[np.float32], values_to_play: NDArray[np.float32]) -> None:
        """Back up the evaluations of the leaves last selected, in the same order.

        Raises ValueError for shapes other than [n, A] and [n].
        """
        expected = (self._waiting, self.game.num_actions), (self._waiting,)
        if (logits.shape, values_to_play.shape) != expected:
            raise ValueError(
                f"{self._waiting} leaves wait: expected logits and values of the shapes "
                f"{expected}, got {(logits.shape, values_to_play.shape)}"
            )
        logits, values = _plain(logits, np.float32), _plain(values_to_play, np.float32)
        self._call(kernels.receive_batch, self.forest, self.params, logits, values)
        self._waiting = 0

    def run(self, evaluator: Evaluator | CompiledEvaluator) -> None:
        """Simulate until every started search has ended."""
        if isinstance(evaluator, CompiledEvaluator):
            self._call(kernels.search_compiled, self.forest, self.params, evaluator.code)
            return
        while len(planes := self.select()):
            self.receive(*evaluator(planes))

    def done(self) -> NDArray[np.int64]:
        """Return the trees whose search has ended and has not been read."""
        return self._done[: self._call(kernels.done_trees, self.forest, self._done)].copy()

    def read(
        self, trees: NDArray[np.int64], temperatures: NDArray[np.float64] | float = 0.0
    ) -> RootResults:
        """Return the results of ended searches; each move is sampled at its temperature.

        The trees have no search afterwards. Raises ValueError for a tree that has not been searched
        or whose game is over.
        """
        chosen = self._known(trees)
        edges = self.forest.nodes["num_edges"][chosen, 0]
        if not edges.all():
            raise ValueError(f"tree {chosen[edges == 0][0]} has no search to read at its root")
        out = empty_results(len(chosen), self.game.num_actions)
        degrees = np.full(len(chosen), temperatures, np.float64)
        self._call(kernels.read_roots, self.forest, self.params, chosen, degrees, out)
        return out

    def play(self, trees: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
        """Play a legal action at each root; keeps the subtree if the config reuses trees."""
        moves = _plain(actions, np.int64)
        if len(moves) != len(trees):
            raise ValueError(f"{len(moves)} actions for {len(trees)} trees")
        self._call(
            kernels.play_roots, self.forest, self._known(trees), moves, self.config.keeps_tree
        )

    def roots(self, trees: NDArray[np.int64]) -> NDArray[Any]:
        """Return copies of the root positions, records [n]."""
        copies: NDArray[Any] = self.forest.states[trees, 0].copy()
        return copies

    def _known(self, trees: NDArray[np.int64]) -> NDArray[np.int64]:
        """Check tree numbers, which the kernels do not. Raises ValueError for an unknown one."""
        chosen = _plain(trees, np.int64)
        if len(chosen) and not 0 <= chosen.min() <= chosen.max() < self.trees:
            raise ValueError(f"trees {chosen.min()} to {chosen.max()}: there are {self.trees}")
        return chosen

    def _call(self, kernel: Any, *arguments: Any) -> Any:
        """Call a kernel, always with arguments of the same types.

        Numba's dispatcher would determine the types of all arrays at every call, which takes 4 us;
        the call itself takes 1 us.
        """
        entry = self._entries.get(kernel)
        if entry is None:
            entry = self._entries[kernel] = kernel.compile(tuple(type_of(a) for a in arguments))
        return entry(*arguments)

    def clear_cache(self) -> None:
        """Clear the evaluation cache, for a new version of the network."""
        self.forest.cache["key"] = 0

    def counters(self) -> dict[str, int]:
        """Return the totals since the start, by the names in COUNTERS."""
        return dict(zip(COUNTERS, self.forest.counters.tolist(), strict=True))


def _plain(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return the array, copied unless it is contiguous, aligned, writable and of that dtype.

    Kernels are compiled for such arrays only.
    """
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.behaved:
        return array
    return np.require(array, dtype, ["C", "A", "W"])


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    """Return a pool that is kept: starting threads takes as long as a small search."""
    return ThreadPoolExecutor(count, "search")


def run_parallel(
    searches: Sequence[Search], evaluators: Sequence[Evaluator | CompiledEvaluator]
) -> None:
    """Run several searches to their end, each in its own thread with its own evaluator.

    Compiled code and networks release the GIL, and the searches share nothing, so the result does
    not depend on the order of the threads.
    """
    pairs = list(zip(searches, evaluators, strict=True))
    others = [_threads(len(pairs) - 1).submit(s.run, e) for s, e in pairs[1:]]
    try:
        pairs[0][0].run(pairs[0][1])
    finally:
        wait(others)
    for other in others:
        other.result()
