"""Players whose thoughts a test holds in its hands."""

from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.players import Analysis, RandomPlayer
from envs.game import Game


class FirstMovePlayer(RandomPlayer):
    """Always the first legal move."""

    def __init__(self, game: Game, name: str = "first") -> None:
        super().__init__(game)
        self.name = name

    def choose(self, states: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
        return np.array([self.game.legal_mask(state).argmax() for state in states])


class HeldPlayer(FirstMovePlayer):
    """Thinks until `free` is set."""

    def __init__(self, game: Game) -> None:
        super().__init__(game, "held")
        self.began, self.free = Event(), Event()

    def analyze(self, states: NDArray[Any]) -> Analysis:
        self.began.set()
        assert self.free.wait(60)
        return super().analyze(states)


class FailingPlayer(FirstMovePlayer):
    """Fails so many times before it plays."""

    def __init__(self, game: Game, times: int = 1) -> None:
        super().__init__(game, "failing")
        self.times = times

    def choose(self, states: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
        self.times -= 1
        if self.times >= 0:
            raise ValueError("out of memory")
        return super().choose(states, rng)
