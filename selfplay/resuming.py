"""Resuming a run: its stored settings, what may change, and the effect of a larger budget.

A run keeps the settings that it began with (`store.settings` says how those of another version are
read). Requested settings must agree with them. Settings that were not requested, and come from a
preset or a default that has changed since, yield to the run's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from agents.registry import FIRST, config_of_run, method_of
from agents.running.budget import limits_of, limits_text, share_used
from agents.training import TrainConfig
from store import checkpoints
from store.errors import RunMismatchError, RunNotFoundError
from store.run import Run, config_differences, open_run
from store.settings import LIMITS, newest_budget, read_settings

BUDGET = frozenset(LIMITS)
NO_LIMIT = "no limit"
OF_THE_MACHINE = frozenset({"device", "checkpoint_minutes", "workers"})  # and all of `cluster`
WHEN_ASKED = frozenset({"keep_all", "overlap"})  # and the algorithm's: the run's unless given


class Continued(NamedTuple):
    """The settings and notices of a resumed run.

    Attributes:
        config: its settings, with those requested.
        kept: settings that now differ in the preset: {dotted name: (the run's, the preset's)}.
        added: settings that are newer than the run, at their defaults: {dotted name: value}.
    """

    config: TrainConfig
    kept: dict[str, tuple[Any, Any]]
    added: dict[str, Any]


def settings_of(run: Run) -> TrainConfig:
    """Return the settings stored with a run; raises RunMismatchError if they cannot be read."""
    # The game is compared when the run is opened, not here.
    stored = {name: value for name, value in run.info.config.items() if name != "game"}
    return read_settings(config_of_run(run.info), stored, f"run {run.name!r}")


def check_resumable(run: Run, config: TrainConfig) -> None:
    """Raise RunMismatchError unless the settings agree with those stored with the run."""
    _refuse_other_algorithm(run, config)
    _refuse_changes(run, config, _differences(settings_of(run), config))


def continue_run(
    store_url: str, name: str, config: TrainConfig, asked: Collection[str]
) -> Continued:
    """Return the settings to resume with; those given if the run does not exist yet.

    Args:
        store_url: the store's address.
        name: the run's.
        config: a preset with the requested settings.
        asked: dotted names of the requested settings, which are used, or refused if a run cannot
            change them. The rest is the run's; its budget is the one of its newest session.

    Raises:
        RunMismatchError: a requested setting differs from the run's, or the run is of another game.
    """
    # A file's game can be compared only when it is loaded, and it is not loaded here.
    game = None if config.game.endswith(".py") else config.game
    try:
        run = open_run(store_url, name, game=game)
    except RunNotFoundError:
        return Continued(config, {}, {})
    _refuse_other_algorithm(run, config)
    stored = settings_of(run)
    differences = _differences(stored, config)
    _refuse_changes(run, config, {n: differences[n] for n in differences.keys() & set(asked)})
    own = asdict(stored) | _newest_budget(run)
    taken = {n for n in differences if n in asked or _is_of_the_machine(n)} | (BUDGET & set(asked))
    for changed in taken:
        _copy_setting(asdict(config), own, changed.split("."))
    kept = {n: pair for n, pair in differences.items() if n not in taken and n not in BUDGET}
    resumed = read_settings(type(config), own, f"run {name!r}")
    return Continued(replace(resumed, game=config.game), kept, _added(run, resumed))


def extension_notice(
    config: TrainConfig, first: Mapping[str, Any], saved: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return one line on the learning rate if a run's budget was raised; else nothing.

    Args:
        config: the settings to resume with.
        first: the settings that the run began with, as stored.
        saved: metadata of the checkpoint it continues from; empty without one.
    """
    elapsed_s, counters = saved.get("elapsed_s", 0.0), saved.get("counters", {})
    now, before = limits_of(config), newest_budget(first, saved)
    shares = [share_used(limits, elapsed_s, counters) for limits in (before, now)]
    if not shares[1] < shares[0]:
        return ()
    algorithm = method_of(config)
    rates = [algorithm.learning_rate(config, share) for share in shares]
    course = "stays at {1:g}" if rates[0] == rates[1] else "goes from {0:g} to {1:g}"
    return (
        f"extended from {limits_text(before, NO_LIMIT)} to {limits_text(now, NO_LIMIT)}: as in a "
        f"run of that length, "
        f"the learning rate {course.format(*rates)}, and ends at "
        f"{algorithm.learning_rate(config, 1.0):g}",
    )


def _refuse_other_algorithm(run: Run, config: TrainConfig) -> None:
    theirs = run.info.algorithm or FIRST
    if theirs != config.algorithm:
        raise RunMismatchError(
            f"run {run.name!r} was begun with the algorithm {theirs!r}, not {config.algorithm!r}; "
            "choose another run name"
        )


def _newest_budget(run: Run) -> dict[str, Any]:
    found = newest_budget(run.info.config, checkpoints.newest_metadata(run))
    return {name: limit if name == "minutes" else int(limit) for name, limit in found.items()}


def _differences(stored: TrainConfig, config: TrainConfig) -> dict[str, tuple[Any, Any]]:
    return config_differences(asdict(stored), asdict(replace(config, game=stored.game)))


def _added(run: Run, resumed: TrainConfig) -> dict[str, Any]:
    differences = config_differences(run.info.config, asdict(resumed))
    return {
        name: new
        for name, (old, new) in differences.items()
        if old is None and name not in BUDGET and not _is_of_the_machine(name)
    }


def _is_of_the_machine(name: str) -> bool:
    return name in OF_THE_MACHINE or name.partition(".")[0] == "cluster"


def _refuse_changes(
    run: Run, config: TrainConfig, differences: Mapping[str, tuple[Any, Any]]
) -> None:
    free = BUDGET | WHEN_ASKED | {*method_of(config).when_asked}
    changed = {
        name: pair
        for name, pair in sorted(differences.items())
        if name not in free and not _is_of_the_machine(name)
    }
    if changed:
        listed = ", ".join(
            f"{name} is {old!r}, not {new!r}" for name, (old, new) in changed.items()
        )
        raise RunMismatchError(
            f"run {run.name!r} was begun with other settings: {listed}; leave them as they were, "
            "or choose another run name"
        )


def _copy_setting(source: Mapping[str, Any], target: dict[str, Any], path: list[str]) -> None:
    first, *rest = path
    if rest:
        _copy_setting(source[first], target[first], rest)
    else:
        target[first] = source[first]
