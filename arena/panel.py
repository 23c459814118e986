"""What a training shows: a live panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from arena.training_progress import TrainingProgress
from arena.training_truth import Truth

LINE_INTERVAL_S = 10.0


def duration(seconds: float) -> str:
    """Seconds as `1:02:03` or `2:03`."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(share: float) -> str:
    """A share as a percentage with one decimal: `0.7%`."""
    return f"{100 * share:.1f}%"


def loss(value: float) -> str:
    """A loss, or a dash before the first training."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def budget(progress: TrainingProgress) -> str:
    """The time used, of what there is."""
    used = duration(progress.elapsed_s)
    return f"{used}/{duration(progress.budget_s)}" if progress.budget_s else used


def line(progress: TrainingProgress, truth: Truth) -> str:
    """A training in one line."""
    parts = [
        budget(progress),
        f"{progress.games:,} games",
        f"{progress.positions:,} positions",
        f"{progress.simulations_per_s:,.0f} simulations/s",
        f"{progress.evaluations_per_s:,.0f} evaluations/s",
        f"step {progress.learner_steps:,}",
        f"policy {loss(progress.policy_loss)} value {loss(progress.value_loss)}",
    ]
    for label, errors in (("errors", truth.raw), (f"at {truth.simulations}", truth.searched)):
        if errors:
            parts.append(f"{label} " + " ".join(percent(e)[:-1] for e in errors.values()) + "%")
    return "  ".join(parts)


class PlainLines:
    """Prints a line every LINE_INTERVAL_S, and at the first and the last stage."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        self.say = say
        self._clock = clock
        self._due = -math.inf

    def show(self, progress: TrainingProgress, truth: Truth) -> None:
        """See `arena.training_watch.Watcher`."""
        if progress.event == "finished" or self._clock() >= self._due:
            self.say(line(progress, truth))
            self._due = self._clock() + LINE_INTERVAL_S
