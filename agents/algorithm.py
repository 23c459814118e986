"""What an algorithm is to the loop: a config, metrics, and makers of an actor and a learner.

`selfplay` lets any actor and any learner meet, in one process or under Ray (the division of Acme's
ActorLearnerBuilder, Hoffman et al. 2020). An algorithm is one folder of `agents`, found by its name
in `agents.registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from agents.findings import Finding
from agents.metrics import MetricSpec
from agents.players import GreedyPlayer, Player, Probe
from agents.training import TrainConfig
from store import checkpoints
from store.errors import StoreError
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.run import Run
from store.settings import read_settings

Config = TypeVar("Config", bound=TrainConfig)

Evaluate = Callable[[Any], tuple[Any, Any]]
"""Observations [n, ...] to the two arrays [n, ...] that a policy answers."""


class Policy(Protocol):
    """What an actor acts by: one version of the weights, on a device."""

    step: int

    def load_weights(self, data: bytes, step: int) -> None:
        """Go on with these weights; not while another thread evaluates."""

    def __call__(self, observations: Any, /) -> tuple[Any, Any]:
        """The two answers to a batch of observations; see `Evaluate`."""


class Actor(Protocol):
    """Makes experience with the weights it was given; knows nothing of the store or of Ray."""

    @property
    def policy(self) -> Any:
        """What it acts by now, for whoever measures it; only between calls of `play`."""

    def load_weights(self, data: bytes, step: int) -> None:
        """Act by these weights, of the learner's step, from now on."""

    def begin_round(self, rows: int) -> None:
        """Set the goal of making so many more training rows."""

    def play(self, pause: Callable[[], bool]) -> bool:
        """Act towards the goal until `pause` answers True; whether it is reached."""

    def take_episodes(self) -> list[Episode]:
        """The episodes finished since the last call, in a fixed order."""

    def counters(self) -> Mapping[str, int]:
        """Totals since it was made or since the state it was given: at least "games", "rows"."""

    def on_checkpoint(self) -> None:
        """Begin again whatever a resumed actor would begin again."""

    def state(self) -> tuple[bytes, dict[str, Any]]:
        """All it needs to continue: arrays as safetensors bytes, and the rest as JSON values."""

    def load_state(self, data: bytes, rest: Mapping[str, Any]) -> None:
        """Continue from `state`; raises VersionError for a newer version's."""

    def close(self) -> None:
        """Release what it holds, such as threads."""


class EvaluatedElsewhere(Protocol):
    """An actor that can be answered by an inference actor instead of a policy of its own."""

    @property
    def threads(self) -> int:
        """Evaluators that it needs, one a thread."""

    def use(self, evaluators: Sequence[Evaluate], step: int) -> None:
        """Act by these evaluators, one a thread, of the weights of this step."""

    def renew(self, number: int, step: int) -> None:
        """Note that evaluator `number` has the weights of `step` from now on."""


class Learner(Protocol):
    """Learns from episodes; knows nothing of who acts."""

    steps: int
    """Training steps since the run began."""

    @property
    def batch_size(self) -> int:
        """Training rows of a step."""

    @property
    def rows_added(self) -> int:
        """Training rows taken since the run began."""

    @property
    def window_rows(self) -> int:
        """Training rows that it samples from now."""

    def add(self, batches: Sequence[EpisodeBatch]) -> int:
        """Take episodes; how many training rows they hold."""

    def train(self, steps: int, progress: float) -> Mapping[str, float]:
        """Make so many steps and answer metrics, means over them.

        `progress` in [0, 1] is the share of the budget that is used, for schedules.
        """

    def weights(self) -> bytes:
        """The weights to act by, as safetensors bytes."""

    def state(self) -> dict[str, Any]:
        """All but the window: tensors and plain values."""

    def load_state(self, state: Mapping[str, Any], window: Sequence[EpisodeBatch]) -> None:
        """Continue from `state` with the episodes of its window; what is damaged raises."""


