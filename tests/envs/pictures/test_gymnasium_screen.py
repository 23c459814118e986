import numpy as np
import pytest

from envs.atari.screen import AtariScreen
from envs.pictures.finding import make_pictured
from envs.vector import (
    EnvironmentNameError,
    UnsupportedEnvironmentError,
    make_vector,
    typed_environment,
)

OWN = "tests.envs.pictures.own_environments"


def own(name):
    return typed_environment(f"{OWN}:{name}")


def place(picture):
    return int(np.flatnonzero(picture.any(axis=(0, 2)))[0]) // 2


def test_pictures_are_of_the_moment_also_at_the_end_of_a_game():
    screen = make_pictured(own("Corridor"), seed=1)
    for _ in range(3):
        seen = screen.reset()
        places = [place(seen.picture)]
        assert seen.observation == places[-1]
        while not seen.ended:
            seen = screen.step(1)
            places.append(place(seen.picture))
            assert seen.observation == places[-1]
        assert places[-1] == 3
        assert seen.reward == 1.0
        assert seen.terminated
        assert seen.lives is None
    screen.close()


def test_observations_and_rewards_are_those_of_the_vector():
    screen = make_pictured(own("Corridor"), seed=5)
    vector = make_vector(own("Corridor"), 1, seed=5, training=False)
    np.testing.assert_array_equal(screen.reset().observation, vector.reset()[0])
    for action in np.random.default_rng(0).integers(2, size=40):
        seen = screen.step(int(action))
        vector.send(np.array([action]))
        steps = vector.receive()
        assert seen.reward == steps.rewards[0]
        if seen.ended:
            seen = screen.reset()
        np.testing.assert_array_equal(seen.observation, steps.observations[0])


def test_it_plays_at_the_environments_own_speed():
    screen = make_pictured(own("Corridor"), seed=0)
    assert screen.steps_per_second == 8.0
    assert screen.action_names == ("0", "1")
    assert (screen.protocol, screen.measures, screen.widest_pixel) == ("", (), 1.0)


def test_a_game_may_be_given_up():
    screen = make_pictured(own("Corridor"), seed=0)
    screen.reset()
    screen.step(0)
    assert place(screen.reset().picture) in (0, 1)


def test_an_environment_without_pictures_says_which_modes_it_has():
    with pytest.raises(UnsupportedEnvironmentError, match=r"draws no pictures.*they are: ansi"):
        make_pictured(own("Blind"), seed=0)
    with pytest.raises(
        UnsupportedEnvironmentError, match=r"environment '.*:Odd' renders.*shape \(4, 8\)"
    ):
        make_pictured(own("Odd"), seed=0).reset()
    with pytest.raises(
        UnsupportedEnvironmentError, match=r"environment '.*:With.*pip install pencils"
    ):
        make_pictured(own("WithoutPackage"), seed=0).reset()
    with pytest.raises(EnvironmentNameError, match="unknown environment"):
        make_pictured("no_such_thing", seed=0)


def test_a_game_of_atari_has_its_screen():
    screen = make_pictured("ALE/Pong-v5", seed=0, protocol="sticky")
    assert isinstance(screen, AtariScreen)
    assert (screen.name, screen.protocol, len(screen.action_names)) == ("pong", "sticky", 18)
    screen.close()
