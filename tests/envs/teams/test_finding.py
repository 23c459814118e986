"""Team environments by name, and what is said of names that lead to none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from envs.lanes.rules import MODES
from envs.teams import find_team, make_team_vector, team_names
from envs.vector import (
    EnvironmentClass,
    EnvironmentNameError,
    UnsupportedEnvironmentError,
    typed_environment,
)

OWN = """
import gymnasium, numpy
from pettingzoo import ParallelEnv
BOX = gymnasium.spaces.Box(0, 1, (2,), numpy.float32)
class Single(gymnasium.Env):
    observation_space, action_space = BOX, gymnasium.spaces.Discrete(2)
    def reset(self, *, seed=None, options=None):
        return numpy.zeros(2, numpy.float32), {}
class Pair(ParallelEnv):
    possible_agents = ["left", "right"]
    def observation_space(self, agent):
        return BOX
    def action_space(self, agent):
        return gymnasium.spaces.Discrete(2)
    def reset(self, seed=None, options=None):
        self.agents = [*self.possible_agents]
        return {a: numpy.zeros(2, numpy.float32) for a in self.agents}, {}
def parallel_env():
    return Pair()
def not_one():
    return 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current folder that no other test has imported."""
    (tmp_path / f"own_{tmp_path.name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return f"own_{tmp_path.name}"


def test_environments_are_found_by_name() -> None:
    assert find_team("CartPole-v1").players == 1
    tag = find_team("mpe2.simple_tag_v3")  # its agents have vectors of 16 and of 14
    assert (tag.agents, tag.observation_shape, tag.state_size) == (4, (16 + 4,), 62)
    assert {"lanes_5v5", "mpe2.simple_spread_v3"} <= {*team_names()}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("simple_spread_v3", "did you mean 'mpe2.simple_spread_v3'"),
        ("mpe2.simple_spred_v3", "did you mean 'mpe2.simple_spread_v3'"),
        ("lanes_5vs5", "did you mean 'lanes_5v5'"),
        ("CartPol", "did you mean 'CartPole-v1'"),
        ("breakout", "it is a game of Atari, which is no environment of teams"),
        ("my_package.my_game_v0", "a module of your own is 'my_package.my_game_v0:parallel_env'"),
        ("zzz", "unknown environment 'zzz': expected lanes_1v1"),
        ("mpe2._mpe_utils", "unknown environment 'mpe2._mpe_utils'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(name: str, told: str) -> None:
    with pytest.raises(EnvironmentNameError, match=told):
        find_team(name)


def test_a_text_alone_runs_no_code(own: str) -> None:
    for text in (f"{own}:Pair", f"{own}.Pair", f"{own}.game_v0", own):
        with pytest.raises(EnvironmentNameError):
            find_team(text)
        with pytest.raises(EnvironmentNameError):
            make_team_vector(text, 1, seed=0)
    assert own not in sys.modules


def test_a_class_of_ones_own_may_be_of_either_kind(own: str) -> None:
    single = find_team(typed_environment(f"{own}:Single"))
    assert (single.name, single.kind, single.agents) == (f"{own}:Single", "gymnasium", 1)
    for attribute in ("Pair", "parallel_env"):
        pair = find_team(typed_environment(f"{own}:{attribute}"))
        assert (pair.kind, pair.agents, pair.state_size) == ("pettingzoo", 2, 0)
    vector = make_team_vector(EnvironmentClass(own, "Pair"), 3, seed=0)
    assert vector.reset().observations.shape == (3, 2, 2 + 2)
    with pytest.raises(UnsupportedEnvironmentError, match=r"makes a int: expected a gymnasium.Env"):
        find_team(EnvironmentClass(own, "not_one"))
    with pytest.raises(EnvironmentNameError, match="no class 'Pear'; did you mean 'Pair'"):
        find_team(EnvironmentClass(own, "Pear"))


def test_numbers_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="count = 0"):
        make_team_vector("CartPole-v1", 0, seed=0)
    with pytest.raises(ValueError, match="threads = 0"):
        make_team_vector("CartPole-v1", 1, seed=0, threads=0)


def test_lanes_are_found_by_name() -> None:
    assert list(MODES) == team_names()[:3]
    for name, agents in (("lanes_1v1", 1), ("lanes_3v3", 3), ("lanes_5v5", 5)):
        spec = find_team(name)
        assert (spec.name, spec.kind, spec.teams, spec.agents) == (name, "lanes", 2, agents)


def test_lanes_are_made_by_name() -> None:
    vector = make_team_vector("lanes_1v1", 3, seed=1, threads=2)
    assert vector.spec == find_team("lanes_1v1")
    first = vector.reset(seed=4).observations.copy()
    assert first.shape == (3, 2, *vector.spec.observation_shape)
    actions = np.zeros((3, 2, len(vector.spec.heads)), np.int64)
    assert vector.step(actions).rewards.shape == (3, 2)
    assert vector.reset(seed=4).observations.tolist() == first.tolist()
    vector.close()
