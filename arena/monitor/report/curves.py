"""Build the charts of a run: its metrics over the time trained, its ratings over its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agents.metrics import MetricSpec
from arena.evaluation.records import Evaluation
from arena.evaluation.text import conditions, score_text
from arena.monitor.figures import percent
from arena.monitor.history import Moment
from arena.monitor.report.charts import Chart, Series, line_chart
from arena.monitor.report.metrics import WORKERS, Plot, plots_of, short
from arena.rating.recorded import Rated

LONG_S = 2 * 3600.0  # from here on the time axis is in hours


def metric_charts(moments: Sequence[Moment], specs: Sequence[MetricSpec]) -> list[Chart]:
    """Draw the metrics over the time trained; [] without moments."""
    if not moments:
        return []
    charts = [_metric_chart(plot, moments) for plot in plots_of(specs)]
    charts += _error_charts(moments)
    if any(moment.progress.workers_wanted for moment in moments):
        charts.append(_metric_chart(WORKERS, moments))
    return charts


def _metric_chart(plot: Plot, moments: Sequence[Moment]) -> Chart:
    unit, x_text = _time_unit(moments)
    series = [
        Series(name, [(m.progress.elapsed_s / unit, number(m.progress)) for m in moments])
        for name, number in plot.curves
    ]
    return line_chart(plot.title, series, x_text=x_text, y_text=plot.text, from_zero=plot.from_zero)


def _error_charts(moments: Sequence[Moment]) -> list[Chart]:
    """Draw the shares of wrong moves, a chart for each way of measuring them."""
    names = dict.fromkeys(found.name for m in moments for found in m.progress.measured)
    _, x_text = _time_unit(moments)
    return [
        line_chart(
            f"moves that lose the result: {name}",
            _error_series(moments, name),
            x_text=x_text,
            y_text=percent,
            from_zero=True,
        )
        for name in names
    ]


def _error_series(moments: Sequence[Moment], name: str) -> list[Series]:
    """Make a curve for each set of positions, with a point for each measurement."""
    unit, _ = _time_unit(moments)
    points: dict[str, dict[float, float]] = {}
    for moment in moments:
        for found in moment.progress.measured:
            if found.name == name:
                for part, share in found.shares.items():
                    points.setdefault(part, {})[found.at_s / unit] = share
    return [Series(part.replace("_", " "), sorted(of.items())) for part, of in points.items()]


def _time_unit(moments: Sequence[Moment]) -> tuple[float, Callable[[float], str]]:
    """Return the time axis' unit in seconds, and its number format."""
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


def score_charts(evaluations: Sequence[Evaluation]) -> list[Chart]:
    """Draw the mean scores by the learner's step, a chart for each protocol, epsilon and seed.

    Those with a single checkpoint are left out.
    """
    found: dict[str, list[Evaluation]] = {}
    for evaluation in evaluations:
        found.setdefault(conditions(evaluation.key), []).append(evaluation)
    return [
        line_chart(
            f"Mean score by the learner's step: {how}",
            [
                Series(
                    "mean with its 95% interval",
                    [(float(e.key.step or 0), e.mean) for e in of_one],
                    [e.error or 0.0 for e in of_one],
                )
            ],
            x_text=short,
            y_text=score_text,
        )
        for how, of_one in found.items()
        if len(of_one) > 1
    ]
