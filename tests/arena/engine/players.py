"""What the tests of the engine share: players, positions, and evaluators that a test controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.alphazero.config import NetworkConfig
from agents.players import Analysis, RandomPlayer, SearchPlayer
from arena.engine.position import Position, position_after
from envs.game import Game
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import Leaves
from store import checkpoints
from store.run import create_run

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


def untrained_run(store: Path, name: str, game: str) -> None:
    """Write a run with one checkpoint, of a small network that has learned nothing."""
    from agents.alphazero.network import build_network  # PyTorch takes seconds to import
    from agents.torch_state import dump_state

    config = NetworkConfig(blocks=2, filters=32)
    settings = {"game": game, "network": asdict(config)}
    run = create_run(store, name, game=game, config=settings, seed=0, versions={})
    weights = dump_state(build_network(find_game(game), config, seed=0).state_dict())
    checkpoints.save(run, 1, {checkpoints.MODEL_FILE: weights})


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
