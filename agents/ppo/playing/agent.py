"""A checkpoint of PPO as an agent: of a team, or of an environment of one player."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.ppo.network.memory import Memory
from agents.ppo.network.team_network import TeamNetwork
from agents.ppo.playing.drawing import ActionDrawer


class PPOAgent:
    """Plays a team in n matches at once; see `envs.teams.TeamAgent`.

    Its critic's true state is not needed: nothing of it enters an action.

    Args:
        network: with the weights to act by, on the processor or a card.
        greedy: take the likeliest action instead of drawing one.
        name: as on the command line.
    """

    def __init__(self, network: TeamNetwork, *, greedy: bool, name: str) -> None:
        self.name = name
        self._network = network
        self._greedy = greedy
        self._device = network.value_mean.device
        self._memory: Memory | None = None

    @torch.inference_mode()
    def act(
        self,
        observations: NDArray[Any],
        masks: NDArray[np.uint8],
        begins: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> NDArray[Any]:
        """Choose the actions of the team in each match, [n, k, h]."""
        count, agents = observations.shape[:2]
        players = count * agents
        memory = self._memory_of(players, np.repeat(begins, agents))
        flat = np.ascontiguousarray(observations).reshape(players, *observations.shape[2:])
        seen = torch.from_numpy(flat).to(self._device)
        states = torch.zeros(players, 0, device=self._device)
        outputs = self._network.step(seen, states, memory, values=False)
        self._memory = outputs.memory
        drawer = ActionDrawer(self._network.spec.heads, rng)
        logits = outputs.logits.float().cpu().numpy()
        if drawer.real:
            spread = self._network.log_spread.cpu().numpy()
            actions = drawer.draw_real(logits, spread, greedy=self._greedy).actions
        else:
            flat_masks = np.ascontiguousarray(masks).reshape(players, -1)
            actions = drawer.draw(logits, flat_masks, greedy=self._greedy).actions
        return actions.reshape(count, agents, -1)

    def _memory_of(self, players: int, begins: NDArray[np.bool_]) -> Memory:
        """Return the memories of the players, empty where a match begins."""
        memory = self._memory
        if memory is None or len(memory.output) != players:
            return self._network.empty_memory(players)
        if begins.any():
            rows = torch.from_numpy(np.flatnonzero(begins)).to(self._device)
            memory = Memory(*(part.index_fill(0, rows, 0.0) for part in memory))
        return memory


class SoloAgent:
    """Plays an environment of one player by choices; see `agents.environment_agents`.

    Attributes:
        values: NaN [k, A]: it has probabilities and no values of actions.
    """

    def __init__(self, agent: PPOAgent, num_actions: int, epsilon: float = 0.0) -> None:
        self.name = agent.name
        self._epsilon = epsilon
        self._agent = agent
        self._num_actions = num_actions
        self.values = np.zeros((0, num_actions), np.float32)
        self._observations: NDArray[Any] | None = None
        self._begins = np.zeros(0, np.bool_)

    def begin(self, observations: NDArray[Any]) -> None:
        """Begin in k environments with their first observations."""
        self.observe(observations, np.ones(len(observations), np.bool_))
        self.values = np.full((len(observations), self._num_actions), np.nan, np.float32)

    def act(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Choose an action in each environment, [k]; raises ValueError before `begin`."""
        if self._observations is None:
            raise ValueError(f"agent {self.name!r} has not begun: call begin first")
        count = len(self._observations)
        masks = np.ones((count, 1, self._num_actions), np.uint8)
        actions = self._agent.act(self._observations[:, None], masks, self._begins, rng)
        chosen: NDArray[np.int64] = actions[:, 0, 0].astype(np.int64)
        if self._epsilon == 0.0:
            return chosen
        at_random = rng.random(count) < self._epsilon
        return np.where(at_random, rng.integers(self._num_actions, size=count), chosen)

    def observe(self, observations: NDArray[Any], begins: NDArray[np.bool_]) -> None:
        """Take what followed; where bool [k] `begins`, a new game."""
        self._observations, self._begins = observations, begins
