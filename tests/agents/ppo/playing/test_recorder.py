"""Recorded matches against what a spy between the sampler and its matches saw, step by step."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from agents.ppo.config import (
    EnvironmentConfig,
    LearnerConfig,
    NetworkConfig,
    PoolConfig,
    PPOConfig,
    TrajectoriesConfig,
)
from agents.ppo.playing import recorder
from agents.ppo.playing.sampler import Returns, Sampler
from agents.running.trajectories import match_schema
from envs.teams import ActionHead, TeamSteps
from store.memory.frames import GOES_ON, TERMINATED, TRUNCATED
from store.memory.trajectories import TrajectoryRing
from store.replay.episodes import Episode, EpisodeBatch
from tests.agents.ppo.cartpole import SPEC as CARTPOLE
from tests.agents.ppo.cartpole import CartPole
from tests.agents.ppo.duel import SPEC, Duel

MATCHES, RECORDED, STEPS, ROLLOUTS = 4, 2, 16, 10
CONFIG = PPOConfig(
    network=NetworkConfig(units=8, hidden=16, layers=1, lstm=8, precision="float32"),
    learner=LearnerConfig(rollout=STEPS),
    pool=PoolConfig(latest=0.5),
    environment=EnvironmentConfig(matches=MATCHES),
    trajectories=TrajectoriesConfig(matches=RECORDED),
    seed=5,
)
RETURNS = Returns(gamma=0.9, gae_lambda=0.5, team_spirit=0.25)
CPU = torch.device("cpu")


class Spied(Duel):
    """Duels of random lengths, 2 to 49 steps, with seeds; keeps each step of each match."""

    def __init__(self) -> None:
        super().__init__(MATCHES)
        self.matches: list[list[dict[str, Any]]] = [[] for _ in range(MATCHES)]
        self.sampler: Any = None

    def reset(self, seed: int | None = None) -> TeamSteps:
        self.length: Any = np.full(MATCHES, 20)
        self.seeds: Any = np.arange(MATCHES).astype(np.uint64) + np.uint64(2**63)
        return super().reset(seed)

    def step(self, actions: Any) -> TeamSteps:
        seen, sampler = self.steps, self.sampler
        before = {
            "observation": seen.observations.copy(),
            "action_mask": seen.masks.copy(),
            "action": actions.copy(),
            "seed": self.seeds.copy(),
            "opponent": sampler.opponents.opponents.copy(),
            "side": sampler.opponents.sides.copy(),
            "newest": sampler.learns.reshape(MATCHES, 4).copy(),
            "policy_version": np.full(MATCHES, sampler.version),
        }
        steps = super().step(actions)
        before |= {name: getattr(steps, name).copy() for name in ("scores", "rewards")}
        before |= {"terminated": steps.terminated.copy(), "truncated": steps.truncated.copy()}
        for place, match in enumerate(self.matches):
            match.append({name: array[place] for name, array in before.items()})
        over = steps.terminated | steps.truncated
        self.length = np.where(over, self.rng.integers(2, 50, MATCHES), self.length)
        self.seeds[over] += np.uint64(10)
        return steps


def played(config: PPOConfig = CONFIG) -> tuple[Spied, list[dict[str, Any]], dict[str, Any]]:
    """The spy, the trajectories, and of each player and step what the newest network computed."""
    spied = Spied()
    sampler = Sampler(spied, config, number=3, device=CPU)
    spied.sampler = sampler
    sampler.add_opponent(7, {k: v.clone() for k, v in sampler.network.state_dict().items()})
    sampler.set_qualities({7: 0.0})
    found: list[dict[str, Any]] = []
    computed: dict[str, list[Any]] = {"value": [], "log_probability": [], "end_value": []}
    for version in range(ROLLOUTS):
        sampler.version = version
        found += [dict(one) for one in sampler.sample(RETURNS).trajectories]
        computed["value"].append(sampler.rollout.values.copy())
        computed["log_probability"].append(sampler.rollout.log_probabilities.copy())
        computed["end_value"].append(sampler.rollout.end_values.copy())
    return spied, found, {name: np.concatenate(parts, 1) for name, parts in computed.items()}


@pytest.fixture(scope="module")
def recorded() -> tuple[Spied, list[dict[str, Any]], dict[str, Any]]:
    return played()


def matches_of(spied: Spied, place: int) -> list[tuple[int, list[dict[str, Any]]]]:
    """The first step and the steps of each match that ended in a place."""
    matches, begin = [], 0
    for t, step in enumerate(spied.matches[place], 1):
        if step["terminated"] or step["truncated"]:
            matches.append((begin, spied.matches[place][begin:t]))
            begin = t
    return matches


def test_a_trajectory_is_what_was_played_step_by_step(recorded: Any) -> None:
    spied, found, computed = recorded
    kinds = set()
    for place in range(RECORDED):
        rows = slice(4 * place, 4 * place + 4)
        mine = [one for one in found if one["fact.place"][0] == place]
        expected = matches_of(spied, place)
        assert len(mine) == len(expected) > 3
        assert max(len(steps) for _, steps in expected) > STEPS
        for one, (begin, steps) in zip(mine, expected, strict=True):
            end = begin + len(steps)
            for name, source in (
                ("reward", "rewards"),
                *((n, n) for n in ("action", "action_mask")),
            ):
                np.testing.assert_array_equal(one[name], [step[source] for step in steps])
            assert one["observation"].dtype == np.int8
            np.testing.assert_array_equal(one["observation"], [s["observation"] for s in steps])
            assert one["policy_version"].tolist() == [step["policy_version"] for step in steps]
            newest = steps[0]["newest"]
            assert one["fact.newest"][0].tolist() == newest.tolist()
            for name in ("value", "log_probability"):
                of_match = computed[name][rows, begin:end].T
                np.testing.assert_array_equal(one[name][:, newest], of_match[:, newest])
                assert np.isnan(one[name][:, ~newest]).all()
            limited = bool(steps[-1]["truncated"])
            assert one["ending"].tolist() == [TRUNCATED if limited else TERMINATED]
            assert (one["fact.end_value"] != 0).all() == limited
            np.testing.assert_array_equal(
                one["fact.end_value"][0], computed["end_value"][rows, end - 1]
            )
            for name in ("scores", "opponent", "side", "seed"):
                np.testing.assert_array_equal(one[f"fact.{name}"][0], steps[-1][name])
            assert (one["fact.worker"][0], one["fact.first_step"][0]) == (3, 0)
            kinds.add((limited, int(one["fact.opponent"][0]), newest.all()))
    assert {opponent for _, opponent, _ in kinds} == {-1, 7}
    assert all(whole == (opponent == -1) for _, opponent, whole in kinds)


def test_trajectories_fit_their_schema_and_a_ring_takes_them(recorded: Any) -> None:
    _, found, _ = recorded
    episodes = [
        Episode(bytes([i]) * 16, {**one, "fact.number": np.array([i + 1])})
        for i, one in enumerate(found)
    ]
    batch = EpisodeBatch.of(match_schema(SPEC), episodes)
    ring = TrajectoryRing(999, match_schema(SPEC), length=8)
    assert ring.extend(batch) == sum(-(-len(one["action"]) // 8) for one in found)


def test_a_long_match_comes_in_pieces(recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, whole, _ = recorded
    part = {n: a for n, a in whole[0].items() if not n.startswith("fact.")}
    a_step = sum(array.nbytes for array in part.values()) // len(part["action"])
    monkeypatch.setattr(recorder, "MOST_BYTES", STEPS * a_step)
    _, pieces, _ = played()
    assert len(pieces) > len(whole)
    for place in range(RECORDED):
        expected = [one for one in whole if one["fact.place"][0] == place]
        left = [one for one in pieces if one["fact.place"][0] == place]
        for one in expected:
            mine = [left.pop(0)]
            while mine[-1]["ending"][0] == GOES_ON:
                assert np.isnan(mine[-1]["fact.scores"]).all()
                assert len(mine[-1]["action"]) < 3 * STEPS
                mine.append(left.pop(0))
            for name in ("observation", "action", "value", "policy_version", "present"):
                joined = np.concatenate([piece[name] for piece in mine])
                np.testing.assert_array_equal(joined, one[name])
            firsts = np.cumsum([0, *(len(piece["action"]) for piece in mine)])[:-1]
            assert [piece["fact.first_step"][0] for piece in mine] == firsts.tolist()
            for name in ("fact.seed", "fact.opponent", "fact.newest", "fact.side"):
                assert all((piece[name] == one[name]).all() for piece in mine)
            np.testing.assert_array_equal(mine[-1]["fact.scores"], one["fact.scores"])


def test_nothing_is_recorded_when_off_and_recording_changes_nothing(recorded: Any) -> None:
    spied, found, computed = played(replace(CONFIG, trajectories=TrajectoriesConfig(matches=0)))
    other, _, others = recorded
    assert found == []
    for name, array in computed.items():  # where arrays lie can change a product's last bit
        np.testing.assert_allclose(array, others[name], rtol=1e-5, atol=1e-6)
    assert len(spied.matches[0]) == len(other.matches[0])


def test_matches_that_were_given_up_are_forgotten() -> None:
    spied = Spied()
    sampler = Sampler(spied, CONFIG, number=0, device=CPU)
    spied.sampler = sampler
    sampler.sample(RETURNS)
    sampler.begin(1)
    spied.matches = [[] for _ in range(MATCHES)]
    found = [one for _ in range(4) for one in sampler.sample(RETURNS).trajectories]
    lengths = [len(one["action"]) for one in found if one["fact.place"][0] == 0]
    assert lengths == [len(steps) for _, steps in matches_of(spied, 0)]


def test_real_numbers_and_environments_without_seeds_are_recorded() -> None:
    class Pushed(CartPole):
        spec = replace(CARTPOLE, heads=(ActionHead("force", 1, "real", (-1.0,), (1.0,)),))

        def step(self, actions: Any) -> TeamSteps:
            return super().step((actions > 0).astype(np.int64))

    config = replace(PPOConfig(), trajectories=TrajectoriesConfig(matches=99))
    found = Sampler(Pushed(4), config, number=0, device=CPU).sample(RETURNS).trajectories
    assert {int(one["fact.place"][0]) for one in found} == {0, 1, 2, 3}
    for i, one in enumerate(found):
        assert "action_mask" not in one
        assert len(one["fact.seed"]) == 0
        assert one["fact.scores"][0, 0] == len(one["action"])
        numbered = {**one, "fact.number": np.array([i + 1])}
        EpisodeBatch.of(match_schema(Pushed.spec), [Episode(bytes(16), numbered)])
