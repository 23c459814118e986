"""The base of every learning method: its name, settings and metrics, and what it can show.

Of its two kinds, an `Algorithm` (`agents.algorithm`) makes an actor and a learner for the loop of
`selfplay`, and a `SelfDriven` one (`agents.self_driven`) has a loop of its own. Commands, displays,
ratings and reports use what stands here and do not ask which of the two it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from agents.environment_agents import EnvironmentAgent
from agents.findings import Finding
from agents.metrics import MetricSpec
from agents.players import Player, Probe
from agents.training import TrainConfig
from envs.teams import TeamAgent, TeamSpec
from envs.vector import EnvironmentSpec
from store import checkpoints
from store.errors import StoreError
from store.replay.window import Window
from store.run import Run

Config = TypeVar("Config", bound=TrainConfig)


class Surgery(NamedTuple):
    """A checkpoint made for other settings than it was trained with.

    Attributes:
        checkpoint: of the same step.
        told: figures for people, by name.
    """

    checkpoint: checkpoints.Checkpoint
    told: Mapping[str, float]


class LearningMethod(ABC, Generic[Config]):
    """What every learning method says of itself.

    The defaults suit a method with one thread and no compiled code.

    Attributes:
        name: the name that it is registered under.
        config: the class of its settings.
        metrics: of a run, in the order of a panel.
        threads_setting: the setting that says how many threads an actor has, by its dotted name.
        memory_settings: the options whose smaller values need less memory, in words.
        keep_minutes: minutes of training whose checkpoints are kept by name, to be shown.
        learns_teams: whether it learns environments of `envs.teams`, among them those of one agent.
        when_asked: settings that a resumed run may change, as what it learns does not depend on
            them; by their dotted names.
        trajectories_setting: the setting that says how many matches are recorded as trajectories,
            by its dotted name; empty where none are.
    """

    name: str
    config: type[TrainConfig]
    metrics: Sequence[MetricSpec]
    threads_setting = "workers"
    memory_settings = "--learner.window-rows"
    keep_minutes: Sequence[float] = ()
    when_asked: Collection[str] = ()
    learns_teams = False
    trajectories_setting = ""

    @abstractmethod
    def environment(self, config: Config) -> Any:
        """Return the environment to learn, which has a `name`. Raises ValueError if unknown."""

    @abstractmethod
    def kept_replay(self, config: Config) -> Window:
        """Return the replay that stays when old segments are dropped: the newest rows, and of what.

        Resuming reads it, or a reader of recent games; a window of 0 rows keeps none.
        """

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
        """Return a checkpoint as an agent of a board game, the newest if `step` is None.

        Raises ValueError for an option that it does not have, or where it plays no board games, and
        the store's errors.
        """
        raise ValueError(f"the algorithm {self.name!r} plays no board games")

    def acts_in(self, game: str) -> bool:
        """Return whether agents of a run of `game` have scores there, and so play no matches."""
        return type(self).environment_agent is not LearningMethod.environment_agent

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

    def surgery(self, run: Run, step: int | None, config: Config) -> Surgery:
        """Return a run's checkpoint, the newest if `step` is None, for other settings.

        What it answers stays as it is; its metadata has "rest" alone. Raises ValueError for
        settings that it cannot be made for, or for an algorithm without surgery, and the store's
        errors.
        """
        raise ValueError(
            f"run {run.name!r} learned by the algorithm {self.name!r}, whose networks do not grow"
        )

    def learning_rate(self, config: Config, progress: float) -> float:
        """Return the learning rate at a used share of the budget."""
        return float(config.learning_rate)  # type: ignore[attr-defined]

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


def saved_checkpoint(
    run: Run, step: int | None, names: Collection[str] | None = (checkpoints.MODEL_FILE,)
) -> checkpoints.Checkpoint:
    """Return a checkpoint with its weights, the newest valid one if `step` is None.

    `names` are the files to read, all if None. Raises StoreError where there is no checkpoint yet,
    and the store's other errors.
    """
    if step is not None:
        return checkpoints.load(run, step, names=names)
    saved = checkpoints.latest_valid(run, names=names)
    if saved is None:
        raise StoreError(f"run {run.name!r} has no checkpoint yet")
    return saved
