"""Print evaluations as text: progress, one agent's scores, the table of a run's checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arena.evaluation.records import Evaluation, EvaluationKey
from arena.evaluation.table import ScoreRow, ScoreTable, published_scores
from arena.rating.ladder_text import aligned
from arena.status_line import StatusLine
from envs.atari.measures import measures_of

HEADER = ("step", "minutes", "rows", "mean", "+-", "deviation", "median", "games", "human")
HOW_TO_READ = (
    "+-: half of the mean's 95% interval. human: 0 is random play, 1 a person, by protocol nature."
)
LEFT = (0,)
UNKNOWN = "-"
PLAYERS = {"random": "random play", "human": "a person", "dqn": "DQN of 2015"}
"""Who has published scores, in words."""


class EvaluationProgress(StatusLine):
    """Shows how many games the agent that plays now has finished."""

    def __call__(self, agent: str, finished: int, games: int) -> None:
        """Show the games that an agent has finished, if it is time to."""
        self.show(f"{agent}: {finished} of {games} games")


def evaluation_text(agent: str, found: Evaluation) -> str:
    """Format the scores of one agent in a few lines."""
    lines = [
        f"{agent}, {conditions(found.key)}:",
        f"  mean {score_text(found.mean)}{_error(found.error)}, deviation "
        f"{score_text(found.deviation)}, median {score_text(found.median)}, best "
        f"{score_text(float(found.scores.max()))}; {found.games} games, {found.frames:,} frames",
    ]
    if found.human_normalised is not None:
        lines.append(f"  human-normalised {found.human_normalised:.3f}")
    published = published_scores(found.key.environment)
    if published and found.human_normalised is None:
        lines.append("  not human-normalised: that scale is of protocol nature")
    told = measured_text(found.key.environment, found.measured)
    lines += [f"  {label} {share} of the steps" for label, share in told.items()]
    return "\n".join([*lines, *published_text(published)])


def table_text(table: ScoreTable) -> str:
    """Format the scores of runs over their checkpoints."""
    lines = [
        conditions_of(table),
        *rows_text(table.environment, [(row.run, row) for row in table.rows], "run"),
        HOW_TO_READ,
    ]
    for run, best in table.best.items():
        mean = f"{score_text(best.mean)}{_error(best.error)}"
        lines.append(f"{run}: best is step {best.step}, {mean}")
    return "\n".join([*lines, *published_text(table.published)])


def rows_text(environment: str, rows: Sequence[tuple[str, ScoreRow]], first: str) -> list[str]:
    """Format named rows, with a column for each measure that they have; `first` heads the names."""
    told = [measured_text(environment, row.measured) for _, row in rows]
    labels = list(dict.fromkeys(label for shares in told for label in shares))
    cells = [
        (name, *_cells(row), *(shares.get(label, UNKNOWN) for label in labels))
        for (name, row), shares in zip(rows, told, strict=True)
    ]
    return aligned([(first, *HEADER, *labels), *cells], LEFT)


def conditions_of(table: ScoreTable) -> str:
    """Format what beside the agents decides the scores of a table."""
    return conditions(
        EvaluationKey(table.environment, None, table.protocol, table.epsilon, table.seed)
    )


def conditions(key: EvaluationKey) -> str:
    """Format what beside the agent decides a score."""
    protocol = f"protocol {key.protocol}, " if key.protocol else ""
    return f"{key.environment}, {protocol}epsilon {key.epsilon:g}, seed {key.seed}"


def measured_text(environment: str, measured: Mapping[str, float]) -> dict[str, str]:
    """Format the shares of steps that measures counted, {label: share}, as "12.3%"."""
    return {
        measure.label: f"{100 * measured[measure.name]:.1f}%"
        for measure in measures_of(environment)
        if measure.name in measured
    }


def published_text(published: Mapping[str, float]) -> list[str]:
    """Format the published scores of a game in a line; [] without any."""
    if not published:
        return []
    told = ", ".join(f"{PLAYERS[who]} {score_text(score)}" for who, score in published.items())
    return [f"published (Mnih et al. 2015, protocol nature): {told}"]


def score_text(score: float | None) -> str:
    """Format a score; a dash where it is unknown."""
    if score is None:
        return UNKNOWN
    return f"{score:,.1f}" if abs(score) >= 1.0 else f"{score:.3f}"


def _error(error: float | None) -> str:
    return "" if error is None else f" +- {score_text(error)}"


def _cells(row: ScoreRow) -> Sequence[str]:
    return (
        f"{row.step:,}",
        UNKNOWN if row.minutes is None else f"{row.minutes:.1f}",
        UNKNOWN if row.rows is None else f"{row.rows:,}",
        score_text(row.mean),
        score_text(row.error),
        score_text(row.deviation),
        score_text(row.median),
        f"{row.games:,}",
        UNKNOWN if row.human_normalised is None else f"{row.human_normalised:.3f}",
    )
