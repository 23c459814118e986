"""Surgery on a run: a new run that begins with a checkpoint of it, made for other settings.

What the network of the checkpoint answers is what it answered before; the algorithm says how
(`agents.learning_method.LearningMethod.surgery`). The source is only read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agents.registry import ALGORITHMS, find_method, method_of, name_of_run
from agents.running.budget import limits_of
from agents.running.run_game import source_of
from agents.training import TrainConfig
from selfplay.loop import versions
from selfplay.own_game import game_of, stored_settings
from store import checkpoints
from store.beginning import begin_run
from store.checkpoints import Checkpoint
from store.errors import RunExistsError, RunMismatchError
from store.run import Run, list_runs, open_run


class Operated(NamedTuple):
    """A run that surgery made.

    Attributes:
        run: the new one.
        step: of its checkpoint.
        elapsed_s: seconds of training that count as its own.
        told: figures of the algorithm, by name.
    """

    run: Run
    step: int
    elapsed_s: float
    told: Mapping[str, float]


def operate(
    store_url: str,
    source: str,
    step: int | None,
    config: TrainConfig,
    name: str,
    *,
    new_budget: bool = False,
) -> Operated:
    """Create the run `name` of these settings from a checkpoint of `source`, the newest if None.

    The minutes, games and rows of the source count for the new run, so that schedules go on; with
    `new_budget` they do not.

    Raises:
        RunMismatchError: the source is of another algorithm.
        RunExistsError: there is a run of that name.
        ValueError: the settings do not hold what the source has; or it has no surgery.
        StoreError: another error of the store.
    """
    run = open_run(store_url, source)
    algorithm = name_of_run(run.info)
    if name in list_runs(store_url):  # before the work is done
        raise RunExistsError(f"run {name!r} exists already in {store_url!r}; choose another name")
    _refuse_without_surgery(run, algorithm)
    if algorithm != config.algorithm:
        raise RunMismatchError(
            f"run {source!r} learned by the algorithm {algorithm!r}, and the new settings are of "
            f"{config.algorithm!r}: expected a preset of {algorithm!r}"
        )
    made = method_of(config).surgery(run, step, config)
    metadata = _metadata(run, made.checkpoint, config, new_budget=new_budget)
    game = game_of(config)
    operated = begin_run(
        store_url,
        name,
        Checkpoint(made.checkpoint.step, made.checkpoint.files, metadata),
        algorithm=config.algorithm,
        game=game.name,
        game_source=source_of(game),
        config=stored_settings(config, game),
        seed=config.seed,
        versions=versions(),
    )
    return Operated(operated, made.checkpoint.step, metadata["elapsed_s"], made.told)


def _refuse_without_surgery(run: Run, algorithm: str) -> None:
    from agents.learning_method import LearningMethod

    def has_surgery(name: str) -> bool:
        return type(find_method(name)).surgery is not LearningMethod.surgery

    if not has_surgery(algorithm):
        known = ", ".join(filter(has_surgery, ALGORITHMS))
        raise RunMismatchError(
            f"run {run.name!r} learned by the algorithm {algorithm!r}, which has no surgery: "
            f"expected a run of {known}"
        )


def _metadata(
    run: Run, made: Checkpoint, config: TrainConfig, *, new_budget: bool
) -> dict[str, Any]:
    """Return the metadata of the new run's checkpoint."""
    saved = {} if new_budget else checkpoints.read_metadata(run, made.step)
    return {
        "cursor": {},  # it has no replay of its own
        "elapsed_s": saved.get("elapsed_s", 0.0),
        "budget": limits_of(config),
        "counters": saved.get("counters", {}),
        **made.metadata,
    }
