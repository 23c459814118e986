"""Compare an ablation's variants in an environment: the scores of their newest checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from arena.evaluation.evaluator import Evaluator
from arena.evaluation.table import ScoreRow, ScoreTable, row_of, table_of
from arena.evaluation.text import HOW_TO_READ, conditions_of, published_text, rows_text
from arena.match.contenders import newest_step
from arena.rating.ablation_text import CHANCE


@dataclass(frozen=True)
class ScoreAblation:
    """The rows of the variants by their labels, in order, and the table of all that is recorded."""

    results: dict[str, ScoreRow]
    table: ScoreTable

    def to_json(self) -> dict[str, Any]:
        """Return values for JSON."""
        results = [{"variant": label, **asdict(row)} for label, row in self.results.items()]
        return {"outcomes": results, "standing": self.table.to_json()}


def score_ablation(evaluators: Mapping[str, Evaluator]) -> ScoreAblation:
    """Make the results of evaluators by their variants' labels.

    A variant whose newest checkpoint is not evaluated has none. Raises ValueError as `table_of`.
    """
    results = {}
    for label, evaluator in evaluators.items():
        found = evaluator.find(newest_step(evaluator.run))
        if found is not None:
            results[label] = row_of(evaluator.run.name, found)
    return ScoreAblation(results, table_of([*evaluators.values()]))


def score_ablation_text(found: ScoreAblation) -> str:
    """Format the table, and how to read it."""
    lines = [
        conditions_of(found.table),
        *rows_text(found.table.environment, [*found.results.items()], "variant"),
        HOW_TO_READ,
        CHANCE,
    ]
    return "\n".join([*lines, *published_text(found.table.published)])
