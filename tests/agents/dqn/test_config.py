"""Settings are documented, bounded, and refuse what does not go together."""

from dataclasses import replace

import pytest

from agents.dqn.config import (
    DQNConfig,
    EnvironmentConfig,
    ExplorationConfig,
    HeadConfig,
    LearnerConfig,
    NetworkConfig,
    ReplayConfig,
    TargetConfig,
)
from agents.training import ClusterConfig
from configs.fields import meanings, train_fields


def test_every_setting_says_what_it_means():
    assert set(meanings(DQNConfig)) == set(train_fields(DQNConfig))


def of_rollouts(rows, workers=0):
    """128 environments in rounds of 32 steps, or each worker's 32 in rounds of 64."""
    return DQNConfig(
        publish_rows=4096,
        workers=workers,
        target=TargetConfig(q_lambda=0.65),
        replay=ReplayConfig(rows=rows),
        environment=EnvironmentConfig(environments=32 if workers else 128),
        cluster=ClusterConfig(segment_rows=2048 if workers else 1024),
    )


def of_steps(rows, workers=0):
    """8 environments of stacks of 4, and returns over 3 steps."""
    return DQNConfig(
        workers=workers,
        target=TargetConfig(n_steps=3),
        replay=ReplayConfig(rows=rows),
        environment=EnvironmentConfig(environments=8, stack=4),
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NetworkConfig("vgg"), "network.encoder = 'vgg'.*'nips2013', 'nature'"),
        (lambda: NetworkConfig(width=0), "network.width = 0"),
        (lambda: NetworkConfig(spectral_norm=True), "network.spectral_norm.*'nature'.*'impala'"),
        (lambda: NetworkConfig("mlp", max_pool=6), "network.max_pool.*'mlp'"),
        (lambda: HeadConfig("c52"), "head.kind = 'c52'"),
        (lambda: HeadConfig(atoms=1), "head.atoms = 1: expected a whole number, 2 or more"),
        (lambda: HeadConfig(v_min=1.0, v_max=1.0), "head.v_min = 1.0.*head.v_max = 1.0"),
        (lambda: TargetConfig(gamma=1.5), "target.gamma = 1.5: expected a number, 0 to 1"),
        (lambda: TargetConfig(munchausen_clip=0.5), "target.munchausen_clip = 0.5"),
        (lambda: TargetConfig(double=True, munchausen=True), "target.double.*target.munchausen"),
        (lambda: TargetConfig(n_steps=3, q_lambda=0.65), "target.n_steps = 3.*target.q_lambda"),
        (lambda: LearnerConfig(optimiser="sgd"), "learner.optimiser = 'sgd'"),
        (
            lambda: LearnerConfig(schedule="linear", final_learning_rate=1.0),
            "learner.final_learning_rate = 1.0",
        ),
        (lambda: ExplorationConfig(epsilon=0.05), "exploration.final_epsilon = 0.1"),
        (lambda: ReplayConfig(priority_exponent=2.0), "replay.priority_exponent = 2.0"),
        (
            lambda: replace(
                DQNConfig(),
                target=TargetConfig(q_lambda=0.65),
                replay=ReplayConfig(priority_exponent=0.5),
            ),
            "replay.priority_exponent = 0.5.*rollouts are sampled uniformly",
        ),
        (lambda: of_rollouts(rows=4608), "replay.rows = 4608.*q_lambda = 0.65: expected 12288"),
        (lambda: of_rollouts(rows=32767, workers=8), "replay.rows = 32767.*: expected 32768"),
        (lambda: of_steps(rows=1), "replay.rows = 1: expected 56 or more.*stack = 4.*n_steps = 3"),
        (lambda: of_steps(rows=55), "replay.rows = 55: expected 56 or more"),
        (lambda: of_steps(rows=111, workers=2), "replay.rows = 111: expected 112 or more"),
    ],
)
def test_bad_settings_are_quoted(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_ring_that_holds_whole_rollouts_is_taken():
    assert of_rollouts(rows=12288).replay.rows == 12288
    assert of_rollouts(rows=32768, workers=8).replay.rows == 32768


def test_a_ring_that_holds_a_stack_and_its_steps_of_each_environment_is_taken():
    assert of_steps(rows=56).replay.rows == 56
    assert of_steps(rows=112, workers=2).replay.rows == 112
