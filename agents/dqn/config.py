"""Settings of DQN and its family; neither torch nor numba is imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.training import TrainConfig
from envs.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveShare,
    Settings,
    Share,
)

Atoms = Annotated[int, Meta(ge=2)]


@dataclass(frozen=True)
class NetworkConfig(Settings):
    """The encoder: from a stack of frames, or a vector, to features."""

    table: ClassVar[str] = "network"

    encoder: Literal["nips2013", "nature", "impala", "mlp"] = "nature"
    """`nips2013`: two convolutions (Mnih et al. 2013); `nature`: three (Mnih et al. 2015);
    `impala`: fifteen, in residual blocks (Espeholt et al. 2018); `mlp`: one hidden layer, for
    vectors."""
    width: PositiveFloat = 1.0
    """Factor on the convolutions' filters (Mnih et al.: 1; Beyond The Rainbow: 2)."""
    hidden: PositiveInt = 512
    """Units of the hidden layer between features and values, and of the one of `mlp` (Mnih et al.
    2013: 256, 2015: 512)."""
    layer_norm: bool = False
    """Normalise each layer before its activation (PQN, Gallici et al. 2024: true)."""
    spectral_norm: bool = False
    """Divide the weights of the residual blocks by their largest singular value (Beyond The
    Rainbow, Clark et al. 2024: true)."""
    max_pool: NonNegativeInt = 0
    """Rows and columns of the maximum pooling after the last convolution; 0 is none (Beyond The
    Rainbow: 6)."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of activations; weights and values are float32. `auto` is bfloat16 where the
    processor computes in it, else float32."""

    def check_combination(self) -> None:
        """Raise ValueError for options that an encoder does not have."""
        if self.spectral_norm and self.encoder != "impala":
            raise ValueError(
                f"network.spectral_norm with network.encoder = {self.encoder!r}: expected "
                "'impala', the one with residual blocks"
            )
        if self.max_pool and self.encoder == "mlp":
            raise ValueError("network.max_pool with network.encoder = 'mlp': it has no pictures")


@dataclass(frozen=True)
class HeadConfig(Settings):
    """The head: from features to the values of actions."""

    table: ClassVar[str] = "head"

    kind: Literal["plain", "c51", "quantile", "iqn"] = "plain"
    """What is learned of a return: `plain` its mean (Mnih et al. 2015), `c51` its distribution over
    fixed atoms (Bellemare et al. 2017), `quantile` its quantiles (Dabney et al. 2018a), `iqn` its
    quantile function (Dabney et al. 2018b)."""
    dueling: bool = False
    """Learn a state's value and its actions' advantages in two streams (Wang et al. 2016)."""
    noisy: bool = False
    """Explore by learned noise on the weights of the last two layers (Fortunato et al. 2018)."""
    noise: NonNegativeFloat = 0.5
    """The noise's first scale, sigma_0 (the paper: 0.5)."""
    atoms: Atoms = 51
    """Atoms of `c51` (the paper: 51)."""
    v_min: float = -10.0
    """Least return that `c51` represents (the paper: -10)."""
    v_max: float = 10.0
    """Greatest return that `c51` represents (the paper: 10)."""
    quantiles: PositiveInt = 200
    """Quantiles of `quantile` (the paper: 200)."""
    kappa: NonNegativeFloat = 1.0
    """Error up to which the quantile loss of `quantile` and `iqn` is quadratic (both papers: 1)."""
    taus: PositiveInt = 64
    """Random fractions at which `iqn` learns (the paper: N = 64; Beyond The Rainbow: 8)."""
    target_taus: PositiveInt = 64
    """Random fractions of an `iqn` target (the paper: N' = 64; Beyond The Rainbow: 8)."""
    acting_taus: PositiveInt = 32
    """Fractions over which `iqn` takes the mean to act; they are evenly spaced (the paper: K = 32,
    drawn at random)."""
    cosines: PositiveInt = 64
    """Cosines in which `iqn` writes a fraction (the paper: 64)."""

    def check_combination(self) -> None:
        """Raise ValueError where no return lies between the bounds."""
        if self.v_min >= self.v_max:
            raise ValueError(
                f"head.v_min = {self.v_min}: expected less than head.v_max = {self.v_max}"
            )


