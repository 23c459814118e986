"""CartPole as a vector of matches of one agent, in NumPy (Barto, Sutton & Anderson 1983)."""

from typing import Any

import numpy as np

from agents.ppo.config import PPOConfig
from envs.teams import ActionHead, TeamSpec, TeamSteps

SPEC = TeamSpec(
    name="cartpole",
    kind="gymnasium",
    teams=1,
    agents=1,
    observation_shape=(4,),
    observation_dtype=np.dtype(np.float32),
    heads=(ActionHead("action", 2),),
)


class CartPole:
    """`count` carts; an episode is cut off after 500 steps."""

    spec = SPEC
    seeds = None

    def __init__(self, count: int) -> None:
        self.count = count

    def reset(self, seed: int | None = None) -> TeamSteps:
        self.rng = np.random.default_rng(seed)
        self.state = self.rng.uniform(-0.05, 0.05, (self.count, 4))
        self.lengths = np.zeros(self.count, np.int64)
        none = np.zeros(self.count, np.bool_)
        return self._steps(none, none, np.zeros((0, 1, 4), np.float32), self.lengths * 0)

    def step(self, actions: Any) -> TeamSteps:
        _, speed, angle, turn = self.state.T
        force = np.where(actions[:, 0, 0] == 1, 10.0, -10.0)
        pushed = (force + 0.05 * turn**2 * np.sin(angle)) / 1.1
        inertia = 0.5 * (4.0 / 3.0 - 0.1 * np.cos(angle) ** 2 / 1.1)
        turning = (9.8 * np.sin(angle) - np.cos(angle) * pushed) / inertia
        moving = pushed - 0.05 * turning * np.cos(angle) / 1.1
        change = np.stack([speed, moving, turn, turning], 1)
        self.state = self.state + 0.02 * change
        self.lengths += 1
        terminated = (np.abs(self.state[:, 0]) > 2.4) | (np.abs(self.state[:, 2]) > 0.2095)
        truncated = ~terminated & (self.lengths >= 500)
        over = terminated | truncated
        last = self.state[truncated].astype(np.float32)[:, None]
        lengths = np.where(over, self.lengths, 0)
        self.state[over] = self.rng.uniform(-0.05, 0.05, (over.sum(), 4))
        self.lengths[over] = 0
        return self._steps(terminated, truncated, last, lengths)

    def _steps(self, terminated: Any, truncated: Any, last: Any, lengths: Any) -> TeamSteps:
        return TeamSteps(
            observations=self.state.astype(np.float32)[:, None],
            masks=np.ones((self.count, 1, self.spec.mask_size), np.uint8),
            states=np.zeros((self.count, 1, 0), np.float32),
            rewards=np.ones((self.count, 1), np.float32),
            terminated=terminated,
            truncated=truncated,
            last_observations=last,
            last_states=np.zeros((len(last), 1, 0), np.float32),
            scores=lengths.astype(np.float32)[:, None],
            lengths=lengths,
        )

    def close(self) -> None:
        pass


def make_cartpole(config: PPOConfig) -> CartPole:
    return CartPole(config.environment.matches)
