"""What the tests of the search share: a fake network, and searches played through a game."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.game import Game
from mcts import rng
from mcts.config import SearchConfig
from mcts.forest import INFO
from mcts.search import Leaves, RootResults, Search, by_action

GAMES = ("tic_tac_toe", "connect_four", "othello", "othello6")


def with_every_action(game: Game, planes: NDArray[np.float32]) -> Leaves:
    """Planes as leaves in which every action is legal."""
    actions = np.tile(np.arange(game.num_actions, dtype=np.int32), (len(planes), 1))
    return Leaves(planes, actions, np.full(len(planes), game.num_actions, np.int32))


class HashedNetwork:
    """A deterministic evaluator: logits and values are hashed from the planes, row by row."""

    def __init__(self, game: Game, sharpness: float = 2.0) -> None:
        self.game, self.sharpness = game, sharpness
        self._known: dict[bytes, tuple[NDArray[np.float32], np.float32]] = {}

    def row(self, planes: NDArray[np.float32]) -> tuple[NDArray[np.float32], np.float32]:
        data = planes.astype(np.float32).tobytes()
        if data not in self._known:
            random = np.random.default_rng(zlib.crc32(data))
            logits = self.sharpness * random.standard_normal(self.game.num_actions)
            self._known[data] = logits.astype(np.float32), np.float32(random.uniform(-0.9, 0.9))
        return self._known[data]

    def __call__(self, leaves: Leaves) -> tuple[Any, Any]:
        rows = [self.row(row) for row in leaves.planes]
        logits_NA = np.stack([row[0] for row in rows])
        logits_NL = np.take_along_axis(logits_NA, leaves.actions.astype(np.int64), 1)
        return logits_NL, np.array([row[1] for row in rows])

    def of_state(self, state: Any, past: Any = None) -> tuple[NDArray[np.float32], float]:
        logits, value = self.row(self.game.encode(state, past))
        return logits, float(value)


@njit
def draw_gammas(info, alpha, out):
    for i in range(len(out)):
        out[i] = rng.gamma(info, alpha)


@njit
def draw_gumbels(info, out):
    for i in range(len(out)):
        out[i] = rng.gumbel(info)


@njit
def draw_uniforms(info, out):
    for i in range(len(out)):
        out[i] = rng.uniform(info)


class CompiledNoise:
    """The random draws of a tree of the search, from a copy of its stream."""

    def __init__(self, stream: int) -> None:
        self.info = np.zeros(1, INFO)
        self.info["stream"] = stream

    def gammas(self, alpha: float, count: int) -> list[float]:
        out = np.empty(count)
        draw_gammas(self.info, alpha, out)
        return out.tolist()

    def gumbels(self, count: int) -> list[float]:
        out = np.empty(count)
        draw_gumbels(self.info, out)
        return out.tolist()

    def uniform(self) -> float:
        out = np.empty(1)
        draw_uniforms(self.info, out)
        return float(out[0])


def opening(game: Game, plies: int, seed: int) -> Any:
    """A position after so many random plies from the start, or fewer where every move ends it."""
    random = np.random.default_rng(seed)
    state = game.new_state()
    for _ in range(plies):
        followers = []
        for action in np.flatnonzero(game.legal_mask(state)):
            after = state.copy()
            game.rules.step(after, action)
            if not game.rules.is_terminal(after):
                followers.append(after)
        if not followers:
            break
        state = followers[random.integers(len(followers))]
    return state


def openings(game: Game, count: int, plies: int, seed: int = 0) -> NDArray[Any]:
    """`count` random positions, records [count]."""
    states = np.zeros(count, game.dtype)
    for i in range(count):
        states[i] = opening(game, plies, seed + i)
    return states


def spread(found: RootResults, name: str, game: Game) -> NDArray[Any]:
    """What the results say of moves, by action: [n, A]."""
    other = np.nan if name == "q" else 0
    return by_action(getattr(found, name), found.legal, found.counts, game.num_actions, other)


def play_searches(
    game: Game,
    config: SearchConfig,
    states: NDArray[Any],
    plies: int,
    *,
    simulations: int | Sequence[int],
    explore: bool = False,
    temperature: float = 0.0,
    seed: int = 1,
) -> Iterator[tuple[Search, NDArray[np.int64], RootResults]]:
    """Search every position, play the moves found and go on, for so many plies.

    Yields the search, the trees still playing and what they found, before the moves are played.
    """
    counts = np.broadcast_to(np.asarray(simulations, np.int32), len(states))
    search = Search(game, config, len(states), max_simulations=int(counts.max()), seed=seed)
    network = HashedNetwork(game)
    search.place(states)
    trees = np.arange(len(states))
    for _ in range(plies):
        search.begin(trees, counts[trees].copy(), explore, temperature)
        search.run(network)
        assert search.done().tolist() == trees.tolist()
        found = search.read(trees, temperature)
        yield search, trees, found
        search.play(trees, found.action)
        roots = search.roots(trees)
        trees = trees[[not game.rules.is_terminal(root) for root in roots]]
        if not len(trees):
            return
