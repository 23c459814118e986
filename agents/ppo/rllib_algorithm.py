"""RLlib's PPO with our runners, learner and pool: one iteration is `training_step`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from ray import kill
from ray.rllib.algorithms.ppo import PPO
from ray.rllib.algorithms.ppo import PPOConfig as RLlibConfig
from ray.rllib.core import (
    COMPONENT_LEARNER,
    COMPONENT_OPTIMIZER,
    COMPONENT_RL_MODULE,
    DEFAULT_MODULE_ID,
)
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.metrics import (
    ENV_RUNNER_SAMPLING_TIMER,
    LEARNER_UPDATE_TIMER,
    SYNCH_WORKER_WEIGHTS_TIMER,
    TIMERS,
    WEIGHTS_SEQ_NO,
)

from agents.ppo.config import PPOConfig
from agents.ppo.learning import sequences
from agents.ppo.learning.learner import ENTROPY, LEARNING_RATE, MOMENTS, SETTINGS, TeamLearner
from agents.ppo.learning.sequences import Columns, Sample
from agents.ppo.learning.value_norm import RunningMoments, TargetMoments
from agents.ppo.network.rl_module import PREFIX, TeamModule, network_weights
from agents.ppo.playing.runner import MAKER, Answer, TeamRunner, VectorMaker
from agents.ppo.playing.sampler import Returns
from agents.ppo.pool import Pool
from agents.ppo.schedules import entropy_at, gamma_at, learning_rate_at, team_spirit_at
from agents.torch_device import choose_device
from envs.teams import TeamSpec
from envs.vector.steps import EnvironmentFailedError

SPEC = "spec"  # the `TeamSpec` in RLlib's `env_config`
_OPTIMISER = COMPONENT_LEARNER + "/" + COMPONENT_OPTIMIZER
RESTART_SECONDS = 1.0  # RLlib waits for a minute between two restarts of a runner


class Iteration(NamedTuple):
    """What an iteration did.

    Attributes:
        samples: of the runners that answered.
        metrics: of the learner, means over its minibatches.
        staleness: updates that the learner was ahead of the weights that acted, before this one.
        reuse: times that each step was trained on.
    """

    samples: list[Sample]
    metrics: dict[str, float]
    staleness: float
    reuse: float

    @property
    def agent_steps(self) -> int:
        """Steps that were learned from."""
        return sum(sample.agent_steps for sample in self.samples)


def rllib_config(config: PPOConfig, spec: TeamSpec, make_vector: VectorMaker) -> RLlibConfig:
    """Return RLlib's settings of a run.

    Args:
        config: ours.
        spec: of the environment.
        make_vector: makes a runner's matches; a function of a module, as it goes to other
            processes.
    """
    learner, device = config.learner, str(choose_device(config.device))
    gpus = config.cluster.learner_gpus if config.learners else int(device != "cpu")
    model = {"spec": spec, "network": config.network, "seed": config.seed, "device": device}
    made = RLlibConfig(algo_class=TeamPPO).framework("torch")
    made.environment(
        observation_space=gym.spaces.Box(-np.inf, np.inf, spec.observation_shape, np.float32),
        action_space=gym.spaces.Discrete(2),  # of no meaning: nothing of RLlib acts
        env_config={SETTINGS: config, SPEC: spec, MAKER: make_vector},
    )
    made.env_runners(
        env_runner_cls=TeamRunner,
        num_env_runners=config.workers,
        num_cpus_per_env_runner=config.cluster.worker_cpus,
        create_local_env_runner=config.workers == 0,
        sample_timeout_s=config.cluster.worker_timeout_s,
        merge_env_runner_states=False,  # there are none but weights, which `sync_weights` passes on
        broadcast_env_runner_states=False,
    )
    made.learners(
        num_learners=config.learners,
        num_cpus_per_learner=config.cluster.learner_cpus,
        num_gpus_per_learner=gpus,
    )
    made.rl_module(rl_module_spec=RLModuleSpec(module_class=TeamModule, model_config=model))
    made.training(learner_class=TeamLearner, num_epochs=learner.epochs)
    made.fault_tolerance(
        restart_failed_env_runners=True,
        delay_between_env_runner_restarts_s=RESTART_SECONDS,
    )
    made.debugging(seed=config.seed, log_level="ERROR")
    made.torch_skip_nan_gradients = True  # each gradient would be looked through for them
    return made


class TeamPPO(PPO):
    """Sample, learn, pass on the weights; and the pool of past opponents beside it.

    Attributes:
        progress: the used share of the budget, set by whoever drives this.
        pool: qualities of past opponents.
        past: their weights by number.
        last: the newest iteration; None if no runner answered.
        silent: runners that did not answer in it, and are started again.
        restored: how many runners were brought back since this was set to 0.
    """

    def setup(self, config: Any) -> None:
        """Create runners and learners."""
        self.progress = 0.0
        self.last: Iteration | None = None
        self.silent: list[int] = []
        self.restored = 0
        self._ppo: PPOConfig = self.config.env_config[SETTINGS]
        self._spec: TeamSpec = self.config.env_config[SPEC]
        self.pool = Pool(self._ppo.pool)
        self.past: dict[int, dict[str, Any]] = {}
        self.moments = RunningMoments()
        self.updates = 0
        super().setup(config)
        self._pass_weights()

    def _setup_logdir(self) -> None:
        """Make no folder of RLlib's own, of which each start would leave an empty one."""
        self._logdir = tempfile.gettempdir()

    def training_step(self) -> None:
        """Run one iteration; `last` says what it did."""
        self.last = None
        with self.metrics.log_time((TIMERS, ENV_RUNNER_SAMPLING_TIMER)):
            samples = self._sample()
        if not samples:
            return
        with self.metrics.log_time((TIMERS, LEARNER_UPDATE_TIMER)):
            metrics = self._learn(sequences.join(samples))
        staleness = np.mean([self.updates - sample.version for sample in samples])
        self.updates += 1
        with self.metrics.log_time((TIMERS, SYNCH_WORKER_WEIGHTS_TIMER)):
            self._pass_weights()
            self._follow_pool(samples)
        self.last = Iteration(samples, metrics, float(staleness), metrics["epochs"])

    def _sample(self) -> list[Sample]:
        """Let each runner play a rollout; RLlib restarts those that die.

        Those that do not answer in time are ended, or each of their calls would wait for the one
        before. Raises EnvironmentFailedError with what went wrong in an environment.
        """
        self.silent = []
        gamma = gamma_at(self._ppo, self._spec.seconds, self.progress)
        spirit = team_spirit_at(self._ppo.shaping, self.progress)
        returns = Returns(gamma, self._ppo.learner.gae_lambda, spirit)
        group = self.env_runner_group
        if not self._ppo.workers:
            return [group.local_env_runner.sample(returns)]
        asked = set(group.healthy_env_runner_ids())
        answers: list[Answer] = group.foreach_env_runner(
            lambda runner: runner.answer(returns),
            local_env_runner=False,
            timeout_seconds=self.config.sample_timeout_s,
        )
        for answer in answers:
            if answer.error:
                raise EnvironmentFailedError(f"in runner {answer.number}: {answer.error}")
        self._end_silent(asked - {answer.number for answer in answers})
        return [answer.sample for answer in answers if answer.sample is not None]

    def _end_silent(self, numbers: set[int]) -> None:
        """End runners that did not answer and are not known to be dead; Ray starts them again."""
        manager = self.env_runner_group._worker_manager
        for number in sorted(numbers):
            if manager.is_actor_healthy(number):
                self.silent.append(number)
                manager.set_actor_state(number, healthy=False)
                kill(manager.actors()[number], no_restart=False)

    def _learn(self, columns: Columns) -> dict[str, float]:
        """Train on the sequences; return the learners' metrics."""
        learner = self._ppo.learner
        learns = columns[sequences.LEARNS]
        if learner.normalise_advantages:
            advantages = sequences.normalised(columns[sequences.ADVANTAGES], learns)
            columns = {**columns, sequences.ADVANTAGES: advantages}
        moments: TargetMoments | None = None
        if learner.normalise_values:
            moments = self.moments.update(columns[sequences.TARGETS][learns > 0.0])
        parts = max(1, self._ppo.learners)
        batches = [_batch(part) for part in sequences.split(columns, parts)]
        results = self.learner_group.update(
            **({"batch": batches[0]} if parts == 1 else {"batches": batches}),
            timesteps={
                LEARNING_RATE: learning_rate_at(learner, self.progress),
                ENTROPY: entropy_at(learner, self.progress),
                MOMENTS: moments,
            },
            num_epochs=learner.epochs,
        )
        found = results[0][DEFAULT_MODULE_ID]
        return {name: float(stats.peek()) for name, stats in found.items()}

    def _pass_weights(self) -> None:
        """Give the learner's weights to all runners.

        It does not wait for them; but a runner takes calls in order, so it plays with these next.
        """
        self.env_runner_group.sync_weights(
            from_worker_or_learner_group=self.learner_group, inference_only=True
        )

    def _follow_pool(self, samples: list[Sample]) -> None:
        """Lower the quality of beaten opponents; let the newest network enter in its turn."""
        if self._spec.teams < 2 or self._ppo.pool.latest >= 1.0:
            return
        before = dict(self.pool.qualities)
        for sample in samples:
            self.pool.update(sample.ended.results())
        new = {}
        if self.updates % self._ppo.pool.interval == 0:
            number, gone = self.pool.add()
            if gone is not None:
                del self.past[gone]
            new[number] = self.past[number] = self.weights()
        if new or before != self.pool.qualities:
            self._pass_pool(new)

    def _pass_pool(self, opponents: Mapping[int, Mapping[str, Any]], to: Any = None) -> None:
        """Give opponents' weights and all qualities to runners, by their numbers; None is all."""
        qualities = dict(self.pool.qualities)
        self.env_runner_group.foreach_env_runner(
            lambda runner: runner.take_pool(opponents, qualities),
            remote_worker_ids=to,
            timeout_seconds=self.config.sample_timeout_s,
        )

    def restore_env_runners(self, env_runner_group: Any) -> list[int]:
        """Bring failed runners back; they get the newest weights and the whole pool."""
        restored: list[int] = super().restore_env_runners(env_runner_group)
        self.restored += len(restored)
        if restored:
            self._begin_matches(restored)
        return restored

    def state(self) -> dict[str, Any]:
        """Return what an iteration depends on but the weights of networks and the matches.

        The order of minibatches is not saved: after a resume it is drawn from the seed again.

        Tensors and plain values: the optimiser, the moments of values, the qualities of the pool.
        """
        learner = self.learner_group.get_state(_OPTIMISER)[COMPONENT_LEARNER]
        optimisers = learner[COMPONENT_OPTIMIZER]
        return {
            "optimisers": {name: _as_tensors(found["state"]) for name, found in optimisers.items()},
            "updates": self.updates,
            "moments": {"count": self.moments.count, **self.moments.moments._asdict()},
            "pool": self.pool.state(),
        }

    def load_state(
        self,
        state: Mapping[str, Any],
        weights: Mapping[str, Any],
        past: Mapping[int, Mapping[str, Any]],
    ) -> None:
        """Continue from `state` with the weights of then, and those of the past opponents."""
        optimisers = {
            name: {"module_id": DEFAULT_MODULE_ID, "state": found}
            for name, found in state["optimisers"].items()
        }
        module = {PREFIX + name: array for name, array in weights.items()}
        learner = {
            COMPONENT_RL_MODULE: {DEFAULT_MODULE_ID: module},
            COMPONENT_OPTIMIZER: optimisers,
        }
        self.learner_group.set_state({COMPONENT_LEARNER: learner})
        self.updates = int(state["updates"])
        # On its own: with the weights, it would keep older ones than the learner's from being set.
        self.learner_group.set_state({COMPONENT_LEARNER: {WEIGHTS_SEQ_NO: self.updates}})
        moments = state["moments"]
        self.moments.count = int(moments["count"])
        self.moments.moments = TargetMoments(float(moments["mean"]), float(moments["square"]))
        self.pool.load_state(state["pool"])
        self.past = {number: dict(found) for number, found in past.items()}
        self.env_runner_group.sync_weights(
            from_worker_or_learner_group=self.learner_group, inference_only=True
        )
        self._begin_matches()

    def _begin_matches(self, of: Any = None) -> None:
        """Let runners, by their numbers, begin new matches with the whole pool; None is all."""
        start = self.updates
        self.env_runner_group.foreach_env_runner(
            lambda runner: runner.begin(start),
            remote_worker_ids=of,
            timeout_seconds=self.config.sample_timeout_s,
        )
        if self.past:
            self._pass_pool(self.past, of)

    def weights(self) -> dict[str, Any]:
        """Return the newest weights of the network, NumPy arrays by name."""
        state = self.learner_group.get_state(COMPONENT_LEARNER + "/" + COMPONENT_RL_MODULE)
        return network_weights(state[COMPONENT_LEARNER][COMPONENT_RL_MODULE][DEFAULT_MODULE_ID])


def _batch(columns: Columns) -> MultiAgentBatch:
    """Return the sequences as RLlib's batch, of a row a sequence."""
    return MultiAgentBatch({DEFAULT_MODULE_ID: SampleBatch(columns)}, len(columns["advantages"]))


def _as_tensors(found: Any) -> Any:
    """Return nested values with arrays as tensors, which a checkpoint can hold."""
    if isinstance(found, dict):
        return {key: _as_tensors(value) for key, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [_as_tensors(value) for value in found]
    if isinstance(found, (np.ndarray, np.generic)):
        return torch.from_numpy(np.array(found))
    return found
