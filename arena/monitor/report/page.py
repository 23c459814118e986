"""A training on one page: an HTML file that needs nothing else, neither a network nor scripts.

Whatever a store says is escaped: a run may have been imported from anybody.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from arena.monitor.history import Course, History, Moment, NoHistoryError
from arena.monitor.panel import duration, percent
from arena.monitor.report.charts import Series, line_chart
from arena.monitor.report.games import game_html, sample_games
from arena.monitor.report.style import STYLE
from arena.monitor.runs_text import size_text
from arena.monitor.watch import state_of, state_text
from arena.rating.recorded import Rated, elo_by_step, recorded_ratings
from envs.game import Game
from store import checkpoints
from store.errors import CheckpointError, CheckpointNotFoundError
from store.files.protocol import Files
from store.run import CHECKPOINT_FOLDER, Run

MOST_CHECKPOINTS = 40  # listed; a long run keeps many more
MOST_NOTICES = 200  # the newest
MOST_RATED = 60
LONG_S = 2 * 3600.0  # from here on the time axis is in hours

Number = Callable[[Moment], float]


@dataclass(frozen=True)
class Written:
    """A report that was written."""

    path: str
    run: str
    size: int  # bytes
    moments: int  # of the journal


def write_report(run: Run, path: Path, game: Game | None = None) -> Written:
    """Write a run's report, in place of an earlier one; raises OSError.

    Args:
        run: the run; it may be in training.
        path: the file.
        game: the run's game, to draw sample games; None leaves them out.
    """
    course = _course(run)
    page = report_html(run, course, game, time.time()).encode()
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(page)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return Written(str(path), run.name, len(page), len(course.moments))


def _course(run: Run) -> Course:
    try:
        return History(run).course()
    except NoHistoryError:  # the page has what else there is
        return Course()


def report_html(run: Run, course: Course, game: Game | None, now: float) -> str:
    """The whole page; `now` is in seconds since 1970."""
    title = f"{run.name}: {game.title if game else run.info.game}"
    ratings = recorded_ratings(run.files)
    parts = [
        _header(run, course, title, now),
        _section("Course", _curves(course)),
        _section("Elo", _elo(ratings, run.name)),
        _section("Checkpoints", _checkpoints(run)),
        _section("Games of self-play", _games(run.files, game)),
        _section("What happened", _notices(course)),
        _section("Settings", _settings(run)),
        _section("Machine and versions", _machine(run, course)),
    ]
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>\n" if body else ""


def _header(run: Run, course: Course, title: str, now: float) -> str:
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    head = f"<header><h1>{escape(title)}</h1>"
    where = f"run {run.name} in {run.files.url}, begun {run.info.created}; this page is of {made}"
    head += f"<p class='dim'>{escape(where)}</p>"
    if not course.moments:
        return f"{head}<p>This run has no journal of its training.</p></header>\n"
    newest = course.moments[-1]
    state = state_of(newest, now)
    said = "in training" if state == "training" else state_text(state, newest, now)
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
        for name, text in _facts(newest).items()
    )
    return f"{head}<p>{escape(said)}</p><dl class='facts'>{facts}</dl></header>\n"


def _facts(newest: Moment) -> dict[str, str]:
    progress, truth = newest.progress, newest.truth
    facts = {
        "trained": duration(progress.elapsed_s),
        "games": f"{progress.games:,}",
        "positions": f"{progress.positions:,}",
        "learner steps": f"{progress.learner_steps:,}",
        "simulations": f"{progress.simulations:,}",
        "policy loss": _figure(progress.policy_loss),
        "value loss": _figure(progress.value_loss),
    }
    errors = truth.searched or truth.raw
    if errors:
        how = f"at {truth.simulations} simulations" if truth.searched else "without search"
        facts[f"wrong moves {how}, mean of {len(errors)}"] = percent(_mean(errors.values()))
    return facts


def _figure(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.3f}"


def _mean(numbers: Iterable[float]) -> float:
    listed = list(numbers)
    return sum(listed) / len(listed)


# --- curves -------------------------------------------------------------------------------------


def _curves(course: Course) -> str:
    """Charts over the time trained."""
    moments = course.moments
    if not moments:
        return ""
    simulations = moments[-1].truth.simulations
    charts = [
        _chart("losses", moments, {
            "policy": lambda m: m.progress.policy_loss, "value": lambda m: m.progress.value_loss,
        }, lambda y: f"{y:.3g}"),
        _chart("learning rate", moments, {
            "learning rate": lambda m: m.progress.learning_rate,
        }, lambda y: f"{y:.1e}" if y else "0", from_zero=True),
        _chart("simulations a second", moments, {
            "simulations/s": lambda m: m.progress.simulations_per_s,
            "evaluations/s": lambda m: m.progress.evaluations_per_s,
        }, _short, from_zero=True),
        _chart("games and training rows", moments, {
            "games": lambda m: m.progress.games, "rows": lambda m: m.progress.positions,
        }, _short, from_zero=True),
        _errors("moves that lose the result, without search", moments, "raw"),
        _errors(f"moves that lose the result, at {simulations} simulations", moments, "searched"),
    ]  # fmt: skip
    if any(moment.progress.workers_wanted for moment in moments):
        charts.append(_chart("workers", moments, {
            "playing": lambda m: m.progress.workers,
            "wanted": lambda m: m.progress.workers_wanted,
        }, lambda y: f"{y:g}", from_zero=True))  # fmt: skip
    return f"<div class='charts'>{''.join(charts)}</div>"


def _chart(
    title: str,
    moments: Sequence[Moment],
    curves: Mapping[str, Number],
    y_text: Callable[[float], str],
    *,
    from_zero: bool = False,
) -> str:
    unit, x_text = _time_unit(moments)
    series = [
        Series(name, [(m.progress.elapsed_s / unit, float(number(m))) for m in moments])
        for name, number in curves.items()
    ]
    return line_chart(title, series, x_text=x_text, y_text=y_text, from_zero=from_zero)


def _errors(title: str, moments: Sequence[Moment], kind: str) -> str:
    """A curve for each set of positions, a point for each measurement."""
    unit, x_text = _time_unit(moments)
    points: dict[str, dict[float, float]] = {}
    for moment in moments:
        at = getattr(moment.truth, f"{kind}_at")
        for name, rate in getattr(moment.truth, kind).items():
            points.setdefault(name, {})[at / unit] = rate
    if not points:
        return ""
    series = [Series(name.replace("_", " "), sorted(of.items())) for name, of in points.items()]
    return line_chart(title, series, x_text=x_text, y_text=percent, from_zero=True)


def _time_unit(moments: Sequence[Moment]) -> tuple[float, Callable[[float], str]]:
    """Seconds in the unit of the time axis, and how a number of them is written."""
    if moments[-1].progress.elapsed_s >= LONG_S:
        return 3600.0, lambda hours: f"{hours:g} h"
    return 60.0, lambda minutes: f"{minutes:g} min"


def _short(number: float) -> str:
    """A large number in few characters: 950, 12.5 k, 3 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


