"""Lanes as RLlib's `MultiAgentEnv`: one match, for RLlib's own runners and algorithms.

Ours step all matches at once (`agents.ppo.playing`) and do not use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from envs.lanes.parallel_match import LanesParallelEnv
from envs.lanes.rules import RUNNING, RewardWeights
from envs.lanes.state import MASK, OBSERVATION, ROW, STATE

OBSERVATIONS, ACTION_MASK, TRUE_STATE = "observations", "action_mask", "state"
ALL = "__all__"  # RLlib's name for what is said of all agents together
KEYS = ("game", "rewards", "packed")
MOST_SEED = 1 << 62

Answers = dict[str, Any]


class LanesMultiAgentEnv(MultiAgentEnv):
    """One match, whose agents are the heroes of both teams; a dead hero stays an agent.

    An observation has three parts, all int8: `observations` [OBSERVATION] in 1/127, `action_mask`
    [MASK], what is legal (docs/lanes.md), and `state` [STATE] in 1/127, the true state from the
    agent's side, which is for a critic alone. An illegal action holds.

    Args:
        config: RLlib's `env_config`, with

            - `game`, a mode, "lanes_3v3";
            - `rewards`, their `RewardWeights`;
            - `packed`, whether an observation is one array int8 [ROW], its three parts one after
              another. RLlib handles each array of each agent by itself, so one costs it less.

    Raises ValueError for another key, and for an unknown mode.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        if unknown := sorted({*config} - {*KEYS}):
            raise ValueError(f"env_config has {unknown[0]!r}: expected {', '.join(KEYS)}")
        weights: RewardWeights | None = config.get("rewards")
        self._match = LanesParallelEnv(config["game"], weights)
        self._packed = bool(config.get("packed", False))
        self.possible_agents = self._match.possible_agents[:]
        self.agents = self.possible_agents[:]
        super().__init__()
        self.observation_spaces = dict.fromkeys(self.agents, _observation_space(self._packed))
        self.action_spaces = {agent: self._match.action_space(agent) for agent in self.agents}
        self.observation_space = spaces.Dict(self.observation_spaces)
        self.action_space = spaces.Dict(self.action_spaces)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Answers, Answers]:
        """Start the match of a seed, or one that the environment's own generator draws."""
        gymnasium.Env.reset(self, seed=seed)
        self._match.reset(int(self.np_random.integers(MOST_SEED)))
        return self._observations(), {}

    def step(self, action_dict: Answers) -> tuple[Answers, Answers, Answers, Answers, Answers]:
        """Advance the match by a decision; an agent without an action holds.

        Raises ValueError for an action of an agent that there is not, or after the end.
        """
        winner = self._match.advance(action_dict)
        ended = dict.fromkeys((*self.agents, ALL), winner != RUNNING)
        infos = {agent: {"winner": winner} for agent in self.agents if winner != RUNNING}
        rewards = dict(zip(self.agents, self._match.rewards.tolist(), strict=True))
        going_on = dict.fromkeys((*self.agents, ALL), False)
        return self._observations(), rewards, ended, going_on, infos

    def _observations(self) -> Answers:
        rows = self._match.rows.copy()
        seen = rows if self._packed else map(_parts, rows)
        return dict(zip(self.agents, seen, strict=True))


def _parts(row: NDArray[np.int8]) -> dict[str, NDArray[np.int8]]:
    stop = OBSERVATION + MASK
    return {
        OBSERVATIONS: row[:OBSERVATION],
        ACTION_MASK: row[OBSERVATION:stop],
        TRUE_STATE: row[stop:],
    }


def _observation_space(packed: bool) -> spaces.Space[Any]:
    if packed:
        return spaces.Box(-127, 127, (ROW,), np.int8)
    return spaces.Dict(
        {
            OBSERVATIONS: spaces.Box(-127, 127, (OBSERVATION,), np.int8),
            ACTION_MASK: spaces.Box(0, 1, (MASK,), np.int8),
            TRUE_STATE: spaces.Box(-127, 127, (STATE,), np.int8),
        }
    )
