"""Choose the report's figures and charts: the common ones and the algorithm's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.metrics import MetricSpec
from agents.progress import Progress
from arena.monitor.figures import duration, metric_text, metric_value, number_text

Number = Callable[[Progress], float]
Text = Callable[[float], str]


@dataclass(frozen=True)
class Plot:
    """A chart of numbers over the time trained.

    Attributes:
        title: what the chart is of.
        curves: each curve's name, and its number at a stage; NaN where it is not known.
        text: how the vertical axis is written.
        from_zero: whether the vertical axis shows 0.
    """

    title: str
    curves: Sequence[tuple[str, Number]]
    text: Text
    from_zero: bool = True


def short(number: float) -> str:
    """Write a large number in few characters: 950, 12.5 k, 3 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


COUNTS = Plot(
    "games and training rows",
    (("games", lambda p: float(p.games)), ("rows", lambda p: float(p.positions))),
    short,
)
WORKERS = Plot(
    "workers",
    (("acting", lambda p: float(p.workers)), ("wanted", lambda p: float(p.workers_wanted))),
    lambda number: f"{number:g}",
)


def facts_of(progress: Progress, specs: Sequence[MetricSpec]) -> list[tuple[str, str]]:
    """List the figures at the top of the page: their names and texts."""
    own = [s for s in specs if s.look == "loss" or (s.source == "total" and not s.over)]
    return [
        ("trained", duration(progress.elapsed_s)),
        ("games", f"{progress.games:,}"),
        ("positions", f"{progress.positions:,}"),
        ("learner steps", f"{progress.learner_steps:,}"),
        *((spec.label, metric_text(spec, progress)) for spec in own),
    ]


def plots_of(specs: Sequence[MetricSpec]) -> list[Plot]:
    """List the charts of the section "Curves", the algorithm's own first."""
    charts: dict[str, list[MetricSpec]] = {}
    for spec in specs:
        if spec.chart:
            charts.setdefault(spec.chart, []).append(spec)
    return [*(_plot(title, of) for title, of in charts.items()), COUNTS]


def _plot(title: str, specs: Sequence[MetricSpec]) -> Plot:
    first = specs[0]

    def curve(spec: MetricSpec) -> Number:
        return lambda progress: metric_value(spec, progress)

    text: Text = short if first.look in ("count", "loss") else lambda y: number_text(first, y)
    curves = [(spec.label, curve(spec)) for spec in specs]
    return Plot(title, curves, text, from_zero=first.look != "loss")
