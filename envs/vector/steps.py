"""What a vector of environments takes and answers: k games side by side, each begun again at once.

Shapes: k environments, e of whose games ended in this step, in the order of the environments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.pictures.pictured import Measure


class EnvironmentNameError(ValueError):
    """A name that leads to no environment."""


class UnsupportedEnvironmentError(ValueError):
    """An environment that cannot be made, or whose observations or actions cannot be learned."""


class EnvironmentFailedError(RuntimeError):
    """An environment that raised in a game, or answered what Gymnasium's rules do not allow."""


class Steps(NamedTuple):
    """What k parallel environments answered to one action each.

    The arrays belong to the caller: the environments do not write into them again.
    """

    observations: NDArray[
        Any
    ]  # [k, *shape] to act on next: the first of a new game where one ended
    rewards: NDArray[np.float32]  # [k] true rewards, not clipped
    terminated: NDArray[np.bool_]  # [k] the game ended
    truncated: NDArray[np.bool_]  # [k] a limit ended it, and the game itself did not
    last_observations: NDArray[Any]  # [e, *shape] the last one of each game that ended
    life_lost: NDArray[np.bool_]  # [k] a life was lost, and the game goes on (Atari alone)
    scores: NDArray[np.float64]  # [e] the true return of each game that ended
    lengths: NDArray[np.int64]  # [e] its agent steps


@dataclass(frozen=True)
class EnvironmentSpec:
    """What is known of an environment before one is made."""

    name: str  # "breakout", "CartPole-v1", "my_module:MyEnvironment"
    kind: Literal["atari", "gymnasium"]
    protocol: str  # the name of the Atari protocol, which belongs beside every score; else ""
    action_names: tuple[str, ...]  # one for each action
    observation_shape: tuple[int, ...]
    observation_dtype: np.dtype[Any]  # uint8 for pixels, else float32
    measures: tuple[Measure, ...] = ()  # what its games can measure besides their scores

    @property
    def num_actions(self) -> int:
        """The number of actions."""
        return len(self.action_names)


class VectorEnvironment(Protocol):
    """k environments that are stepped together.

    `reset` once; then `send` and `receive` in turns, with time for other work in between. A game
    that ends is followed by a new one in the same step (Gymnasium's SAME_STEP): no transition from
    the end of one game to the start of the next ever reaches the caller.

    The exact state of the games cannot be saved: after a resume, new games start.
    """

    @property
    def spec(self) -> EnvironmentSpec:
        """The environment's name, protocol, actions and observations."""

    @property
    def count(self) -> int:
        """The number of environments, k."""

    @property
    def name(self) -> str:
        """The environment's name."""

    @property
    def num_actions(self) -> int:
        """The number of actions."""

    @property
    def action_names(self) -> tuple[str, ...]:
        """A name for each action."""

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """The shape of one observation."""

    @property
    def observation_dtype(self) -> np.dtype[Any]:
        """The dtype of the observations: uint8 for pixels, else float32."""

    def reset(self, seed: int | None = None) -> NDArray[Any]:
        """Start a new game in each environment; return the first observations [k, *shape].

        With a `seed` all is drawn from it from now on, as if the vector were made with it.
        """

    def send(self, actions: NDArray[np.int64]) -> None:
        """Give each environment its action, [k]. Raises ValueError for one that does not exist."""

    def receive(self) -> Steps:
        """Wait for the answers to the actions that were sent."""

    def close(self) -> None:
        """Give back threads and memory."""


class VectorBase:
    """What the vectors share: the spec's fields, the check of actions, scores and lengths."""

    def __init__(self, spec: EnvironmentSpec, count: int) -> None:
        if count < 1:
            raise ValueError(f"count = {count}: expected 1 or more environments")
        self.spec = spec
        self.count = count
        self.name = spec.name
        self.num_actions = spec.num_actions
        self.action_names = spec.action_names
        self.observation_shape = spec.observation_shape
        self.observation_dtype = spec.observation_dtype
        self._scores = np.zeros(count, np.float64)
        self._lengths = np.zeros(count, np.int64)

    def _start_counting(self) -> None:
        self._scores[:] = 0.0
        self._lengths[:] = 0

    def _count_step(self, rewards: NDArray[Any]) -> None:
        self._scores += rewards
        self._lengths += 1

    def _take_counts(
        self, ended: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Scores and lengths of the games that `ended` bool [k] names, which are then forgotten."""
        scores, lengths = self._scores[ended], self._lengths[ended]
        self._scores[ended] = 0.0
        self._lengths[ended] = 0
        return scores, lengths

    def _checked_actions(self, actions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The actions as int64 [k]; ValueError where one of them is none."""
        actions = np.asarray(actions)
        if actions.shape != (self.count,) or actions.dtype.kind not in "iu":
            raise ValueError(
                f"actions of shape {actions.shape} and dtype {actions.dtype}: expected "
                f"{self.count} whole numbers, one an environment"
            )
        if actions.min() < 0 or actions.max() >= self.num_actions:
            wrong = actions[(actions < 0) | (actions >= self.num_actions)][0]
            raise ValueError(
                f"action {wrong}: {self.name} has {self.num_actions} actions, 0 to "
                f"{self.num_actions - 1}"
            )
        return actions.astype(np.int64, copy=False)


def seeds_of(seed: int, count: int) -> list[int]:
    """Return `count` seeds for single environments, positive and below 2**31.

    Neighbouring seeds give unrelated ones: two actors with the seeds 1 and 2 share no games.
    """
    drawn = np.random.SeedSequence(seed).generate_state(count) >> 1
    return [max(1, int(value)) for value in drawn]
