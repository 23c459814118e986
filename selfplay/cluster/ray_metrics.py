"""A run's metrics for Ray, from which Prometheus and Grafana read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ray.util.metrics import Counter, Gauge

from agents.metrics import MetricSpec
from agents.progress import Progress

if TYPE_CHECKING:
    from selfplay.cluster.learner_node import LearnReport

GAUGES = {
    "games": "Games finished since the run began",
    "positions": "Training rows made since the run began",
    "workers": "Workers that act",
    "workers_wanted": "Workers that were asked for",
    "staleness_steps": "Learner steps between the weights that act and the newest, mean",
    "learner_steps": "Training steps made",
    "replay_rows": "Rows in the window that the learner samples from",
    "backlog_rows": "Rows committed and not trained on yet",
}
PREFIX = "ludens_"
FAILURES = "ludens_worker_failures"


def gauges(specs: Sequence[MetricSpec]) -> dict[str, str]:
    """Return the description of each gauge by its name: the common ones and the algorithm's."""
    own = {gauge_name(spec.name): spec.description for spec in specs}
    return {gauge_name(name): text for name, text in GAUGES.items()} | own


def gauge_name(name: str) -> str:
    """Return a metric's name in Prometheus, with units written out."""
    return PREFIX + (f"{name}econd" if name.endswith("_per_s") else name)


class Metrics:
    """Sets the gauges and counts failures by kind, tagged by the run."""

    def __init__(self, run: str, specs: Sequence[MetricSpec]) -> None:
        self._gauges = {
            name: Gauge(name, description=text, tag_keys=("run",))
            for name, text in gauges(specs).items()
        }
        self._failures = Counter(
            FAILURES, description="Failed calls of actors by kind", tag_keys=("run", "kind")
        )
        for gauge in self._gauges.values():
            gauge.set_default_tags({"run": run})
        self._failures.set_default_tags({"run": run})

    def failed(self, kind: str) -> None:
        """Count a failure."""
        self._failures.inc(1.0, tags={"kind": kind})

    def show(self, progress: Progress, learned: LearnReport | None, backlog_rows: int) -> None:
        """Set all gauges whose value is known."""
        values: Mapping[str, float | None] = {
            "games": progress.games,
            "positions": progress.positions,
            "workers": progress.workers,
            "workers_wanted": progress.workers_wanted,
            "staleness_steps": progress.staleness,
            "learner_steps": progress.learner_steps,
            "replay_rows": learned.window_rows if learned else 0,
            "backlog_rows": backlog_rows,
            **progress.metrics,
        }
        for name, value in values.items():
            if value is not None and not math.isnan(value):
                self._gauges[gauge_name(name)].set(float(value))