@dataclass(frozen=True)
class TargetConfig(Settings):
    """What the values are moved towards."""

    table: ClassVar[str] = "target"

    gamma: Share = 0.99
    """Discount a step (Mnih et al. 2015: 0.99; Beyond The Rainbow: 0.997)."""
    n_steps: PositiveInt = 1
    """Steps of rewards before the bootstrap, where `q_lambda` is 0 (Mnih et al. 2015: 1; Rainbow,
    Hessel et al. 2018: 3)."""
    q_lambda: Share = 0.0
    """Decay of lambda-returns over `rollout` steps; 0 is n-step targets (PQN: 0.65)."""
    rollout: PositiveInt = 32
    """Consecutive steps over which lambda-returns are computed (PQN: 32)."""
    trace: Literal["peng", "watkins"] = "peng"
    """How far a lambda-return reaches: `peng` to the rollout's end (Peng & Williams 1994; PQN),
    `watkins` to the first action that is not the greedy one (Watkins 1989)."""
    double: bool = False
    """The online network chooses the action that the target network values (van Hasselt et al.
    2016; without a target network this changes nothing)."""
    munchausen: bool = False
    """Add the scaled log-policy to the reward and bootstrap from the soft value (Vieillard et al.
    2020)."""
    munchausen_alpha: Share = 0.9
    """Scale of the log-policy (the paper: 0.9)."""
    munchausen_tau: PositiveFloat = 0.03
    """Temperature of the policy (the paper: 0.03)."""
    munchausen_clip: Annotated[float, Meta(le=0)] = -1.0
    """Least temperature times log-policy, l_0 (the paper: -1)."""
    network: Literal["hard", "soft", "none"] = "hard"
    """The target network: `hard` copies the online one every `period` steps (Mnih et al. 2015),
    `soft` follows it at `rate` (Lillicrap et al. 2016), `none` is the online one itself (PQN)."""
    period: PositiveInt = 10_000
    """Learner steps between two copies (Mnih et al. 2015: 10,000; Rainbow: 2,000, which are 32,000
    frames; Beyond The Rainbow: 500)."""
    rate: PositiveShare = 0.005
    """Share by which a `soft` target network moves in a learner step (Lillicrap et al.: 0.001)."""

    def check_combination(self) -> None:
        """Raise ValueError where two settings choose the next action each in its own way."""
        if self.munchausen and self.double:
            raise ValueError(
                "target.double with target.munchausen: expected one of them, as a soft policy "
                "chooses no single action"
            )
        if self.q_lambda > 0.0 and self.n_steps > 1:
            raise ValueError(
                f"target.n_steps = {self.n_steps} with target.q_lambda = {self.q_lambda}: expected "
                "1, as a lambda-return has all numbers of steps up to target.rollout"
            )


@dataclass(frozen=True)
class LearnerConfig(Settings):
    """Settings of the learner."""

    table: ClassVar[str] = "learner"

    batch_size: PositiveInt = 32
    """Transitions of a training step (Mnih et al. 2015: 32)."""
    optimiser: Literal["rmsprop_centred", "adam", "radam"] = "rmsprop_centred"
    """`rmsprop_centred` as in Mnih et al. 2015 (Graves 2013, equations 38 to 41, decay 0.95);
    `adam` (Kingma & Ba 2015; Rainbow); `radam` (Liu et al. 2020; PQN)."""
    learning_rate: PositiveFloat = 2.5e-4
    """Peak learning rate (Mnih et al. 2015: 2.5e-4)."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate falls to `final_learning_rate` (Mnih et al.: constant; PQN: linear)."""
    final_learning_rate: NonNegativeFloat = 0.0
    """Learning rate at the end of training, unless it is constant (PQN: 0)."""
    decay_start: Share = 0.0
    """Share of the budget after which the learning rate falls. An extended run continues with the
    rate of a run of its new length, which is higher again."""
    epsilon: NonNegativeFloat = 1e-2 / 32**2
    """Added to the optimiser's denominator, of `rmsprop_centred` under the root. Mnih et al. add
    0.01 to squares of gradients summed over 32 rows; of their mean, as here, that is 0.01 / 32^2.
    """
    gradient_clip: NonNegativeFloat = 0.0
    """Largest norm of the gradient; 0 is no limit (Mnih et al. 2015: none; PQN: 10)."""
    error_clip: NonNegativeFloat = 1.0
    """Error of a `plain` head up to which its loss is quadratic (Huber's delta; Mnih et al. 2015:
    1); 0 is the squared error (PQN)."""
    passes: PositiveFloat = 8.0
    """Training rows per new row (Mnih et al. 2015: 8, one batch of 32 every 4 steps; PQN: 2)."""
    epochs: PositiveInt = 1
    """Times that a lambda-return is trained on before it is computed again (PQN: 2)."""
    start_rows: NonNegativeInt = 50_000
    """New rows before the first training step (Mnih et al. 2015: 50,000)."""
    cuda_graphs: bool = False
    """Run a training step as one CUDA graph, and an evaluation for acting as another, instead
    of hundreds of kernels one by one; no effect on a processor."""

    def check_combination(self) -> None:
        """Raise ValueError where the learning rate would rise."""
        if self.schedule != "constant" and self.final_learning_rate > self.learning_rate:
            raise ValueError(
                f"learner.final_learning_rate = {self.final_learning_rate}: expected at most "
                f"learner.learning_rate = {self.learning_rate}"
            )


