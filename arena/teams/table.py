"""Make the rating table of a game of teams: skills, best checkpoints, and who beats whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from arena.rating.ladder_text import aligned
from arena.rating.table import how_trained
from arena.status_line import StatusLine
from arena.teams.ladder import TeamLadder, TeamLadderState
from arena.teams.skill import CrossPlay, Skill, TeamResults, cross_play, superiority
from store.run import Run

HEADER = ("rank", "agent", "skill", "+-", "matches", "score", "LOS")
MODEL = "OpenSkill, Plackett-Luce"


class TeamLadderProgress(StatusLine):
    """Shows how far a ladder of teams is."""

    def __call__(self, state: TeamLadderState) -> None:
        """Show the finished pairings, if it is time to."""
        done = f"{state.finished} of {state.pairings} pairings"
        self.show(f"{done}, {state.new_games:,} new matches")


@dataclass(frozen=True)
class SkillRow:
    """One agent; what is not known is None.

    Attributes:
        agent: its exact name.
        run: the run it is of, "" for a scripted player.
        step: of the checkpoint.
        skill: OpenSkill's mean, where the weakest scripted player has 0.
        error: half of its 95% interval.
        games: matches that count.
        score: share of their points.
        superiority: likelihood that it is stronger than the next row's agent.
        minutes: trained.
        trained_games: games by then.
    """

    agent: str
    run: str
    step: int | None
    skill: float
    error: float
    games: int
    score: float | None
    superiority: float | None
    minutes: float | None = None
    trained_games: int | None = None


@dataclass(frozen=True)
class SkillTable:
    """A ladder's result; `rows` from the strongest down, as `cross_play`, and `best` by run."""

    game: str
    model: str
    games: int  # of a pairing of checkpoints, at least
    new_games: int
    is_complete: bool
    rows: list[SkillRow]
    best: dict[str, SkillRow]
    cross_play: CrossPlay

    def to_json(self) -> dict[str, Any]:
        """Return values for JSON."""
        return asdict(self)


def table_of(ladder: TeamLadder) -> SkillTable:
    """Make the table of what a ladder has played so far."""
    state, skills = ladder.state(), ladder.skills()
    rows = rows_of(skills, ladder.results, ladder.runs, ladder.contenders)
    best: dict[str, SkillRow] = {}
    for row in rows:
        if row.run:
            best.setdefault(row.run, row)
    return SkillTable(
        ladder.game.name,
        MODEL,
        ladder.settings.games,
        ladder.new_games,
        state.finished == state.pairings,
        rows,
        best,
        cross_play(ladder.results, [row.agent for row in rows]),
    )


def rows_of(
    skills: Mapping[str, Skill],
    results: TeamResults,
    runs: Sequence[Run],
    places: Mapping[str, tuple[str, int]],
) -> list[SkillRow]:
    """Make the rows of rated agents, from the strongest down.

    Args:
        skills: of the agents.
        results: that they come from.
        runs: whose checkpoints are among them.
        places: {agent: (run, step)} of these checkpoints.
    """
    order = sorted(skills, key=lambda agent: (-skills[agent].mean, agent))
    by_name = {run.name: run for run in runs}
    rows = []
    for agent, following in zip_longest(order, order[1:]):
        run, step = places.get(agent, ("", None))
        trained = None if step is None else how_trained(by_name[run], step)
        rows.append(
            SkillRow(
                agent,
                run,
                step,
                skills[agent].mean,
                skills[agent].error,
                *results.games_and_score(agent),
                superiority(skills[agent], skills[following]) if following else None,
                trained.minutes if trained else None,
                trained.games if trained else None,
            )
        )
    return rows


def table_text(table: SkillTable) -> str:
    """Format the table, the matrix, and what follows from them."""
    lines = [
        f"{table.game}, {table.model}, {table.new_games:,} new matches",
        *aligned([HEADER, *(cells(i, row) for i, row in enumerate(table.rows, start=1))], (1,)),
        "skill: with 95% error bars; the scripted players are rated by their own matches and then "
        "stay,",
        "and the weakest has 0. LOS: likelihood of superiority over the next.",
        *(
            f"{run}: best is step {best.step}, {best.skill:+.1f} +- {best.error:.1f}"
            for run, best in table.best.items()
        ),
    ]
    if len(table.rows) > 1:
        lines += ["", "share of the points of a row's agent against a column's:"]
        lines += aligned(matrix_cells(table.cross_play), (1,))
    if not table.is_complete:
        lines.append("note: not all have played each other yet; the same command goes on")
    return "\n".join(lines)


def cells(rank: int, row: SkillRow) -> tuple[str, ...]:
    """Format a row of the table under `HEADER`."""
    return (
        str(rank),
        row.agent,
        f"{row.skill:+.1f}",
        f"{row.error:.1f}",
        f"{row.games:,}",
        "-" if row.score is None else f"{100 * row.score:.1f}%",
        "" if row.superiority is None else f"{100 * row.superiority:.0f}%",
    )


def matrix_cells(matrix: CrossPlay) -> list[tuple[str, ...]]:
    """Format a matrix as rows of text under a head; columns have the numbers of the rows."""
    numbers = range(1, len(matrix.agents) + 1)
    return [
        ("", "agent", *map(str, numbers)),
        *(
            (str(number), agent, *("-" if s is None else f"{100 * s:.0f}%" for s in scores))
            for number, agent, scores in zip(numbers, matrix.agents, matrix.scores, strict=True)
        ),
    ]
