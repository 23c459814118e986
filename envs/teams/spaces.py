"""One agent's spaces as arrays: observations to vectors or pictures, whole numbers to actions.

A picture (uint8 of two or three axes) stays one, its channels put last. Everything else becomes a
float32 vector, by Gymnasium's own rules: a discrete observation is one-hot, a Dict is its parts one
after another. An observation of the form {"observation", "action_mask"} carries a mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space
from gymnasium.spaces.utils import flatten, flatten_space
from numpy.typing import NDArray

from envs.teams.steps import ActionHead
from envs.vector.steps import EnvironmentFailedError, UnsupportedEnvironmentError

OBSERVATION, MASK = "observation", "action_mask"
BRIGHTEST = 255.0  # of a uint8 that is no picture, which becomes a share


@dataclass(frozen=True)
class ObservationSpace:
    """How observations of one space become arrays.

    Attributes:
        whose: for messages: "environment 'CartPole-v1'", with the agent where there are several.
        space: of the observation itself, without its mask.
        shape, dtype: of the array.
        is_picture: whether it stays a picture.
        has_mask: whether observations come with a mask.
    """

    whose: str
    space: Space[Any]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_picture: bool
    has_mask: bool

    @classmethod
    def of(cls, whose: str, space: Any) -> ObservationSpace:
        """Describe a space; raises UnsupportedEnvironmentError for one that is no array."""
        has_mask = isinstance(space, Dict) and {*space.spaces} == {OBSERVATION, MASK}
        inner = space[OBSERVATION] if has_mask else space
        if isinstance(inner, Box) and inner.dtype == np.uint8 and len(inner.shape) in (2, 3):
            shape = _channels_last(inner.shape)
            return cls(whose, inner, shape, np.dtype(np.uint8), True, has_mask)
        if not isinstance(inner, Space) or not inner.is_np_flattenable:
            raise UnsupportedEnvironmentError(
                f"{whose} has the observations {inner}: expected Box, Discrete, or what Gymnasium "
                "can flatten to a vector"
            )
        flat = flatten_space(inner)
        return cls(whose, inner, flat.shape or (1,), np.dtype(np.float32), False, has_mask)

    def split(self, seen: Any) -> tuple[Any, Any]:
        """Return an observation and its mask, None without one."""
        if not self.has_mask:
            return seen, None
        if not isinstance(seen, Mapping) or not {OBSERVATION, MASK} <= {*seen}:
            raise UnsupportedEnvironmentError(
                f"{self.whose} gave {seen!r:.60}: expected the keys {OBSERVATION!r} and {MASK!r}"
            )
        return seen[OBSERVATION], seen[MASK]

    def encode(self, seen: Any) -> NDArray[Any]:
        """Return an observation as an array of `shape`.

        Raises UnsupportedEnvironmentError for one of another shape than its space says, and
        EnvironmentFailedError for one that is not finite, which would make all weights NaN.
        """
        try:
            array = self._as_array(seen)
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise UnsupportedEnvironmentError(
                f"{self.whose} gave the observation {seen!r:.60}: {error}"
            ) from None
        if not self.is_picture and not np.isfinite(array).all():
            raise EnvironmentFailedError(
                f"{self.whose} gave the observation {seen!r:.60}: expected finite numbers"
            )
        return array

    def _as_array(self, seen: Any) -> NDArray[Any]:
        if not isinstance(self.space, Box):
            return np.asarray(flatten(self.space, seen), np.float32)
        array = np.asarray(seen)
        if array.shape != self.space.shape:
            raise UnsupportedEnvironmentError(
                f"{self.whose} gave an observation of shape {array.shape}: its space says "
                f"{self.space.shape}"
            )
        if self.is_picture:
            moved = np.moveaxis(array, 0, -1) if _is_channels_first(array.shape) else array
            return moved.astype(np.uint8, copy=False).reshape(self.shape)
        vector = array.astype(np.float32).reshape(self.shape)
        return vector / BRIGHTEST if self.space.dtype == np.uint8 else vector


def _is_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether the first of three axes is the shortest, as in frames stacked by Gymnasium."""
    return len(shape) == 3 and shape[0] < min(shape[1:])


def _channels_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) == 2:
        return (*shape, 1)
    return (*shape[1:], shape[0]) if _is_channels_first(shape) else shape


@dataclass(frozen=True)
class ActionSpace:
    """How numbers, one a head, become actions of one space.

    Attributes:
        space: Discrete, MultiDiscrete, MultiBinary, or a Box of real numbers.
        heads: of an action.
    """

    space: Space[Any]
    heads: tuple[ActionHead, ...]

    @classmethod
    def of(cls, whose: str, space: Any) -> ActionSpace:
        """Describe a space; raises UnsupportedEnvironmentError for one of another kind."""
        if isinstance(space, Discrete):
            return cls(space, (ActionHead("action", int(space.n)),))
        if isinstance(space, MultiDiscrete):
            sizes = [int(size) for size in space.nvec.flatten()]
        elif isinstance(space, MultiBinary):
            sizes = [2] * int(np.prod(space.shape))
        elif isinstance(space, Box) and np.issubdtype(space.dtype, np.floating):
            low, high = (tuple(map(float, bound.ravel())) for bound in (space.low, space.high))
            return cls(space, (ActionHead("action", len(low), "real", low, high),))
        else:
            raise UnsupportedEnvironmentError(
                f"{whose} has the actions {space}: expected Discrete, MultiDiscrete, MultiBinary "
                "or a Box of real numbers"
            )
        return cls(space, tuple(ActionHead(f"action_{i}", n) for i, n in enumerate(sizes)))

    def decode(self, numbers: NDArray[Any]) -> Any:
        """Return the environment's action: numbers [h] from 0, or real ones clipped to bounds."""
        space = self.space
        if isinstance(space, Discrete):
            return int(numbers[0]) + int(space.start)
        if isinstance(space, Box):
            return np.clip(numbers.reshape(space.shape), space.low, space.high).astype(space.dtype)
        chosen = numbers[: len(self.heads)].reshape(space.shape)
        start = space.start if isinstance(space, MultiDiscrete) else 0
        return (chosen + start).astype(space.dtype)