class Algorithm(ABC, Generic[Config]):
    """A way to learn: a config, metrics, and makers of an actor, a learner and a player.

    What has a default here suits an algorithm with one thread and no compiled code.

    Attributes:
        name: the name that it is registered under.
        config: the class of its settings.
        metrics: what it has to show of a training, in the order of a panel.
        threads_setting: the setting that says how many threads an actor has, by its dotted name.
        memory_settings: the options that need less memory with smaller values, in words.
    """

    name: str
    config: type[TrainConfig]
    metrics: Sequence[MetricSpec]
    threads_setting = "workers"
    memory_settings = "--learner.window-rows"

    @abstractmethod
    def environment(self, config: Config) -> Any:
        """What is learned: an object with a `name`. Raises ValueError for none of that name."""

    @abstractmethod
    def schema(self, config: Config) -> EpisodeSchema:
        """What its episodes hold."""

    @abstractmethod
    def row_field(self, config: Config) -> str:
        """The field of an episode that has an entry for each training row."""

    @abstractmethod
    def make_actor(self, config: Config, number: int) -> Actor:
        """An actor; `number` tells it from all others of the run, and seeds it."""

    @abstractmethod
    def make_learner(self, config: Config) -> Learner:
        """A learner before its first step."""

    @abstractmethod
    def make_policy(self, config: Config) -> Policy:
        """A policy with fresh weights, for an inference actor or for whoever watches."""

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
        """A run's checkpoint as an agent, the newest where `step` is None; here, the greedy one.

        Raises ValueError for an option that it does not have, and the store's errors.
        """
        if options:
            raise ValueError(f"{name!r} takes no options")
        config: Any = read_settings(self.config, run.info.config, f"run {run.name!r}")
        policy = self.make_policy(replace(config, game=run.info.game, device=device))
        if step is None:
            saved = checkpoints.latest_valid(run, names=[checkpoints.MODEL_FILE])
            if saved is None:
                raise StoreError(f"run {run.name!r} has no checkpoint yet")
        else:
            saved = checkpoints.load(run, step, names=[checkpoints.MODEL_FILE])
        policy.load_weights(saved.files[checkpoints.MODEL_FILE], saved.step)
        return GreedyPlayer(policy, name)

    def window_rows(self, config: Config) -> int:
        """The most rows that a learner samples from: what resuming needs of the replay.

        Here, as below, it is the setting of that name.
        """
        return int(config.window_rows)  # type: ignore[attr-defined]

    def passes(self, config: Config) -> float:
        """Training rows a new row, at most (samples per insert)."""
        return float(config.passes)  # type: ignore[attr-defined]

    def learning_rate(self, config: Config, progress: float) -> float:
        """The learning rate when that share of the budget is used."""
        return float(config.learning_rate)  # type: ignore[attr-defined]

    def worker_config(self, config: Config) -> Config:
        """The settings of one worker of a cluster."""
        return config

    def acting_threads(self, config: Config) -> int:
        """Threads of an actor; a learner in the same process uses as many."""
        return 1

    def games_at_once(self, config: Config) -> int:
        """Games in progress in one actor."""
        return 1

    def warm_up(self, config: Config, *, acting: bool, learning: bool) -> None:
        """Compile what acting or learning runs, or load it, before a clock runs."""

    def probes(self, config: Config, policy: Any) -> Iterable[Probe]:
        """Players to measure a policy by where a solver knows the best moves; none here."""
        return ()

    def observation_shape(self, config: Config) -> tuple[int, ...]:
        """Of a batch of float32 observations as one thread of an actor sends it to be evaluated."""
        return (1,)

    def measure_speed(self, config: Config, seconds: float) -> Iterable[Finding]:
        """Measure acting and learning for so many seconds, and say what would be faster."""
        return ()

    def bench(self, config: Config, seconds: float) -> dict[str, Any]:
        """Figures of acting's speed, JSON values, for `ludens bench`.

        Raises ValueError where there is nothing to measure.
        """
        raise ValueError(f"the algorithm {self.name!r} has no benchmark")
