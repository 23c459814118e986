"""Agents of environments: they act in several at once, from the observations alone.

What an agent needs of the past, such as a stack of frames, it keeps itself; `observe` says where a
new game began, so that nothing of an earlier one is in it.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class EnvironmentAgent(Protocol):
    """Acts in k environments at once. Observations are [k, *shape] of one environment's shape.

    Attributes:
        name: as on the command line.
        values: float32 [k, A], the action values behind the last `act`; NaN where it has none.
    """

    name: str
    values: NDArray[np.float32]

    def begin(self, observations: NDArray[Any]) -> None:
        """Begin in k environments with their first observations; forget all earlier ones."""

    def act(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Choose an action in each environment, [k], at its newest observation.

        `rng` decides whatever is random.
        """

    def observe(self, observations: NDArray[Any], begins: NDArray[np.bool_]) -> None:
        """Take what followed; bool [k] `begins` tells where it is the first of a new game."""


class RandomAgent:
    """Chooses any action with equal probability.

    Args:
        num_actions: A, the actions of the environment.
    """

    name = "random"

    def __init__(self, num_actions: int) -> None:
        self.num_actions = num_actions
        self.values = np.zeros((0, num_actions), np.float32)

    def begin(self, observations: NDArray[Any]) -> None:
        """See EnvironmentAgent."""
        self.values = np.full((len(observations), self.num_actions), np.nan, np.float32)

    def act(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """See EnvironmentAgent."""
        return rng.integers(self.num_actions, size=len(self.values))

    def observe(self, observations: NDArray[Any], begins: NDArray[np.bool_]) -> None:
        """See EnvironmentAgent; what follows changes nothing."""
