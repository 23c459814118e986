"""Environments of a user's own, with and without pictures."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Corridor(gymnasium.Env):
    """Action 1 moves a dot right; the fourth cell ends the game with a reward of 1."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012
    observation_space = Box(0, 3, (1,), np.float32)
    action_space = Discrete(2)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.at = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = int(self.np_random.integers(2))
        return np.array([self.at], np.float32), {}

    def step(self, action):
        self.at += int(action)
        return np.array([self.at], np.float32), float(self.at == 3), self.at == 3, False, {}

    def render(self):
        picture = np.zeros((4, 8, 3), np.uint8)
        picture[:, 2 * self.at : 2 * self.at + 2] = 255
        return picture


class Blind(Corridor):
    metadata = {"render_modes": ["ansi"]}  # noqa: RUF012


class WithoutPackage(Corridor):
    """Needs a package to draw that is not there, as CartPole needs pygame."""

    def render(self):
        raise gymnasium.error.DependencyNotInstalled("run `pip install pencils`")


class Odd(Corridor):
    """Renders something else than pictures."""

    def render(self):
        return np.zeros((4, 8))
