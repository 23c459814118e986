"""Format a run's figures: metrics by their specs, times, shares."""

from __future__ import annotations

import math

from agents.metrics import MetricSpec
from agents.progress import Progress

UNKNOWN = "-"


def duration(seconds: float) -> str:
    """Format seconds as `1:02:03` or `2:03`."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(share: float) -> str:
    """Format a share as a percentage with one decimal: `0.7%`."""
    return f"{100 * share:.1f}%"


def metric_value(spec: MetricSpec, progress: Progress) -> float:
    """Return a metric of a stage; NaN while unknown.

    A journal of an earlier version holds the counters that a share is made of.
    """
    metrics = progress.metrics
    value = metrics.get(spec.name)
    if spec.name not in metrics:
        known = {name: number for name, number in metrics.items() if number is not None}
        value = spec.value(known, {}, known, {})
    return math.nan if value is None else float(value)


def metric_text(spec: MetricSpec, progress: Progress) -> str:
    """Format a metric of a stage."""
    return number_text(spec, metric_value(spec, progress))


def number_text(spec: MetricSpec, number: float) -> str:
    """Format a metric's number; a dash for NaN."""
    if math.isnan(number):
        return UNKNOWN
    if spec.look == "percent":
        return percent(number)
    form = {"count": ",.0f", "loss": ".3f", "number": ".1f", "exponent": ".1e"}[spec.look]
    return format(number, form)
