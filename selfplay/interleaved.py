"""Interleaved training of several runs, so that changes in machine speed affect all alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping

from agents.progress import Progress
from agents.training import TrainConfig
from selfplay.loop import train
from store import checkpoints
from store.errors import CheckpointError, CheckpointNotFoundError, RunNotFoundError
from store.run import open_run


def train_in_turns(
    configs: Mapping[str, TrainConfig],
    *,
    store_url: str,
    turn_s: float,
    stop: Callable[[], bool] = lambda: False,
    changed_game: bool = False,
) -> Iterator[tuple[str, Progress]]:
    """Train each run to the end of its budget, always the one trained least so far.

    Every turn ends in a checkpoint; the same call continues after a stop. Yields (run, Progress)
    after every stage of a run's loop, with a "finished" at the end of each turn. Raises what
    `selfplay.loop.train` raises, and ValueError for a run without a budget.

    Args:
        configs: the runs by name.
        store_url: where they are kept.
        turn_s: seconds of training in a turn at least; it also lasts until something is learned.
        stop: polled often; True ends this turn and all later ones.
        changed_game: as `selfplay.loop.train` takes it.
    """
    for name, config in configs.items():
        if not config.is_limited:
            raise ValueError(f"run {name!r}: expected a budget in minutes, games or rows")
    trained = {name: _saved(store_url, name)[0] for name in configs}
    while trained and not stop():
        name = min(trained, key=lambda name: trained[name])
        turn = _Turn(turn_s, _saved(store_url, name)[1], stop)
        for progress in train(
            configs[name], store_url=store_url, run_name=name, stop=turn, changed_game=changed_game
        ):
            turn.note(progress)
            yield name, progress
        trained[name] = progress.elapsed_s
        if progress.budget_is_used:
            del trained[name]


class _Turn:
    """Whether a turn is over: its time is up and there is progress for a checkpoint to save.

    Without the latter, turns shorter than a round of the loop would make no progress. The clock
    starts when loading and compiling end.
    """

    def __init__(self, seconds: float, saved_step: int, stop: Callable[[], bool]) -> None:
        self.seconds = seconds
        self.saved_step = saved_step
        self.stop = stop
        self.end = math.inf
        self._learned = False

    def note(self, progress: Progress) -> None:
        if self.end == math.inf and progress.event != "compiling":
            self.end = time.monotonic() + self.seconds
        self._learned = progress.learner_steps > self.saved_step

    def __call__(self) -> bool:
        return self.stop() or (self._learned and time.monotonic() >= self.end)


def _saved(store_url: str, name: str) -> tuple[float, int]:
    """Return seconds and learner steps of a run's newest checkpoint; zeros if there is none."""
    try:
        run = open_run(store_url, name)
        steps = checkpoints.steps(run)
        if steps:
            return float(checkpoints.read_metadata(run, steps[-1])["elapsed_s"]), steps[-1]
    except (RunNotFoundError, CheckpointError, CheckpointNotFoundError):
        pass
    return 0.0, 0
