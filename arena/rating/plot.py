"""Plot a ladder: Elo over training time, games and simulations, with error bands."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from arena.rating.table import RatingTable, Row
from store.files.local import LocalFiles
from store.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = (".png", ".svg")
MOST_NAME = 150  # characters of the other runs' names; file systems take 255 of a name
FAR_LEVEL = 0.5  # of the checkpoints' range, beyond it


class _Axis(NamedTuple):
    label: str
    place: Callable[[Row], float | None]


_TIME = _Axis("minutes of training", lambda row: row.minutes)
_STEPS = _Axis("learner steps", lambda row: row.step)
_GAMES = _Axis("games of self-play", lambda row: row.trained_games)
_SIMULATIONS = _Axis("simulations of self-play", lambda row: row.trained_simulations)


def default_path(runs: list[Run]) -> Path | None:
    """Return the default path of the picture: the first run's folder, if it is local.

    Its name tells the other runs; of many it has a number that is theirs.
    """
    files = runs[0].files
    if not isinstance(files, LocalFiles):
        return None
    others = "".join(f"-{run.name}" for run in runs[1:])
    if len(others) > MOST_NAME:
        others = f"-{len(runs)}-runs-{hashlib.sha256(others.encode()).hexdigest()[:8]}"
    return files.root / f"ratings{others}.png"


def check_path(path: Path) -> Path:
    """Return the path if a picture can be written there; raises ValueError.

    Raises ModuleNotFoundError without matplotlib: now, and not after the games.
    """
    import matplotlib  # noqa: F401

    if path.suffix not in KINDS:
        raise ValueError(f"plot {str(path)!r}: expected a name that ends in {' or '.join(KINDS)}")
    if not path.parent.is_dir():
        raise ValueError(f"plot {str(path)!r}: there is no folder {str(path.parent)!r}")
    return path


def write_plot(table: RatingTable, path: Path) -> list[Path]:
    """Write the picture as PNG and SVG under the stem of `path`; return both files."""
    from matplotlib.figure import Figure

    axes_kinds = [axis for axis in (_TIME, _GAMES, _SIMULATIONS) if _is_known(table, axis)]
    if len(table.best) == 1:
        axes_kinds = axes_kinds[:1]
    axes_kinds = axes_kinds or [_STEPS]
    figure = Figure(figsize=(6.4 * len(axes_kinds) + 1.2, 4.6), layout="constrained")
    panels = figure.subplots(1, len(axes_kinds), sharey=True, squeeze=False)[0]
    for i, (axes, kind) in enumerate(zip(panels, axes_kinds)):
        _draw(axes, table, kind)
        axes.set_ylabel("Elo" if i == 0 else "")
    how = f"{table.simulations} simulations a move" if table.simulations else "no search"
    figure.suptitle(f"{table.game}: {', '.join(table.best)}, {how}, 95% error bands")
    return save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Save a figure as PNG and SVG under the stem of `path`; return both files."""
    from matplotlib import rc_context

    found = [path.with_suffix(kind) for kind in KINDS]
    with rc_context({"svg.hashsalt": "ludens"}):  # equal tables make equal files
        figure.savefig(found[0], dpi=150)
        figure.savefig(found[1], metadata={"Date": None})
    return found


def _is_known(table: RatingTable, axis: _Axis) -> bool:
    return all(axis.place(row) is not None for row in table.rows if row.run)


def _draw(axes: Axes, table: RatingTable, kind: _Axis) -> None:
    for number, run in enumerate(table.best):
        rows = [row for row in table.rows if row.run == run]
        places = np.array([kind.place(row) for row in rows], np.float64)
        order = np.argsort(places)
        elo = np.array([row.elo for row in rows])[order]
        error = np.array([row.error for row in rows])[order]
        colour = f"C{number}"
        axes.fill_between(places[order], elo - error, elo + error, color=colour, alpha=0.2, lw=0)
        axes.plot(places[order], elo, "o-", color=colour, markersize=4, label=run)
    _draw_anchors(axes, table)
    axes.set_xlabel(kind.label)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    if len(table.best) > 1:
        axes.legend(loc="lower right")


def _draw_anchors(axes: Axes, table: RatingTable) -> None:
    levels = [
        Level(
            row.elo,
            f"{row.agent} \u00b1 {row.error:.0f}",
            f"{row.agent}: {row.elo:+.0f} \u00b1 {row.error:.0f}",
        )
        for row in table.rows
        if not row.run and row.games
    ]
    draw_levels(axes, levels)


class Level(NamedTuple):
    """A height to compare curves with, what is written at its line, and what without a line."""

    height: float
    at_line: str
    alone: str


def draw_levels(axes: Axes, levels: Sequence[Level]) -> None:
    """Draw lines across the panel; those far from the curves, as text."""
    low, high = axes.get_ylim()
    reach = FAR_LEVEL * (high - low)
    far = []
    for level in levels:
        if not low - reach < level.height < high + reach:
            far.append(level.alone)
            continue
        axes.axhline(level.height, color="0.5", linestyle="--", linewidth=1)
        axes.annotate(
            level.at_line,
            (1.0, level.height),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color="0.35",
        )
    if far:
        told = "beyond: " + ", ".join(far)
        axes.text(0.01, 0.01, told, transform=axes.transAxes, fontsize=8, color="0.35")
