"""Training of an algorithm with a loop of its own: its run, its lock, and its Ray."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

from agents.progress import Progress
from agents.self_driven import SelfDriven
from agents.training import TrainConfig
from selfplay.resuming import extension_notice
from store import checkpoints
from store.run import Run


def drive(
    method: SelfDriven[Any],
    run: Run,
    config: TrainConfig,
    store_url: str,
    stop: Callable[[], bool],
) -> Iterator[Progress]:
    """Train a run by its algorithm's own loop, as the run's only trainer.

    Yields what that loop yields, first with a notice if the budget was raised. Raises what it
    raises, RunLockedError for a run in training, and StoreUrlError for a store that Ray's workers
    could not reach.
    """
    with ExitStack() as held:
        held.enter_context(run.lock_trainer())
        saved = checkpoints.newest_metadata(run)
        notices = extension_notice(config, run.info.config, saved)
        if cores := method.ray_cores(config):
            from selfplay.cluster.ray_session import connected, shared_store  # Ray takes a second

            shared_store(store_url, config.workers)
            held.enter_context(connected(cores))
        stages = method.train(run, config, stop)
        if isinstance(stages, Generator):  # it ends before the lock is released
            held.enter_context(closing(stages))
        for progress in stages:
            yield replace(progress, notices=(*notices, *progress.notices))
            notices = ()
