"""The interface of an algorithm: a config, metrics, and factories of an actor and a learner.

`selfplay` combines any actor with any learner, in one process or under Ray (the division of Acme's
ActorLearnerBuilder, Hoffman et al. 2020). An algorithm is one folder of `agents`, found by its name
in `agents.registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from agents.environment_agents import EnvironmentAgent
from agents.findings import Finding
from agents.metrics import MetricSpec
from agents.players import GreedyPlayer, Player, Probe
from agents.progress import Elapsed
from agents.training import TrainConfig
from envs.teams import TeamAgent, TeamSpec
from envs.vector import EnvironmentSpec
from store import checkpoints
from store.errors import StoreError
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.segments import Compression
from store.replay.window import ReplayWindow
from store.run import Run
from store.settings import read_settings

Config = TypeVar("Config", bound=TrainConfig)

Evaluate = Callable[[Any], tuple[Any, Any]]
"""Observations [n, ...] to the two arrays [n, ...] that a policy answers."""


class Policy(Protocol):
    """One version of the weights on a device, by which an actor acts."""

    step: int

    def load_weights(self, data: bytes, step: int) -> None:
        """Switch to these weights; not while another thread evaluates."""

    def __call__(self, observations: Any, /) -> tuple[Any, Any]:
        """Return the two answers to a batch of observations; see `Evaluate`."""


class Actor(Protocol):
    """Makes experience with the weights it was given; independent of the store and of Ray."""

    @property
    def policy(self) -> Any:
        """Return the policy in use, for measurements; only between calls of `play`."""

    def load_weights(self, data: bytes, step: int) -> None:
        """Act by these weights, of the learner's step, from now on."""

    def begin_round(self, rows: int, elapsed: Elapsed) -> None:
        """Set the goal to `rows` more training rows, at this moment of the run."""

    def play(self, pause: Callable[[], bool]) -> bool:
        """Act until the goal is reached or `pause` returns True; return whether it is reached."""

    def take_episodes(self) -> list[Episode]:
        """Return the episodes finished since the last call, in a fixed order."""

    def counters(self) -> Mapping[str, float]:
        """Return totals since creation or since the loaded state: at least "games", "rows"."""

    def on_checkpoint(self) -> None:
        """Restart whatever a resumed actor restarts."""

    def state(self) -> tuple[bytes, dict[str, Any]]:
        """Return the state to continue from: arrays as safetensors bytes, the rest as JSON."""

    def load_state(self, data: bytes, rest: Mapping[str, Any]) -> None:
        """Continue from `state`; raises VersionError if a newer version wrote it."""

    def close(self) -> None:
        """Release resources such as threads."""


class EvaluatedElsewhere(Protocol):
    """An actor that an inference actor can evaluate for, instead of a policy of its own."""

    @property
    def threads(self) -> int:
        """Return the number of evaluators needed, one a thread."""

    def use(self, evaluators: Sequence[Evaluate], step: int) -> None:
        """Act by these evaluators, one a thread, of the weights of this step."""

    def renew(self, number: int, step: int) -> None:
        """Record that evaluator `number` has the weights of `step` from now on."""


class Learner(Protocol):
    """Learns from episodes; independent of who acts."""

    steps: int
    """Training steps since the run began."""

    @property
    def batch_size(self) -> int:
        """Return the training rows of a step."""

    @property
    def rows_added(self) -> int:
        """Return the training rows added since the run began."""

    @property
    def window_rows(self) -> int:
        """Return the training rows in the window."""

    def add(self, batches: Sequence[EpisodeBatch]) -> int:
        """Add episodes; return their training rows."""

    def train(self, steps: int, progress: float) -> Mapping[str, float]:
        """Train `steps` steps and return metrics, means over them.

        It may make none of them while its window has nothing to learn from yet; they come later.
        `progress` in [0, 1] is the share of the budget that is used, for schedules.
        """

    def weights(self) -> bytes:
        """Return the weights to act by, as safetensors bytes."""

    def state(self) -> dict[str, Any]:
        """Return all state but the window: tensors and plain values."""

    def load_state(self, state: Mapping[str, Any], window: ReplayWindow) -> None:
        """Continue from `state` with the episodes of its window; raises for damaged state.

        The window is in the order in which it was added. It is read once, a few segments at a time.
        """


