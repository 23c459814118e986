"""Targets against cases computed by hand and plain loops, in which an off-by-one fails."""

import math

import numpy as np
import pytest
import torch

from agents.dqn.learning.targets import (
    expected_distribution,
    expected_values,
    lambda_distributions,
    lambda_returns,
    lambda_samples,
    munchausen_bonus,
    project,
    scaled_log_policy,
)
from agents.dqn.network.heads import ActionValues


def _tensor(*numbers):
    return torch.tensor(numbers, dtype=torch.float32)


def _column(*numbers):
    """A rollout [T, 1] of one stream."""
    return _tensor(*numbers).unsqueeze(1)


# -- lambda-returns ------------------------------------------------------------------------------


def test_a_lambda_return_by_hand():
    # G_2 = 4 + 0.5 * 8 = 8; G_1 = 2 + 0.5 (0.25 * 6 + 0.75 * 8) = 5.75
    # G_0 = 1 + 0.5 (0.25 * 4 + 0.75 * 5.75) = 3.65625
    got = lambda_returns(
        _column(1, 2, 4),
        _column(0.5, 0.5, 0.5),
        _column(4, 6, 8),
        _column(0.75, 0.75, 0.75),
        torch.zeros(3, 1),
    )
    np.testing.assert_allclose(got[:, 0], [3.65625, 5.75, 8.0])


def test_an_episode_that_terminates_ends_the_return_and_one_that_is_cut_off_bootstraps():
    rewards, values = _column(1, 2, 4), _column(10, 20, 30)
    traces = _column(0.5, 0.0, 0.5)  # the episode ends with step 1
    terminated = lambda_returns(rewards, _column(1, 0, 1), values, traces, torch.zeros(3, 1))
    np.testing.assert_allclose(terminated[:, 0], [1 + 0.5 * 10 + 0.5 * 2, 2, 34])
    truncated = lambda_returns(rewards, _column(1, 1, 1), values, traces, torch.zeros(3, 1))
    np.testing.assert_allclose(truncated[:, 0], [1 + 0.5 * 10 + 0.5 * 22, 22, 34])


def _random_rollout(rng, steps, streams, ends=0.2):
    rewards = rng.normal(size=(steps, streams))
    values = rng.normal(size=(steps, streams))
    terminated = rng.random((steps, streams)) < ends
    truncated = ~terminated & (rng.random((steps, streams)) < ends)
    return rewards, values, terminated, truncated


def _mixture_of_n_step_returns(rewards, values, terminated, truncated, gamma, lam):
    """The forward view of one stream (Sutton & Barto 2018, equation 12.3), by n-step returns."""
    answers = []
    for start in range(len(rewards)):
        n_step, total, discount = [], 0.0, 1.0
        for t in range(start, len(rewards)):
            total += discount * rewards[t]
            discount *= gamma
            n_step.append(total if terminated[t] else total + discount * values[t])
            if terminated[t] or truncated[t]:
                break
        weights = [(1 - lam) * lam**n for n in range(len(n_step))]
        weights[-1] = lam ** (len(n_step) - 1)  # the last return has all the rest
        answers.append(sum(w * g for w, g in zip(weights, n_step)))
    return answers


@pytest.mark.parametrize("lam", [0.0, 0.65, 1.0])
def test_lambda_returns_are_mixtures_of_n_step_returns(lam):
    rng = np.random.default_rng(0)
    rewards, values, terminated, truncated = _random_rollout(rng, 12, 5)
    gamma = 0.9
    got = lambda_returns(
        torch.from_numpy(rewards),
        torch.from_numpy(np.where(terminated, 0.0, gamma)),
        torch.from_numpy(values),
        torch.from_numpy(np.where(terminated | truncated, 0.0, lam)),
        torch.zeros(12, 5, dtype=torch.float64),
    )
    for stream in range(5):
        one = (a[:, stream] for a in (rewards, values, terminated, truncated))
        expected = _mixture_of_n_step_returns(*one, gamma, lam)
        np.testing.assert_allclose(got[:, stream], expected, atol=1e-12)


def test_a_shift_belongs_to_the_next_steps_return():
    got = lambda_returns(
        _column(1, 2), _column(0.5, 0.5), _column(4, 6), _column(0.25, 0.25), _column(8, 99)
    )
    second = 2 + 0.5 * 6
    np.testing.assert_allclose(got[:, 0], [1 + 0.5 * (0.75 * 4 + 0.25 * (second + 8)), second])


# -- distributions -------------------------------------------------------------------------------


