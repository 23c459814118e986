"""One match of Lanes as a PettingZoo `ParallelEnv`: all heroes of both teams act at once.

Agents are `team_0_hero_0` and so on, those of team 0 first. A dead hero stays an agent, which may
hold or buy. An observation is a dict:

- `observation`: int8 [OBSERVATION] in 1/127, see docs/lanes.md;
- `action_mask`: a tuple of int8 arrays [10], [8] and [20], the choices of each head that some
  action may have, as `action_space.sample(mask)` takes them. Not all their combinations are legal;
  an illegal action holds;
- `masks`: int8 [MASK], what is legal: the primary actions, then a row of directions for move and
  each skill, then a row of targets for attack and each skill.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes import stepping
from envs.lanes.batch import LanesVector

Observation = dict[str, Any]
_step_one: Any = stepping.step_one  # Numba's stub has no arguments


class LanesParallelEnv(ParallelEnv, EzPickle):  # type: ignore[misc]
    """One match, whose agents are the heroes of both teams.

    Args:
        name: a mode, "lanes_3v3".
        weights: of the rewards.

    Raises ValueError for an unknown name.
    """

    def __init__(self, name: str, weights: r.RewardWeights | None = None) -> None:
        EzPickle.__init__(self, name, weights)
        self._vector = LanesVector(name, 1)
        self._weights = (weights or r.RewardWeights()).as_array()
        self.metadata = {"name": name, "render_modes": [], "is_parallelizable": True}
        self.render_mode = None
        agents = self._vector.layout.agents
        self.possible_agents = [f"team_{t}_hero_{n}" for t in (0, 1) for n in range(agents)]
        self.agents: list[str] = []
        sizes = [head.size for head in self._vector.spec.heads]
        self.observation_spaces = {name: _observation_space(sizes) for name in self.possible_agents}
        self.action_spaces = {name: spaces.MultiDiscrete(sizes) for name in self.possible_agents}

    def observation_space(self, agent: str) -> gymnasium.Space[Observation]:
        """Return the space of an agent's observations, the same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """Return the space of an agent's actions, the same object at every call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start the match of a seed, or the one that follows the last match."""
        self._vector.reset(seed)
        self.agents = self.possible_agents[:]
        return self._observations(), {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Advance the match by a decision; see `advance`."""
        agents, winner = self.agents, self.advance(actions)
        rewards = dict(zip(agents, self.rewards.tolist(), strict=False))
        ended = dict.fromkeys(agents, winner != r.RUNNING)
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in agents}
        if winner != r.RUNNING:
            infos = {agent: {"winner": winner} for agent in agents}
        observed = {agent: self._observation(agent) for agent in agents}
        return observed, rewards, ended, dict.fromkeys(agents, False), infos

    def advance(self, actions: Mapping[str, Any]) -> int:
        """Advance the match by a decision, and return its winner: `rules.RUNNING` if there is none.

        An agent without an action holds. `rows` and `rewards` are what came of it. Raises
        ValueError for an action of an agent that is not in the match.
        """
        vector, agents = self._vector, self.agents
        orders = np.zeros((len(self.possible_agents), 3), np.int8)
        for agent, action in actions.items():
            if agent not in agents:
                raise ValueError(f"action of {agent!r}, which is not one of the agents {agents}")
            orders[self.possible_agents.index(agent)] = action
        parts = (vector.matches, vector.units, vector.heroes, vector.seen, vector.visible)
        _step_one(
            *(part[0] for part in (*parts, vector.targets, vector.rows)),
            orders,
            self.rewards,
            self._weights,
            vector.layout,
        )
        winner = int(vector.matches["winner"][0])
        if winner != r.RUNNING:
            self.agents = []
        return winner

    @property
    def rows(self) -> NDArray[np.int8]:
        """What each agent is shown, int8 [agents, ROW]: observation, masks, and the true state.

        The array is written into again.
        """
        return self._vector.rows[0]

    @property
    def rewards(self) -> NDArray[np.float32]:
        """The rewards of the last decision, float32 [agents]; the array is written into again."""
        return self._vector.rewards[0]

    def state(self) -> NDArray[np.int8]:
        """Return the true state from the side of the first agent, int8 [STATE] in 1/127."""
        return self._vector.rows[0, 0, s.OBSERVATION + s.MASK :].copy()

    def _observations(self) -> dict[str, Observation]:
        return {agent: self._observation(agent) for agent in self.agents}

    def _observation(self, agent: str) -> Observation:
        row = self._vector.rows[0, self.possible_agents.index(agent)]
        masks = row[s.OBSERVATION : s.OBSERVATION + s.MASK].copy()
        directions = masks[s.DIRECTION_MASK : s.TARGET_MASK].reshape(3, -1)
        targets = masks[s.TARGET_MASK :].reshape(3, -1)
        heads = (masks[: s.DIRECTION_MASK].copy(), directions.max(0), targets.max(0))
        observation = row[: s.OBSERVATION].copy()
        return {"observation": observation, "action_mask": heads, "masks": masks}


def _observation_space(sizes: list[int]) -> spaces.Dict:
    return spaces.Dict(
        {
            "observation": spaces.Box(-127, 127, (s.OBSERVATION,), np.int8),
            "action_mask": spaces.Tuple([spaces.Box(0, 1, (size,), np.int8) for size in sizes]),
            "masks": spaces.Box(0, 1, (s.MASK,), np.int8),
        }
    )
