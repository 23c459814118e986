"""DQN's interface to the loop: its config, its metrics, and its factories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agents.algorithm import Algorithm
from agents.cores import allowed_cores, use_threads
from agents.dqn.config import DQNConfig
from agents.dqn.learning import optimisers
from agents.dqn.learning.learner import DQNLearner, schema_of
from agents.dqn.metrics import METRICS
from agents.dqn.network import pixels
from agents.dqn.network.encoders import check_encoder
from agents.dqn.playing.actor import DQNActor
from agents.dqn.playing.agent import DQNAgent
from agents.dqn.playing.policy import QPolicy
from agents.dqn.schedules import learning_rate_at
from agents.learning_method import saved_checkpoint
from envs.settings import Share, check_value
from envs.vector import EnvironmentSpec, find_environment, typed_environment
from store.checkpoints import MODEL_FILE
from store.replay.episodes import EpisodeBatch, EpisodeSchema
from store.replay.segments import Compression
from store.run import Run
from store.settings import read_settings


class DQN(Algorithm[DQNConfig]):
    """DQN (Mnih et al. 2015) and its family, on Atari and Gymnasium's environments."""

    name = "dqn"
    config = DQNConfig
    metrics = METRICS
    threads_setting = "environment.threads"
    memory_settings = "--replay.rows"
    when_asked = ("environment.threads", "replay.on_device", "learner.cuda_graphs")
    keep_minutes = (10.0, 120.0, 240.0)  # of the slide that shows how Breakout was learned

    def environment(self, config: DQNConfig) -> EnvironmentSpec:
        """Return what is known of the environment.

        Raises ValueError for an unknown name, and where the encoder is for other observations: a
        run keeps its settings, so none begins with those.
        """
        spec = find_environment(typed_environment(config.game), config.environment.protocol)
        check_encoder((config.environment.stack, *spec.observation_shape), config.network)
        return spec

    def schema(self, config: DQNConfig) -> EpisodeSchema:
        """Return the schema of the pieces of its episodes."""
        return schema_of(self.environment(config), errors=config.replay.by_actors)

    def row_field(self, config: DQNConfig) -> str:
        """Return the frames: each is a row of the ring, an episode's last one too."""
        return "frame"

    def make_actor(self, config: DQNConfig, number: int) -> DQNActor:
        """Create an actor; `number` seeds it."""
        return DQNActor(config, number)

    def make_learner(self, config: DQNConfig) -> DQNLearner:
        """Create a learner before its first step."""
        return DQNLearner(self.environment(config), config)

    def pass_weights(self, learner: DQNLearner, actor: DQNActor) -> None:
        """Copy the tensors: a run that acts by each step's weights cannot write bytes for each."""
        actor.policy.copy_weights(learner.network, learner.steps)

    def make_policy(self, config: DQNConfig) -> QPolicy:
        """Create a policy with fresh weights."""
        return QPolicy(config, self.environment(config), explores=False)

    def environment_agent(
        self,
        run: Run,
        step: int | None,
        options: Mapping[str, str],
        *,
        spec: EnvironmentSpec,
        name: str,
        device: str,
    ) -> DQNAgent:
        """Return a checkpoint as an agent, the newest if `step` is None.

        Its option is `epsilon`, the share of random actions, by default 0. Raises ValueError for
        another option or value, and the store's errors.
        """
        stored = read_settings(DQNConfig, run.info.config, f"run {run.name!r}")
        config = replace(stored, device=device)
        epsilon = _epsilon_of(options)
        policy = QPolicy(config, spec, explores=False)
        saved = saved_checkpoint(run, step)
        policy.load_weights(saved.files[MODEL_FILE], saved.step)
        stack = config.environment.stack
        return DQNAgent(policy, stack=stack, epsilon=epsilon, name=name)

    def warm_up(self, config: DQNConfig, *, acting: bool, learning: bool) -> None:
        """Compile the kernels that arrange pictures, and those of optimisers."""
        pixels.warm_up()
        if learning:
            optimisers.warm_up()

    def window_rows(self, config: DQNConfig) -> int:
        """Return the rows of the ring."""
        return config.replay.rows

    def passes(self, config: DQNConfig) -> float:
        """Return the training rows per new row."""
        return config.learner.passes

    def start_rows(self, config: DQNConfig) -> int:
        """Return the new rows before the first training step."""
        return config.learner.start_rows

    def backlog_rows(self, config: DQNConfig) -> int:
        """Return at most an eighth of the ring, which rows must not leave before they are used."""
        return min(config.cluster.backlog_rows, max(1, config.replay.rows // 8))

    def learning_rate(self, config: DQNConfig, progress: float) -> float:
        """Return the learning rate at a used share of the budget."""
        return learning_rate_at(config.learner, progress)

    def worker_config(self, config: DQNConfig) -> DQNConfig:
        """Return the settings of a worker: a thread a core."""
        environment = replace(config.environment, threads=config.cluster.worker_cpus)
        return replace(config, environment=environment)

    def acting_threads(self, config: DQNConfig) -> int:
        """Return the threads of acting and of learning, which take turns or share them."""
        return max(1, min(config.environment.threads, allowed_cores()))

    def games_at_once(self, config: DQNConfig) -> int:
        """Return the environments of an actor."""
        return config.environment.environments

    def writes_through(self, config: DQNConfig) -> bool:
        """Return True: frames reach the learner at once."""
        return True

    def segment_rows(self, config: DQNConfig) -> int:
        """Return the rows of a segment."""
        return config.replay.segment_rows

    def compression(self, config: DQNConfig) -> Compression:
        """Return "zstd"."""
        return "zstd"

    def bench(self, config: DQNConfig, seconds: float) -> dict[str, Any]:
        """Return agent steps/s of an actor, and their share of its bare environments' steps/s."""
        from agents.dqn.playing.bench import measure

        use_threads(self.acting_threads(config))
        return measure(config, seconds)

    def counted(self, config: DQNConfig, batch: EpisodeBatch) -> dict[str, int]:
        """Return the steps of stored pieces; which ends are those of games they do not say."""
        return {"rows": batch.rows("action")}


def _epsilon_of(options: Mapping[str, str]) -> float:
    """Return the option epsilon, 0 by default; raises ValueError for another option or value."""
    for option in options:
        if option != "epsilon":
            raise ValueError(f"option {option!r}: expected 'epsilon', the share of random actions")
    text = options.get("epsilon", "0")
    try:
        value: float = check_value("epsilon", float(text), Share)
    except ValueError:
        raise ValueError(f"epsilon = {text!r}: expected a number, 0 to 1") from None
    return value


DQN_FAMILY = DQN()