@dataclass(frozen=True)
class ExplorationConfig(Settings):
    """How often an action is random: epsilon."""

    table: ClassVar[str] = "exploration"

    epsilon: Share = 1.0
    """Share of random actions until the learner starts (Mnih et al. 2015: 1)."""
    final_epsilon: Share = 0.1
    """Share of random actions at last (Mnih et al. 2015: 0.1; PQN: 0.001)."""
    decay_rows: NonNegativeInt = 1_000_000
    """New rows, after the learner's start, in which epsilon falls linearly; 0 is by `decay_share`
    (Mnih et al. 2015: 1,000,000)."""
    decay_share: Share = 0.1
    """Share of the budget in which epsilon falls linearly (PQN: 0.1); used where `decay_rows` is 0.
    """
    ladder: NonNegativeFloat = 0.0
    """Environment i of the N of all actors has epsilon ^ (1 + ladder * i / (N - 1)); 0 gives all of
    them the same (Ape-X, Horgan et al. 2018: 7, with an epsilon of 0.4)."""
    fire: bool = False
    """Press FIRE as the first action of a life, unless that is a random one, where a game has it;
    under `sticky`, where lives are not looked at, as the first action of a game alone. Wrappers
    of Gymnasium and EnvPool do so in training and evaluation; here an evaluated agent does it
    itself. Waiting for the ball costs no life and hardly any value, so an agent may learn to
    wait."""

    def check_combination(self) -> None:
        """Raise ValueError where epsilon would rise."""
        if self.final_epsilon > self.epsilon:
            raise ValueError(
                f"exploration.final_epsilon = {self.final_epsilon}: expected at most "
                f"exploration.epsilon = {self.epsilon}"
            )


@dataclass(frozen=True)
class ReplayConfig(Settings):
    """What the learner samples from."""

    table: ClassVar[str] = "replay"

    rows: PositiveInt = 1_000_000
    """Newest rows to sample from, one a frame (Mnih et al. 2015: 1,000,000)."""
    priority_exponent: Share = 0.0
    """How much priorities count, alpha; 0 is uniform sampling (Schaul et al. 2016: 0.6; Rainbow:
    0.5; Beyond The Rainbow: 0.2)."""
    first_priority: Literal["actors", "greatest"] = "greatest"
    """What a new row's priority is: `greatest` the greatest so far (Schaul et al. 2016; Rainbow),
    `actors` the size of the TD error that its actor found with the values it acted by, of a
    distribution's means (Ape-X, Horgan et al. 2018)."""
    priority_beta: Share = 0.4
    """How much of the sampling's bias the weights take back in the beginning; at the end it is 1
    (Schaul et al. 2016 and Rainbow: 0.4)."""
    priority_epsilon: PositiveFloat = 1e-6
    """Added to each error, so that a row of error 0 can be drawn (Schaul et al. 2016: a small
    number)."""
    reward_clip: NonNegativeFloat = 1.0
    """Largest size of a reward that is learned from; 0 is no limit (Mnih et al. 2015: 1). Scores
    are of the true rewards."""
    segment_rows: PositiveInt = 16_384
    """Rows of a stored segment; a checkpoint seals a shorter one."""
    sample_ahead: bool = False
    """Sample the next batch of a round in a thread while the one before it is trained on; no effect
    with `target.q_lambda` or `on_device`. It pays where a core is idle and frames are large. By
    priority, a batch is then drawn before the new errors of the one before are known (Ape-X, Horgan
    et al. 2018)."""
    on_device: bool = False
    """Keep a second copy of the frames where the networks run, and take stacks from there; a frame
    of Atari has 7 KB, so a million are 7.1 GB of a graphics card."""

    @property
    def by_actors(self) -> bool:
        """Return whether actors find the first priorities of their rows."""
        return self.priority_exponent > 0.0 and self.first_priority == "actors"


