"""What the sampler records, against a loop over single agents and steps."""

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
)
from agents.ppo.learning import sequences
from agents.ppo.learning.losses import action_terms
from agents.ppo.network.memory import Memory
from agents.ppo.playing.sampler import Returns, Sampler
from agents.ppo.pool import Opponents
from envs.teams import ActionHead, TeamSteps
from tests.agents.ppo.cartpole import SPEC as CARTPOLE
from tests.agents.ppo.cartpole import CartPole
from tests.agents.ppo.duel import SPEC, Duel

MATCHES, STEPS = 6, 32
CONFIG = PPOConfig(
    network=NetworkConfig(units=8, hidden=16, layers=1, lstm=12, precision="float32"),
    learner=LearnerConfig(rollout=STEPS),
    pool=PoolConfig(latest=0.5),
    environment=EnvironmentConfig(matches=MATCHES),
    seed=5,
)
ONE_STEP = Returns(gamma=0.9, gae_lambda=0.0)  # a target is a reward and the next value
CPU = torch.device("cpu")


class Watched(Duel):
    """A duel that keeps what it answered."""

    def __init__(self) -> None:
        super().__init__(MATCHES)
        self.answers: list[TeamSteps] = []

    def _steps(self, *args: Any) -> TeamSteps:
        found = super()._steps(*args)
        self.answers.append(TeamSteps(*(array.copy() for array in found)))
        return found


def sampler_of(config: PPOConfig = CONFIG, past: bool = False) -> tuple[Sampler, Watched]:
    watched = Watched()
    sampler = Sampler(watched, config, number=0, device=CPU)
    with torch.no_grad():  # heads of the first network are nearly uniform
        sampler.network.heads.weight *= 100
        sampler.network.value_head.bias += 3
    if past:
        weights = {k: v.clone() for k, v in sampler.network.state_dict().items()}
        weights["heads.bias"] = torch.tensor([0.0, 0.0, 1e4, 0.0, 0.0, 0.0, 1e4, 0.0, 0.0])
        sampler.add_opponent(3, weights)  # always turns, in direction 3
        sampler.set_qualities({3: 0.0})
    return sampler, watched


def test_recorded_log_probabilities_are_those_of_the_network_over_the_sequences() -> None:
    sampler, _ = sampler_of(past=True)
    for _ in range(3):  # the third rollout begins in the middle of matches
        sample = sampler.sample(ONE_STEP)
    columns = {name: torch.from_numpy(column) for name, column in sample.columns.items()}
    learns = columns[sequences.LEARNS].flatten() > 0
    assert 0.3 < learns.float().mean() < 1.0
    with torch.no_grad():
        outputs = sampler.network(
            columns[sequences.OBSERVATIONS],
            columns[sequences.STATES],
            Memory(columns[sequences.MEMORY_OUTPUT], columns[sequences.MEMORY_CELL]),
            columns[sequences.BEGINS],
        )
    masks, actions, recorded = (
        columns[name].flatten(0, 1)
        for name in (sequences.MASKS, sequences.ACTIONS, sequences.LOG_PROBABILITIES)
    )
    terms = action_terms(outputs.logits, masks, actions, SPEC.heads, torch.zeros(0))
    found = terms.log_probabilities
    torch.testing.assert_close(found[learns], recorded[learns], rtol=1e-3, atol=1e-4)
    assert sample.agent_steps == int(learns.sum())
    values = columns[sequences.TARGETS] - columns[sequences.ADVANTAGES]
    torch.testing.assert_close(outputs.values[learns], values.flatten()[learns], atol=1e-4, rtol=0)


def test_targets_bootstrap_where_a_limit_ended_a_match_and_not_where_the_rules_did() -> None:
    sampler, watched = sampler_of(replace(CONFIG, pool=PoolConfig(latest=1.0)))
    columns = sampler.sample(ONE_STEP).columns
    targets = columns[sequences.TARGETS].reshape(MATCHES, 4, STEPS)
    network, kinds = sampler.network, set()

    def step(observation: Any, state: Any, memory: Memory) -> tuple[float, Memory]:
        seen = (torch.from_numpy(array[None]) for array in (observation, state))
        with torch.no_grad():
            out = network.step(*seen, memory)
        return float(out.values[0]), out.memory

    for match, player in ((0, 0), (1, 3), (4, 1), (5, 2)):
        memory = network.empty_memory(1)
        for t in range(STEPS):
            seen, after = watched.answers[t], watched.answers[t + 1]
            _, memory = step(seen.observations[match, player], seen.states[match, player], memory)
            following = 0.0
            if after.truncated[match]:
                place = int(after.truncated[:match].sum())
                last = (after.last_observations, after.last_states)
                following, _ = step(*(array[place, player] for array in last), memory)
            elif not after.terminated[match]:
                following, _ = step(
                    after.observations[match, player], after.states[match, player], memory
                )
            kinds.add((bool(after.truncated[match]), bool(after.terminated[match])))
            expected = after.rewards[match, player] + 0.9 * following
            assert targets[match, player, t] == pytest.approx(expected, abs=1e-4)
            if after.truncated[match] or after.terminated[match]:
                memory = network.empty_memory(1)
    assert len(kinds) == 3


