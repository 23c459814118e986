"""An environment with pictures and an agent of it, scripted, for tests."""

import numpy as np

from envs.pictures.pictured import Measure, Seen

RED, BLACK = (200, 72, 72), (0, 0, 0)


class Walk:
    """A dot on a row of cells: LEFT and RIGHT move it, the right end ends a game with a reward.

    The observation is the row; the picture shows it, `size` pixels high. It has 2 lives, of which
    FIRE takes one; without lives the game ends with -1.
    """

    name, protocol, widest_pixel = "walk", "nature", 1.0
    action_names = ("NOOP", "FIRE", "RIGHT", "LEFT")
    steps_per_second = 10.0

    def __init__(self, length=4, size=(20, 40), limit=50):
        self.length, self.size, self.limit = length, size, limit
        self.measures = (Measure("halfway", "past the middle", self._past_the_middle),)
        self.at = self.lives = self.steps = 0
        self.begun = self.closed = 0

    def _past_the_middle(self, observations):
        return observations.argmax(axis=1) >= self.length // 2

    def reset(self):
        self.at, self.lives, self.steps = 0, 2, 0
        self.begun += 1
        return self._seen()

    def step(self, action):
        assert self.lives, "the game has ended"
        assert self.at < self.length - 1, "the game has ended"
        self.steps += 1
        self.at = max(0, self.at + {2: 1, 3: -1}.get(action, 0))
        self.lives -= action == 1
        won, lost = self.at == self.length - 1, self.lives == 0
        return self._seen(
            reward=float(won) - float(lost),
            terminated=won or lost,
            truncated=self.steps == self.limit,
        )

    def _seen(self, **what):
        row = np.zeros(self.length, np.uint8)
        row[self.at] = 255
        picture = np.zeros((*self.size, 3), np.uint8)
        wide = self.size[1] // self.length
        picture[:, wide * self.at : wide * (self.at + 1)] = RED
        return Seen(row, picture, lives=self.lives, **what)

    def close(self):
        self.closed += 1


class Scripted:
    """An agent that plays one action; the value of action a is a, plus the dot's place."""

    name = "scripted"

    def __init__(self, action=2):
        self.action = action
        self.values = np.full((1, 4), np.nan, np.float32)
        self.seen, self.began = [], []

    def begin(self, observations):
        self.seen, self.began = [observations[0]], [True]

    def act(self, rng):
        self.values = np.arange(4, dtype=np.float32)[None] + self.seen[-1].argmax()
        return np.array([self.action])

    def observe(self, observations, begins):
        self.seen.append(observations[0])
        self.began.append(bool(begins[0]))
