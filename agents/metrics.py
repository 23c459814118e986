"""Metrics of a run, described once for every display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Look = Literal["count", "percent", "loss", "number", "exponent"]


@dataclass(frozen=True)
class MetricSpec:
    """One metric of a run: the source of its value, and its display.

    The panel, TensorBoard, Prometheus, the journal and the report go through these specs.

    Attributes:
        name: its key in `Progress.metrics` and in the journal.
        label: what people read, with the unit.
        description: one line, for dashboards.
        source: "total" is a counter of the actors over the whole run; "rate" is such a counter a
            second, of this session; "learner" is a result of `Learner.train`, or the
            "learning_rate" that there is from the first stage on.
        counter: the counter's or the result's name; empty where it is `name`.
        over: counters whose sum divides a total: a share or a mean. Workers' counters are added
            first, so the mean is that of all games.
        look: how its value is written.
        side: the half of the panel that it stands in; "none" leaves it out there.
        in_line: whether it stands in the plain line, too.
        chart: title of the report's chart that draws it; empty for none.
    """

    name: str
    label: str
    description: str
    source: Literal["total", "rate", "learner"] = "learner"
    counter: str = ""
    over: tuple[str, ...] = ()
    look: Look = "number"
    side: Literal["acting", "learning", "none"] = "learning"
    in_line: bool = False
    chart: str = ""

    def value(
        self,
        totals: Mapping[str, float],
        rates: Mapping[str, float],
        learned: Mapping[str, float],
    ) -> float | None:
        """Return the metric; None while it is unknown, such as a mean over nothing.

        Args:
            totals: counters of all actors since the run began.
            rates: the same a second, of this session.
            learned: what the learner's last training answered.
        """
        found = {"total": totals, "rate": rates, "learner": learned}[self.source]
        value = found.get(self.counter or self.name)
        if value is None or not self.over:
            return value
        divisor = sum(totals.get(name, 0) for name in self.over)
        return value / divisor if divisor else None


def metrics_of(
    specs: Sequence[MetricSpec],
    totals: Mapping[str, float],
    rates: Mapping[str, float],
    learned: Mapping[str, float],
) -> dict[str, float | None]:
    """Return the value of each metric by its name; see `MetricSpec.value`."""
    return {spec.name: spec.value(totals, rates, learned) for spec in specs}
