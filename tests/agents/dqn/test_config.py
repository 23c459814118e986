"""Settings are documented, bounded, and refuse what does not go together."""

from dataclasses import replace

import pytest

from agents.dqn.config import (
    DQNConfig,
    ExplorationConfig,
    HeadConfig,
    LearnerConfig,
    NetworkConfig,
    ReplayConfig,
    TargetConfig,
)
from configs.fields import meanings, train_fields


def test_every_setting_says_what_it_means():
    assert set(meanings(DQNConfig)) == set(train_fields(DQNConfig))


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
    ],
)
def test_bad_settings_are_quoted(make, message):
    with pytest.raises(ValueError, match=message):
        make()
