"""The tunnel behind Breakout's wall, read from frames, against the emulator's memory."""

import ale_py
import numpy as np
import pytest
from ale_py import roms

from envs.atari.measures import is_above_the_wall, measures_of
from envs.atari.protocol import NATURE
from envs.atari.vector import AtariVector

BALL_Y = 101  # a byte of memory: Anand et al. 2019
TOP_OF_WALL, TOP_OF_FIELD = 57, 32  # rows of the screen


def agent_frame(screen):
    """A gray screen [210, 160] as agents see it, by the mean of each pixel's area."""
    rows = np.add.reduceat(screen.astype(float).repeat(2, axis=0), range(0, 420, 5)) / 5
    return np.add.reduceat(rows.repeat(21, axis=1), range(0, 3360, 40), axis=1) / 40


@pytest.fixture
def emulator():
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    made = ale_py.ALEInterface()
    made.setInt("random_seed", 1)
    made.loadROM(roms.get_rom_path("breakout"))
    made.reset_game()
    return made


def says(emulator):
    return bool(is_above_the_wall(agent_frame(emulator.getScreenGrayscale())[None])[0])


def test_it_agrees_with_the_emulators_memory(emulator):
    """The ball is put at many heights: it is drawn in rows y + 8 to y + 11, y its byte there."""
    actions = emulator.getMinimalActionSet()
    rng = np.random.default_rng(0)
    counted = {True: 0, False: 0}
    for step in range(1200):
        if step % 6 == 0 and emulator.getRAM()[BALL_Y]:
            emulator.setRAM(BALL_Y, int(rng.integers(20, 200)))
        emulator.act(actions[1 if step % 50 == 0 else int(rng.integers(len(actions)))])
        first, last = (int(emulator.getRAM()[BALL_Y]) + more for more in (8, 11))
        if first >= TOP_OF_FIELD and last < TOP_OF_WALL:
            counted[True] += 1
            assert says(emulator), f"step {step}: rows {first} to {last}"
        elif first >= TOP_OF_WALL or last < TOP_OF_FIELD:
            counted[False] += 1
            assert not says(emulator), f"step {step}: rows {first} to {last}"
        if emulator.game_over():
            emulator.reset_game()
    assert min(counted.values()) > 50


def test_an_empty_wall_is_no_tunnel():
    frame = np.zeros((2, 84, 84), np.uint8)
    frame[:, 17, 40] = 90  # the ball
    frame[1, 30, 10:14] = 100  # the last bricks
    assert is_above_the_wall(frame).tolist() == [False, True]


def test_a_random_player_has_no_tunnel():
    """Nor is anything else, such as the score or the borders, taken for the ball."""
    vector = AtariVector("breakout", 4, seed=2, protocol=NATURE, training=False, threads=1)
    frames = vector.reset()
    rng = np.random.default_rng(0)
    for _ in range(100):
        assert not is_above_the_wall(frames).any()
        vector.send(rng.integers(4, size=4))
        frames = vector.receive().observations
    vector.close()


def test_games_without_measures_have_none():
    assert measures_of("pong") == ()
    assert [measure.name for measure in measures_of("breakout")] == ["tunnelling"]
