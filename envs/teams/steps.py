"""What a vector of team environments takes and answers: m matches side by side, a agents in each.

One player of Gymnasium is a team of one, so that an algorithm for teams learns those as well.

Shapes: m matches, a agents a match, h heads of an action, e matches that ended in this step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ActionHead:
    """One part of an action.

    Attributes:
        name: "primary", "target".
        size: its choices, or its dimensions where it is continuous.
        kind: one of `size` choices, or `size` real numbers.
        low, high: bounds of each real number, [size]; empty for choices.
        used_by: the choices of head 0 with which this head means something; None for all. An
            action that does not use a head gives it no gradient.
        masked_by_first: whether its mask depends on the choice of head 0: then the mask has a row
            of `size` for each choice in `used_by`, in that order.
    """

    name: str
    size: int
    kind: Literal["choice", "real"] = "choice"
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    used_by: tuple[int, ...] | None = None
    masked_by_first: bool = False

    @property
    def mask_size(self) -> int:
        """Entries of its mask; real numbers have none."""
        if self.kind == "real":
            return 0
        rows = len(self.used_by) if self.masked_by_first and self.used_by is not None else 1
        return rows * self.size


@dataclass(frozen=True)
class UnitGroup:
    """Consecutive slots of an observation that hold units of one kind, each of equal features.

    Attributes:
        name: "enemy_heroes".
        start: the first entry of its first slot in an observation.
        slots: units at most; a slot whose first feature is 0 is empty.
        features: entries of a slot.
        target: the choice of the head "target" that its first slot is; None if it is no target.
    """

    name: str
    start: int
    slots: int
    features: int
    target: int | None = None

    @property
    def stop(self) -> int:
        """The entry after its last slot."""
        return self.start + self.slots * self.features


@dataclass(frozen=True)
class TeamSpec:
    """What is known of a team environment before one is made.

    Attributes:
        name: "lanes_5v5", "CartPole-v1", "mpe2.simple_spread_v3".
        kind: "lanes", "gymnasium" or "pettingzoo".
        teams: opposing teams of a match; 1 where nobody opposes.
        agents: of each team.
        observation_shape, observation_dtype: of an agent; int8 features are in 1/127.
        state_size: entries of the true state for a critic, from each agent's side; 0 where there is
            none, and the critic sees what the agent sees.
        heads: of an action, in order.
        groups: the units of an observation; empty where it is no list of units.
        own: (start, stop) of the entries about the agent itself.
        seconds: game time of a step; 0 if that means nothing.
    """

    name: str
    kind: Literal["lanes", "gymnasium", "pettingzoo"]
    teams: int
    agents: int
    observation_shape: tuple[int, ...]
    observation_dtype: np.dtype[Any]
    heads: tuple[ActionHead, ...]
    state_size: int = 0
    groups: tuple[UnitGroup, ...] = ()
    own: tuple[int, int] = (0, 0)
    seconds: float = 0.0

    @property
    def players(self) -> int:
        """Agents of a match, those of all teams: team t has t * agents to (t + 1) * agents - 1."""
        return self.teams * self.agents

    @property
    def mask_size(self) -> int:
        """Entries of an agent's masks, those of all heads one after another."""
        return sum(head.mask_size for head in self.heads)


class TeamSteps(NamedTuple):
    """What m parallel matches answered to an action of each agent.

    The arrays belong to the vector, which writes into them again at the next step.
    """

    observations: NDArray[Any]  # [m, a, *shape] to act on next, of a new match where one ended
    masks: NDArray[np.uint8]  # [m, a, mask_size] 1 where a choice may be made
    states: NDArray[Any]  # [m, a, state_size] the true state from each agent's side
    rewards: NDArray[np.float32]  # [m, a]
    terminated: NDArray[np.bool_]  # [m] the match ended
    truncated: NDArray[np.bool_]  # [m] a limit ended it, which is not part of the rules
    last_observations: NDArray[Any]  # [e, a, *shape] the last ones of each truncated match
    last_states: NDArray[Any]  # [e, a, state_size] of each truncated match
    scores: NDArray[
        np.float32
    ]  # [m, teams] result of each match that ended: a return, or win 1, draw 0.5, loss 0
    lengths: NDArray[np.int64]  # [m] steps of each match that ended, else 0


class TeamVector(Protocol):
    """m matches that are stepped together, each begun again at once where it ended (SAME_STEP)."""

    spec: TeamSpec
    count: int

    @property
    def seeds(self) -> NDArray[np.uint64] | None:
        """Return the seed of each running match, [m], a view; None where a match has none."""

    def reset(self, seed: int | None = None) -> TeamSteps:
        """Start a new match in each place; rewards are 0 and nothing ended."""

    def step(self, actions: NDArray[Any]) -> TeamSteps:
        """Advance each match by an action of each agent.

        Args:
            actions: [m, a, h] integers, one a head; float32 [m, a, size] if there is one head of
                real numbers.

        Raises ValueError for an action of a wrong shape.
        """

    def close(self) -> None:
        """Give back threads and memory."""
