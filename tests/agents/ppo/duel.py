"""A small game of two teams of two: who strikes the marked enemy gets a point.

int8 observations: own [2] (agent, time), and two groups of units: mates [1 x 3], enemies [2 x 3]
(is there, marked, number). Head 0: wait, strike, turn; `target` is used by strike; `direction` by
turn. Of the enemies the marked one moves at random. The state tells everything.
"""

from typing import Any

import numpy as np

from agents.ppo.config import PPOConfig
from envs.teams import ActionHead, TeamSpec, TeamSteps, UnitGroup

HEADS = (
    ActionHead("primary", 3),
    ActionHead("direction", 4, used_by=(2,)),
    ActionHead("target", 2, used_by=(1,), masked_by_first=True),
)
SPEC = TeamSpec(
    name="duel",
    kind="lanes",
    teams=2,
    agents=2,
    observation_shape=(11,),
    observation_dtype=np.dtype(np.int8),
    heads=HEADS,
    state_size=5,
    groups=(UnitGroup("mates", 2, 1, 3), UnitGroup("enemies", 5, 2, 3, target=0)),
    own=(0, 2),
    seconds=0.5,
)


class Duel:
    """`count` matches of `length` steps; match i begins i steps late, so that ends differ.

    Every other match is cut off by a limit, the others end by the rules. Rewards are zero-sum:
    a strike at the marked enemy is +1 for who strikes, -1 spread over the enemies.
    """

    spec = SPEC
    seeds = None

    def __init__(self, count: int, length: int = 20) -> None:
        self.count = count
        self.length = length
        self.acted: list[Any] = []

    def reset(self, seed: int | None = None) -> TeamSteps:
        self.rng = np.random.default_rng(seed)
        self.time = np.arange(self.count) % self.length
        self.points = np.zeros((self.count, 2), np.float32)
        self.marked = self.rng.integers(2, size=(self.count, 2))  # of each team
        none = np.zeros(self.count, np.bool_)
        self.steps = self._steps(np.zeros((self.count, 4), np.float32), none, none, none)
        return self.steps

    def step(self, actions: Any) -> TeamSteps:
        self.acted.append(actions.copy())
        teams = actions.reshape(self.count, 2, 2, 3)
        hits = (teams[..., 0] == 1) & (teams[..., 2] == self.marked[:, ::-1, None])
        rewards = hits.astype(np.float32) - hits.sum(2)[:, ::-1, None] / 2
        self.points += hits.sum(2)
        self.time += 1
        over = self.time >= self.length
        self.marked = self.rng.integers(2, size=(self.count, 2))
        limited = np.arange(self.count) % 2 == 1
        seen, states = self._seen()
        last = (seen[over & limited], states[over & limited])
        scores = np.where(over[:, None], 0.5 + 0.5 * np.sign(self.points - self.points[:, ::-1]), 0)
        lengths = np.where(over, self.length, 0)
        self.time[over] = 0
        self.points[over] = 0
        self.steps = self._steps(
            rewards.reshape(self.count, 4), over & ~limited, over & limited, lengths, scores, last
        )
        return self.steps

    def _seen(self) -> tuple[Any, Any]:
        seen = np.zeros((self.count, 4, 11), np.int8)
        for player in range(4):
            team, agent = divmod(player, 2)
            seen[:, player, 0] = agent
            seen[:, player, 1] = self.time
            seen[:, player, 2:5] = (127, 0, 1 - agent)
            for enemy in range(2):
                marked = 127 * (self.marked[:, 1 - team] == enemy)
                seen[:, player, 5 + 3 * enemy] = 127
                seen[:, player, 6 + 3 * enemy] = marked
        states = np.zeros((self.count, 4, 5), np.int8)
        states[:, :, 0] = self.time[:, None]
        states[:, :, 1:3] = self.marked[:, None]
        states[:, :, 3:5] = self.points[:, None]
        return seen, states

    def _steps(
        self, rewards: Any, terminated: Any, truncated: Any, lengths: Any, *rest: Any
    ) -> TeamSteps:
        seen, states = self._seen()
        scores, last = rest or (np.zeros((self.count, 2)), (seen[:0], states[:0]))
        masks = np.ones((self.count, 4, SPEC.mask_size), np.uint8)
        return TeamSteps(
            *(seen, masks, states, rewards, terminated, truncated, *last),
            *(scores.astype(np.float32), lengths.astype(np.int64)),
        )

    def close(self) -> None:
        pass


def make_duel(config: PPOConfig) -> Duel:
    return Duel(config.environment.matches)
