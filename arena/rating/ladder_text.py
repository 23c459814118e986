"""Print ladders as text: progress, the table, and what it says of the training."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from arena.rating.ladder import LadderState
from arena.rating.table import RatingTable, Row, Trend
from arena.status_line import StatusLine

HEADER = ("rank", "agent", "Elo", "+-", "games", "score", "LOS")
LEFT = (1,)  # the agents


class LadderProgress(StatusLine):
    """Shows how far a ladder is."""

    def __call__(self, state: LadderState) -> None:
        """Show the games and the widest bar, if it is time to."""
        waiting = f", {len(state.waited_for)} agents to go" if state.waited_for else ""
        self.show(f"{state.new_games:,} games, widest bar +-{state.widest:.0f} Elo{waiting}")


def table_text(table: RatingTable) -> str:
    """Format the table and what follows from it."""
    where = f"{table.simulations} simulations a move" if table.simulations else "no search"
    lines = [
        f"{table.game}, {where}, openings {table.openings}, "
        f"{table.new_games:,} new games; moving first is worth "
        f"{table.first_player_elo:.0f} Elo",
        *aligned([HEADER, *(_cells(i, row) for i, row in enumerate(table.rows, start=1))], LEFT),
        "Elo: with 95% error bars. LOS: likelihood of superiority over the next.",
    ]
    for run, best in table.best.items():
        lines.append(f"{run}: best is step {best.step}, {best.elo:+.0f} +- {best.error:.0f} Elo")
        if run in table.trends:
            lines[-1] += f"; {_trend(table.trends[run])}"
    lines += width_notes(table)
    for a, b, c in table.intransitive:
        lines.append(
            f"warning: no order fits {a}, {b}, {c}: each beats the next, the last beats the first"
        )
    return "\n".join(lines)


def width_notes(table: RatingTable) -> list[str]:
    """Explain bars that are wider than asked; empty when none is."""
    if table.is_reached:
        return []
    if not table.has_openings:
        return [
            f"note: a bar is wider than +-{table.width:g} Elo, and agents have played all "
            "openings: they would only repeat their games, and other openings would tell more"
        ]
    if table.out_of_reach:
        names = ", ".join(table.out_of_reach)
        return [
            f"note: {names}: too many games won, lost or drawn alike for +-{table.width:g} Elo; "
            "opponents of like strength or other openings would tell more"
        ]
    return [f"note: a bar is wider than +-{table.width:g} Elo; the same command goes on"]


def _cells(rank: int, row: Row) -> tuple[str, ...]:
    return (
        str(rank),
        row.agent,
        f"{row.elo:+.0f}",
        f"{row.error:.0f}",
        f"{row.games:,}",
        "-" if row.score is None else f"{100 * row.score:.1f}%",
        "" if row.superiority is None else f"{100 * row.superiority:.0f}%",
    )


def _trend(found: Trend) -> str:
    return (
        f"training {found.verdict} ({found.per_1000_steps:+.0f} +- {found.error:.0f} Elo in "
        f"1,000 steps, over the last {found.checkpoints} checkpoints)"
    )


def aligned(rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """Align rows into lines, columns two blanks apart; those of `left` are left-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
