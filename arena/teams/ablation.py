"""Compare an ablation's variants in a game of teams: their newest checkpoints play each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from arena.rating.ablation_text import CHANCE
from arena.rating.ladder_text import aligned
from arena.teams.ladder import TeamLadder
from arena.teams.skill import superiority
from arena.teams.table import SkillRow, SkillTable, table_of

UNKNOWN = "-"


@dataclass(frozen=True)
class TeamVariant:
    """One variant.

    Attributes:
        row: of its checkpoint; its likelihood of superiority is that over the first variant.
        scores: {agent: share of the points against it} for the first variant and the scripted
            players; None where they did not play.
    """

    row: SkillRow
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class TeamAblation:
    """The variants by their labels, in order, and the table of all who played."""

    results: dict[str, TeamVariant]
    table: SkillTable

    def to_json(self) -> dict[str, Any]:
        """Return values for JSON."""
        results = [
            {"variant": label, **asdict(result.row), "scores": dict(result.scores)}
            for label, result in self.results.items()
        ]
        return {"outcomes": results, "standing": self.table.to_json()}


def team_ablation(ladder: TeamLadder, labels: Mapping[str, str]) -> TeamAblation:
    """Make the results of a ladder of newest checkpoints; `labels` are by run, in order.

    A variant that has not played yet, or whose checkpoint could not be loaded, has none.
    """
    table, skills = table_of(ladder), ladder.skills()
    rows = {row.run: row for row in table.rows if row.run}
    playing = {labels[run]: rows[run] for run in labels if run in rows}
    if not playing:
        return TeamAblation({}, table)
    first = next(iter(playing.values()))
    results = {}
    for label, row in playing.items():
        likelihood = superiority(skills[row.agent], skills[first.agent])
        scores = {
            other: ladder.results.score(row.agent, other)
            for other in (first.agent, *reversed(ladder.game.scripts))
        }
        results[label] = TeamVariant(replace(row, superiority=likelihood), scores)
    return TeamAblation(results, table)


def team_ablation_text(found: TeamAblation) -> str:
    """Format the table, and how to read it."""
    if not found.results:
        return f"{found.table.game}: no matches were played yet; the same command goes on"
    first, zero = next(iter(found.results.items()))
    others = [first if other == zero.row.agent else other for other in zero.scores]
    header = ("variant", "skill", "+-", "LOS", *(f"against {name}" for name in others))
    lines = [
        f"{found.table.game}, {found.table.games} matches or more of each pairing",
        *aligned(
            [
                (*header, "matches", "minutes", "trained on"),
                *(_cells(*item, is_first=item[0] == first) for item in found.results.items()),
            ],
            left=(0,),
        ),
        f"skill: {found.table.model}, with 95% error bars; the weakest scripted player has 0. LOS: "
        f"likelihood of being stronger than {first!r}. against: share of the points.",
        "trained on: matches of self-play.",
        CHANCE,
    ]
    if not found.table.is_complete:
        lines.append("note: not all have played each other yet; the same command goes on")
    return "\n".join(lines)


def _cells(label: str, variant: TeamVariant, *, is_first: bool) -> tuple[str, ...]:
    row = variant.row
    return (
        label,
        f"{row.skill:+.1f}",
        f"{row.error:.1f}",
        "" if is_first or row.superiority is None else f"{100 * row.superiority:.0f}%",
        *(
            "" if other == row.agent else UNKNOWN if score is None else f"{100 * score:.0f}%"
            for other, score in variant.scores.items()
        ),
        f"{row.games:,}",
        UNKNOWN if row.minutes is None else f"{row.minutes:.1f}",
        UNKNOWN if row.trained_games is None else f"{row.trained_games:,.0f}",
    )
