"""PettingZoo's parallel environments as one team, against scripts and against mpe2 itself."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from pettingzoo import ParallelEnv

from envs.teams import make_team_vector
from envs.teams.matches import MatchVector
from envs.teams.pettingzoo_match import ParallelMatch, pettingzoo_spec
from envs.vector import UnsupportedEnvironmentError
from envs.vector.steps import EnvironmentFailedError

NO_OP = [1, 0, 0]
NAMES = ["a", "b", "c"]


class Relay(ParallelEnv):
    """Each agent leaves at a step of its own; the observation of agent i is 10 * (i + 1) + step.

    Args:
        leaves: for each agent, {match: (step, "terminated" or "truncated")}, in turns.
    """

    def __init__(self, *leaves: dict[str, tuple[int, str]]) -> None:
        self.possible_agents = [*NAMES]
        self.leaves = leaves
        self.match, self.at = -1, 0
        self.seeds: list[Any] = []
        self.given: list[dict[str, Any]] = []

    def observation_space(self, agent: str) -> Any:
        return Box(0, 99, (1,), np.float32)

    def action_space(self, agent: str) -> Any:
        return Discrete(3)

    def seen(self, agents: list[str]) -> dict[str, Any]:
        return {a: np.array([10 * (NAMES.index(a) + 1) + self.at], np.float32) for a in agents}

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        self.match, self.at = self.match + 1, 0
        self.seeds.append(seed)
        self.agents = [*NAMES]
        return self.seen(self.agents), {a: {} for a in self.agents}

    def step(self, actions: dict[str, Any]) -> Any:
        assert {*actions} == {*self.agents}
        self.at += 1
        self.given.append(actions)
        acted, script = self.agents, self.leaves[self.match % len(self.leaves)]
        rewards = {a: float(actions[a] + 1) for a in acted}
        ends = {a: script[a] == (self.at, "terminated") for a in acted}
        cuts = {a: script[a] == (self.at, "truncated") for a in acted}
        self.agents = [a for a in acted if not (ends[a] or cuts[a])]
        return self.seen(acted), rewards, ends, cuts, {a: {} for a in acted}

    def state(self) -> Any:
        return np.array([self.match, self.at, len(self.agents)])


def vector_of(*environments: Any) -> MatchVector:
    spec = pettingzoo_spec("relay", environments[0])
    return MatchVector(spec, [ParallelMatch("relay", e, spec) for e in environments], seed=0)


def act(vector: MatchVector, *actions: int) -> Any:
    return vector.step(np.array(actions, np.int64).reshape(vector.count, -1, 1))


def test_an_agent_that_ended_keeps_its_place_until_the_match_ends() -> None:
    dies = {"a": (3, "terminated"), "b": (1, "terminated"), "c": (2, "terminated")}
    relay = Relay(dies)
    vector = vector_of(relay)
    assert (vector.spec.teams, vector.spec.agents, vector.spec.state_size) == (1, 3, 3)
    match = relay.match + 1
    first = vector.reset()
    ids = np.eye(3).tolist()
    assert first.observations[0].tolist() == [[10, *ids[0]], [20, *ids[1]], [30, *ids[2]]]
    assert first.masks.all()
    assert first.states[0].tolist() == [[match, 0, 3]] * 3
    one = act(vector, 0, 1, 2)
    assert one.observations[0].tolist() == [[11, *ids[0]], [0] * 4, [31, *ids[2]]]
    assert one.masks[0].tolist() == [[1, 1, 1], NO_OP, [1, 1, 1]]
    assert one.rewards[0].tolist() == [1, 2, 3]
    assert one.states[0].tolist() == [[match, 1, 2]] * 3
    two = act(vector, 2, 0, 0)
    assert {*relay.given[-1]} == {"a", "c"}
    assert two.rewards[0].tolist() == [3, 0, 1]
    assert two.masks[0].tolist() == [[1, 1, 1], NO_OP, NO_OP]
    assert not two.terminated[0]
    assert (two.scores.tolist(), two.lengths.tolist()) == ([[0]], [0])
    three = act(vector, 1, 0, 0)
    assert relay.given[-1] == {"a": 1}
    assert (three.terminated.tolist(), three.truncated.tolist()) == ([True], [False])
    assert three.rewards[0].tolist() == [2, 0, 0]
    assert (three.scores.tolist(), three.lengths.tolist()) == ([[(6 + 2 + 4) / 3]], [3])
    assert len(three.last_observations) == 0
    np.testing.assert_array_equal(three.observations, first.observations)
    assert three.masks.all()
    assert three.states[0].tolist() == [[match + 1, 0, 3]] * 3


def test_a_limit_is_kept_apart_and_shows_those_whom_it_cut_off() -> None:
    """One agent is terminated before and one in the same step: neither has a last observation."""
    cut = {"a": (2, "truncated"), "b": (1, "terminated"), "c": (2, "terminated")}
    dies = dict.fromkeys(NAMES, (2, "terminated"))
    vector = vector_of(Relay(cut), Relay(dies), Relay(dict.fromkeys(NAMES, (2, "truncated"))))
    vector.reset()
    assert not act(vector, *[0] * 9).truncated.any()
    got = act(vector, *[0] * 9)
    assert got.terminated.tolist() == [False, True, False]
    assert got.truncated.tolist() == [True, False, True]
    assert got.last_observations[:, :, 0].tolist() == [[12, 0, 0], [12, 22, 32]]
    assert got.last_states[:, 0, 1:].tolist() == [[2, 0], [2, 0]]
    assert got.observations[:, 0, 0].tolist() == [10, 10, 10]


def test_each_match_has_a_seed_that_follows_from_the_first() -> None:
    def seeds(seed: int) -> list[list[Any]]:
        relays = [Relay(dict.fromkeys(NAMES, (1, "terminated"))) for _ in range(2)]
        vector = vector_of(*relays)
        vector.reset(seed)
        for _ in range(3):
            act(vector, *[0] * 6)
        return [relay.seeds[-4:] for relay in relays]

    first = seeds(5)
    assert first == seeds(5)
    assert first != seeds(6)
    assert len({seed for match in first for seed in match}) == 8


class Uneven(Relay):
    """Agents with vectors and choices of unequal sizes, and masks."""

    sizes: ClassVar = {"a": (2, [2, 4]), "b": (1, [3, 1]), "c": (3, [1, 1])}
    allowed: ClassVar = {"a": [1, 0, 0, 1, 1, 0], "b": [0, 1, 1, 1], "c": [1, 1]}

    def observation_space(self, agent: str) -> Any:
        length, choices = self.sizes[agent]
        mask = Box(0, 1, (sum(choices),), np.int8)
        return Dict({"observation": Box(0, 9, (length,), np.float32), "action_mask": mask})

    def action_space(self, agent: str) -> Any:
        return MultiDiscrete(self.sizes[agent][1])

    def seen(self, agents: list[str]) -> dict[str, Any]:
        return {
            a: {"observation": np.ones(self.sizes[a][0]), "action_mask": np.array(self.allowed[a])}
            for a in agents
        }

    def step(self, actions: dict[str, Any]) -> Any:
        self.given.append(actions)
        return super().step({a: int(given[0]) for a, given in actions.items()})


def test_unequal_agents_share_the_largest_spaces() -> None:
    uneven = Uneven(dict.fromkeys(NAMES, (5, "terminated")))
    vector = vector_of(uneven)
    assert vector.spec.observation_shape == (3 + 3,)
    assert [head.size for head in vector.spec.heads] == [3, 4]
    got = vector.reset()
    assert got.observations[0, :, :3].tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert got.observations[0, :, 3:].tolist() == np.eye(3).tolist()
    wanted = [[1, 0, 0, 0, 1, 1, 0], [0, 1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0]]
    assert got.masks[0].tolist() == wanted
    vector.step(np.array([[[0, 2], [2, 0], [0, 0]]]))
    assert uneven.given[0]["a"].tolist() == [0, 2]
    assert uneven.given[0]["b"].tolist() == [2, 0]


def test_spaces_that_one_network_cannot_share_are_refused() -> None:
    relay = Relay({})
    spaces = {"a": Box(-1, 1, (2,)), "b": Box(-1, 1, (3,)), "c": Box(-1, 1, (2,))}
    relay.action_space = spaces.__getitem__
    with pytest.raises(UnsupportedEnvironmentError, match=r"unequal actions, Box.*expected equal"):
        pettingzoo_spec("relay", relay)
    relay = Relay({})
    pictures = [Box(0, 255, (8, 8), np.uint8), Box(0, 255, (8, 9), np.uint8)]
    relay.observation_space = lambda agent: pictures[agent == "b"]
    with pytest.raises(UnsupportedEnvironmentError, match="unequal pictures"):
        pettingzoo_spec("relay", relay)
    relay = Relay({})
    del relay.possible_agents
    with pytest.raises(UnsupportedEnvironmentError, match="has no possible_agents"):
        pettingzoo_spec("relay", relay)


def test_answers_against_the_rules_are_named() -> None:
    vector = vector_of(broken := Relay(dict.fromkeys(NAMES, (9, "terminated"))))
    vector.reset()
    step = broken.step
    for place, key, told in ((0, "b", "no observation of agent 'b'"), (1, "a", "no reward of ag")):

        def without(actions: Any, place: int = place, key: str = key) -> Any:
            answer = step(actions)
            del answer[place][key]
            return answer

        broken.step = without
        with pytest.raises(EnvironmentFailedError, match=told):
            act(vector, 0, 0, 0)
    broken.step = step
    broken.state = lambda: np.zeros(7)
    with pytest.raises(EnvironmentFailedError, match=r"state\(\) gave .*expected 3 finite"):
        act(vector, 0, 0, 0)


def test_simple_spread_is_that_of_mpe2() -> None:
    from mpe2 import simple_spread_v3

    vector = make_team_vector("mpe2.simple_spread_v3", 2, seed=3)
    spec = vector.spec
    assert (spec.kind, spec.teams, spec.agents, spec.state_size) == ("pettingzoo", 1, 3, 54)
    assert spec.observation_shape == (18 + 3,)
    got = vector.reset()
    single = simple_spread_v3.parallel_env()
    drawn = np.random.default_rng(_first_seed()).integers(1, 1 << 31)
    seen, _ = single.reset(seed=int(drawn))
    rng, returns = np.random.default_rng(0), 0.0
    for t in range(25):
        shown = np.stack([seen[a] for a in single.possible_agents])
        np.testing.assert_array_equal(got.observations[0, :, :18], shown)
        np.testing.assert_array_equal(got.states[0], [single.state()] * 3)
        actions = rng.integers(5, size=(2, 3, 1))
        agents = dict(zip(single.possible_agents, actions[0, :, 0], strict=True))
        seen, rewards, _, cuts, _ = single.step(agents)
        got = vector.step(actions)
        returns += np.mean([*rewards.values()])
        np.testing.assert_allclose(got.rewards[0], [*rewards.values()], rtol=1e-6)
        assert got.truncated.tolist() == [all(cuts.values())] * 2 == [t == 24] * 2
    shown = np.stack([seen[a] for a in single.possible_agents])
    np.testing.assert_array_equal(got.last_observations[0, :, :18], shown)
    np.testing.assert_array_equal(got.last_states[0, 0], single.state())
    assert got.scores[0, 0] == pytest.approx(returns, rel=1e-5)
    assert got.lengths.tolist() == [25, 25]
    vector.close()


def _first_seed() -> int:
    from envs.vector.steps import seeds_of

    return seeds_of(3, 2)[0]
