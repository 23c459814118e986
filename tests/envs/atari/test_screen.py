"""What the agent sees beside a picture is what an evaluation shows it, pixel for pixel."""

from dataclasses import replace

import numpy as np
import pytest

from envs.atari.protocol import NATURE, STICKY
from envs.atari.screen import AtariScreen, screen_size
from envs.vector import make_vector

SHORT = replace(NATURE, name="short", max_frames=200)


def actions(count, number, seed=0):
    return np.random.default_rng(seed).integers(number, size=count)


@pytest.mark.parametrize("protocol", [NATURE, STICKY, SHORT], ids=lambda found: found.name)
@pytest.mark.parametrize("game", ["breakout", pytest.param("pong", marks=pytest.mark.slow)])
def test_observations_rewards_and_ends_are_those_of_the_vector(game, protocol):
    screen = AtariScreen(game, seed=3, protocol=protocol)
    vector = make_vector(game, 1, seed=3, protocol=protocol, training=False)
    np.testing.assert_array_equal(screen.reset().observation, vector.reset()[0])
    ends = 0
    for action in actions(200, vector.num_actions):
        seen = screen.step(int(action))
        vector.send(np.array([action]))
        steps = vector.receive()
        assert (seen.reward, seen.terminated, seen.truncated) == (
            steps.rewards[0], steps.terminated[0], steps.truncated[0],
        )  # fmt: skip
        if seen.ended:
            np.testing.assert_array_equal(seen.observation, steps.last_observations[0])
            seen, ends = screen.reset(), ends + 1
        np.testing.assert_array_equal(seen.observation, steps.observations[0])
    assert ends > 0 or game == "pong"
    screen.close()
    vector.close()


def test_the_picture_is_of_the_moment_that_the_agent_sees():
    """Its gray, scaled down, is the observation but for the rounding of the two conversions."""
    screen = AtariScreen("breakout", seed=1, protocol=NATURE)
    seen = screen.reset()
    assert seen.picture.shape == (*screen_size("breakout"), 3) == (210, 160, 3)
    for action in actions(300, 4):
        seen = screen.step(int(action))
        gray = seen.picture @ np.array([0.2989, 0.5870, 0.1140])
        rows = gray.reshape(42, 5, 160).astype(float)  # 5 rows are 2 of the observation
        upper = (rows[:, 0] + rows[:, 1] + 0.5 * rows[:, 2]) / 2.5
        lower = (rows[:, 4] + rows[:, 3] + 0.5 * rows[:, 2]) / 2.5
        tall = np.stack([upper, lower], axis=1).reshape(84, 160)
        fine = tall.repeat(21, axis=1).reshape(84, 84, 40).mean(axis=2)
        assert np.abs(fine - seen.observation).max() < 3
        if seen.ended:
            screen.reset()


def test_lives_are_told_to_the_end_and_lost_lives_end_nothing():
    screen = AtariScreen("breakout", seed=0, protocol=NATURE)
    lives = [screen.reset().lives]
    for action in actions(2000, 4):
        seen = screen.step(int(action))
        lives.append(seen.lives)
        if seen.ended:
            break
    assert seen.terminated
    assert sorted(set(lives), reverse=True) == [5, 4, 3, 2, 1, 0]
    assert lives == sorted(lives, reverse=True)
    assert screen.reset().lives == 5


def test_a_game_without_lives_tells_none():
    screen = AtariScreen("pong", seed=0, protocol=NATURE)
    assert screen.reset().lives is None
    assert screen.step(0).lives is None


def test_a_game_that_is_given_up_is_followed_by_another_and_both_stay_together():
    screen = AtariScreen("breakout", seed=0, protocol=STICKY)
    for _ in range(3):
        screen.reset()
        for action in actions(50, 18):
            screen.step(int(action))


def test_people_see_15_steps_a_second_and_the_measures_of_the_game():
    screen = AtariScreen("breakout", seed=0, protocol=NATURE)
    assert screen.steps_per_second == 15.0
    assert [measure.name for measure in screen.measures] == ["tunnelling"]
    assert AtariScreen("pong", seed=0, protocol=NATURE).measures == ()


def test_a_step_after_the_end_is_refused():
    screen = AtariScreen("pong", seed=0, protocol=replace(NATURE, name="one", max_frames=4))
    with pytest.raises(RuntimeError, match="reset"):
        screen.step(0)
    screen.reset()
    assert screen.step(0).truncated
    with pytest.raises(RuntimeError, match="reset"):
        screen.step(0)


def test_emulators_that_part_are_noticed():
    """The shown one alone presses FIRE: its ball flies, and is lost or hits a brick before."""
    screen = AtariScreen("breakout", seed=0, protocol=NATURE)
    screen.reset()
    screen._shown.send(np.array([1]))
    screen._shown.receive()
    with pytest.raises(RuntimeError, match="another game than the agent's"):
        stand_still(screen, steps=100)
    screen.close()


def stand_still(screen, steps):
    for _ in range(steps):
        screen.step(0)
