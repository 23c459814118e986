"""A Gymnasium environment as a match of one agent, a team of its own."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from envs.teams.masks import write_mask
from envs.teams.matches import Row
from envs.teams.spaces import ActionSpace, ObservationSpace
from envs.teams.steps import TeamSpec
from envs.vector.calls import finite_reward, reset_one, step_one
from envs.vector.steps import UnsupportedEnvironmentError


def gymnasium_spec(name: str, environment: Any) -> TeamSpec:
    """Return what is known of an environment; UnsupportedEnvironmentError for other spaces."""
    observations, actions = _spaces(name, environment)
    return TeamSpec(
        name=name,
        kind="gymnasium",
        teams=1,
        agents=1,
        observation_shape=observations.shape,
        observation_dtype=observations.dtype,
        heads=actions.heads,
    )


def _spaces(name: str, environment: Any) -> tuple[ObservationSpace, ActionSpace]:
    whose = f"environment {name!r}"
    for space in ("action_space", "observation_space"):
        if getattr(environment, space, None) is None:
            raise UnsupportedEnvironmentError(
                f"{whose} has no {space}: expected one of gymnasium.spaces"
            )
    return (
        ObservationSpace.of(whose, environment.observation_space),
        ActionSpace.of(whose, environment.action_space),
    )


class GymnasiumMatch:
    """One environment of Gymnasium; see `Match`.

    A game that ended and was cut off in the same step counts as ended: its rules ended it.
    """

    def __init__(self, name: str, environment: Any) -> None:
        self._name = name
        self._environment = environment
        self._observations, self._actions = _spaces(name, environment)

    def begin(self, row: Row, seed: int | None) -> None:
        """See `Match`; without a seed the environment's own random numbers go on."""
        self._write(reset_one(self._name, self._environment, seed=seed), row)

    def step(self, actions: NDArray[Any], row: Row) -> tuple[bool, bool]:
        """See `Match`."""
        action = self._actions.decode(actions[0])
        seen, reward, terminated, truncated = step_one(self._name, self._environment, action)
        row.rewards[0] = finite_reward(self._name, action, reward)
        self._write(seen, row)
        return bool(terminated or truncated), bool(truncated and not terminated)

    def _write(self, seen: Any, row: Row) -> None:
        observation, mask = self._observations.split(seen)
        row.observations[0] = self._observations.encode(observation)
        if mask is not None:
            heads = self._actions.heads
            write_mask(f"environment {self._name!r}", mask, heads, heads, row.masks[0])

    def close(self) -> None:
        """See `Match`."""
        self._environment.close()
