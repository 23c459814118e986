"""A training's figures for Ray's metrics, from where Prometheus and Grafana take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ray.util.metrics import Counter, Gauge

from agents.progress import Progress

if TYPE_CHECKING:
    from selfplay.learner_node import LearnReport

GAUGES = {
    "ludens_games": "Games finished since the run began",
    "ludens_positions": "Training rows made since the run began",
    "ludens_simulations_per_second": "Simulations of all workers a second, over the last 30 s",
    "ludens_evaluations_per_second": "Network evaluations of all workers a second, over 30 s",
    "ludens_workers": "Workers that play",
    "ludens_workers_wanted": "Workers that were asked for",
    "ludens_staleness_steps": "Learner steps between the weights that play and the newest, mean",
    "ludens_learner_steps": "Training steps made",
    "ludens_policy_loss": "Policy loss in nats",
    "ludens_value_loss": "Value loss in nats",
    "ludens_replay_rows": "Rows in the window that the learner samples from",
    "ludens_backlog_rows": "Rows committed and not trained on yet",
}
FAILURES = "ludens_worker_failures"


class Metrics:
    """Sets the gauges of GAUGES and counts failures by kind, tagged by the run."""

    def __init__(self, run: str) -> None:
        self._gauges = {n: Gauge(n, description=d, tag_keys=("run",)) for n, d in GAUGES.items()}
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
        """Set all gauges."""
        values = {
            "ludens_games": progress.games,
            "ludens_positions": progress.positions,
            "ludens_simulations_per_second": progress.simulations_per_s,
            "ludens_evaluations_per_second": progress.evaluations_per_s,
            "ludens_workers": progress.workers,
            "ludens_workers_wanted": progress.workers_wanted,
            "ludens_staleness_steps": progress.staleness,
            "ludens_learner_steps": progress.learner_steps,
            "ludens_policy_loss": progress.policy_loss,
            "ludens_value_loss": progress.value_loss,
            "ludens_replay_rows": learned.window_rows if learned else 0,
            "ludens_backlog_rows": backlog_rows,
        }
        for name, value in values.items():
            self._gauges[name].set(float(value))
