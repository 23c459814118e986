"""Metrics of a run, described once for every display."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

RECENT_GAMES = 100  # as Machado et al. (2018) report training scores
Look = Literal["count", "percent", "loss", "number", "exponent"]


@dataclass(frozen=True)
class MetricSpec:
    """One metric of a run: the source of its value, and its display.

    The panel, TensorBoard, Prometheus, the journal and the report go through these specs.

    Attributes:
        name: its key in `Progress.metrics` and in the journal.
        label: what people read, with the unit.
        description: one line, for dashboards.
        source: "total" is a counter of the actors over the whole run; "recent" is such a counter
            over about the last RECENT_GAMES games; "rate" is one a second, of this session;
            "learner" is a result of `Learner.train`, or the "learning_rate" that there is from the
            first stage on.
        counter: the counter's or the result's name; empty where it is `name`.
        over: counters whose sum divides a total or a recent count: a share or a mean. Workers'
            counters are added first, so the mean is that of all games.
        look: how its value is written.
        side: the half of the panel that it stands in; "none" leaves it out there.
        in_line: whether it stands in the plain line, too.
        chart: title of the report's chart that draws it; empty for none.
    """

    name: str
    label: str
    description: str
    source: Literal["total", "recent", "rate", "learner"] = "learner"
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
        recent: Mapping[str, float],
    ) -> float | None:
        """Return the metric; None while it is unknown, such as a mean over nothing.

        Args:
            totals: counters of all actors since the run began.
            rates: the same a second, of this session.
            learned: what the learner's last training answered.
            recent: counters of all actors over the last games (`RecentCounters`).
        """
        sources = {"total": totals, "recent": recent, "rate": rates, "learner": learned}
        found = sources[self.source]
        value = found.get(self.counter or self.name)
        if value is None or not self.over:
            return value
        divisor = sum(found.get(name, 0) for name in self.over)
        return value / divisor if divisor else None


def metrics_of(
    specs: Sequence[MetricSpec],
    totals: Mapping[str, float],
    rates: Mapping[str, float],
    learned: Mapping[str, float],
    recent: Mapping[str, float],
) -> dict[str, float | None]:
    """Return the value of each metric by its name; see `MetricSpec.value`."""
    return {spec.name: spec.value(totals, rates, learned, recent) for spec in specs}


class RecentCounters:
    """Counters over about the last `games` finished games, for means that follow a run."""

    def __init__(self, games: int = RECENT_GAMES) -> None:
        self._games = games
        self._marks: deque[dict[str, float]] = deque()

    def add(self, totals: Mapping[str, float]) -> Mapping[str, float]:
        """Note the totals of now; return the counters since those of about `games` games ago.

        The first totals noted are where counting begins.
        """
        marks = self._marks
        if not marks or totals.get("games", 0) > marks[-1].get("games", 0):
            marks.append(dict(totals))
        while len(marks) > 2 and totals.get("games", 0) - marks[1].get("games", 0) >= self._games:
            marks.popleft()
        return {name: count - marks[0].get(name, 0) for name, count in totals.items()}