# --- tables -------------------------------------------------------------------------------------


def _table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Sequence[int] = (),
    wrapped: Sequence[int] = (),
) -> str:
    """Rows of text; some columns are set to the right, some may be broken into lines."""

    def cells(tag: str, row: Sequence[str]) -> str:
        classes = {**dict.fromkeys(right, "right"), **dict.fromkeys(wrapped, "wrapped")}
        kinds = [f" class='{classes[i]}'" if i in classes else "" for i in range(len(row))]
        return "".join(
            f"<{tag}{kind}>{escape(text)}</{tag}>" for kind, text in zip(kinds, row, strict=True)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<div class='scroll'><table><tr>{cells('th', head)}</tr>{body}</table></div>"


def _elo(ratings: Sequence[Rated], run_name: str) -> str:
    if not ratings:
        return ""
    steps = elo_by_step(ratings, run_name)
    chart = ""
    if len(steps) > 1:
        points = [(float(step), rated.elo) for step, rated in steps]
        errors = [rated.error for _, rated in steps]
        series = Series("Elo with its 95% interval", points, errors)
        drawn = line_chart(
            "Elo by the learner's step", [series], x_text=_short, y_text=lambda y: f"{y:+.0f}"
        )
        chart = f"<div class='charts'>{drawn}</div>"
    rows = [
        (r.agent, f"{r.elo:+.0f} ± {r.error:.0f}", f"{r.games:,}", percent(r.score))
        for r in ratings[:MOST_RATED]
    ]
    return chart + _table(("agent", "Elo", "games", "score"), rows, right=(1, 2, 3))


def _checkpoints(run: Run) -> str:
    steps = checkpoints.steps(run)
    if not steps:
        return "<p class='none'>none yet</p>"
    count = min(len(steps), MOST_CHECKPOINTS)
    last = len(steps) - 1
    shown = [steps[i * last // max(count - 1, 1)] for i in range(count)]
    note = f"<p>{count} of {len(steps):,}, evenly chosen.</p>" if count < len(steps) else ""
    head = ("step", "trained", "games", "rows", "size")
    return note + _table(head, [_checkpoint(run, step) for step in shown], right=range(5))


def _checkpoint(run: Run, step: int) -> tuple[str, ...]:
    try:
        saved = checkpoints.read_metadata(run, step)
    except (CheckpointError, CheckpointNotFoundError):
        return (f"{step:,}", "damaged or gone", "", "", "")
    counters = saved.get("counters", {})
    elapsed = saved.get("elapsed_s")
    size = sum(file.size for file in run.files.tree(f"{CHECKPOINT_FOLDER}/{step:09d}"))
    return (
        f"{step:,}",
        duration(elapsed) if isinstance(elapsed, (int, float)) else "",
        *(f"{counters[n]:,}" if n in counters else "" for n in ("games", "rows")),
        size_text(size),
    )


def _games(files: Files, game: Game | None) -> str:
    samples = sample_games(files)
    if not samples:
        return ""
    if game is None:
        return "<p class='none'>not drawn: the game is a file of its own; name it with --game</p>"
    return "".join(game_html(game, sample) for sample in samples)


def _notices(course: Course) -> str:
    told = [(m, notice) for m in course.moments for notice in m.progress.notices]
    rows = [(duration(m.progress.elapsed_s), notice) for m, notice in told[-MOST_NOTICES:]]
    left_out = len(told) - len(rows)
    note = f"<p>The newest; {left_out:,} before them are left out.</p>" if left_out else ""
    return note + _table(("trained", "notice"), rows, (0,), (1,)) if rows else ""


def _settings(run: Run) -> str:
    """A table for the settings of each section, those of none first."""
    tables = {"": [("seed", str(run.info.seed))]}
    for name, value in _flat(run.info.config):
        tables.setdefault(name.rpartition(".")[0], []).append((name, str(value)))
    shown = [_table(("setting", "value"), rows, wrapped=(1,)) for rows in tables.values()]
    return f"<div class='groups'>{''.join(shown)}</div>"


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif prefix or name != "seed":
            yield prefix + name, value


def _machine(run: Run, course: Course) -> str:
    made_by = ", ".join(f"{name} {version}" for name, version in run.info.versions.items())
    sessions = [
        (str(number), *(_said(facts.get(name)) for name in SESSION_FACTS))
        for number, facts in enumerate(course.sessions, start=1)
    ]
    table = _table(("session", *SESSION_FACTS.values()), sessions, wrapped=(7,)) if sessions else ""
    return f"<p>Begun with {escape(made_by)}.</p>{table}"


SESSION_FACTS = {
    "date": "begun",
    "cpu": "processor",
    "cores": "cores",
    "memory_gib": "memory, GiB",
    "python": "Python",
    "system": "system",
    "packages": "packages",
}


def _said(fact: Any) -> str:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {value}" for name, value in fact.items() if value is not None)
    return "" if fact is None else str(fact)
