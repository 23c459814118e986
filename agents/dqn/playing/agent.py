"""A checkpoint of DQN as an agent of its environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.dqn.playing.acting import FrameStacks
from agents.dqn.playing.policy import QPolicy


class DQNAgent:
    """Chooses the best action, or with probability epsilon any (Mnih et al. 2015, methods).

    Args:
        policy: with the weights to act by.
        stack: frames of an observation.
        epsilon: share of random actions.
        name: as on the command line.

    Attributes:
        values: float32 [k, A], the action values behind the last `act`.
    """

    def __init__(self, policy: QPolicy, *, stack: int, epsilon: float, name: str) -> None:
        self.policy = policy
        self.stack = stack
        self.epsilon = epsilon
        self.name = name
        self.values = np.zeros((0, policy.num_actions), np.float32)
        self._stacks: FrameStacks | None = None

    def begin(self, observations: NDArray[Any]) -> None:
        """Begin in k environments with their first observations [k, *frame shape]."""
        self._stacks = FrameStacks(observations, self.stack)

    def act(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Choose an action in each environment, [k]; raises ValueError before `begin`."""
        if self._stacks is None:
            raise ValueError(f"agent {self.name!r} has not begun: call begin first")
        self.values, _ = self.policy(self._stacks.stacks)
        best = self.values.argmax(axis=1)
        at_random = rng.random(len(best)) < self.epsilon
        any_action = rng.integers(self.policy.num_actions, size=len(best))
        return np.where(at_random, any_action, best)

    def observe(self, observations: NDArray[Any], begins: NDArray[np.bool_]) -> None:
        """Take what followed; where bool [k] `begins`, a new game."""
        if self._stacks is None:
            raise ValueError(f"agent {self.name!r} has not begun: call begin first")
        self._stacks.push(observations, begins)
