"""Evaluate the checkpoints of runs: those that stand, and those that come while a run trains."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from arena.evaluation.evaluator import Evaluator
from arena.evaluation.records import Evaluation
from arena.rating.ladder import thinned
from store import checkpoints
from store.errors import CheckpointError, CheckpointNotFoundError, StoreError
from store.progress.lock_watch import LockWatch
from store.run import Run
from store.upkeep.holds import Hold

POLL_S = 10.0  # between looks for a new checkpoint

Pause = Callable[[float], None]
Progress = Callable[[str, int, int], None]  # agent, games finished, of how many

_logger = logging.getLogger("ludens.arena")


def evaluate_new(
    evaluator: Evaluator,
    *,
    progress: Progress,
    pause: Pause = time.sleep,
    watch: LockWatch | None = None,
) -> Iterator[Evaluation]:
    """Evaluate the newest checkpoint, then each new one, until the run's training has stopped.

    Where checkpoints come faster than they are evaluated, the newest is next, and those before it
    are passed over.
    """
    run = evaluator.run
    watch = watch or LockWatch(run.files)
    seen = -1
    while True:
        is_training = watch.may_be_held()  # asked first: its last checkpoint may come in between
        newest = checkpoints.latest(run)
        if newest is not None and newest > seen:
            seen = newest
            with _held(run, [newest]):
                found = _evaluated(evaluator, newest, progress)
            if found is not None:
                yield found
        elif is_training:
            pause(POLL_S)
        else:
            return


def evaluate_chosen(
    evaluators: Sequence[Evaluator],
    most: int,
    *,
    progress: Progress,
    settled: Callable[[], None],
    follow: bool = False,
    pause: Pause = time.sleep,
) -> bool:
    """Evaluate up to `most` checkpoints of each run; False if it was interrupted (Ctrl-C).

    They are the first, the newest, and some between (`arena.rating.ladder.thinned`). With `follow`
    new ones join, until no run is being trained any more.

    Args:
        evaluators: one for each run.
        most: checkpoints of a run.
        progress: called with the agent that plays, and its games.
        settled: called when there is nothing left to play for now, or on Ctrl-C.
        follow: wait for new checkpoints.
        pause: sleeps a number of seconds.
    """
    watches = [LockWatch(evaluator.run.files) for evaluator in evaluators]
    failed: set[tuple[str, int]] = set()
    is_first = True
    try:
        while True:
            looks = [watch.may_be_held() for watch in watches]  # first: see `evaluate_new`
            played = [_evaluate_chosen_of(e, most, progress, failed) for e in evaluators]
            if any(played) or is_first:
                settled()
            is_first = False
            if not follow or not (any(played) or any(looks)):
                return True
            if not any(played):
                pause(POLL_S)
    except KeyboardInterrupt:
        settled()
        return False


def _evaluate_chosen_of(
    evaluator: Evaluator, most: int, progress: Progress, failed: set[tuple[str, int]]
) -> bool:
    """Evaluate checkpoints of a run, held against pruning; return whether one was played.

    Those that cannot be are added to `failed`, (run, step), and not tried again.
    """
    run = evaluator.run
    missing = [
        step
        for step in thinned(checkpoints.steps(run), most)
        if (run.name, step) not in failed and evaluator.find(step) is None
    ]
    if not missing:
        return False
    with _held(run, missing):
        played = [step for step in missing if _evaluated(evaluator, step, progress)]
    failed |= {(run.name, step) for step in missing if step not in played}
    return bool(played)


def evaluate_one(evaluator: Evaluator, step: int, progress: Progress) -> Evaluation:
    """Evaluate a checkpoint, held against pruning; raises as `Evaluator.evaluate`.

    Where the store cannot be written, a warning says that the evaluation is not recorded.
    """
    with _held(evaluator.run, [step]):
        return evaluator.evaluate(
            step, partial(progress, evaluator.agent_name(step)), must_record=False
        )


def _held(run: Run, steps: Sequence[int]) -> AbstractContextManager[object]:
    """Keep checkpoints from pruning while they play; the best of them is noted before that ends."""
    try:
        return Hold(run, checkpoints=steps)
    except (OSError, StoreError) as error:  # those that are pruned are passed over
        _logger.warning("the checkpoints of run %r are not held: %s", run.name, error)
        return nullcontext()


def _evaluated(evaluator: Evaluator, step: int, progress: Progress) -> Evaluation | None:
    """Evaluate a checkpoint; None, with a warning, where it is gone or damaged."""
    name = evaluator.agent_name(step)
    try:
        return evaluator.evaluate(step, partial(progress, name))
    except (CheckpointError, CheckpointNotFoundError) as error:
        _logger.warning("%s is not evaluated: %s", name, error)
        return None
