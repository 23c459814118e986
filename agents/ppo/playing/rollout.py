"""The steps of a rollout, written into arrays that are made once.

Shapes: p players, T steps, H units of the memory, C sequences a player.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.ppo.config import PPOConfig
from agents.ppo.learning import sequences
from agents.ppo.learning.sequences import Columns
from agents.ppo.network.memory import Memory
from envs.teams import TeamSpec, TeamSteps


class Rollout:
    """T steps of p players; a player's steps follow each other in memory, so sequences are views.

    Attributes:
        rewards, values, log_probabilities, advantages: float32 [p, T].
        ended: bool [p, T] whether the match ended with the step.
        end_values: float32 [p, T] what follows where it ended.
        actions: int32 [p, T, heads] or float32 [p, T, size].
    """

    def __init__(self, spec: TeamSpec, config: PPOConfig, players: int) -> None:
        self.spec = spec
        self.steps = config.learner.rollout
        self.sequence = config.learner.sequence
        shape = (players, self.steps)
        dtype = spec.observation_dtype
        self.observations = np.zeros((*shape, *spec.observation_shape), dtype)
        self.masks = np.zeros((*shape, spec.mask_size), np.uint8)
        self.states = np.zeros((*shape, spec.state_size), dtype)
        real = spec.heads[0].kind == "real"
        size = spec.heads[0].size if real else len(spec.heads)
        self.actions = np.zeros((*shape, size), np.float32 if real else np.int32)
        self.rewards, self.values, self.log_probabilities = np.zeros((3, *shape), np.float32)
        self.advantages, self.end_values = np.zeros((2, *shape), np.float32)
        self.ended = np.zeros(shape, np.bool_)
        self.begins = np.zeros(shape, np.uint8)
        self.learns = np.zeros(shape, np.float32)
        self.memories = np.zeros(
            (2, players, self.steps // self.sequence, config.network.lstm), np.float32
        )

    def record_seen(
        self,
        step: int,
        seen: TeamSteps,
        begins: NDArray[np.uint8],
        learns: NDArray[np.bool_],
        memory: Memory,
    ) -> None:
        """Record what is acted on in a step, [p, ...], and the memory before each sequence."""
        players = len(begins)
        observations = seen.observations
        self.observations[:, step] = observations.reshape(players, *observations.shape[2:])
        self.masks[:, step] = seen.masks.reshape(players, -1)
        if self.spec.state_size:
            self.states[:, step] = seen.states.reshape(players, -1)
        self.begins[:, step] = begins
        self.learns[:, step] = learns
        number, inside = divmod(step, self.sequence)
        if inside == 0 and self.memories.shape[-1]:
            for kept, part in zip(self.memories, memory, strict=True):
                kept[:, number] = part.cpu().numpy()

    def record_rewards(self, step: int, steps: TeamSteps, team_spirit: float) -> None:
        """Record the rewards of a step, each moved towards the team's mean, and where it ended.

        OpenAI et al. (2019), appendix G: (1 - tau) times the own reward and tau times the mean.
        """
        rewards = steps.rewards
        if team_spirit and self.spec.agents > 1:
            by_team = rewards.reshape(-1, self.spec.teams, self.spec.agents)
            mean = by_team.mean(2, keepdims=True)
            rewards = (1.0 - team_spirit) * by_team + team_spirit * mean
        self.rewards[:, step] = rewards.ravel()
        self.ended[:, step] = np.repeat(steps.terminated | steps.truncated, self.spec.players)
        self.end_values[:, step] = 0.0

    def sequences(self) -> tuple[Columns, int]:
        """Return the sequences in which anything is learned from, and their steps to learn from."""
        learned = self.learns.reshape(-1, self.sequence)
        columns = {
            sequences.OBSERVATIONS: self._cut(self.observations),
            sequences.MASKS: self._cut(self.masks),
            sequences.STATES: self._cut(self.states),
            sequences.ACTIONS: self._cut(self.actions),
            sequences.LOG_PROBABILITIES: self._cut(self.log_probabilities),
            sequences.ADVANTAGES: self._cut(self.advantages),
            sequences.TARGETS: self._cut(self.advantages + self.values),
            sequences.BEGINS: self._cut(self.begins),
            sequences.LEARNS: learned,
        }
        for name, part in zip((sequences.MEMORY_OUTPUT, sequences.MEMORY_CELL), self.memories):
            columns[name] = part.reshape(len(learned), -1)
        kept = learned.any(1)
        if not kept.all():
            columns = {name: column[kept] for name, column in columns.items()}
        return columns, int(np.count_nonzero(learned))

    def _cut(self, array: NDArray[Any]) -> NDArray[Any]:
        """[p, T, ...] -> [p * C, T / C, ...], a view."""
        rows = len(array) * self.steps // self.sequence
        return array.reshape(rows, self.sequence, *array.shape[2:])
