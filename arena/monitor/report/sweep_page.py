"""Write the report of several runs in environments: one page, and the same as a few lines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.evaluation.statistics import Estimate
from arena.evaluation.sweep import GameScores, Sweep
from arena.evaluation.text import UNKNOWN, score_text
from arena.monitor.report.charts import Chart, Series, line_chart
from arena.monitor.report.page import Page, write_page
from arena.monitor.report.rendering import render
from arena.monitor.report.sections import Section, Table
from arena.rating.ladder_text import aligned

STATISTICS = {
    "interquartile_mean": "interquartile mean",
    "median": "median of games",
    "mean": "mean of games",
}
GAMES = ("game", "runs", "mean score", "95%", "human-normalised", "random", "person", "DQN 2015")
RUNS = ("run", "game", "step", "minutes", "rows", "mean", "+-", "median", "games", "human")
HOW = (
    "Human-normalised: 0 is random play, 1 a person. In brackets: 95% stratified bootstrap "
    "intervals over runs (Agarwal et al. 2021). Random, person and DQN: Mnih et al. 2015, protocol "
    "nature; scores of another protocol do not compare with them and are not normalised."
)


@dataclass(frozen=True)
class WrittenSweep:
    """A written report of several runs."""

    path: str
    runs: int
    games: int
    size: int  # bytes


def write_sweep_report(sweep: Sweep, title: str, path: Path, origin: str) -> WrittenSweep:
    """Write the page of a sweep, in place of an earlier one; raises OSError.

    Args:
        sweep: its scores.
        title: what the page is of.
        path: the file.
        origin: where the runs are.
    """
    page = render("page.html", page=page_of(sweep, title, origin, time.time())).encode()
    write_page(path, page)
    runs = sum(len(game.runs) for game in sweep.games)
    return WrittenSweep(str(path), runs, len(sweep.games), len(page))


def page_of(sweep: Sweep, title: str, origin: str, now: float) -> Page:
    """Gather the content of the page; `now` is in seconds since 1970."""
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    games = Table(GAMES, [_game(game) for game in sweep.games], right=range(1, len(GAMES)))
    runs = Table(
        RUNS, [row for game in sweep.games for row in _runs(game)], right=range(2, len(RUNS))
    )
    charts = [chart for game in sweep.games for chart in _charts(sweep, game)]
    missing = ", ".join(sweep.missing)
    sections = [
        Section("Games", HOW, tables=[games]),
        Section("Mean score by minutes of training", charts=charts),
        Section("Runs", tables=[runs]),
        Section("Not evaluated", missing),
    ]
    return Page(
        title=title,
        origin=f"{origin}; this page is of {made}",
        state=_summary(sweep),
        facts=[
            (f"{STATISTICS[name]}, human-normalised", interval_text(found))
            for name, found in sweep.normalised.items()
        ],
        sections=[section for section in sections if not section.is_empty],
    )


def sweep_text(sweep: Sweep) -> str:
    """Format a sweep: the estimates over all games, then a line a game."""
    lines = [
        _summary(sweep),
        *(
            f"  {STATISTICS[name]:18}  {interval_text(found)}"
            for name, found in sweep.normalised.items()
        ),
        *aligned([GAMES, *map(_game, sweep.games)], left=(0,)),
        HOW,
    ]
    if sweep.missing:
        lines.append(f"not evaluated: {', '.join(sweep.missing)}")
    return "\n".join(lines)


def interval_text(found: Estimate) -> str:
    """Format an estimate and its interval: `0.512 [0.401, 0.633]`."""
    if found.low is None or found.high is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _summary(sweep: Sweep) -> str:
    runs = sum(len(game.runs) for game in sweep.games)
    protocol = f"protocol {sweep.protocol}, " if sweep.protocol else ""
    return f"{runs} runs of {len(sweep.games)} games; {protocol}epsilon {sweep.epsilon:g}"


def _game(game: GameScores) -> tuple[str, ...]:
    mean = game.mean
    interval = UNKNOWN
    if mean.low is not None and mean.high is not None:
        interval = f"[{score_text(mean.low)}, {score_text(mean.high)}]"
    share = game.human_normalised
    return (
        game.game,
        str(len(game.runs)),
        score_text(mean.value),
        interval,
        UNKNOWN if share is None else interval_text(share),
        *(score_text(game.published.get(who)) for who in ("random", "human", "dqn")),
    )


def _runs(game: GameScores) -> Sequence[tuple[str, ...]]:
    return [
        (
            row.run,
            game.game,
            f"{row.step:,}",
            UNKNOWN if row.minutes is None else f"{row.minutes:.1f}",
            UNKNOWN if row.rows is None else f"{row.rows:,}",
            score_text(row.mean),
            score_text(row.error),
            score_text(row.median),
            f"{row.games:,}",
            UNKNOWN if row.human_normalised is None else f"{row.human_normalised:.3f}",
        )
        for row in game.runs
    ]


def _charts(sweep: Sweep, game: GameScores) -> list[Chart]:
    """Draw the curves of a game's runs; [] unless one has two points."""
    curves = sweep.curves[game.game]
    if not any(len(points) > 1 for points in curves.values()):
        return []
    series = [Series(name, points) for name, points in curves.items()]
    return [
        line_chart(game.game, series, x_text=lambda minutes: f"{minutes:g} min", y_text=score_text)
    ]
