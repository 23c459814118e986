"""The interface of an algorithm that has a loop of its own.

What plays and what learns are then a library's, as in RLlib's PPO. The algorithm is a generator of
progress, and shares all else: the run, its lock, the store, checkpoints, displays, ratings.
`agents.running` has what such a loop needs; a `Session` of it has all of that in one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator

from agents.learning_method import Config, LearningMethod
from agents.progress import Progress
from store.replay.window import Window
from store.run import Run


class SelfDriven(LearningMethod[Config]):
    """A learning method with a loop of its own."""

    @abstractmethod
    def train(self, run: Run, config: Config, stop: Callable[[], bool]) -> Iterator[Progress]:
        """Train until the budget is used, `stop` returns True, or the generator is closed.

        It continues from the run's newest checkpoint and writes one last, whichever way it ends;
        `run` is open and locked. It yields a Progress after every stage: "compiling" while the
        clock stands still, then "started", "learned" after each update, "checkpoint", and
        "finished" at the end. `stop` is polled between stages.

        Args:
            run: where checkpoints and episodes go.
            config: the run's settings, with its budget.
            stop: whether to save and end.
        """

    def ray_cores(self, config: Config) -> int:
        """Return the cores that a Ray of this machine needs; 0 where `train` runs without Ray.

        Ray is then started, or the cluster of RAY_ADDRESS connected to, before `train` is called,
        as for all runs. By default Ray serves the workers that the settings ask for.
        """
        cluster = config.cluster
        return config.workers * cluster.worker_cpus + cluster.learner_cpus if config.workers else 0

    def kept_replay(self, config: Config) -> Window:
        """Return an empty window: what it commits is for readers, and resuming needs none of it."""
        return Window(0)