class Algorithm(ABC, Generic[Config]):
    """A learning method: a config, metrics, and factories of an actor, a learner and a player.

    The defaults suit an algorithm with one thread and no compiled code.

    Attributes:
        name: the name that it is registered under.
        config: the class of its settings.
        metrics: of a run, in the order of a panel.
        threads_setting: the setting that says how many threads an actor has, by its dotted name.
        memory_settings: the options whose smaller values need less memory, in words.
        keep_minutes: minutes of training whose checkpoints are kept by name, to be shown.
        when_asked: settings that a resumed run may change, as what it learns does not depend on
            them; by their dotted names.
    """

    name: str
    config: type[TrainConfig]
    metrics: Sequence[MetricSpec]
    threads_setting = "workers"
    memory_settings = "--learner.window-rows"
    keep_minutes: Sequence[float] = ()
    when_asked: Collection[str] = ()

    @abstractmethod
    def environment(self, config: Config) -> Any:
        """Return the environment to learn, which has a `name`. Raises ValueError if unknown."""

    @abstractmethod
    def schema(self, config: Config) -> EpisodeSchema:
        """Return the schema of its episodes."""

    @abstractmethod
    def row_field(self, config: Config) -> str:
        """Return the field of an episode that has an entry for each training row."""

    @abstractmethod
    def make_actor(self, config: Config, number: int) -> Actor:
        """Create an actor; `number` identifies it within the run, and seeds it."""

    @abstractmethod
    def make_learner(self, config: Config) -> Learner:
        """Create a learner before its first step."""

    def pass_weights(self, learner: Any, actor: Any) -> None:
        """Let an actor act by the learner's weights of now, both in this process."""
        actor.load_weights(learner.weights(), learner.steps)

    @abstractmethod
    def make_policy(self, config: Config) -> Policy:
        """Create a policy with fresh weights, for an inference actor or for display."""

    def player(
        self,
        game: Any,
        run: Run,
        step: int | None,
        options: Mapping[str, str],
        *,
        name: str,
        device: str,
    ) -> Player:
        """Return a checkpoint as an agent, the newest if `step` is None; by default a greedy one.

        Raises ValueError for an option that it does not have, and the store's errors.
        """
        if options:
            raise ValueError(f"{name!r} takes no options")
        config: Any = read_settings(self.config, run.info.config, f"run {run.name!r}")
        policy = self.make_policy(replace(config, game=run.info.game, device=device))
        saved = saved_checkpoint(run, step)
        policy.load_weights(saved.files[checkpoints.MODEL_FILE], saved.step)
        return GreedyPlayer(policy, name)

    @property
    def acts_in_environments(self) -> bool:
        """Return whether its agents have scores in an environment, and so play no matches."""
        return type(self).environment_agent is not Algorithm.environment_agent

    def environment_agent(
        self,
        run: Run,
        step: int | None,
        options: Mapping[str, str],
        *,
        spec: EnvironmentSpec,
        name: str,
        device: str,
    ) -> EnvironmentAgent:
        """Return a checkpoint as an agent of its environment, the newest if `step` is None.

        `spec` is of the run's environment, which a person named if it is a class of their own.

        An algorithm that learns environments has this in place of `player`. The option that all of
        them have is `epsilon`, the share of random actions.

        Raises ValueError for an option that it does not have, or for an algorithm of board games,
        and the store's errors.
        """
        raise ValueError(
            f"run {run.name!r} learned {run.info.game!r} with the algorithm {self.name!r}, whose "
            f"agents play matches and have no scores: `ludens rate {run.name}` rates them"
        )

    def team_agent(
        self,
        run: Run,
        step: int | None,
        options: Mapping[str, str],
        *,
        spec: TeamSpec,
        name: str,
        device: str,
    ) -> TeamAgent:
        """Return a checkpoint as an agent that plays a team, the newest if `step` is None.

        `spec` is of the game to play: the run's own, or another one with as many or as few agents
        a team, whose agents see and do the same (`envs.teams.TeamGame.relatives`).

        An algorithm that learns games of teams has this in place of `player`.

        Raises ValueError for an option that it does not have, or for an algorithm that learns no
        games of teams, and the store's errors.
        """
        raise ValueError(
            f"run {run.name!r} learned {run.info.game!r} with the algorithm {self.name!r}, whose "
            f"agents play no games of teams, such as {spec.name!r}"
        )

    def window_rows(self, config: Config) -> int:
        """Return the largest window in rows, which resuming needs of the replay.

        Here, as below, it is the setting of that name.
        """
        return int(config.window_rows)  # type: ignore[attr-defined]

    def writes_through(self, config: Config) -> bool:
        """Return whether episodes reach the learner at once in one process.

        They are sealed to the store in segments of `segment_rows` rows. A kill loses what is not
        sealed, and a resumed actor begins other episodes: right for frames, which are bulky. By
        default each round is committed before the learner reads it from the store.
        """
        return False

    def segment_rows(self, config: Config) -> int:
        """Return the training rows of a segment of an algorithm that writes through."""
        return 4096

    def compression(self, config: Config) -> Compression:
        """Return how segments are compressed: "zstd" for frames, None by default."""
        return None

    def counted(self, config: Config, batch: EpisodeBatch) -> dict[str, int]:
        """Return what stored episodes add to the counters of those who made them.

        By default an episode is a game, which is not so where episodes are stored in pieces.
        """
        return {"games": len(batch), "rows": batch.rows(self.row_field(config))}

    def passes(self, config: Config) -> float:
        """Return the most training rows per new row (samples per insert)."""
        return float(config.passes)  # type: ignore[attr-defined]

    def start_rows(self, config: Config) -> int:
        """Return the new rows before the first training step; they allow no training."""
        return 0

    def backlog_rows(self, config: Config) -> int:
        """Return the rows committed and not trained on yet beyond which workers wait.

        By default it is the setting of that name.
        """
        return config.cluster.backlog_rows

    def learning_rate(self, config: Config, progress: float) -> float:
        """Return the learning rate at a used share of the budget."""
        return float(config.learning_rate)  # type: ignore[attr-defined]

    def worker_config(self, config: Config) -> Config:
        """Return the settings of one worker of a cluster."""
        return config

    def acting_threads(self, config: Config) -> int:
        """Return the threads of an actor; a learner in the same process uses as many."""
        return 1

    def games_at_once(self, config: Config) -> int:
        """Return the games in progress in one actor."""
        return 1

    def warm_up(self, config: Config, *, acting: bool, learning: bool) -> None:
        """Compile or load all kernels for acting or learning, before a clock starts."""

    def probes(self, config: Config, policy: Any) -> Iterable[Probe]:
        """Return players to measure a policy by where a solver exists; by default none."""
        return ()

    def observation_shape(self, config: Config) -> tuple[int, ...]:
        """Of a batch of float32 observations as one thread of an actor sends it to be evaluated."""
        return (1,)

    def measure_speed(self, config: Config, seconds: float) -> Iterable[Finding]:
        """Measure acting and learning for about `seconds` and suggest faster settings."""
        return ()

    def bench(self, config: Config, seconds: float) -> dict[str, Any]:
        """Return figures of acting's speed, as JSON values, for `ludens bench selfplay|acting`.

        Raises ValueError where there is nothing to measure.
        """
        raise ValueError(f"the algorithm {self.name!r} has no benchmark")


def saved_checkpoint(run: Run, step: int | None) -> checkpoints.Checkpoint:
    """Return a checkpoint with its weights, the newest valid one if `step` is None.

    Raises StoreError where there is none yet, and the store's other errors.
    """
    if step is not None:
        return checkpoints.load(run, step, names=[checkpoints.MODEL_FILE])
    saved = checkpoints.latest_valid(run, names=[checkpoints.MODEL_FILE])
    if saved is None:
        raise StoreError(f"run {run.name!r} has no checkpoint yet")
    return saved
