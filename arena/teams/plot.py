"""Plot a table of skills: over training time, beside the scripted players."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from arena.rating.plot import Level, draw_levels, save_figure
from arena.teams.table import SkillTable


def write_plot(table: SkillTable, path: Path) -> list[Path]:
    """Write the picture as PNG and SVG under the stem of `path`; return both files."""
    from matplotlib.figure import Figure

    checkpoints = [row for row in table.rows if row.run]
    has_minutes = all(row.minutes is not None for row in checkpoints)
    figure = Figure(figsize=(7.6, 4.6), layout="constrained")
    axes = figure.subplots()
    for number, run in enumerate(table.best):
        rows = [row for row in checkpoints if row.run == run]
        at = np.array([row.minutes if has_minutes else row.step for row in rows], np.float64)
        order = np.argsort(at)
        skill = np.array([row.skill for row in rows])[order]
        error = np.array([row.error for row in rows])[order]
        axes.fill_between(
            at[order], skill - error, skill + error, color=f"C{number}", alpha=0.2, lw=0
        )
        axes.plot(at[order], skill, "o-", color=f"C{number}", markersize=4, label=run)
    scripted = [row for row in table.rows if not row.run]
    draw_levels(
        axes, [Level(row.skill, row.agent, f"{row.agent}: {row.skill:+.1f}") for row in scripted]
    )
    axes.set_xlabel("minutes of training" if has_minutes else "learner steps")
    axes.set_ylabel("skill")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    if len(table.best) > 1:
        axes.legend(loc="lower right")
    figure.suptitle(f"{table.game}: {', '.join(table.best)}, {table.model}, 95% error bands")
    return save_figure(figure, path)
