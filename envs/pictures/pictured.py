"""The interface of one environment that shows pictures, to watch, to play and to record.

Its observations are those of the vector environment of the same name, protocol and seed
(`envs.vector`), so an agent plays there as it is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Measure(NamedTuple):
    """A share of a game's agent steps, besides its score.

    Attributes:
        name: its key in JSON.
        label: what people read.
        holds: observations [k, *shape] of k environments to whether each counts, bool [k].
    """

    name: str
    label: str
    holds: Callable[[NDArray[Any]], NDArray[np.bool_]]


class Seen(NamedTuple):
    """What one step, or the beginning of a game, showed.

    Attributes:
        observation: what the agent sees, [*shape]; at the end of a game the last one.
        picture: what a person sees, uint8 [height, width, 3].
        reward: of the step, not clipped; 0 at the beginning of a game.
        terminated: the game ended.
        truncated: a limit ended it.
        lives: left; None where the environment does not know lives.
    """

    observation: NDArray[Any]
    picture: NDArray[np.uint8]
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    lives: int | None = None

    @property
    def ended(self) -> bool:
        """Return whether the game is over; `reset` begins the next."""
        return self.terminated or self.truncated


class PicturedEnvironment(Protocol):
    """One environment with pictures.

    Attributes:
        name: as `ludens train` takes it.
        protocol: the rules of its score, as they stand beside every score; empty for none.
        action_names: of the actions, in their order.
        steps_per_second: agent steps of a second at the speed for people.
        widest_pixel: the most that a pixel is stretched, width to height.
        measures: of its games.
    """

    name: str
    protocol: str
    action_names: Sequence[str]
    steps_per_second: float
    widest_pixel: float
    measures: Sequence[Measure]

    def reset(self) -> Seen:
        """Begin a game; one that has not ended is given up."""

    def step(self, action: int) -> Seen:
        """Do one action of a game that has not ended."""

    def close(self) -> None:
        """Release the environment."""
