"""List the metrics that the report shows, as data, and write their numbers.

To show another metric, add it to FACTS or to PLOTS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from agents.progress import Progress
from arena.monitor.panel import duration, loss

Format = Literal["count", "short", "duration", "loss", "digits", "plain", "scientific"]


@dataclass(frozen=True)
class Metric:
    """A number that a training run reports.

    Attributes:
        name: the field of `Progress` that holds it.
        label: what the page calls it.
        unit: written directly after the label; empty where the label says enough.
        format: how its numbers are written, a key of FORMATS.
    """

    name: str
    label: str
    unit: str = ""
    format: Format = "count"

    @property
    def title(self) -> str:
        """Name the metric with its unit."""
        return f"{self.label}{self.unit}"

    def of(self, progress: Progress) -> float:
        """Read its number from a report of the run; NaN where it is not known."""
        return float(getattr(progress, self.name))

    def text(self, number: float) -> str:
        """Write one of its numbers."""
        return FORMATS[self.format](number)


@dataclass(frozen=True)
class Plot:
    """A chart of metrics over the time trained, whose axis is written in the first one's format.

    Attributes:
        title: what the chart is of.
        metrics: its curves.
        from_zero: whether the vertical axis shows 0.
    """

    title: str
    metrics: tuple[Metric, ...]
    from_zero: bool = True


def short(number: float) -> str:
    """Write a large number in few characters: 950, 12.5 k, 3 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


FORMATS: Mapping[Format, Callable[[float], str]] = {
    "count": lambda number: f"{number:,.0f}",
    "short": short,
    "duration": duration,
    "loss": loss,
    "digits": lambda number: f"{number:.3g}",
    "plain": lambda number: f"{number:g}",
    "scientific": lambda number: f"{number:.1e}" if number else "0",
}

# The figures at the top of the page.
FACTS = (
    Metric("elapsed_s", "trained", format="duration"),
    Metric("games", "games"),
    Metric("positions", "positions"),
    Metric("learner_steps", "learner steps"),
    Metric("simulations", "simulations"),
    Metric("policy_loss", "policy loss", format="loss"),
    Metric("value_loss", "value loss", format="loss"),
)

# The charts of the section "Course".
PLOTS = (
    Plot(
        "losses",
        (
            Metric("policy_loss", "policy", format="digits"),
            Metric("value_loss", "value", format="digits"),
        ),
        from_zero=False,
    ),
    Plot("learning rate", (Metric("learning_rate", "learning rate", format="scientific"),)),
    Plot(
        "simulations a second",
        (
            Metric("simulations_per_s", "simulations", "/s", "short"),
            Metric("evaluations_per_s", "evaluations", "/s", "short"),
        ),
    ),
    Plot(
        "games and training rows",
        (Metric("games", "games", format="short"), Metric("positions", "rows", format="short")),
    ),
)

# Drawn last, for runs that have had workers.
WORKERS_WANTED = Metric("workers_wanted", "wanted", format="plain")
WORKERS = Plot("workers", (Metric("workers", "playing", format="plain"), WORKERS_WANTED))
