"""Tables of scores: the checkpoints of runs in one environment, under one protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from arena.evaluation.evaluator import Evaluator
from arena.evaluation.records import Evaluation
from envs.atari.scores import PUBLISHED


@dataclass(frozen=True)
class ScoreRow:
    """One evaluated checkpoint; what is not known is None.

    Attributes:
        run: its run.
        step: the learner's.
        minutes: trained.
        rows: training rows by then.
        mean: the mean score.
        error: half of its 95% interval.
        deviation: standard deviation of the scores.
        median: the median score.
        games: how many.
        human_normalised: the mean where 0 is random play and 1 a person, by `nature` alone.
        measured: the share of the steps that each measure of the environment counted.
    """

    run: str
    step: int
    minutes: float | None
    rows: int | None
    mean: float
    error: float | None
    deviation: float | None
    median: float
    games: int
    human_normalised: float | None
    measured: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoreTable:
    """Scores of runs; `rows` by run and step, `best` by run, `published` scores by who played."""

    environment: str
    protocol: str
    epsilon: float
    seed: int
    rows: list[ScoreRow]
    best: dict[str, ScoreRow]
    published: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return values for JSON."""
        return asdict(self)


def table_of(evaluators: Sequence[Evaluator]) -> ScoreTable:
    """Make the table of what is evaluated of these runs, of checkpoints since pruned too.

    Raises ValueError for runs of different environments or protocols.
    """
    first = evaluators[0].setting
    for evaluator in evaluators[1:]:
        other = evaluator.setting
        if other.key(None) != first.key(None):
            raise ValueError(
                f"run {evaluators[0].run.name!r} is evaluated in {_named(first.key(None))}, run "
                f"{evaluator.run.name!r} in {_named(other.key(None))}: such scores do not compare"
            )
    rows = [row_of(e.run.name, found) for e in evaluators for found in e.recorded()]
    best: dict[str, ScoreRow] = {}
    for row in rows:
        if row.run not in best or row.mean > best[row.run].mean:
            best[row.run] = row
    spec = first.spec
    return ScoreTable(
        spec.name,
        first.protocol,
        first.epsilon,
        first.settings.seed,
        rows,
        best,
        published_scores(spec.name),
    )


def row_of(run: str, found: Evaluation) -> ScoreRow:
    """Make the row of a stored evaluation."""
    assert found.key.step is not None  # stored ones have one
    return ScoreRow(
        run,
        found.key.step,
        found.minutes,
        found.rows,
        found.mean,
        found.error,
        found.deviation,
        found.median,
        found.games,
        found.human_normalised,
        found.measured,
    )


def published_scores(environment: str) -> dict[str, float]:
    """Return published scores under `nature`, {random, human, dqn: mean}; {} for none."""
    found = PUBLISHED.get(environment)
    return {} if found is None else found._asdict()


def _named(key: Any) -> str:
    return f"{key.environment} by {key.protocol or 'its own rules'}, epsilon {key.epsilon:g}"
