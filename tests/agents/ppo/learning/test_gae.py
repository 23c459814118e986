"""Advantages against sums written out, and against a case that is known."""

from typing import Any

import numpy as np
import pytest

from agents.ppo.learning.gae import generalised_advantages

GAMMA, LAMBDA = 0.9, 0.7


def advantages(*args: Any, gamma: float = GAMMA, gae_lambda: float = LAMBDA) -> Any:
    out = np.zeros(args[0].shape, np.float32)
    generalised_advantages(*args, gamma, gae_lambda, out)
    return out


def case(seed: int, ends: float = 0.2) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    rewards, values, end_values = rng.standard_normal((3, 5, 12)).astype(np.float32)
    ended = rng.random((5, 12)) < ends
    end_values = np.where(ended & (rng.random((5, 12)) < 0.5), end_values, 0).astype(np.float32)
    return rewards, values, rng.standard_normal(5).astype(np.float32), ended, end_values


def brute_force(rewards: Any, values: Any, newest: Any, ended: Any, end_values: Any) -> Any:
    """Mix the n-step advantages of every n by (1 - lambda) lambda^(n - 1); equation 16."""
    agents, steps = rewards.shape
    found = np.zeros((agents, steps))
    for a in range(agents):
        for t in range(steps):
            last = next((s for s in range(t, steps) if ended[a, s]), steps - 1)
            total, weight_left = 0.0, 1.0
            for n in range(1, last - t + 2):
                at = t + n - 1  # the last step of n
                if ended[a, at]:
                    after = end_values[a, at]
                else:
                    after = values[a, at + 1] if at + 1 < steps else newest[a]
                n_step = sum(GAMMA**k * rewards[a, t + k] for k in range(n))
                n_step += GAMMA**n * after - values[a, t]
                weight = (1 - LAMBDA) * LAMBDA ** (n - 1) if at < last else weight_left
                total += weight * n_step
                weight_left -= weight
            found[a, t] = total
    return found


@pytest.mark.parametrize("seed", range(5))
def test_advantages_are_the_mixture_of_n_step_advantages(seed: int) -> None:
    made = case(seed)
    np.testing.assert_allclose(advantages(*made), brute_force(*made), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("moved", ["rewards", "values", "ended"])
def test_an_array_that_is_off_by_one_step_fails(moved: str) -> None:
    made = case(0)
    number = ("rewards", "values", "newest", "ended").index(moved)
    wrong = list(made)
    wrong[number] = np.roll(made[number], 1, axis=1)
    assert np.abs(advantages(*wrong) - brute_force(*made)).max() > 0.1


def test_a_limit_bootstraps_and_the_rules_end_does_not() -> None:
    zero, one = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    ended = np.array([[False, True, False]])
    newest = np.zeros(1, np.float32)
    by_rules = advantages(zero, zero, newest, ended, zero, gae_lambda=1.0)
    by_limit = advantages(zero, zero, newest, ended, ended * one * 10, gae_lambda=1.0)
    np.testing.assert_allclose(by_rules, [[0.0, 0.0, 0.0]])
    np.testing.assert_allclose(by_limit, [[GAMMA**2 * 10, GAMMA * 10, 0.0]], rtol=1e-6)


def test_the_value_of_a_constant_reward_of_one_is_a_geometric_series() -> None:
    def fixed_point(gamma: float) -> float:
        value = np.zeros((1, 8), np.float32)
        none, ones = np.zeros((1, 8), np.bool_), np.ones((1, 8), np.float32)
        for _ in range(200):  # move values to their targets, as the learner does
            found = advantages(ones, value, value[:, 0].copy(), none, 0 * ones, gamma=gamma)
            value = np.full_like(value, (value + found).mean())
        return float(value[0, 0])

    assert fixed_point(0.9) == pytest.approx(1 / (1 - 0.9), rel=1e-3)
    assert fixed_point(0.8) != pytest.approx(1 / (1 - 0.9), rel=0.4)
