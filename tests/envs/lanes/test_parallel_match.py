"""One match as a PettingZoo `ParallelEnv`."""

import copy

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test

from envs.lanes import parallel_env
from envs.lanes import rules as r
from envs.lanes.batch import LanesVector
from tests.envs.lanes.playing import MixedPlay

MODES = list(r.MODES)


@pytest.mark.parametrize("name", MODES)
def test_passes_the_api_test(name, capsys):
    parallel_api_test(parallel_env(name), num_cycles=r.LIMIT)  # raises at the first broken rule
    assert capsys.readouterr().out.endswith("Passed Parallel API test\n")


@pytest.mark.parametrize("name", MODES)
def test_plays_the_match_of_the_vector_to_its_end(name):
    match, vector = parallel_env(name), LanesVector(name, 1, seed=4)
    observations, infos = match.reset(seed=4)
    assert list(observations) == list(infos) == match.agents == match.possible_agents
    mixed = MixedPlay(np.random.default_rng(4))
    while match.agents:
        agents = match.agents[:]
        for index, agent in enumerate(agents):
            seen = observations[agent]
            assert match.observation_space(agent).contains(seen)
            assert np.array_equal(seen["observation"], vector._steps().observations[0, index])
            assert np.array_equal(seen["masks"], vector._steps().masks[0, index])
        actions = mixed.actions(vector)
        answer = match.step(dict(zip(agents, actions[0], strict=True)))
        steps = vector.step(actions)
        observations, rewards, terminated, truncated, infos = answer
        assert list(rewards.values()) == steps.rewards[0].tolist()
        assert set(terminated.values()) == {bool(steps.terminated[0])}
        assert set(truncated.values()) == {False}
    assert infos[agents[0]] == {"winner": vector.winners[0]}
    last = observations[agents[0]]["observation"]  # of the end, not of a new match
    assert last.shape == vector.spec.observation_shape
    assert last[32] > 0  # the time
    with pytest.raises(ValueError, match="not one of the agents"):
        match.step({"team_0_hero_0": (0, 0, 0)})


def test_is_made_as_often_as_one_likes():
    """A module of the function's name would take its place once it was imported."""
    for _ in range(2):
        from envs.lanes import parallel_env as named

        assert named("lanes_1v1").possible_agents == ["team_0_hero_0", "team_1_hero_0"]


def test_observations_are_not_written_into_again():
    match = parallel_env("lanes_1v1")
    observations, _ = match.reset(seed=1)
    kept = observations["team_0_hero_0"]["observation"].copy()
    for _ in range(5):
        match.step(dict.fromkeys(match.agents, (r.MOVE, 0, 0)))
    assert np.array_equal(observations["team_0_hero_0"]["observation"], kept)


def test_a_seed_decides_the_match_and_no_seed_gives_another():
    match = parallel_env("lanes_3v3")
    roles = []
    for seed in (7, None, None, 7, None, None):
        match.reset(seed=seed)
        roles.append(match.state().tolist())
    assert roles[:3] == roles[3:]
    assert roles[0] != roles[1] != roles[2]


def test_can_be_copied():
    match = copy.deepcopy(parallel_env("lanes_1v1"))
    match.reset(seed=1)
    assert len(match.step({})[1]) == 2


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="did you mean 'lanes_3v3'"):
        parallel_env("lanes_3x3")
