"""The learner, from stored pieces to values that mathematics knows, and through a resume."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from agents.dqn.config import (
    DQNConfig,
    EnvironmentConfig,
    HeadConfig,
    LearnerConfig,
    NetworkConfig,
    ReplayConfig,
    TargetConfig,
)
from agents.dqn.learning.learner import DQNLearner, schema_of
from agents.torch_state import dump_trainer, load_trainer
from envs.vector import EnvironmentSpec
from store.memory.frames import GOES_ON, TERMINATED, TRUNCATED, piece_uuid
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.window import ReplayWindow

SPEC = EnvironmentSpec("chain", "gymnasium", "", ("left", "right"), (2,), np.dtype(np.float32))
GAMMA = 0.9
CONFIG = DQNConfig(
    game="chain",
    device="cpu",
    publish_rows=64,
    network=NetworkConfig(encoder="mlp", hidden=16, precision="float32"),
    target=TargetConfig(gamma=GAMMA, period=10),
    learner=LearnerConfig(
        optimiser="adam", learning_rate=2e-2, epsilon=1e-8, schedule="linear", batch_size=64
    ),
    replay=ReplayConfig(rows=4000),
    environment=EnvironmentConfig(stack=1),
)


def chain(stream: int, steps: int, ending: int, seed: int) -> Episode:
    """Two states in turns; "right" is worth 1 and "left" nothing; the state shows in the frame."""
    rng = np.random.default_rng(seed)
    actions = rng.integers(2, size=steps).astype(np.int32)
    states = np.arange(steps + (ending != GOES_ON)) % 2
    return Episode(
        piece_uuid(stream, 0, 0),
        {
            "frame": np.eye(2, dtype=np.float32)[states],
            "action": actions,
            "reward": actions.astype(np.float32),
            "stream": np.array([stream]),
            "episode": np.array([0]),
            "first_step": np.array([0]),
            "ending": np.array([ending], np.uint8),
        },
    )


def chains(count: int, steps: int, ending: int, first: int = 0) -> EpisodeBatch:
    pieces = [chain(first + i, steps, ending, first + i) for i in range(count)]
    return EpisodeBatch.of(schema_of(SPEC), pieces)


def train(learner: DQNLearner) -> None:
    for share in np.linspace(0.0, 1.0, 150):
        learner.train(5, float(share))


def values(learner: DQNLearner) -> Any:
    with torch.no_grad():
        return learner.network(torch.eye(2)[:, None]).means().numpy()


FAMILY = {
    "one step": CONFIG,
    "three steps": replace(CONFIG, target=replace(CONFIG.target, n_steps=3)),
    "double": replace(CONFIG, target=replace(CONFIG.target, double=True)),
    "soft target": replace(CONFIG, target=replace(CONFIG.target, network="soft", rate=0.1)),
    "priorities": replace(
        CONFIG, replay=ReplayConfig(rows=4000, priority_exponent=0.5, first_priority="greatest")
    ),
    "lambda": replace(
        CONFIG, target=replace(CONFIG.target, q_lambda=0.65, trace="watkins", rollout=8)
    ),
    "c51": replace(CONFIG, head=HeadConfig(kind="c51", v_min=0.0, v_max=12.0, atoms=25)),
    "quantile": replace(CONFIG, head=HeadConfig(kind="quantile", quantiles=8)),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("one step", "lambda", "c51") else pytest.mark.slow)
        for name in FAMILY
    ],
)
def test_an_endless_reward_of_one_is_worth_what_mathematics_says(name: str) -> None:
    """1 / (1 - gamma) for the step that gets 1, and one less for the other (rewards of n steps are
    those of random actions, so without a correction only one step says so exactly)."""
    learner = DQNLearner(SPEC, FAMILY[name])
    assert learner.add([chains(8, 200, TRUNCATED)]) == 1600
    train(learner)
    right = 1.0 / (1.0 - GAMMA)
    if name == "three steps":  # two more random steps, each half a reward less
        right = 1.0 + (0.5 * GAMMA + 0.5 * GAMMA**2) + GAMMA**3 * _three_step_value()
    expected = np.array([[right - 1.0, right]] * 2)
    np.testing.assert_allclose(values(learner), expected, rtol=0.04)
    told = learner.train(1, 1.0)["mean_value"]
    assert told == pytest.approx(expected.mean(), rel=0.06)


def _three_step_value() -> float:
    """The fixed point of V = 1 + gamma / 2 + gamma^2 / 2 + gamma^3 V."""
    return (1.0 + 0.5 * GAMMA + 0.5 * GAMMA**2) / (1.0 - GAMMA**3)


@pytest.mark.parametrize(("ending", "worth"), [(TERMINATED, 1.0), (TRUNCATED, 10.0)])
def test_an_end_by_the_rules_is_worth_nothing_and_a_limit_is(ending: int, worth: float) -> None:
    """Episodes of one step: the second state is the end, whose value only a limit lets count."""
    learner = DQNLearner(SPEC, CONFIG)
    learner.add([chains(8, 200, GOES_ON, first=100)] if ending == TRUNCATED else [])
    learner.add([chains(400, 1, ending)])
    train(learner)
    assert values(learner)[0, 1] == pytest.approx(worth, rel=0.04)


@pytest.mark.parametrize("name", ["one step", "priorities", "lambda"])
def test_a_resumed_learner_goes_on_bit_for_bit(name: str) -> None:
    config = FAMILY[name]
    learner = DQNLearner(SPEC, config)
    batches = [chains(4, 50, TERMINATED), chains(4, 60, TRUNCATED, first=10)]
    for batch in batches:
        learner.add([batch])
        learner.train(5, 0.1)
    learner.add([last := chains(2, 40, GOES_ON, first=20)])
    state = load_trainer(dump_trainer(learner.state()))
    other = DQNLearner(SPEC, config)
    other.load_state(state, ReplayWindow.of([*batches, last], "frame"))
    more = chains(1, 30, TERMINATED, first=30)
    for each in (learner, other):
        each.add([more])
    assert learner.train(7, 0.2) == other.train(7, 0.2)
    assert learner.weights() == other.weights()
    assert (learner.steps, learner.rows_added) == (other.steps, other.rows_added) == (17, 550)


def test_blocks_of_a_ring_that_has_wrapped_are_those_that_were_lost() -> None:
    """Blocks of 8 steps, pieces of 13: what a ring of 200 rows begins with begins no block."""
    config = replace(FAMILY["lambda"], replay=ReplayConfig(rows=200))
    learner, batches = DQNLearner(SPEC, config), list[EpisodeBatch]()
    for number in range(41):
        batches.append(EpisodeBatch.of(schema_of(SPEC), [piece(s, 13 * number) for s in (1, 2)]))
        learner.add(batches[-1:])
        learner.train(2, 0.1)
    state = load_trainer(dump_trainer(learner.state()))
    other = DQNLearner(SPEC, config)
    other.load_state(state, ReplayWindow.of(batches[-8:], "frame"))  # 208 rows
    for each in (learner, other):
        each.add([EpisodeBatch.of(schema_of(SPEC), [piece(s, 13 * 41) for s in (1, 2)])])
    blocks, others = ([b.tolist() for b in each.rollouts._blocks] for each in (learner, other))
    assert blocks == others
    assert len(blocks) > 10
    assert learner.train(7, 0.2) == other.train(7, 0.2)
    assert learner.weights() == other.weights()


def piece(stream: int, first: int, steps: int = 13) -> Episode:
    """A piece of a stream's endless episode, from step `first` on."""
    made = chain(stream, steps, GOES_ON, 1000 * stream + first)
    arrays = {**made.arrays, "first_step": np.array([first])}
    return Episode(piece_uuid(stream, 0, first), arrays)


def test_a_row_whose_stack_has_left_the_ring_is_not_trained_on() -> None:
    """The first rows of the oldest block: what stands for their older frames never was there."""
    config = replace(FAMILY["lambda"], environment=EnvironmentConfig(stack=3))
    learner = DQNLearner(SPEC, config)
    learner.add([chains(1, 24, GOES_ON)])
    trained = learner._lambda_targets(learner.rollouts.draw(learner.rng, 2))[0]
    assert sorted(trained.tolist()) == list(range(16))  # an episode's first stacks are whole
    learner.ring._forget_before(7)  # and the second block begins at row 8
    trained = learner._lambda_targets(learner.rollouts.draw(learner.rng, 2))[0]
    assert min(trained) == 9


def test_the_learning_rate_follows_its_schedule() -> None:
    learner = DQNLearner(SPEC, CONFIG)
    learner.add([chains(2, 50, TERMINATED)])
    rates = [learner.train(1, share)["learning_rate"] for share in (0.0, 0.5, 1.0)]
    assert rates == pytest.approx([2e-2, 1e-2, 0.0])
