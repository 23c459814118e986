"""The result of a sweep: one preset on several games with several seeds, from recorded evaluations.

Scores of different games are put on one scale, where 0 is random play and 1 a person, and estimated
together as Agarwal et al. (2021) recommend: the interquartile mean over all runs, with stratified
bootstrap intervals. Games without published scores have a row of their own alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from arena.evaluation.evaluator import own_protocol
from arena.evaluation.records import Evaluation, read_evaluations
from arena.evaluation.statistics import (
    Estimate,
    Floats,
    Statistic,
    estimate,
    interquartile_mean,
    mean_of_tasks,
    median_of_tasks,
)
from arena.evaluation.table import ScoreRow, published_scores, row_of
from arena.names import AgentNameError
from envs.vector import is_part_of_a_name
from store.errors import StoreError
from store.run import Run, list_runs, open_run

STATISTICS: dict[str, Statistic] = {
    "interquartile_mean": interquartile_mean,
    "median": median_of_tasks,
    "mean": mean_of_tasks,
}


@dataclass(frozen=True)
class GameScores:
    """The runs of one game.

    Attributes:
        game: its name.
        runs: the evaluation of each run that counts.
        mean: the mean of the runs' mean scores.
        human_normalised: the same where 0 is random play and 1 a person; None where unknown, and
            by other protocols than `nature`.
        published: {random, human, dqn: mean score} under `nature`; {} where unknown.
    """

    game: str
    runs: list[ScoreRow]
    mean: Estimate
    human_normalised: Estimate | None
    published: dict[str, float]


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep.

    Attributes:
        protocol: of all scores; "" without a game of Atari.
        epsilon: of all scores of Atari games.
        games: by name.
        normalised: {statistic: estimate} of the human-normalised scores; {} where all are unknown.
        curves: {game: {run: [(minutes, mean score)]}} over each run's evaluated checkpoints.
        missing: runs without an evaluation.
    """

    protocol: str
    epsilon: float
    games: list[GameScores]
    normalised: dict[str, Estimate]
    curves: dict[str, dict[str, list[tuple[float, float]]]]
    missing: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return values for JSON."""
        games = [
            {**asdict(game), "mean": game.mean._asdict(), "human_normalised": _json(game)}
            for game in self.games
        ]
        normalised = {name: found._asdict() for name, found in self.normalised.items()}
        return {**asdict(self), "games": games, "normalised": normalised}


def _json(game: GameScores) -> dict[str, Any] | None:
    return None if game.human_normalised is None else game.human_normalised._asdict()


def runs_of_sweep(store_url: str, prefix: str) -> list[Run]:
    """Open the runs PREFIX-ENV-SEED of a store; raises StoreError where there are none."""
    named = {name: _environment_in(name, prefix) for name in list_runs(store_url)}
    runs = [open_run(store_url, name) for name, environment in named.items() if environment]
    # those of another sweep, whose name begins alike: of `dqn-wide` where `dqn` is asked for
    found = [run for run in runs if is_part_of_a_name(named[run.name], run.info.game)]
    if not found:
        raise StoreError(
            f"no run {prefix}-ENV-SEED in {store_url!r}: `ludens train {prefix} --env A,B "
            "--seeds 3` begins a sweep"
        )
    return found


def _environment_in(name: str, prefix: str) -> str:
    """Return ENV of a run's name if that is PREFIX-ENV-SEED; else ""."""
    environment, _, seed = name.removeprefix(f"{prefix}-").rpartition("-")
    is_of_sweep = name.startswith(f"{prefix}-") and seed.isascii() and seed.isdigit()
    return environment if is_of_sweep else ""


def sweep_of(runs: Sequence[Run]) -> Sweep:
    """Gather the newest evaluated checkpoint of each run, under the run's own protocol.

    Raises ValueError where no run is evaluated, or for runs of different protocols or epsilons,
    whose scores do not compare.
    """
    evaluated = {run.name: _evaluations(run) for run in runs}
    missing = [name for name, found in evaluated.items() if not found]
    if len(missing) == len(runs):
        raise ValueError(f"no run is evaluated yet: `ludens evaluate {' '.join(missing)}` does it")
    chosen = {name: _newest(found) for name, found in evaluated.items() if found}
    protocol, epsilon = _conditions(chosen)
    by_game: dict[str, list[ScoreRow]] = {}
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, found in chosen.items():
        game = found.key.environment
        by_game.setdefault(game, []).append(row_of(name, found))
        same = [e for e in evaluated[name] if e.key.epsilon == found.key.epsilon]
        curves.setdefault(game, {})[name] = _curve(same)
    games = [_game_scores(game, rows) for game, rows in sorted(by_game.items())]
    return Sweep(protocol, epsilon, games, _normalised(games), curves, missing)


def _evaluations(run: Run) -> list[Evaluation]:
    """Read the evaluations of a run in its own environment, by its own protocol."""
    protocols = ("", own_protocol(run.info))
    return [
        found
        for found in read_evaluations(run.files)
        if found.key.environment == run.info.game and found.key.protocol in protocols
    ]


def _newest(found: Iterable[Evaluation]) -> Evaluation:
    """Return the evaluation of the newest checkpoint; of several, that with the most games."""
    return max(found, key=lambda e: (e.key.step or 0, e.games, -e.key.epsilon, -e.key.seed))


def _conditions(chosen: dict[str, Evaluation]) -> tuple[str, float]:
    """Return protocol and epsilon of all games of Atari, or those of the first run without any."""
    atari = {name: found for name, found in chosen.items() if found.key.protocol} or chosen
    first, *others = atari.items()
    told = first[1].key.protocol, first[1].key.epsilon
    for name, found in others:
        if (found.key.protocol, found.key.epsilon) != told:
            raise ValueError(
                f"run {first[0]!r} is evaluated by {_named(first[1])}, run {name!r} by "
                f"{_named(found)}: such scores do not compare"
            )
    return told


def _named(found: Evaluation) -> str:
    return f"{found.key.protocol or 'its own rules'} with epsilon {found.key.epsilon:g}"


def _curve(found: Iterable[Evaluation]) -> list[tuple[float, float]]:
    """Return (minutes, mean score) of evaluations by step; of a step, that with the most games."""
    best: dict[float, Evaluation] = {}
    for evaluation in found:
        if evaluation.minutes is not None:
            other = best.get(evaluation.minutes)
            if other is None or other.games < evaluation.games:
                best[evaluation.minutes] = evaluation
    return [(minutes, evaluation.mean) for minutes, evaluation in sorted(best.items())]


def _game_scores(game: str, rows: list[ScoreRow]) -> GameScores:
    scores = np.array([row.mean for row in rows])
    known = [row.human_normalised for row in rows if row.human_normalised is not None]
    return GameScores(
        game,
        rows,
        estimate([scores], mean_of_tasks),
        estimate([np.array(known)], mean_of_tasks) if known else None,
        published_scores(game),
    )


def _normalised(games: Sequence[GameScores]) -> dict[str, Estimate]:
    """Estimate over all games that have human-normalised scores."""
    tasks: list[Floats] = []
    for game in games:
        shares = [row.human_normalised for row in game.runs if row.human_normalised is not None]
        if shares:
            tasks.append(np.array(shares))
    if not tasks:
        return {}
    return {name: estimate(tasks, statistic) for name, statistic in STATISTICS.items()}


def check_distinct(names: Sequence[str]) -> None:
    """Raise AgentNameError for a run that is named twice."""
    for i, name in enumerate(names):
        if name in names[:i]:
            raise AgentNameError(f"run {name!r} is named twice")
