"""The scripted players of Lanes as agents that play a team."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.lanes.batch import find_mode
from envs.lanes.scripts import SCRIPTS, act_all
from envs.lanes.state import layout_of


class ScriptedTeam:
    """A team of Lanes that a script plays: "wanderer", "pusher" or "fighter".

    Args:
        name: of the script.
        game: of the mode, "lanes_5v5".

    Raises ValueError for an unknown name.
    """

    def __init__(self, name: str, game: str) -> None:
        if name not in SCRIPTS:
            raise ValueError(f"unknown script {name!r}: expected one of {', '.join(SCRIPTS)}")
        self.name = name
        self._script = SCRIPTS.index(name)
        self._lanes = layout_of(find_mode(game)).lanes
        self._steps = np.zeros(0, np.int64)

    def act(
        self,
        observations: NDArray[Any],
        masks: NDArray[np.uint8],
        begins: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> NDArray[np.int8]:
        """Choose the actions of the team in each match; see `envs.teams.TeamAgent`."""
        count, agents = observations.shape[:2]
        if len(self._steps) != count:
            self._steps = np.zeros(count, np.int64)
        self._steps = np.where(begins, 0, self._steps + 1)
        # A script's kernel takes rows of both teams; the second half is left out.
        rows = np.zeros((count, 2 * agents, observations.shape[2] + masks.shape[2]), np.int8)
        rows[:, :agents] = np.concatenate([observations, masks.view(np.int8)], axis=2)
        scripts = np.full((count, 2), -1, np.int8)
        scripts[:, 0] = self._script
        actions = np.zeros((count, 2 * agents, 3), np.int8)
        seeds = rng.integers(2**63, size=count, dtype=np.uint64)
        act_all(scripts, seeds, self._steps, self._lanes, rows, actions)
        return actions[:, :agents]
