"""The interface of an algorithm: a config, metrics, and factories of an actor and a learner.

`selfplay` combines any actor with any learner, in one process or under Ray (the division of Acme's
ActorLearnerBuilder, Hoffman et al. 2020). An algorithm is one folder of `agents`, found by its name
in `agents.registry`. One with a loop of its own is not of this kind: `agents.self_driven`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from agents.learning_method import Config, LearningMethod, saved_checkpoint
from agents.players import GreedyPlayer, Player
from agents.progress import Elapsed
from store import checkpoints
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.segments import Compression
from store.replay.window import ReplayWindow, Window
from store.run import Run
from store.settings import read_settings

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


class Algorithm(LearningMethod[Config]):
    """A learning method in the loop of `selfplay`: factories of an actor, a learner and a player.

    The defaults suit an algorithm with one thread and no compiled code.
    """

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

    def window_rows(self, config: Config) -> int:
        """Return the largest window in rows, which resuming needs of the replay.

        Here, as below, it is the setting of that name.
        """
        return int(config.window_rows)  # type: ignore[attr-defined]

    def kept_replay(self, config: Config) -> Window:
        """Return the window of the learner."""
        return Window(self.window_rows(config), of=self.row_field(config))

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

    def worker_config(self, config: Config) -> Config:
        """Return the settings of one worker of a cluster."""
        return config
