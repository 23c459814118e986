"""What the tests of the engine share: players, positions, and evaluators that a test controls."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.players import Analysis, RandomPlayer, SearchPlayer
from arena.engine.position import Position, position_after
from envs.game import Game
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import Leaves

GAME = find_game("tic_tac_toe")
WAIT_S = 60.0  # for what comes at once, on a machine that is busy
PLAIN = SearchConfig(simulations=50, solve=False)


def preferring_low(leaves: Leaves) -> tuple[NDArray[Any], NDArray[Any]]:
    """Evaluate lower actions as likelier, and every position as slightly good."""
    logits = np.linspace(1, 0, GAME.num_actions, dtype=np.float32)[leaves.actions]
    return logits, np.full(len(leaves.counts), 0.1, np.float32)


def searcher(config: SearchConfig = PLAIN, evaluator: Any = preferring_low) -> SearchPlayer:
    """Return a player that searches with one evaluator."""
    return SearchPlayer(GAME, [evaluator], config)


def after(text: str = "", game: Game = GAME) -> Position:
    """Return the position after moves in the game's notation."""
    return position_after(game, game.parse_moves(text))


class Calling:
    """An evaluator that calls a function with the number of batches so far, before each answer."""

    def __init__(self, call: Callable[[int], None]) -> None:
        self.call = call
        self.batches: list[int] = []

    def __call__(self, leaves: Leaves) -> tuple[NDArray[Any], NDArray[Any]]:
        self.batches.append(len(leaves.counts))
        self.call(len(self.batches))
        return preferring_low(leaves)


class HeldEvaluator:
    """An evaluator that waits in its first batch until `free` is set."""

    def __init__(self) -> None:
        self.began, self.free = Event(), Event()

    def __call__(self, leaves: Leaves) -> tuple[NDArray[Any], NDArray[Any]]:
        self.began.set()
        assert self.free.wait(WAIT_S)
        return preferring_low(leaves)


class HeldPlayer(RandomPlayer):
    """A player without a search that answers when `free` is set."""

    def __init__(self, game: Game = GAME) -> None:
        super().__init__(game)
        self.began, self.free = Event(), Event()

    def analyze(self, states: NDArray[Any], past: Any = None) -> Analysis:
        self.began.set()
        assert self.free.wait(WAIT_S)
        return super().analyze(states, past)


class FakeClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds
