"""Settings of PPO; neither torch nor numba is imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from agents.training import TrainConfig
from envs.lanes.rules import RewardWeights
from envs.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Settings,
    Share,
)


@dataclass(frozen=True)
class NetworkConfig(Settings):
    """The network: encoder, trunk, memory and critic."""

    table: ClassVar[str] = "network"

    units: PositiveInt = 32
    """Features of each unit of an observation, before the maximum over those of its group."""
    hidden: PositiveInt = 64
    """Units of each layer of the trunk (CleanRL on CartPole: 64)."""
    layers: PositiveInt = 2
    """Layers of the trunk (CleanRL on CartPole: 2)."""
    lstm: NonNegativeInt = 0
    """Units of the memory after the trunk; 0 is none (OpenAI Five: 4096)."""
    activation: Literal["tanh", "relu"] = "tanh"
    """Activation of all layers (CleanRL on CartPole: tanh)."""
    critic: Literal["auto", "state", "shared", "own"] = "auto"
    """What values are computed from: `state` the true state, which is seen in training only, and
    the agent's features; `shared` the agent's features alone; `own` a second encoder and trunk of
    the observation. `auto` is the first of `state`, `shared` (with a memory) and `own` that the
    environment has."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of activations; weights, logits and values are float32. `auto` is bfloat16 where
    the processor computes in it and observations are bytes, which are exact in it; else float32."""


@dataclass(frozen=True)
class LearnerConfig(Settings):
    """Settings of the learner (Schulman et al. 2017)."""

    table: ClassVar[str] = "learner"

    rollout: PositiveInt = 128
    """Steps of each match in an iteration; a multiple of `sequence` (CleanRL: 128)."""
    sequence: PositiveInt = 16
    """Steps over which the memory's gradient reaches back (OpenAI Five: 16)."""
    epochs: PositiveInt = 4
    """Times that each step is trained on, the sample reuse (CleanRL: 4; OpenAI Five: about 1)."""
    minibatches: PositiveInt = 4
    """Training steps of an epoch (CleanRL: 4)."""
    clip: PositiveFloat = 0.2
    """Change of an action's probability ratio from which on it has no gradient (both: 0.2)."""
    gamma: Share = 0.99
    """Discount a step; `shaping.horizon` replaces it where an environment has seconds."""
    gae_lambda: Share = 0.95
    """Decay of generalised advantages, lambda (Schulman et al. 2016: 0.95)."""
    learning_rate: PositiveFloat = 2.5e-4
    """First learning rate (CleanRL: 2.5e-4; OpenAI Five: 5e-5)."""
    final_learning_rate: NonNegativeFloat = 0.0
    """Learning rate at the end, to which it falls linearly (CleanRL: 0; OpenAI Five: 5e-6)."""
    entropy: NonNegativeFloat = 0.01
    """First weight of the entropy (both: 0.01)."""
    final_entropy: NonNegativeFloat = 0.01
    """Weight of the entropy at the end, to which it goes linearly (OpenAI Five: 0.001)."""
    value_weight: NonNegativeFloat = 0.5
    """Weight of the squared error of values (CleanRL: 0.5)."""
    gradient_clip: NonNegativeFloat = 0.5
    """Largest norm of the gradient; 0 is no limit (CleanRL: 0.5)."""
    normalise_values: bool = True
    """Learn values divided by the spread of their targets (van Hasselt et al. 2016b; MAPPO)."""
    normalise_advantages: bool = True
    """Give an iteration's advantages mean 0 and spread 1 (CleanRL does so a minibatch)."""
    adam_epsilon: PositiveFloat = 1e-5
    """Added to Adam's denominator (CleanRL: 1e-5)."""
    kl_stop: NonNegativeFloat = 0.0
    """Approximate KL divergence of a minibatch that ends an iteration's training; 0 is none. With
    one learner only."""

    def check_combination(self) -> None:
        """Raise ValueError for a rollout that sequences do not divide."""
        if self.rollout % self.sequence:
            raise ValueError(
                f"learner.rollout = {self.rollout}: expected a multiple of "
                f"learner.sequence = {self.sequence}"
            )


@dataclass(frozen=True)
class PoolConfig(Settings):
    """Past opponents (OpenAI et al. 2019, appendix N); without opposing teams there are none."""

    table: ClassVar[str] = "pool"

    latest: Share = 0.8
    """Share of matches that the newest network plays against itself (OpenAI Five: 0.8)."""
    interval: PositiveInt = 10
    """Iterations between two opponents that enter the pool (OpenAI Five: 10)."""
    rate: NonNegativeFloat = 0.01
    """How fast an opponent's quality falls when it is beaten (OpenAI Five: 0.01)."""
    size: PositiveInt = 50
    """Opponents at most; the one of the lowest quality goes first."""
    at_once: PositiveInt = 4
    """Different past opponents that a worker's matches are against at a time, each of which costs
    an evaluation a step."""


@dataclass(frozen=True)
class ShapingConfig(Settings):
    """How rewards are shared and how far they count (OpenAI et al. 2019, section 4 and appendix G).

    Each goes linearly from its first value to its final one in the course of a run.
    """

    table: ClassVar[str] = "shaping"

    team_spirit: Share = 0.0
    """First share of the team's mean in an agent's reward, tau (OpenAI Five: 0.3)."""
    final_team_spirit: Share = 0.0
    """The same at the end (OpenAI Five: 1)."""
    horizon: NonNegativeFloat = 0.0
    """First seconds of game time in which rewards count; 0 is by `learner.gamma` (OpenAI Five:
    180)."""
    final_horizon: NonNegativeFloat = 0.0
    """The same at the end; 0 is as at first (OpenAI Five: 360)."""


@dataclass(frozen=True)
class EnvironmentConfig(Settings):
    """The matches that a worker plays at once; `game` says of what."""

    table: ClassVar[str] = "environment"

    matches: PositiveInt = 8
    """Matches of a worker (CleanRL on CartPole: 4)."""
    threads: PositiveInt = 1
    """Threads that advance them and compute networks. No more than there are cores."""


@dataclass(frozen=True)
class TrajectoriesConfig(Settings):
    """Matches that are recorded as they are played; `ludens trajectories RUN` shows them."""

    table: ClassVar[str] = "trajectories"

    matches: NonNegativeInt = 1
    """Matches of each worker that are recorded, one after another in the same places; 0 is none."""
    steps: PositiveInt = 20_000
    """Steps of recorded matches that stay on disk, the newest, and those of the newest 5
    checkpoints; all if `keep_all` is set."""


@dataclass(frozen=True)
class PPOConfig(TrainConfig):
    """Settings of a run of PPO, for one agent or for teams."""

    algorithm: ClassVar[str] = "ppo"

    game: str = "CartPole-v1"
    """What is learned: "lanes_5v5", an environment of Gymnasium or PettingZoo, or one's own as
    `module:Class`."""
    learners: NonNegativeInt = 0
    """Learners under Ray that share each minibatch; 0 learns in the process that drives the run."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    pool: PoolConfig = field(default_factory=PoolConfig)
    shaping: ShapingConfig = field(default_factory=ShapingConfig)
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    rewards: RewardWeights = field(default_factory=RewardWeights)
    trajectories: TrajectoriesConfig = field(default_factory=TrajectoriesConfig)

    def check_combination(self) -> None:
        """Raise ValueError where one of several learners would stop before the others."""
        if self.learner.kl_stop and self.learners > 1:
            raise ValueError(
                f"learner.kl_stop = {self.learner.kl_stop} with learners = {self.learners}: "
                "expected 0, as learners take their steps together"
            )


TECHNIQUES: dict[str, dict[str, str]] = {
    "lstm": {"network.lstm": "0"},
    "global_critic": {"network.critic": "shared"},
    "pool": {"pool.latest": "1"},
    "team_spirit": {"shaping.team_spirit": "0", "shaping.final_team_spirit": "0"},
    "value_norm": {"learner.normalise_values": "false"},
    "advantage_norm": {"learner.normalise_advantages": "false"},
    "entropy": {"learner.entropy": "0", "learner.final_entropy": "0"},
    "gradient_clip": {"learner.gradient_clip": "0"},
    "sample_reuse": {"learner.epochs": "1"},
}
"""What a preset has instead when an ablation leaves a technique out."""
