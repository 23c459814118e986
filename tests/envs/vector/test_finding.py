"""Environments by name, and what is said of names that lead to none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from envs.vector import (
    EnvironmentClass,
    EnvironmentNameError,
    UnsupportedEnvironmentError,
    find_environment,
    make_vector,
    typed_environment,
)

OWN = """
import gymnasium, numpy
class Corridor(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (2, 2), numpy.float32)
    action_space = gymnasium.spaces.Discrete(2)
    def get_action_meanings(self):
        return ["LEFT", "RIGHT"]
    def reset(self, *, seed=None, options=None):
        return numpy.zeros((2, 2), numpy.float32), {}
    def step(self, action):
        return numpy.ones((2, 2), numpy.float32), 1.0, True, False, {}
class Broken(gymnasium.Env):
    def __init__(self):
        raise KeyError("no level")
def not_one():
    return 3
"""


def test_atari_and_gymnasium_are_found_by_name() -> None:
    breakout = find_environment("Breakout")
    assert (breakout.name, breakout.kind, breakout.protocol) == ("breakout", "atari", "nature")
    assert breakout.action_names == ("NOOP", "FIRE", "RIGHT", "LEFT")
    assert (breakout.observation_shape, breakout.observation_dtype) == ((84, 84), np.uint8)
    assert find_environment("pong", "sticky").num_actions == 18
    cart_pole = find_environment("CartPole-v1")
    assert (cart_pole.kind, cart_pole.protocol, cart_pole.num_actions) == ("gymnasium", "", 2)


def test_a_game_of_atari_is_described_without_ale_and_gymnasium() -> None:
    code = (
        "import sys; from envs.vector import find_environment; find_environment('pong');"
        "found = {'ale_py', 'gymnasium', 'torch'} & {*sys.modules}; assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("brekout", "did you mean 'breakout'"),
        ("ALE/MsPacmann-v5", "did you mean 'ms_pacman'"),
        ("CartPol-v1", "did you mean 'CartPole-v1'"),
        ("cartpole", "did you mean 'CartPole-v1'"),
        ("CartPole-v9", "did you mean 'CartPole-v1'"),
        ("connect_four", "it is a board game"),
        ("my_games.py", "did you mean 'my_games:Class'"),
        ("zzz", "unknown environment 'zzz': expected a game of Atari"),
        ("PongNoFrameskip-v4", "are the protocol's here; expected 'pong'"),
        ("Pong-ram-v4", "expected 'pong'"),
        ("combat", "for two players"),
        ("ALE/Warlords-v5", "for two players"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(name: str, told: str) -> None:
    with pytest.raises(EnvironmentNameError, match=told):
        find_environment(name)
    with pytest.raises(EnvironmentNameError, match=told):
        make_vector(name, 1, seed=0)


@pytest.mark.parametrize("name", ["CartPole-v1", "pong"])
@pytest.mark.parametrize("numbers", [{"count": 0}, {"threads": 0}, {"count": -1, "threads": 2}])
def test_numbers_below_one_are_refused(name: str, numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"(count|threads) = (0|-1): expected 1 or more"):
        make_vector(name, **{"count": 2, **numbers}, seed=0)


def test_an_id_of_ale_is_refused_also_when_ale_has_registered_it() -> None:
    import ale_py  # noqa: F401

    with pytest.raises(EnvironmentNameError, match="expected 'pong'"):
        find_environment("Pong-v4")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current folder that no other test has imported."""
    (tmp_path / f"own_{tmp_path.name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return f"own_{tmp_path.name}"


def test_a_class_of_ones_own_is_found_in_the_current_folder(own: str) -> None:
    named = typed_environment(f"{own}:Corridor")
    assert named == EnvironmentClass(own, "Corridor")
    before = list(sys.path)
    assert find_environment(named).action_names == ("LEFT", "RIGHT")
    assert sys.path == before
    vector = make_vector(named, 2, seed=0)
    assert vector.name == f"{own}:Corridor"
    vector.reset()
    vector.send(np.array([0, 1]))
    got = vector.receive()
    assert got.terminated.all()
    assert got.observations.shape == got.last_observations.shape == (2, 2, 2)


def test_a_text_alone_runs_no_code(own: str) -> None:
    with pytest.raises(EnvironmentNameError, match="named on the command line"):
        find_environment(f"{own}:Corridor")
    assert own not in sys.modules


def test_a_wrong_class_of_ones_own_is_explained(own: str, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentNameError, match=r"no module 'own_nothing' in .* or on Python's"):
        find_environment(EnvironmentClass("own_nothing", "A"))
    with pytest.raises(EnvironmentNameError, match="no class 'Coridor'; did you mean 'Corridor'"):
        find_environment(EnvironmentClass(own, "Coridor"))
    with pytest.raises(EnvironmentNameError, match=r"no class 'not_two'$"):  # functions are none
        find_environment(EnvironmentClass(own, "not_two"))
    with pytest.raises(EnvironmentNameError, match=f"did you mean '{own}:Corridor'"):
        find_environment(EnvironmentClass(f"{own}.py", "Corridor"))
    with pytest.raises(UnsupportedEnvironmentError, match="cannot be made: KeyError: 'no level'"):
        find_environment(EnvironmentClass(own, "Broken"))
    with pytest.raises(UnsupportedEnvironmentError, match="makes a int: expected"):
        find_environment(EnvironmentClass(own, "not_one"))
    (tmp_path / f"{own}_wrong.py").write_text("1 / 0")
    with pytest.raises(EnvironmentNameError, match="failed with ZeroDivisionError"):
        find_environment(EnvironmentClass(f"{own}_wrong", "A"))
    (tmp_path / f"{own}_lacking.py").write_text("import no_such_package")
    told = f"importing '{own}_lacking' needs the package 'no_such_package', which is not installed"
    with pytest.raises(EnvironmentNameError, match=told):
        find_environment(EnvironmentClass(f"{own}_lacking", "A"))


def test_an_environment_makes_no_sound_unless_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ})
    for given in (None, "pulse"):
        os.environ.pop("SDL_AUDIODRIVER", None)
        os.environ.update({} if given is None else {"SDL_AUDIODRIVER": given})
        find_environment("CartPole-v1")
        assert os.environ["SDL_AUDIODRIVER"] == (given or "dummy")


def test_names_from_the_command_line_are_left_as_they_are() -> None:
    assert typed_environment("breakout") == "breakout"
