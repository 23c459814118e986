from dataclasses import replace

import numpy as np
import pytest

from agents.dqn.config import DQNConfig, ExplorationConfig, LearnerConfig, ReplayConfig
from agents.dqn.schedules import beta_at, epsilon_at, epsilons, learning_rate_at


def test_epsilon_falls_by_rows_from_the_learners_start():
    config = DQNConfig()  # Mnih et al. 2015
    rows = [0, 49_999, 50_000, 550_000, 1_050_000, 50_000_000]
    got = [epsilon_at(config, count, progress=0.5) for count in rows]
    np.testing.assert_allclose(got, [1.0, 1.0, 1.0, 0.55, 0.1, 0.1])
    assert got[-1] == 0.1  # exactly


def test_epsilon_falls_by_the_share_of_the_budget():
    exploration = ExplorationConfig(final_epsilon=0.001, decay_rows=0, decay_share=0.1)
    config = replace(DQNConfig(), exploration=exploration, learner=LearnerConfig(start_rows=100))
    assert epsilon_at(config, 99, 0.5) == 1.0
    got = [epsilon_at(config, 100, progress) for progress in (0.0, 0.05, 0.1, 1.0)]
    np.testing.assert_allclose(got, [1.0, 0.5005, 0.001, 0.001])
    at_once = replace(config, exploration=replace(exploration, decay_share=0.0))
    assert epsilon_at(at_once, 100, 0.0) == 0.001


def test_the_ladder_is_that_of_apex():
    got = epsilons(0.4, 7.0, 8)
    np.testing.assert_allclose(got, [0.4 ** (1 + 7 * i / 7) for i in range(8)])
    assert got[0] == pytest.approx(0.4)
    assert got[-1] == pytest.approx(0.4**8)
    np.testing.assert_array_equal(epsilons(0.3, 0.0, 3), [0.3] * 3)
    np.testing.assert_array_equal(epsilons(0.3, 7.0, 1), [0.3])
    np.testing.assert_array_equal(epsilons(0.0, 7.0, 2), [0.0, 0.0])


def test_beta_rises_to_one():
    got = [beta_at(ReplayConfig(priority_beta=0.4), progress) for progress in (0.0, 0.5, 1.0, 1.2)]
    np.testing.assert_allclose(got, [0.4, 0.7, 1.0, 1.0])
    assert got[-1] == 1.0  # `Priorities.sample_rows` takes no more


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [2.0, 2.0, 2.0, 2.0]),
        ("linear", [2.0, 2.0, 1.5, 1.0]),
        ("cosine", [2.0, 2.0, 1.5, 1.0]),
    ],
)
def test_learning_rates_by_schedule(schedule, expected):
    config = LearnerConfig(
        learning_rate=2.0, final_learning_rate=1.0, schedule=schedule, decay_start=0.2
    )
    got = [learning_rate_at(config, progress) for progress in (0.0, 0.2, 0.6, 1.0)]
    np.testing.assert_allclose(got, expected)
    quarter = learning_rate_at(config, 0.4)
    assert quarter == pytest.approx({"constant": 2.0, "linear": 1.75, "cosine": 1.853553}[schedule])
