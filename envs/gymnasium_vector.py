"""Gymnasium environments with discrete actions side by side, stepped in turns in one process.

Observations come as they are: pixels (uint8) stay pixels, other boxes become float32, and a
discrete observation becomes a one-hot float32 vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from numpy.typing import NDArray

from envs.vector.calls import finite_reward, reset_one, step_one
from envs.vector.steps import (
    EnvironmentFailedError,
    EnvironmentSpec,
    Steps,
    UnsupportedEnvironmentError,
    VectorBase,
    seeds_of,
)

Environment = gymnasium.Env[Any, Any]


def spec_of(name: str, environment: Environment) -> EnvironmentSpec:
    """What is known of an environment; UnsupportedEnvironmentError for other kinds of spaces."""
    for space in ("action_space", "observation_space"):
        if getattr(environment, space, None) is None:
            raise UnsupportedEnvironmentError(
                f"environment {name!r} has no {space}: expected one of gymnasium.spaces"
            )
    actions, observations = environment.action_space, environment.observation_space
    if not isinstance(actions, Discrete):
        raise UnsupportedEnvironmentError(
            f"environment {name!r} has {_kind_of(actions)} actions, {actions}: expected Discrete, "
            "as a value is learned for each action"
        )
    if isinstance(observations, Box):
        shape = observations.shape or (1,)
        is_pixels = observations.dtype == np.uint8
    elif isinstance(observations, Discrete):
        shape, is_pixels = (int(observations.n),), False
    else:
        raise UnsupportedEnvironmentError(
            f"environment {name!r} has the observations {observations}: expected Box or Discrete"
            f"{_flattened(observations)}"
        )
    return EnvironmentSpec(
        name=name,
        kind="gymnasium",
        protocol="",
        action_names=_action_names(environment, int(actions.n)),
        observation_shape=shape,
        observation_dtype=np.dtype(np.uint8 if is_pixels else np.float32),
    )


def _kind_of(actions: gymnasium.Space[Any]) -> str:
    return "continuous" if isinstance(actions, Box) else "composed"


def _flattened(observations: gymnasium.Space[Any]) -> str:
    """How to make a vector of them, where Gymnasium can."""
    if not isinstance(observations, Dict | Tuple | MultiBinary | MultiDiscrete):
        return ""
    return " (gymnasium.wrappers.FlattenObservation makes a vector of them)"


def _action_names(environment: Environment, count: int) -> tuple[str, ...]:
    """The environment's own names where it has them, else numbers from 0."""
    meanings = getattr(environment.unwrapped, "get_action_meanings", None)
    names = tuple(str(word) for word in meanings()) if callable(meanings) else ()
    return names if len(names) == count else tuple(str(action) for action in range(count))


class GymnasiumVector(VectorBase):
    """`count` environments made by `make`; `receive` steps them one after the other.

    The first game of each starts from a seed of its own, drawn from `seed`; later ones go on with
    the environment's own random numbers. Their state is not saved: after a resume, new games start.

    Raises EnvironmentFailedError for what an environment raises in a game, with the line, and for
    a reward or an observation that is not finite: one of them makes all weights NaN.
    """

    def __init__(
        self, name: str, make: Callable[[], Environment], count: int, *, seed: int
    ) -> None:
        self._environments: list[Environment] = [make()]
        try:
            super().__init__(spec_of(name, self._environments[0]), count)
            while len(self._environments) < count:
                self._environments.append(make())
        except Exception:
            self.close()
            raise
        self._seeds: list[int | None] = [*seeds_of(seed, count)]
        self._sent: NDArray[np.int64] | None = None

    def reset(self, seed: int | None = None) -> NDArray[Any]:
        """Start a new game in each; the first time from the vector's seed. See the protocol."""
        self._sent = None
        if seed is not None:
            self._seeds = [*seeds_of(seed, self.count)]
        first = [
            self._encoded(reset_one(self.name, environment, seed=own))
            for environment, own in zip(self._environments, self._seeds, strict=True)
        ]
        self._seeds = [None] * self.count
        self._start_counting()
        return np.stack(first)

    def send(self, actions: NDArray[np.int64]) -> None:
        """Keep the actions for `receive`."""
        if self._sent is not None:
            raise RuntimeError("send() twice: expected receive() in between")
        self._sent = self._checked_actions(actions)

    def receive(self) -> Steps:
        """Step each environment, and start a new game where one ended."""
        if self._sent is None:
            raise RuntimeError("receive() without send(): nothing would come")
        actions, self._sent = self._sent, None
        observations = np.empty((self.count, *self.observation_shape), self.observation_dtype)
        rewards = np.zeros(self.count, np.float64)
        terminated = np.zeros(self.count, np.bool_)
        truncated = np.zeros(self.count, np.bool_)
        last: list[NDArray[Any]] = []
        for i, environment in enumerate(self._environments):
            action = int(actions[i]) + int(environment.action_space.start)  # type: ignore[attr-defined]
            seen, reward, has_ended, is_cut = step_one(self.name, environment, action)
            rewards[i] = finite_reward(self.name, action, reward)
            has_ended, is_cut = bool(has_ended), bool(is_cut)
            terminated[i], truncated[i] = has_ended, is_cut and not has_ended
            if has_ended or is_cut:
                last.append(self._encoded(seen))
                seen = reset_one(self.name, environment)
            observations[i] = self._encoded(seen)
        self._count_step(rewards)
        scores, lengths = self._take_counts(terminated | truncated)
        last_observations = np.stack(last) if last else observations[:0]
        life_lost = np.zeros(self.count, np.bool_)
        return Steps(
            observations,
            rewards.astype(np.float32),
            terminated,
            truncated,
            last_observations,
            life_lost,
            scores,
            lengths,
        )

    def _encoded(self, seen: Any) -> NDArray[Any]:
        """One observation as [*shape], a copy: an environment may write into its own again."""
        space = self._environments[0].observation_space
        if isinstance(space, Discrete):
            encoded = np.zeros(self.observation_shape, np.float32)
            encoded[int(seen) - int(space.start)] = 1.0
            return encoded
        try:
            encoded = np.array(seen, self.observation_dtype)
        except (TypeError, ValueError) as error:
            raise UnsupportedEnvironmentError(
                f"environment {self.name!r} gave the observation {seen!r:.60}: {error}"
            ) from None
        if encoded.shape != space.shape:
            raise UnsupportedEnvironmentError(
                f"environment {self.name!r} gave an observation of shape {encoded.shape}: its "
                f"space says {space.shape}"
            )
        if self.observation_dtype != np.uint8 and not np.isfinite(encoded).all():
            raise EnvironmentFailedError(
                f"environment {self.name!r} gave the observation {seen!r:.60}: expected finite "
                "numbers"
            )
        return encoded.reshape(self.observation_shape)

    def close(self) -> None:
        """Close each environment."""
        for environment in self._environments:
            environment.close()  # type: ignore[no-untyped-call]
        self._environments = []
