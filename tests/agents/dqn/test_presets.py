"""The presets say what their papers' tables say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.dqn.config import DQNConfig
from agents.dqn.learning.optimisers import build_optimiser
from agents.dqn.learning.rollouts import Rollouts
from agents.dqn.network.q_network import build_network
from agents.dqn.playing.acting import Recorder
from agents.registry import ALGORITHMS, Entry
from configs.loader import load_config_of
from envs.vector import Steps
from store.memory.frame_ring import FrameRing
from store.memory.frames import frames_schema
from store.replay.episodes import EpisodeBatch

SCHEMA = frames_schema((1,))
PRESETS = ("breakout", "breakout_gpu", "dqn", "dqn_nature", "pqn", "rainbow")


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    entry = Entry("", "agents.dqn.config:DQNConfig", "")
    monkeypatch.setitem(ALGORITHMS, "dqn", ALGORITHMS.get("dqn", entry))


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_network_is_built_and_has_an_optimiser(name):
    config = load_config_of(DQNConfig, name)
    frame = (4,) if config.network.encoder == "mlp" else (84, 84)
    shape = (config.environment.stack, *frame)
    network = build_network(shape, np.uint8, 4, config, seed=0, device=torch.device("cpu"))
    build_optimiser(network.parameters(), config.learner)
    with torch.no_grad():
        assert network(torch.zeros(2, *shape, dtype=torch.uint8)).means().shape == (2, 4)


def test_dqn_nature_is_the_default_in_all_that_the_paper_says():
    got, default = load_config_of(DQNConfig, "dqn_nature"), DQNConfig()
    for table in ("head", "target", "learner", "exploration", "replay"):
        assert getattr(got, table) == getattr(default, table)
    threads = got.environment.threads  # of which it says nothing
    assert got.environment == replace(default.environment, threads=threads)
    learner = got.learner
    assert learner.passes / learner.batch_size == 1 / 4  # an update every four steps
    assert learner.epsilon == 0.01 / learner.batch_size**2


def test_presets_of_papers_run_as_long_as_theirs():
    """200 million frames, four a step, and no clock that would end them before."""
    for name in ("dqn_nature", "rainbow", "pqn"):
        config = load_config_of(DQNConfig, name)
        assert (config.minutes, config.games, 4 * config.rows) == (0.0, 0, 200_000_000)
        limited = load_config_of(DQNConfig, name, {"minutes": "60"})
        assert (limited.minutes, limited.rows) == (60.0, config.rows)


def test_a_round_of_pqn_is_a_rollout_of_every_environment():
    for name, minibatches in (("pqn", 32), ("breakout_gpu", 32), ("breakout", 8)):
        config = load_config_of(DQNConfig, name)
        assert config.publish_rows == config.environment.environments * config.target.rollout
        assert config.publish_rows == minibatches * config.learner.batch_size


@pytest.mark.parametrize("name", ["pqn", "breakout_gpu", "breakout"])
@pytest.mark.parametrize("often", [0.001, 0.07])
def test_a_rollout_of_every_environment_is_whole_when_it_is_learned_from(name, often):
    """However often an episode ends, which adds a row to its environment's rows."""
    config = load_config_of(DQNConfig, name)
    count, steps = config.environment.environments, config.target.rollout
    drawn_a_round = config.learner.passes * config.publish_rows / (config.learner.epochs * steps)
    assert drawn_a_round == count
    ring = FrameRing(config.replay.rows, SCHEMA, stack=config.environment.stack)
    recorder = Recorder(np.zeros((count, 1), np.uint8), number=0, reward_clip=0.0)
    rollouts, rng = Rollouts(steps), np.random.default_rng(0)
    for number in range(8):
        for _ in range(config.publish_rows // count):
            recorder.record(np.zeros(count, np.int64), a_step(rng.random(count) < often))
        batch = EpisodeBatch.of(SCHEMA, recorder.take())
        rollouts.add(batch, ring.ring.total_added)
        ring.extend(batch)
        rollouts.forget_before(ring.ring.oldest)
        assert number == 0 or rollouts.new >= count
        if len(rollouts):
            blocks = rollouts.draw(rng, count)
            assert number == 0 or len(set(blocks[0].tolist())) == count
            assert ring.has_stacks(blocks[:-1]).all()


def a_step(life_lost):
    count, no_game = len(life_lost), np.zeros(len(life_lost), np.bool_)
    frames, rewards = np.zeros((count, 1), np.uint8), np.zeros(count, np.float32)
    return Steps(
        frames, rewards, no_game, no_game, frames[:0], life_lost, np.zeros(0), np.zeros(0, np.int64)
    )


def test_rainbow_has_all_six_parts():
    config = load_config_of(DQNConfig, "rainbow")
    assert (config.head.kind, config.head.dueling, config.head.noisy) == ("c51", True, True)
    assert (config.target.double, config.target.n_steps) == (True, 3)
    assert config.replay.priority_exponent == 0.5
    assert config.exploration.epsilon == 0.0
    steps_between_copies = config.target.period * config.learner.batch_size / config.learner.passes
    assert 4 * steps_between_copies == 32_000
    assert 4 * config.learner.start_rows == 80_000
