"""RLlib's PPO with our parts: it learns, in one process and over runners and learners."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
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
from agents.ppo.learning.learner import ENTROPY, LEARNING_RATE, MOMENTS
from agents.ppo.learning.value_norm import TargetMoments
from agents.ppo.playing.runner import TeamRunner
from agents.ppo.playing.sampler import Returns
from agents.ppo.rllib_algorithm import TeamPPO, rllib_config
from envs.vector.steps import EnvironmentFailedError
from tests.agents.ppo import cartpole, duel
from tests.agents.ppo.bare_ppo import BareConfig, BarePPO
from tests.selfplay.cluster.local_ray import local_ray

# RLlib warns of settings that it reads itself, and of what it will change; it is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

CARTPOLE = PPOConfig(
    learner=LearnerConfig(rollout=64, learning_rate=1e-3),
    environment=EnvironmentConfig(matches=8),
    device="cpu",
)
DUEL = PPOConfig(
    network=NetworkConfig(units=8, hidden=16, layers=1, lstm=8),
    learner=LearnerConfig(rollout=32, minibatches=2, epochs=2, learning_rate=3e-3),
    pool=PoolConfig(latest=0.5, interval=2),
    environment=EnvironmentConfig(matches=8),
    device="cpu",
)


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[None]:
    with local_ray(4):
        yield


@contextmanager
def algorithm(config: PPOConfig, made: Any = cartpole) -> Iterator[TeamPPO]:
    maker = made.make_cartpole if made is cartpole else made.make_duel
    built = rllib_config(config, made.SPEC, maker).build_algo()
    try:
        yield built
    finally:
        built.stop()


def train(algorithm: TeamPPO, iterations: int) -> list[float]:
    """Train; return the mean score of the games that ended in each iteration."""
    means = []
    for _ in range(iterations):
        algorithm.train()
        assert algorithm.last is not None
        scores = np.concatenate([sample.ended.scores[:, 0] for sample in algorithm.last.samples])
        means.append(float(scores.mean()) if len(scores) else np.nan)
    return means


@pytest.mark.slow
def test_cartpole_is_learned() -> None:
    with algorithm(CARTPOLE) as ppo:
        means = train(ppo, 45)
    assert np.nanmean(means[:3]) < 60
    assert np.nanmean(means[-8:]) > 250


def test_an_iteration_says_what_it_did() -> None:
    with algorithm(CARTPOLE) as ppo:
        train(ppo, 3)
        assert ppo.last is not None
        assert ppo.last.agent_steps == 8 * 64
        assert ppo.last.staleness == 0.0
        assert ppo.last.reuse == 4.0
        assert ppo.last.metrics["minibatches"] == 16
        assert 0.0 < ppo.last.metrics["entropy"] <= np.log(2) + 1e-5
        assert ppo.last.metrics["kl"] >= 0.0
        assert ppo.updates == ppo.last.samples[0].version + 1 == 3


@pytest.mark.parametrize(("matches", "minibatches"), [(7, 4), (2, 2), (8, 4)])
def test_few_sequences_make_no_more_minibatches(matches: int, minibatches: int) -> None:
    """Of 16 steps each; the settings ask for four minibatches and four epochs."""
    learner = replace(CARTPOLE.learner, rollout=16, sequence=16, minibatches=4, epochs=4)
    config = replace(CARTPOLE, learner=learner, environment=EnvironmentConfig(matches=matches))
    with algorithm(config) as ppo:
        ppo.train()
        assert ppo.last is not None
        assert ppo.last.metrics["minibatches"] == 4 * minibatches
        assert ppo.last.reuse == 4.0


def test_an_error_of_a_runner_is_its_answer() -> None:
    def fail(returns: Any) -> None:
        raise ZeroDivisionError("of a user's environment")

    runner: Any = SimpleNamespace(worker_index=3, sample=fail)
    found = TeamRunner.answer(runner, Returns(0.99, 0.95))
    assert found == (3, None, "ZeroDivisionError: of a user's environment")


FAULT = "LUDENS_TEST_FAULT"  # what a runner's process does after 100 steps: fail, or hang


class Faulty(cartpole.CartPole):
    """Fails or hangs where its process is told to."""

    steps = 0

    def step(self, actions: Any) -> Any:
        self.steps += 1
        fault = os.environ.get(FAULT) if self.steps == 100 else None
        if fault == "hang":
            time.sleep(600)
        if fault == "fail":
            raise ZeroDivisionError("in step 100")
        return super().step(actions)


def make_faulty(config: PPOConfig) -> Faulty:
    return Faulty(config.environment.matches)


@contextmanager
def with_fault(fault: str) -> Iterator[TeamPPO]:
    """One runner in another process, whose first one has the fault."""
    learner = replace(CARTPOLE.learner, rollout=128)
    cluster = replace(CARTPOLE.cluster, worker_timeout_s=10.0)
    config = replace(CARTPOLE, learner=learner, cluster=cluster, workers=1)
    built = rllib_config(config, cartpole.SPEC, make_faulty).build_algo()
    built.env_runner_group.foreach_env_runner(lambda runner: os.environ.update({FAULT: fault}))
    try:
        yield built
    finally:
        built.stop()


@pytest.mark.slow
def test_an_environment_that_fails_in_another_process_is_told() -> None:
    with with_fault("fail") as ppo, pytest.raises(EnvironmentFailedError) as raised:
        ppo.train()
    assert str(raised.value) == "in runner 1: ZeroDivisionError: in step 100"


@pytest.mark.slow
def test_a_runner_that_hangs_is_started_again() -> None:
    with with_fault("hang") as ppo:
        ppo.train()
        assert (ppo.last, ppo.silent) == (None, [1])
        deadline = time.monotonic() + 400  # a process takes seconds, minutes on a busy machine
        while ppo.last is None and time.monotonic() < deadline:
            ppo.train()
        assert ppo.last is not None
        assert ppo.restored == 1


def test_the_first_minibatch_has_the_policy_that_acted() -> None:
    one_step = replace(DUEL.learner, minibatches=1, epochs=1)
    network = replace(DUEL.network, precision="float32")
    with algorithm(replace(DUEL, learner=one_step, network=network), duel) as ppo:
        train(ppo, 5)
        assert ppo.last is not None
        assert ppo.last.metrics["kl"] < 1e-6
        assert ppo.last.metrics["clipped"] == 0.0


def test_the_divergence_ends_an_iteration() -> None:
    learner = replace(CARTPOLE.learner, kl_stop=1e-6)
    with algorithm(replace(CARTPOLE, learner=learner)) as ppo:
        train(ppo, 1)
        assert ppo.last is not None
        assert ppo.last.metrics["minibatches"] < 16
        assert ppo.last.reuse < 1.0


@pytest.mark.slow
def test_a_duel_is_learned_against_the_pool() -> None:
    with algorithm(DUEL, duel) as ppo:
        train(ppo, 30)
        assert len(ppo.pool) == len(ppo.past) == 15
        assert ppo.last is not None
        ended = [sample.ended for sample in ppo.last.samples]
        assert {n for each in ended for n in each.opponents} > {-1}
        assert min(ppo.pool.qualities.values()) < 0.0  # some were beaten
        runner = ppo.env_runner_group.local_env_runner
        struck = runner.sampler.rollout.rewards.reshape(8, 2, 2, 32)
        assert struck.max() == 1.0
        points = (runner.vector.acted[-1][..., 0] == 1).mean()
        assert points > 0.6  # of all agents, past ones included, strike


def test_settings_of_an_iteration_reach_the_learner() -> None:
    with algorithm(CARTPOLE) as ppo:
        learner = ppo.learner_group._learner
        learner.before_gradient_based_update(
            timesteps={LEARNING_RATE: 0.125, ENTROPY: 0.5, MOMENTS: TargetMoments(3.0, 25.0)}
        )
        assert learner.get_optimizer().param_groups[0]["lr"] == 0.125
        assert learner._entropy == 0.5
        network = learner._team_module().network
        assert float(network.value_mean) == 3.0
        assert float(network.value_std) == 4.0


@pytest.mark.slow
def test_two_runners_and_two_learners_have_the_same_weights() -> None:
    with algorithm(replace(DUEL, workers=2, learners=2), duel) as ppo:
        train(ppo, 4)
        assert ppo.last is not None
        assert len(ppo.last.samples) == 2
        assert ppo.last.staleness == 0.0
        weights = ppo.learner_group.foreach_learner(lambda one: one.get_state("rl_module"))
        states = [result.get()["rl_module"]["default_policy"] for result in weights]
        for name, array in states[0].items():
            np.testing.assert_array_equal(array, states[1][name])
        acting = ppo.env_runner_group.foreach_env_runner(lambda runner: runner.get_state())
        for state in acting:
            for name, array in state["rl_module"]["default_policy"].items():
                np.testing.assert_array_equal(array, states[0][name])


@pytest.mark.slow
def test_a_killed_runner_comes_back_with_the_pool() -> None:
    with algorithm(replace(DUEL, workers=2), duel) as ppo:
        train(ppo, 4)
        group = ppo.env_runner_group
        first, _ = group.foreach_env_runner(lambda runner: os.getpid(), local_env_runner=False)
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 400  # a process takes seconds, minutes on a busy machine
        while time.monotonic() < deadline:
            ppo.train()
            if group.num_healthy_remote_workers() == 2 and ppo.last and len(ppo.last.samples) == 2:
                break
        assert ppo.last is not None
        assert len(ppo.last.samples) == 2
        assert ppo.last.staleness == 0.0
        known = group.foreach_env_runner(
            lambda runner: sorted(runner.sampler.past), local_env_runner=False
        )
        assert known == [sorted(ppo.past)] * 2
        assert ppo.restored == 1


@pytest.mark.slow
def test_the_bare_ppo_has_the_same_curve() -> None:
    """Steps until the mean return of an iteration's games is 195, the median of three seeds."""
    steps = {"ours": [], "bare": []}
    for seed in range(3):
        bare = BarePPO(cartpole.CartPole(8), BareConfig(steps=64, learning_rate=1e-3, seed=seed))
        curve = [np.mean(returns) if returns else 0.0 for _, returns in bare.iterations(80)]
        steps["bare"].append(512 * (1 + int(np.argmax(np.array(curve) >= 195))))
        with algorithm(replace(CARTPOLE, seed=seed)) as ppo:
            ours = []
            for number in range(80):
                ppo.progress = number / 80
                ours += np.nan_to_num(train(ppo, 1)).tolist()
        steps["ours"].append(512 * (1 + int(np.argmax(np.array(ours) >= 195))))
        assert max(curve) >= 195
        assert max(ours) >= 195
    ratio = np.median(steps["ours"]) / np.median(steps["bare"])
    assert 0.5 < ratio < 2.0, steps
    assert torch.get_num_threads() == 1
