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

from envs.compiled.rows import bytes_of
from envs.game import Game
from envs.positions import Past
from mcts import kernels
from mcts.config import SearchConfig
from mcts.forest import COUNTERS, Forest, allocate, params_of
from mcts.game_calls import fill_calls, fill_rollout

type_of: Any = typeof  # it has no type annotations
MOST_VISITS = 1 << 30  # of a root: they are counted in 32 bits


class Leaves(NamedTuple):
    """A batch of n positions to evaluate, with L the most legal actions of the game.

    Of each row of `actions` the first `counts` are legal; the others are some actions or other.
    """

    planes: NDArray[np.float32]  # [n, C, H, W]
    actions: NDArray[np.int32]  # [n, L]
    counts: NDArray[np.int32]  # [n]


# -> (policy logits float32 [n, L] of the legal actions, value_to_play float32 [n])
Evaluator = Callable[[Leaves], tuple[NDArray[np.float32], NDArray[np.float32]]]


def evaluate_uniformly(leaves: Leaves) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Answer equal logits and value 0: an evaluator that takes no time."""
    return np.zeros(leaves.actions.shape, np.float32), np.zeros(len(leaves.counts), np.float32)


@dataclass(frozen=True)
class CompiledEvaluator:
    """An evaluator compiled into the search, which then runs without returning to Python."""

    code: int


UNIFORM = CompiledEvaluator(kernels.UNIFORM)  # uniform priors, value 0
ROLLOUT = CompiledEvaluator(kernels.ROLLOUT)  # uniform priors, one random game


class RootResults(NamedTuple):
    """The results of n finished searches; all values are for the side to move at the root.

    What is said of moves is in the order of `legal`, a row's first `counts` columns.
    """

    counts: NDArray[np.int32]  # [n] legal actions
    legal: NDArray[np.int32]  # [n, L]
    policy: NDArray[np.float32]  # [n, L] training target, sums to 1
    prior: NDArray[np.float32]  # [n, L] the evaluator's, no noise; NaN where none was asked
    value_to_play: NDArray[np.float32]  # [n]
    action: NDArray[np.int64]  # [n] sampled at the temperature
    best_action: NDArray[np.int64]  # [n] without sampling
    exact: NDArray[np.float32]  # [n] proven value, or NaN
    plies: NDArray[np.int16]  # [n] plies to the proven end
    visits: NDArray[np.int32]  # [n, L]
    q: NDArray[np.float32]  # [n, L] exact or mean value of each move, NaN where unvisited


def empty_results(count: int, max_legal: int) -> RootResults:
    """Allocate RootResults for `count` roots, to be filled."""
    return RootResults(
        counts=np.zeros(count, np.int32),
        legal=np.zeros((count, max_legal), np.int32),
        policy=np.zeros((count, max_legal), np.float32),
        prior=np.full((count, max_legal), np.nan, np.float32),
        value_to_play=np.zeros(count, np.float32),
        action=np.zeros(count, np.int64),
        best_action=np.zeros(count, np.int64),
        exact=np.zeros(count, np.float32),
        plies=np.zeros(count, np.int16),
        visits=np.zeros((count, max_legal), np.int32),
        q=np.full((count, max_legal), np.nan, np.float32),
    )


def by_action(
    listed: NDArray[Any],
    legal: NDArray[np.int32],
    counts: NDArray[Any],
    num_actions: int,
    other: Any,
) -> NDArray[Any]:
    """Spread values [n, L] of the first `counts` legal actions over all actions [n, A].

    Actions that are not legal get `other`.
    """
    spread = np.full((len(listed), num_actions), other, listed.dtype)
    rows, columns = np.nonzero(np.arange(listed.shape[1]) < np.asarray(counts)[:, None])
    spread[rows, legal[rows, columns]] = listed[rows, columns]
    return spread


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
        self.params = params_of(game, config)
        self.forest: Forest = allocate(game, config, trees, self.max_simulations, seed)
        slots = trees * config.leaves_per_tree
        self._planes = np.zeros((slots, *game.planes_shape), np.float32)
        self._actions = np.zeros((slots, game.max_legal), np.int32)
        self._counts = np.zeros(slots, np.int32)
        self._done = np.zeros(trees, np.int64)
        self._waiting = 0
        self._entries: dict[Any, Callable[..., Any]] = {}

    def place(
        self,
        states: NDArray[Any],
        trees: NDArray[np.int64] | None = None,
        past: Past | None = None,
    ) -> None:
        """Make records [n] the roots of the first n trees, or of `trees` int64 [n].

        `past` is what lies before them, for games with history; None is nothing.

        Raises ValueError if the numbers of states and trees differ, for an unknown tree, or for
        states of another game.
        """
        chosen = self._known(np.arange(len(states)) if trees is None else trees)
        if len(chosen) != len(states):
            raise ValueError(f"{len(states)} states for {len(chosen)} trees")
        if states.dtype != self.game.dtype:
            raise ValueError(f"expected positions of {self.game.name}, got {states.dtype}")
        self._call(
            kernels.place_roots, self.forest, chosen, bytes_of(_plain(states, self.game.dtype))
        )
        if past is not None and self.game.has_history:
            keys, counts = _plain(past.keys, np.uint64), _plain(past.counts, np.int64)
            boards = bytes_of(_plain(past.boards, self.game.dtype))
            self._call(kernels.place_past, self.forest, chosen, keys, counts, boards)

    def restart(self, trees: NDArray[np.int64]) -> None:
        """Remove what the trees found; the roots and their past stay."""
        self._call(kernels.restart_roots, self.forest, self._known(trees))

    def restrict(self, trees: NDArray[np.int64], actions: NDArray[np.int32]) -> None:
        """Restart trees whose roots have no moves but `actions` [k], until one is played there.

        Raises ValueError for an action that is not legal at one of the roots, and for none.
        """
        chosen, only = self._known(trees), _plain(np.unique(actions), np.int32)
        for root in self.roots(chosen):
            unknown = np.setdiff1d(only, self.game.legal_actions(root))
            if len(unknown) or not len(only):
                got = f"actions {unknown.tolist()}" if len(only) else "none"
                raise ValueError(f"expected legal actions of the root, got {got}")
        self._call(kernels.restrict_roots, self.forest, chosen, only)

    def limit_leaves(self, leaves: int) -> None:
        """Have at most `leaves` in flight a tree from now on, of the config's `leaves_per_tree`.

        Raises ValueError for fewer than 1, and RuntimeError while leaves await `receive`.
        """
        if leaves < 1:
            raise ValueError(f"{leaves} leaves: expected 1 or more")
        if self._waiting:
            raise RuntimeError(f"{self._waiting} leaves still await receive()")
        allowed = min(leaves, self.config.leaves_per_tree)
        self.params = self.params._replace(leaves_per_tree=allowed)

    def begin(
        self,
        trees: NDArray[np.int64],
        simulations: int | NDArray[np.int32],
        explore: bool | NDArray[np.bool_] = False,
        temperatures: NDArray[np.float64] | float = 0.0,
        until_full: bool = False,
    ) -> None:
        """Start searches of `simulations` root visits each, including visits kept by tree reuse.

        Searches that `explore` have the root noise of self-play. Other Gumbel roots have noise
        scaled by the temperature at which `read` will choose the move: none at 0.

        With `until_full` a PUCT search may have up to MOST_VISITS simulations: it ends where they
        need more nodes than the forest has. Known positions need none.

        Raises ValueError for fewer simulations than 1, for more than the forest has room for, or
        for an unknown tree.
        """
        most = self.max_simulations
        if until_full and self.config.root == "puct":
            most = MOST_VISITS
        chosen = self._known(trees)
        counts = np.full(len(chosen), simulations, np.int32)
        if len(counts) and not 1 <= counts.min() <= counts.max() <= most:
            asked = counts.max() if counts.min() >= 1 else counts.min()
            raise ValueError(f"{asked} simulations: this forest takes 1 to {most}")
        explores = np.full(len(chosen), explore, np.uint8)
        degrees = np.full(len(chosen), temperatures, np.float64)
        self._call(kernels.begin, self.forest, chosen, counts, explores, degrees)

    def select(self) -> Leaves:
        """Return the leaves to evaluate; there are none when all searches are done.

        The arrays are views that the next call overwrites.
        """
        if self._waiting:
            raise RuntimeError(f"{self._waiting} leaves still await receive()")
        waiting = self._waiting = self._simulate(kernels.NETWORK)
        return Leaves(self._planes[:waiting], self._actions[:waiting], self._counts[:waiting])

    def _simulate(self, evaluator: int) -> int:
        """Simulate up to the leaves of a NETWORK, or to the end; return the leaves that wait."""
        waiting: int = self._call(
            kernels.simulate_batch,
            self.forest,
            self.params,
            evaluator,
            self._planes,
            self._actions,
            self._counts,
        )
        return waiting

    def receive(self, logits: NDArray[np.float32], values_to_play: NDArray[np.float32]) -> None:
        """Back up the evaluations of the leaves last selected, in the same order.

        Logits may have fewer columns than L where no leaf has more legal actions.

        Raises ValueError for other shapes than [n, columns] and [n].
        """
        count, width = self._waiting, self.game.max_legal
        if logits.shape != (count, width):  # narrower logits cost a look at the counts
            width = int(self._counts[:count].max(initial=0))
        if (
            logits.ndim != 2
            or len(logits) != count
            or logits.shape[1] < width
            or values_to_play.shape != (count,)
        ):
            raise ValueError(
                f"{count} leaves wait: expected logits of the shape ({count}, {width}) or wider "
                f"and values of the shape ({count},), got {(logits.shape, values_to_play.shape)}"
            )
        logits, values = _plain(logits, np.float32), _plain(values_to_play, np.float32)
        self._call(kernels.receive_batch, self.forest, self.params, logits, values)
        self._waiting = 0

    def run(self, evaluator: Evaluator | CompiledEvaluator) -> None:
        """Simulate until every started search has ended."""
        if isinstance(evaluator, CompiledEvaluator):
            if evaluator == ROLLOUT and not self.forest.calls[0]["rollout"]:
                fill_rollout(self.forest.calls[0], self.game)
            self._simulate(evaluator.code)
            return
        while len((leaves := self.select()).counts):
            self.receive(*evaluator(leaves))

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
        out = empty_results(len(chosen), self.game.max_legal)
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
        copies: NDArray[Any] = self.forest.states[trees, 0].view(self.game.dtype)
        return copies[:, 0]

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
            if not self._entries:
                fill_calls(self.forest.calls[0], self.game, self.params.lookahead)
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
