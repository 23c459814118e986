"""A PettingZoo parallel environment as a match of one team, whose agents learn together.

Agents keep their places, in the order of `possible_agents`. One that has ended stays in its place
until the match ends, with an observation and rewards of zero and one legal no-op: an absorbing
state, so that with team spirit it still has its share of what the team earns later.

Agents of unequal spaces share the largest: a shorter vector is filled up with zeros, and choices
that an agent lacks are masked. One network plays all, so a vector ends with the agent's place,
one-hot (Terry et al. 2020, "Revisiting parameter sharing in multi-agent deep reinforcement
learning").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from envs.teams.masks import write_mask, write_no_op
from envs.teams.matches import Row
from envs.teams.spaces import ActionSpace, ObservationSpace
from envs.teams.steps import ActionHead, TeamSpec
from envs.vector.calls import called, finite_reward, reset_one, step_one
from envs.vector.steps import EnvironmentFailedError, UnsupportedEnvironmentError


class Place(NamedTuple):
    """An agent of the environment, which has this place in every match."""

    agent: Any
    whose: str  # for messages
    observations: ObservationSpace
    actions: ActionSpace


def places_of(name: str, environment: Any) -> list[Place]:
    """Return the agents of an environment; raises UnsupportedEnvironmentError for other spaces."""
    agents = getattr(environment, "possible_agents", None)
    if not agents:
        raise UnsupportedEnvironmentError(
            f"environment {name!r} has no possible_agents: expected the names of all agents"
        )
    found = []
    for agent in agents:
        whose = f"agent {agent!r} of environment {name!r}"
        observations = ObservationSpace.of(whose, environment.observation_space(agent))
        actions = ActionSpace.of(whose, environment.action_space(agent))
        found.append(Place(agent, whose, observations, actions))
    return found


def pettingzoo_spec(name: str, environment: Any) -> TeamSpec:
    """Return what is known of an environment.

    It is reset where it does not say the shape of its state otherwise. Raises
    UnsupportedEnvironmentError for spaces that cannot be learned, or not by one network.
    """
    places = places_of(name, environment)
    shapes = {place.observations.shape for place in places}
    first = places[0].observations
    if any(place.observations.is_picture for place in places):
        if len(shapes) > 1 or not all(place.observations.is_picture for place in places):
            raise _unequal(name, "pictures", [place.observations.space for place in places])
        shape = first.shape
    else:
        longest = max(place.observations.shape[0] for place in places)
        shape = (longest + (len(places) if len(places) > 1 else 0),)
    return TeamSpec(
        name=name,
        kind="pettingzoo",
        teams=1,
        agents=len(places),
        observation_shape=shape,
        observation_dtype=first.dtype,
        heads=_shared_heads(name, places),
        state_size=_state_size(name, environment),
    )


def _shared_heads(name: str, places: Sequence[Place]) -> tuple[ActionHead, ...]:
    """Return heads of as many choices as the agent has that has most of them."""
    all_heads = [place.actions.heads for place in places]
    first = all_heads[0]
    if all(heads == first for heads in all_heads):
        return first
    are_choices = all(head.kind == "choice" for heads in all_heads for head in heads)
    if not are_choices or len({len(heads) for heads in all_heads}) > 1:
        raise _unequal(name, "actions", [place.actions.space for place in places])
    columns = zip(*all_heads, strict=True)
    return tuple(max(column, key=lambda head: head.size) for column in columns)


def _unequal(name: str, what: str, spaces: Sequence[Any]) -> UnsupportedEnvironmentError:
    different = ", ".join(dict.fromkeys(map(str, spaces)))
    return UnsupportedEnvironmentError(
        f"environment {name!r} has agents of unequal {what}, {different}: expected equal ones, as "
        "one network plays all agents (only vectors and choices are filled up)"
    )


def _state_size(name: str, environment: Any) -> int:
    """Return the entries of `state()`, 0 where there is none, or where it is a picture."""
    space = getattr(environment, "state_space", None)
    if isinstance(space, Box):
        is_picture = space.dtype == np.uint8 and len(space.shape) > 1
        return 0 if is_picture else int(np.prod(space.shape))
    reset_one(name, environment, seed=0)
    try:
        return int(np.asarray(environment.state()).size)
    except (NotImplementedError, AttributeError):
        return 0


class ParallelMatch:
    """One PettingZoo parallel environment; see `Match`.

    The match ends when no agent is left. It was truncated if one of those left at its last step
    was, and was not terminated: its last observations are those of the agents so cut off.

    Each match has a seed drawn from that of the first: PettingZoo does not say how an environment's
    random numbers go on.
    """

    def __init__(self, name: str, environment: Any, spec: TeamSpec) -> None:
        self._name, self._environment, self._spec = name, environment, spec
        self._places = places_of(name, environment)
        self._number = {place.agent: i for i, place in enumerate(self._places)}
        self._left: list[Any] = []
        self._rng = np.random.default_rng(0)

    def begin(self, row: Row, seed: int | None) -> None:
        """See `Match`."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        drawn = int(self._rng.integers(1, 1 << 31))
        seen = reset_one(self._name, self._environment, seed=drawn)
        self._left = self._present({})
        if not self._left:
            raise EnvironmentFailedError(
                f"environment {self._name!r}: reset() left no agents: expected some in `agents`"
            )
        self._write(seen, self._left, row)

    def step(self, actions: NDArray[Any], row: Row) -> tuple[bool, bool]:
        """See `Match`; the actions of agents that have ended are left out."""
        chosen = {}
        for agent in self._left:
            number = self._number[agent]
            chosen[agent] = self._places[number].actions.decode(actions[number])
        seen, rewards, terminated, truncated = step_one(self._name, self._environment, chosen)
        row.rewards[:] = 0.0
        for agent in self._left:
            reward = self._of(rewards, agent, "reward")
            row.rewards[self._number[agent]] = finite_reward(self._name, chosen, reward)
        cut = [a for a in self._left if truncated.get(a) and not terminated.get(a)]
        self._left = self._present({a: terminated[a] or truncated.get(a) for a in terminated})
        is_cut = not self._left and bool(cut)
        if self._left or is_cut:  # else the next match begins at once
            self._write(seen, self._left or cut, row)
        return not self._left, is_cut

    def _present(self, ended: Mapping[Any, Any]) -> list[Any]:
        """Return the agents that act next, in the order of their places."""
        present = [agent for agent in self._environment.agents if not ended.get(agent)]
        if unknown := [agent for agent in present if agent not in self._number]:
            raise EnvironmentFailedError(
                f"environment {self._name!r}: agent {unknown[0]!r} is not in possible_agents, "
                f"{list(self._number)}"
            )
        return sorted(present, key=self._number.__getitem__)

    def _write(self, seen: Mapping[Any, Any], agents: Sequence[Any], row: Row) -> None:
        """Write what these agents see and may do, and for all others zeros and the no-op."""
        row.observations[:] = 0
        showing = {self._number[agent] for agent in agents}
        for number, place in enumerate(self._places):
            if number not in showing:
                write_no_op(self._spec.heads, row.masks[number])
                continue
            observation, mask = place.observations.split(self._of(seen, place.agent, "observation"))
            encoded = place.observations.encode(observation)
            if place.observations.is_picture:
                row.observations[number] = encoded
            else:
                row.observations[number, : len(encoded)] = encoded
                if len(self._places) > 1:
                    row.observations[number, number - len(self._places)] = 1
            heads = self._spec.heads
            write_mask(place.whose, mask, place.actions.heads, heads, row.masks[number])
        if self._spec.state_size:
            row.states[:] = self._state()

    def _state(self) -> NDArray[np.float32]:
        """Return the true state [state_size]; raises EnvironmentFailedError for another."""
        found = called(self._name, "state", self._environment.state)
        state = np.asarray(found, np.float32).ravel()
        if len(state) != self._spec.state_size or not np.isfinite(state).all():
            raise EnvironmentFailedError(
                f"environment {self._name!r}: state() gave {found!r:.60}: expected "
                f"{self._spec.state_size} finite numbers"
            )
        return state

    def _of(self, mapping: Any, agent: Any, what: str) -> Any:
        if not isinstance(mapping, Mapping) or agent not in mapping:
            raise EnvironmentFailedError(
                f"environment {self._name!r} gave no {what} of agent {agent!r}: expected one for "
                "each agent that acts"
            )
        return mapping[agent]

    def close(self) -> None:
        """See `Match`."""
        self._environment.close()
