"""Every board game as a PettingZoo AEC environment.

Agents are `player_0` (first to move) and `player_1`. An observation is a dict: `observation`, the
game's planes float32 [C, H, W] (channels first, as PyTorch reads them) as seen by the side to move,
and `action_mask`, int8 [A], all zero for an agent that is not to move. A win is worth 1, a loss -1.
"""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import EzPickle
from pettingzoo import AECEnv
from pettingzoo.utils import wrappers

from envs.game import GameError, advance
from envs.game_file import find_or_load, typed_game
from envs.positions import new_past

RENDER_MODES = ("human", "ansi")


def env(game_name: str, render_mode: str | None = None) -> AECEnv:
    """Create the environment of a game, wrapped like PettingZoo's own classic games.

    An illegal move ends the game with reward -1 for its player and 0 for the other; stepping before
    reset, or with a number that is not an action, raises.
    """
    legal = wrappers.TerminateIllegalWrapper(raw_env(game_name, render_mode), illegal_reward=-1)
    return wrappers.OrderEnforcingWrapper(wrappers.AssertOutOfBoundsWrapper(legal))


def raw_env(game_name: str, render_mode: str | None = None) -> BoardGameEnv:
    """Create the environment without wrappers: an illegal move raises GameError."""
    return BoardGameEnv(game_name, render_mode)


class BoardGameEnv(AECEnv, EzPickle):  # type: ignore[misc]
    """An AEC environment of a game, given its name or the path of a user's game file.

    `render_mode` is "human" (draws to standard output after every move), "ansi" (`render` returns
    the drawing) or None. Raises GameError for an unknown game or mode.
    """

    def __init__(self, game_name: str, render_mode: str | None = None) -> None:
        EzPickle.__init__(self, game_name, render_mode)
        super().__init__()
        if render_mode not in (None, *RENDER_MODES):
            raise GameError(
                f"unknown render_mode {render_mode!r}: expected one of {', '.join(RENDER_MODES)} "
                "or None"
            )
        self.game = find_or_load(typed_game(game_name))
        self.metadata = {
            "name": self.game.name,
            "render_modes": list(RENDER_MODES),
            "is_parallelizable": False,
            "render_fps": 2,
        }
        self.render_mode = render_mode
        self.possible_agents = ["player_0", "player_1"]
        self.agents = self.possible_agents[:]
        spaces = gymnasium.spaces
        planes, actions = self.game.planes_shape, self.game.num_actions
        self.action_spaces: dict[str, Any] = {a: spaces.Discrete(actions) for a in self.agents}
        self.observation_spaces = {
            agent: spaces.Dict(
                {
                    "observation": spaces.Box(-1.0, 1.0, planes, np.float32),
                    "action_mask": spaces.Box(0, 1, (actions,), np.int8),
                }
            )
            for agent in self.agents
        }
        self._begin()

    def _begin(self) -> None:
        states = self.game.new_states(1)
        self.state = states[0]
        self._past = new_past(self.game, states)
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self.agent_selection = self._agent_to_play()

    def _agent_to_play(self) -> str:
        return self.possible_agents[int(self.game.rules.to_play(self.state))]

    def observation_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """Return the space of `observe`, the same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """Return the space of the game's actions."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin a new game; board games are deterministic, so `seed` has no effect."""
        self._begin()
        if self.render_mode == "human":
            self.render()

    def observe(self, agent: str) -> dict[str, np.ndarray[Any, Any]]:
        """Return the planes seen by the side to move, and the legal actions of `agent`."""
        mask = np.zeros(self.game.num_actions, np.int8)
        if agent == self._agent_to_play():
            mask[:] = self.game.legal_mask(self.state)
        seen = self.game.encode(self.state, self._past.boards[0])
        return {"observation": seen, "action_mask": mask}

    def step(self, action: Any) -> None:
        """Play an action for the agent to move. Raises GameError if it is not legal."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        legal = self.game.legal_mask(self.state)
        if not 0 <= action < len(legal) or not legal[action]:
            words = " ".join(self.game.format_action(int(a)) for a in np.flatnonzero(legal))
            raise GameError(
                f"action {action} of {agent} is not legal in {self.game.name}: the legal moves "
                f"are {words}"
            )
        self._cumulative_rewards[agent] = 0.0
        before = np.array([self.state], self.game.dtype)
        advance(self.state, self._past.keys[0], int(self._past.counts[0]), int(action))
        self._past.counts[0] += 1
        self._past.boards[:] = np.concatenate([before, self._past.boards[0]])[:-1]
        self.agent_selection = self._agent_to_play()
        self._settle()
        self._accumulate_rewards()
        if self.render_mode == "human":
            self.render()

    def _settle(self) -> None:
        """Set the rewards and terminations of the current position."""
        self._clear_rewards()
        if self.game.rules.is_terminal(self.state):
            value_to_play = float(self.game.rules.value_to_play(self.state))
            for agent in self.agents:
                mine = agent == self.agent_selection
                self.rewards[agent] = value_to_play if mine else -value_to_play
            self.terminations = dict.fromkeys(self.agents, True)

    def render(self) -> str | None:
        """Draw the position: returned as text in mode "ansi", printed in mode "human"."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() was called on an environment without a render_mode")
            return None
        drawing = self.game.render(self.state)
        if self.render_mode == "ansi":
            return drawing
        sys.stdout.write(drawing + "\n")
        return None

    def close(self) -> None:
        """Do nothing: no resource is open."""

    def __str__(self) -> str:
        return self.game.name