@dataclass(frozen=True)
class EnvironmentConfig(Settings):
    """The environments that an actor acts in at once; `game` says which."""

    table: ClassVar[str] = "environment"

    protocol: Literal["nature", "sticky"] = "nature"
    """Of Atari games. `nature` (Mnih et al. 2015): up to 30 actions that do nothing at the start, a
    lost life ends an episode in training, at most 18,000 frames. `sticky` (Machado et al. 2018):
    the last action is repeated with probability 0.25, and lives are not looked at."""
    environments: PositiveInt = 1
    """Environments of an actor, each with a game in progress (Mnih et al. 2015: 1; PQN: 128)."""
    threads: PositiveInt = 1
    """Threads that advance them, and with which networks compute where acting and learning take
    turns; with `overlap` each has half as many. No more than there are cores."""
    stack: PositiveInt = 4
    """Frames of an observation (Mnih et al. 2015: 4; 1 where a frame shows all)."""


@dataclass(frozen=True)
class DQNConfig(TrainConfig):
    """Settings of a run of DQN (Mnih et al. 2015) or of one of its descendants."""

    algorithm: ClassVar[str] = "dqn"

    game: str = "breakout"
    """An Atari game, a Gymnasium environment (`CartPole-v1`), or one's own as `module:Class`."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    target: TargetConfig = field(default_factory=TargetConfig)
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    exploration: ExplorationConfig = field(default_factory=ExplorationConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)

    def check_combination(self) -> None:
        """Raise ValueError for priorities of lambda-returns: rollouts are sampled uniformly.

        And for a ring that loses rows before they can be sampled: before the rollouts are whole
        that they belong to, or before the steps of their return have come in.
        """
        if self.target.q_lambda > 0.0 and self.replay.priority_exponent > 0.0:
            raise ValueError(
                f"replay.priority_exponent = {self.replay.priority_exponent} with "
                f"target.q_lambda = {self.target.q_lambda}: expected 0, as rollouts are sampled "
                "uniformly"
            )
        if self.target.q_lambda > 0.0 and self.replay.rows < (least := self._rollout_rows()):
            raise ValueError(
                f"replay.rows = {self.replay.rows} with target.q_lambda = {self.target.q_lambda}: "
                f"expected {least} or more, which come in while an environment makes a rollout of "
                f"target.rollout = {self.target.rollout} steps and what was seen before and after"
            )
        if self.target.q_lambda == 0.0 and self.replay.rows < (least := self._sample_rows()):
            raise ValueError(
                f"replay.rows = {self.replay.rows}: expected {least} or more, which come in while "
                f"each environment shows a stack (environment.stack = {self.environment.stack}) "
                f"and makes the steps of a return (target.n_steps = {self.target.n_steps}); no row "
                "can be sampled before"
            )

    def _sample_rows(self) -> int:
        """Return the rows in which each environment has a stack and the steps of its return."""
        environments = self.environment.environments * max(1, self.workers)
        return environments * (self.environment.stack + self.target.n_steps)

    def _rollout_rows(self) -> int:
        """Return the rows of the rounds that a rollout with its stacks lies in, ends not counted.

        It takes one row after its steps, and before them those of the first stack. A round has the
        rows of one environment after those of the other, and its rollouts are used at its end.
        """
        steps = self.target.rollout + self.environment.stack - 1
        if self.workers:
            environments = self.environment.environments
            rounds = -(-steps * environments // self.cluster.segment_rows) + 1
            return rounds * self.cluster.segment_rows * self.workers
        rounds = -(-steps * self.environment.environments // self.publish_rows) + 1
        return rounds * self.publish_rows


TECHNIQUES: dict[str, dict[str, str]] = {
    "layer_norm": {"network.layer_norm": "false"},
    "spectral_norm": {"network.spectral_norm": "false"},
    "distribution": {"head.kind": "plain"},
    "dueling": {"head.dueling": "false"},
    "noisy": {"head.noisy": "false"},
    "several_steps": {"target.n_steps": "1"},
    "double": {"target.double": "false"},
    "munchausen": {"target.munchausen": "false"},
    "target_network": {"target.network": "none"},
    "priorities": {"replay.priority_exponent": "0"},
    "reward_clip": {"replay.reward_clip": "0"},
    "ladder": {"exploration.ladder": "0"},
    "fire": {"exploration.fire": "false"},
    "gradient_clip": {"learner.gradient_clip": "0"},
    "second_epoch": {"learner.epochs": "1"},
}
"""What a preset has instead when an ablation leaves a technique out."""