def test_opponents_change_between_matches_only_and_begin_with_an_empty_memory() -> None:
    sampler, watched = sampler_of(past=True)
    met: set[tuple[int, int]] = set()
    rollout = replace(CONFIG.learner, rollout=1, sequence=1)
    sampler.rollout = type(sampler.rollout)(SPEC, replace(CONFIG, learner=rollout), sampler.players)
    for _ in range(200):
        before = (sampler.opponents.opponents.copy(), sampler.opponents.sides.copy())
        sample = sampler.sample(ONE_STEP)
        over = watched.answers[-1].terminated | watched.answers[-1].truncated
        after = (sampler.opponents.opponents, sampler.opponents.sides)
        for old, new in zip(before, after, strict=True):
            assert (old == new)[~over].all()
        began = torch.from_numpy(np.repeat(over, 4))
        for part in sampler.memory:
            assert (part[began] == 0).all()
            assert (part[~began] != 0).any(1).all()
        acted = watched.acted[-1]
        for match in np.flatnonzero(before[0] == 3):
            side = int(before[1][match])
            met.add((int(match), side))
            theirs = acted[match].reshape(2, 2, 3)[1 - side]
            assert (theirs[:, :2] == (2, 3)).all()
        for opponent, side in zip(sample.ended.opponents, sample.ended.sides, strict=True):
            assert (opponent, side) in {(int(o), int(s)) for o, s in zip(*before, strict=True)}
    assert {side for _, side in met} == {0, 1}
    assert Opponents.LATEST in sampler.opponents.opponents


def test_sequences_of_past_opponents_alone_are_left_out() -> None:
    sampler, _ = sampler_of(replace(CONFIG, pool=PoolConfig(latest=0.0)), past=True)
    for _ in range(2):
        sample = sampler.sample(ONE_STEP)
    learns = sample.columns[sequences.LEARNS]
    assert len(learns) < MATCHES * 4 * STEPS // 16
    assert learns.any(1).all()
    assert {len(column) for column in sample.columns.values()} == {len(learns)}


def test_results_are_the_newest_network_s_scores() -> None:
    sampler, watched = sampler_of(replace(CONFIG, pool=PoolConfig(latest=0.0)), past=True)
    sampler.sample(ONE_STEP)
    ended = sampler.sample(ONE_STEP).ended
    assert {result.opponent for result in ended.results()} == {3}
    for k, result in enumerate(ended.results()):
        assert result.score == ended.scores[ended.opponents >= 0][k][ended.sides[k]]
    assert (ended.lengths == watched.length).all()


def test_team_spirit_moves_rewards_to_the_team_s_mean() -> None:
    sampler, watched = sampler_of(replace(CONFIG, pool=PoolConfig(latest=1.0)))
    sampler.sample(Returns(0.9, 0.0, team_spirit=0.25))
    rewards = np.stack([step.rewards for step in watched.answers[1:]], 2)  # [m, players, T]
    by_team = rewards.reshape(MATCHES, 2, 2, STEPS)
    expected = 0.75 * by_team + 0.25 * by_team.mean(2, keepdims=True)
    np.testing.assert_allclose(sampler.rollout.rewards, expected.reshape(-1, STEPS), atol=1e-6)
    assert np.abs(sampler.rollout.rewards - rewards.reshape(-1, STEPS)).max() > 0.1


def test_a_sampler_s_rollout_is_its_seed_s() -> None:
    one, other = (sampler_of(past=True)[0].sample(ONE_STEP).columns for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    different = sampler_of(replace(CONFIG, seed=6), past=True)[0].sample(ONE_STEP).columns
    assert not np.array_equal(one[sequences.OBSERVATIONS], different[sequences.OBSERVATIONS])


def test_real_numbers_are_sampled() -> None:
    class Pushed(CartPole):
        spec = replace(CARTPOLE, heads=(ActionHead("force", 1, "real", (-1.0,), (1.0,)),))

        def step(self, actions: Any) -> TeamSteps:
            assert actions.dtype == np.float32
            assert np.abs(actions).max() <= 1.0
            return super().step((actions > 0).astype(np.int64))

    sample = Sampler(Pushed(4), PPOConfig(), number=0, device=CPU).sample(ONE_STEP)
    assert sample.columns[sequences.ACTIONS].shape == (32, 16, 1)
    assert sample.columns[sequences.ACTIONS].dtype == np.float32
    assert np.abs(sample.columns[sequences.ACTIONS]).max() > 1.0  # as drawn
