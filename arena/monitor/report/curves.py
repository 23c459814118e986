"""Build the charts of a run: its metrics over the time trained, its ratings over its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arena.monitor.history import Moment
from arena.monitor.panel import percent
from arena.monitor.report.charts import Chart, Series, line_chart
from arena.monitor.report.metrics import PLOTS, WORKERS, WORKERS_WANTED, Plot, short
from arena.rating.recorded import Rated

LONG_S = 2 * 3600.0  # from here on the time axis is in hours


def course_charts(moments: Sequence[Moment]) -> list[Chart]:
    """Draw the metrics over the time trained; [] without moments."""
    if not moments:
        return []
    charts = [_metric_chart(plot, moments) for plot in PLOTS]
    charts += _error_charts(moments)
    if any(WORKERS_WANTED.of(moment.progress) for moment in moments):
        charts.append(_metric_chart(WORKERS, moments))
    return charts


def _metric_chart(plot: Plot, moments: Sequence[Moment]) -> Chart:
    unit, x_text = _time_unit(moments)
    series = [
        Series(
            metric.title,
            [(m.progress.elapsed_s / unit, metric.of(m.progress)) for m in moments],
        )
        for metric in plot.metrics
    ]
    return line_chart(
        plot.title, series, x_text=x_text, y_text=plot.metrics[0].text, from_zero=plot.from_zero
    )


def _error_charts(moments: Sequence[Moment]) -> list[Chart]:
    """Draw the shares of wrong moves without and with search, as far as they were measured."""
    simulations = moments[-1].truth.simulations
    kinds = {
        "raw": "moves that lose the result, without search",
        "searched": f"moves that lose the result, at {simulations} simulations",
    }
    drawn = [(title, _error_series(moments, kind)) for kind, title in kinds.items()]
    _, x_text = _time_unit(moments)
    return [
        line_chart(title, series, x_text=x_text, y_text=percent, from_zero=True)
        for title, series in drawn
        if series
    ]


def _error_series(moments: Sequence[Moment], kind: str) -> list[Series]:
    """Make a curve for each set of positions, with a point for each measurement."""
    unit, _ = _time_unit(moments)
    points: dict[str, dict[float, float]] = {}
    for moment in moments:
        at = getattr(moment.truth, f"{kind}_at")
        for name, rate in getattr(moment.truth, kind).items():
            points.setdefault(name, {})[at / unit] = rate
    return [Series(name.replace("_", " "), sorted(of.items())) for name, of in points.items()]


def _time_unit(moments: Sequence[Moment]) -> tuple[float, Callable[[float], str]]:
    """Seconds in the unit of the time axis, and how a number of them is written."""
    if moments[-1].progress.elapsed_s >= LONG_S:
        return 3600.0, lambda hours: f"{hours:g} h"
    return 60.0, lambda minutes: f"{minutes:g} min"


def elo_charts(steps: Sequence[tuple[int, Rated]]) -> list[Chart]:
    """Draw the ratings by the learner's step; [] for fewer than two."""
    if len(steps) < 2:
        return []
    points = [(float(step), rated.elo) for step, rated in steps]
    series = Series("Elo with its 95% interval", points, [rated.error for _, rated in steps])
    title = "Elo by the learner's step"
    return [line_chart(title, [series], x_text=short, y_text=lambda y: f"{y:+.0f}")]