def _project_by_loop(values, probabilities, support):
    """Bellemare et al. (2017), algorithm 1, as it is written."""
    v_min, v_max, count = support[0], support[-1], len(support)
    delta = (v_max - v_min) / (count - 1)
    m = np.zeros(count)
    for value, p in zip(values, probabilities):
        b = (min(max(value, v_min), v_max) - v_min) / delta
        low, high = math.floor(b), math.ceil(b)
        if low == high:
            m[low] += p
        else:
            m[low] += p * (high - b)
            m[high] += p * (b - low)
    return m


def test_a_projection_by_hand():
    # atoms 0, 1, 2, 3; 0.25 lies a quarter of the way from 0 to 1; 7 and -1 beyond the ends
    values = _tensor(0.25, 2.0, 7.0, -1.0)[None]
    got = project(values, _tensor(0.4, 0.3, 0.2, 0.1)[None], torch.arange(4.0))
    np.testing.assert_allclose(got[0], [0.3 + 0.1, 0.1, 0.3, 0.2], atol=1e-6)


def test_projections_are_those_of_the_papers_loop():
    rng = np.random.default_rng(1)
    support = np.linspace(-10, 10, 51)
    values = rng.normal(scale=8.0, size=(40, 51))
    values[:10] = np.round(values[:10] / 0.4) * 0.4  # on the atoms
    probabilities = rng.dirichlet(np.ones(51), 40)
    got = project(
        torch.from_numpy(values), torch.from_numpy(probabilities), torch.from_numpy(support)
    )
    for row in range(40):
        expected = _project_by_loop(values[row], probabilities[row], support)
        np.testing.assert_allclose(got[row], expected, atol=1e-9)


def test_a_projection_keeps_the_mean_within_the_ends():
    rng = np.random.default_rng(2)
    values = torch.from_numpy(rng.uniform(-10, 10, (5, 9)))
    probabilities = torch.from_numpy(rng.dirichlet(np.ones(9), 5))
    support = torch.linspace(-10, 10, 51, dtype=torch.float64)
    got = project(values, probabilities, support) @ support
    torch.testing.assert_close(got, (values * probabilities).sum(1))


def test_lambda_distributions_mix_probabilities():
    """Against a loop over the mixture of n-step returns' distributions, on a fine support."""
    rng = np.random.default_rng(3)
    steps, gamma, lam = 5, 0.5, 0.6
    rewards = rng.integers(-1, 2, steps).astype(float)
    values = rng.integers(-2, 3, (steps, 3)) * 2.0 ** (steps - 1)  # whole after every discount
    probabilities = rng.dirichlet(np.ones(3), steps)
    rewards *= 2.0 ** (steps - 1)
    terminated = np.array([False, False, True, False, False])
    support = torch.arange(-200.0, 201.0)
    got = lambda_distributions(
        _column(*rewards),
        _column(*np.where(terminated, 0.0, gamma)),
        (torch.tensor(values).float()[:, None], torch.tensor(probabilities).float()[:, None]),
        _column(*np.where(terminated, 0.0, lam)),
        torch.zeros(steps, 1),
        support,
    )
    for start in range(steps):
        expected, total, discount, left = np.zeros(len(support)), 0.0, 1.0, 1.0
        for t in range(start, steps):
            total += discount * rewards[t]
            discount *= gamma
            last = terminated[t] or t == steps - 1
            for value, p in zip(values[t], probabilities[t]):
                share = left * (1.0 if last else 1 - lam) * p
                end = total if terminated[t] else total + discount * value
                expected += share * _project_by_loop([end], [1.0], support.numpy())
            left *= lam
            if last:
                break
        np.testing.assert_allclose(got[start, 0], expected, atol=1e-5)


def test_lambda_distributions_have_the_lambda_returns_as_their_means():
    rng = np.random.default_rng(8)
    rewards, _, terminated, truncated = _random_rollout(rng, 9, 4)
    discounts = torch.from_numpy(np.where(terminated, 0.0, 0.8))
    traces = torch.from_numpy(np.where(terminated | truncated, 0.0, 0.7))
    rewards, shifts = torch.from_numpy(rewards), torch.from_numpy(rng.normal(size=(9, 4)))
    values = torch.from_numpy(rng.normal(size=(9, 4, 6)))
    probabilities = torch.from_numpy(rng.dirichlet(np.ones(6), (9, 4)))
    support = torch.linspace(-60, 60, 61, dtype=torch.float64)  # beyond all returns
    got = lambda_distributions(rewards, discounts, (values, probabilities), traces, shifts, support)
    means = (values * probabilities).sum(2)
    expected = lambda_returns(rewards, discounts, means, traces, shifts)
    torch.testing.assert_close(got @ support, expected)


