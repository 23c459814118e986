"""Plot scores over the training: the mean of each checkpoint with its 95% band."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from arena.evaluation.table import ScoreRow, ScoreTable
from arena.evaluation.text import PLAYERS
from arena.rating.plot import Level, draw_levels, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class _Axis(NamedTuple):
    label: str
    place: Callable[[ScoreRow], float | None]


_AXES = (
    _Axis("minutes of training", lambda row: row.minutes),
    _Axis("training rows (agent steps)", lambda row: row.rows),
)
_STEPS = _Axis("learner steps", lambda row: row.step)


def write_plot(table: ScoreTable, path: Path) -> list[Path]:
    """Write the picture as PNG and SVG under the stem of `path`; return both files."""
    from matplotlib.figure import Figure

    known = [a for a in _AXES if all(a.place(row) is not None for row in table.rows)]
    axes_kinds = known or [_STEPS]
    figure = Figure(figsize=(6.4 * len(axes_kinds) + 1.2, 4.6), layout="constrained")
    panels = figure.subplots(1, len(axes_kinds), sharey=True, squeeze=False)[0]
    for i, (axes, kind) in enumerate(zip(panels, axes_kinds)):
        _draw(axes, table, kind)
        axes.set_ylabel("mean score" if i == 0 else "")
    protocol = f"protocol {table.protocol}, " if table.protocol else ""
    figure.suptitle(
        f"{table.environment}: {', '.join(table.best)}, {protocol}epsilon {table.epsilon:g}, "
        "95% error bands"
    )
    return save_figure(figure, path)


def _draw(axes: Axes, table: ScoreTable, kind: _Axis) -> None:
    for number, run in enumerate(table.best):
        rows = [row for row in table.rows if row.run == run]
        places = np.array([kind.place(row) for row in rows], np.float64)
        mean = np.array([row.mean for row in rows])
        error = np.array([row.error or 0.0 for row in rows])
        colour = f"C{number}"
        axes.fill_between(places, mean - error, mean + error, color=colour, alpha=0.2, lw=0)
        axes.plot(places, mean, "o-", color=colour, markersize=4, label=run)
    levels = [
        Level(score, PLAYERS[who], f"{PLAYERS[who]}: {score:,.1f}")
        for who, score in table.published.items()
    ]
    draw_levels(axes, levels)
    axes.set_xlabel(kind.label)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    if len(table.best) > 1:
        axes.legend(loc="lower right")
