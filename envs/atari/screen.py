"""One game of Atari with pictures in full colour and size, for people.

ale-py's vector environment shows an agent 84 x 84 gray pixels, and gives no other picture. So two
of them play the same game side by side, from one seed and by the same actions: the one that an
evaluation uses, for the agent, and one whose frames are the whole screen in colours. What decides a
game is its seed and its actions, so both are always at the same moment; each step checks that their
rewards, lives and ends agree.
"""

from __future__ import annotations

from typing import Any

import ale_py
import numpy as np
from ale_py import roms
from numpy.typing import NDArray

from envs.atari.protocol import AtariProtocol
from envs.atari.vector import AtariVector
from envs.pictures.pictured import Seen
from envs.pictures.same_step import SameStepScreen

FRAMES_PER_SECOND = 60.0
WIDEST_PIXEL = 12 / 7  # on a television of the time, width to height


def screen_size(game: str) -> tuple[int, int]:
    """Return the height and the width of a game's screen in pixels, by its name in snake_case."""
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # it greets on standard error
    emulator = ale_py.ALEInterface()
    path = roms.get_rom_path(game)
    assert path is not None  # ale-py carries every game's
    emulator.loadROM(path)
    height, width = emulator.getScreenDims()
    return int(height), int(width)


class AtariColours(AtariVector):
    """Games whose observations are the screen in colours, uint8 [count, height, width, 3].

    As in what an agent sees, each is the maximum of two frames, so nothing flickers.
    """

    def _frames(self, game: str) -> dict[str, Any]:
        height, width = screen_size(game)
        self.observation_shape = height, width, 3
        return {"img_height": height, "img_width": width, "grayscale": False}


class AtariScreen(SameStepScreen):
    """One game with pictures; see `envs.pictures.pictured`.

    Its observations and rewards are those of `envs.vector.make_vector` for one game with this seed
    and protocol. Lost lives end nothing, as in an evaluation.

    Args:
        game: its name in snake_case.
        seed: of the game.
        protocol: the rules of its score.
    """

    def __init__(self, game: str, *, seed: int, protocol: AtariProtocol) -> None:
        def make(kind: type[AtariVector]) -> AtariVector:
            return kind(game, 1, seed=seed, protocol=protocol, training=False, threads=1)

        self._seen, self._shown = make(AtariVector), make(AtariColours)
        super().__init__(
            self._seen.spec,
            steps_per_second=FRAMES_PER_SECOND / protocol.frame_skip,
            widest_pixel=WIDEST_PIXEL,
            measures=self._seen.spec.measures,
        )
        self._has_lives = True  # known once a game has begun

    def _begin(self) -> Seen:
        observation, picture = self._seen.reset()[0], self._shown.reset()[0]
        self._has_lives = bool(self._seen.lives[0])
        return Seen(observation, picture, lives=self._lives())

    def _lives(self) -> int | None:
        return int(self._seen.lives[0]) if self._has_lives else None

    def _step(self, action: int) -> tuple[Seen, Seen | None]:
        before, actions = self._lives(), np.array([action], np.int64)
        self._seen.send(actions)
        self._shown.send(actions)
        steps, colours = self._seen.receive(), self._shown.receive()
        self._check_same(_facts(steps, self._seen), _facts(colours, self._shown))
        terminated, truncated = bool(steps.terminated[0]), bool(steps.truncated[0])
        has_ended = terminated or truncated
        next_one = Seen(steps.observations[0], colours.observations[0], lives=self._lives())
        if not has_ended:
            return next_one._replace(reward=float(steps.rewards[0])), None
        seen = Seen(
            steps.last_observations[0],
            colours.last_observations[0],
            float(steps.rewards[0]),
            terminated,
            truncated,
            0 if terminated and before is not None else before,
        )
        return seen, next_one

    def _check_same(self, agents: NDArray[np.float64], ours: NDArray[np.float64]) -> None:
        if not np.array_equal(agents, ours):
            raise RuntimeError(
                f"{self.name}: the picture is of another game than the agent's: rewards, ends and "
                f"lives {agents.tolist()} and {ours.tolist()}"
            )

    def close(self) -> None:
        """End both emulators."""
        self._seen.close()
        self._shown.close()


def _facts(steps: Any, games: AtariVector) -> NDArray[np.float64]:
    parts = steps.rewards, steps.terminated, steps.truncated, games.lives
    return np.concatenate([np.asarray(part, np.float64) for part in parts])