def test_lambda_samples_are_of_the_mixture():
    """The mean is the lambda-return; each sample is one of the n-step returns' values."""
    count, lam = 200_000, 0.65
    later = torch.zeros(3, 1, count)
    later[0], later[1], later[2] = 100.0, 10.0, 1.0
    args = (_column(0, 0, 0), _column(1, 1, 1))
    traces, shifts = _column(lam, lam, lam), torch.zeros(3, 1)
    got = lambda_samples(*args, later, traces, shifts, torch.Generator().manual_seed(0))
    for value, share in ((100.0, 1 - lam), (10.0, lam * (1 - lam)), (1.0, lam * lam)):
        assert (got[0, 0] == value).float().mean().item() == pytest.approx(share, abs=0.005)
    expected = lambda_returns(*args, later[:, :, 0], traces, shifts)
    torch.testing.assert_close(got.mean(2), expected, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_lambda_samples_without_chance_are_lambda_returns(lam):
    rng = np.random.default_rng(4)
    rewards, _, terminated, truncated = _random_rollout(rng, 8, 3)
    later = torch.from_numpy(rng.normal(size=(8, 3, 4)))
    args = [rewards, np.where(terminated, 0.0, 0.9)]
    traces = torch.from_numpy(np.where(terminated | truncated, 0.0, lam))
    shifts = torch.from_numpy(rng.normal(size=(8, 3)))
    rewards, discounts = map(torch.from_numpy, args)
    got = lambda_samples(rewards, discounts, later, traces, shifts, None)
    for k in range(4):
        expected = lambda_returns(rewards, discounts, later[:, :, k], traces, shifts)
        torch.testing.assert_close(got[:, :, k], expected)


# -- Munchausen ----------------------------------------------------------------------------------


def test_a_munchausen_bonus_by_hand():
    # softmax of (0, ln 3) is (1/4, 3/4); temperature 1
    means = _tensor(0.0, math.log(3.0)).expand(3, 2)
    bonus = munchausen_bonus(means, torch.tensor([0, 1, 0]), alpha=0.5, temperature=1.0, clip=-1.0)
    np.testing.assert_allclose(bonus, [-0.5, 0.5 * math.log(0.75), -0.5], rtol=1e-6)
    bonus = munchausen_bonus(means, torch.tensor([0, 1, 0]), alpha=0.5, temperature=1.0, clip=-9.0)
    np.testing.assert_allclose(bonus[0], 0.5 * math.log(0.25), rtol=1e-6)


def test_scaled_log_policies_are_those_of_a_loop():
    means = np.random.default_rng(5).normal(size=(6, 4))
    got = scaled_log_policy(torch.from_numpy(means), 0.03)
    for n in range(6):
        best = max(means[n])
        total = sum(math.exp((q - best) / 0.03) for q in means[n])
        for a in range(4):
            expected = means[n, a] - best - 0.03 * math.log(total)
            assert got[n, a].item() == pytest.approx(expected, abs=1e-9)


def test_the_soft_value_is_the_log_of_a_sum():
    """E_a [q - tau log pi] = tau log sum exp(q / tau), of each quantile's place by its mean."""
    means = torch.from_numpy(np.random.default_rng(6).normal(size=(5, 3)))
    tau = 0.2
    policy = (means / tau).softmax(1)
    later = ActionValues(means.unsqueeze(2))
    got = expected_values(later, policy, -scaled_log_policy(means, tau))
    torch.testing.assert_close(got[:, 0], tau * torch.logsumexp(means / tau, 1))


def test_a_policys_distribution_has_the_policys_mean():
    rng = np.random.default_rng(7)
    logits = torch.from_numpy(rng.normal(size=(4, 3, 5)))
    later = ActionValues(torch.from_numpy(rng.normal(size=(4, 3, 5))), logits)
    policy = torch.from_numpy(rng.dirichlet(np.ones(3), 4))
    shift = torch.from_numpy(rng.normal(size=(4, 3)))
    values, probabilities = expected_distribution(later, policy, shift)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(4, dtype=torch.float64))
    for n in range(4):
        expected = 0.0
        for a in range(3):
            weights = np.exp(logits[n, a].numpy())
            mean = (weights * later.values[n, a].numpy()).sum() / weights.sum()
            expected += policy[n, a].item() * (mean + shift[n, a].item())
        assert (values[n] @ probabilities[n]).item() == pytest.approx(expected)
