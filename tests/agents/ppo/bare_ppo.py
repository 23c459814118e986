"""PPO in plain PyTorch, for one agent with choices: what ours has to keep up with.

After CleanRL's `ppo.py` (Huang et al. 2022), with ours's sizes and schedules, and none of its
machinery: no sequences, no heads, no normalised values, no RLlib.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from envs.teams import TeamVector


@dataclass(frozen=True)
class BareConfig:
    """Settings, with CleanRL's names for what they are."""

    steps: int = 128
    epochs: int = 4
    minibatches: int = 4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy: float = 0.01
    value_weight: float = 0.5
    learning_rate: float = 2.5e-4
    max_grad_norm: float = 0.5
    seed: int = 0


def hidden_layers(inputs: int, outputs: int, gain: float) -> nn.Sequential:
    sizes, parts = (inputs, 64, 64), list[nn.Module]()
    for size, following in pairwise(sizes):
        parts += [nn.Linear(size, following), nn.Tanh()]
    parts.append(nn.Linear(64, outputs))
    for part in parts[::2]:
        nn.init.orthogonal_(part.weight, 2**0.5 if part is not parts[-1] else gain)
        nn.init.zeros_(part.bias)
    return nn.Sequential(*parts)


class BarePPO:
    """An actor, a critic and Adam."""

    def __init__(self, vector: TeamVector, config: BareConfig) -> None:
        torch.manual_seed(config.seed)
        self.vector, self.config = vector, config
        (inputs,) = vector.spec.observation_shape
        self.actor = hidden_layers(inputs, vector.spec.heads[0].size, 0.01)
        self.critic = hidden_layers(inputs, 1, 1.0)
        self.parameters = [*self.actor.parameters(), *self.critic.parameters()]
        self.optimiser = torch.optim.Adam(self.parameters, config.learning_rate, eps=1e-5)

    def iterations(self, count: int) -> Iterator[tuple[int, list[float]]]:
        """Yield the steps so far and the returns of the games that ended, each iteration."""
        now, steps = self.vector.reset(self.config.seed), 0
        for number in range(count):
            for group in self.optimiser.param_groups:
                group["lr"] = self.config.learning_rate * (1.0 - number / count)
            returns = list[float]()
            columns = [list[Tensor]() for _ in range(7)]
            for _ in range(self.config.steps):
                seen = torch.from_numpy(now.observations[:, 0].copy())
                with torch.no_grad():
                    policy = Categorical(logits=self.actor(seen))
                    action, value = policy.sample(), self.critic(seen)[:, 0]
                now = self.vector.step(action.numpy()[:, None, None])
                over, after = now.terminated | now.truncated, np.zeros(len(action), np.float32)
                if now.truncated.any():
                    last = torch.from_numpy(now.last_observations[:, 0].copy())
                    with torch.no_grad():
                        after[now.truncated] = self.critic(last)[:, 0].numpy()
                returns += now.scores[over, 0].tolist()
                rest = (now.rewards[:, 0].copy(), over.astype(np.float32), after)
                new = (seen, action, policy.log_prob(action), value, *map(torch.from_numpy, rest))
                for column, entry in zip(columns, new, strict=True):
                    column.append(entry)
            steps += len(action) * self.config.steps
            with torch.no_grad():
                newest = self.critic(torch.from_numpy(now.observations[:, 0].copy()))[:, 0]
            self._learn([torch.stack(column) for column in columns], newest)
            yield steps, returns

    def _learn(self, columns: list[Tensor], newest: Tensor) -> None:
        seen, actions, old, values, rewards, over, after = columns
        advantages, following, value = torch.zeros_like(rewards), torch.zeros_like(newest), newest
        for t in reversed(range(len(rewards))):
            value = torch.where(over[t] > 0, after[t], value)
            error = rewards[t] + self.config.gamma * value - values[t]
            decay = self.config.gamma * self.config.gae_lambda * (1.0 - over[t])
            following = error + decay * following
            advantages[t], value = following, values[t]
        flat = [c.flatten(0, 1) for c in (seen, actions, old, advantages, advantages + values)]
        for _ in range(self.config.epochs):
            for rows in torch.randperm(len(flat[0])).tensor_split(self.config.minibatches):
                self._step(*(column[rows] for column in flat))

    def _step(
        self, seen: Tensor, actions: Tensor, old: Tensor, advantages: Tensor, targets: Tensor
    ) -> None:
        policy = Categorical(logits=self.actor(seen))
        ratios = (policy.log_prob(actions) - old).exp()
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        clipped = ratios.clamp(1.0 - self.config.clip, 1.0 + self.config.clip)
        surrogate = torch.min(ratios * advantages, clipped * advantages).mean()
        value_loss = 0.5 * (self.critic(seen)[:, 0] - targets).square().mean()
        entropy = policy.entropy().mean()
        loss = self.config.value_weight * value_loss - surrogate - self.config.entropy * entropy
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm)
        self.optimiser.step()
