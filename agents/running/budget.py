"""The used share of a run's budget, over all sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from agents.training import TrainConfig
from store.settings import LIMITS


class Budget:
    """Clock of a run, which ends after its minutes, its games or its rows, whichever comes first.

    The clock of a session runs from `start`: loading and compiling do not count. `counters` are
    those of the run, over all sessions: its "games" and its "rows" count here.

    Args:
        config: has the limits; a limit of 0 is none.
        elapsed_before: seconds of earlier sessions.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: TrainConfig,
        elapsed_before: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = 60.0 * config.minutes
        self.games = config.games
        self.rows = config.rows
        self.elapsed_before = elapsed_before
        self._clock = clock
        self._started: float | None = None

    def start(self) -> None:
        """Start this session's clock; no effect if it runs already."""
        if self._started is None:
            self._started = self._clock()

    @property
    def runs(self) -> bool:
        """Return whether this session's clock runs."""
        return self._started is not None

    def session(self) -> float:
        """Return the seconds of this session."""
        return 0.0 if self._started is None else self._clock() - self._started

    def elapsed(self) -> float:
        """Return the seconds of training over all sessions."""
        return self.elapsed_before + self.session()

    def share(self, counters: Mapping[str, float]) -> float:
        """Return the used share, 0 to 1: that of the limit nearest to its end."""
        return share_used(self.limits(), self.elapsed(), counters)

    def limits(self) -> dict[str, float]:
        """Return {"minutes": ..., "games": ..., "rows": ...}, as checkpoints store them."""
        return {"minutes": self.seconds / 60.0, "games": self.games, "rows": self.rows}

    def metadata(self, counters: Mapping[str, float]) -> dict[str, Any]:
        """Return what a checkpoint stores of the budget's use, with the counters of the run.

        Whole ones are integers, as they are shown.
        """
        return {
            "elapsed_s": self.elapsed(),
            "budget": self.limits(),
            "counters": {n: int(c) if float(c).is_integer() else c for n, c in counters.items()},
        }

    def time_is_up(self) -> bool:
        """Return whether the minutes are used up."""
        return 0 < self.seconds <= self.elapsed()

    def counts_are_up(self, counters: Mapping[str, float]) -> bool:
        """Return whether the games or the rows are used up."""
        return 0 < self.games <= counters.get("games", 0) or 0 < self.rows <= counters.get(
            "rows", 0
        )

    def is_used(self, counters: Mapping[str, float]) -> bool:
        """Return whether the minutes, the games or the rows are used up."""
        return self.time_is_up() or self.counts_are_up(counters)


def limits_of(config: TrainConfig) -> dict[str, float]:
    """Return the limits of a run's settings, by their names; 0 is none."""
    return {name: float(getattr(config, name)) for name in LIMITS}


def limits_text(limits: Mapping[str, float], without: str) -> str:
    """Format limits as "60 minutes or 1,000 rows"; `without` any as that text."""
    told = [
        f"{limits[name]:g} {name}" if name == "minutes" else f"{limits[name]:,.0f} {name}"
        for name in LIMITS
        if limits[name]
    ]
    return " or ".join(told) or without


def start_notice(rows: int, start_rows: int) -> tuple[str, ...]:
    """Return one line if a run has used up its training rows before it learns; else nothing.

    Args:
        rows: the run's limit; 0 is none.
        start_rows: new rows before its first training step.
    """
    if not 0 < rows <= start_rows:
        return ()
    return (
        f"rows = {rows:,}: the run ends before it learns; expected more than {start_rows:,}, the "
        "rows before the first training step",
    )


def share_used(
    limits: Mapping[str, float], elapsed_s: float, counters: Mapping[str, float]
) -> float:
    """Return the used share of limits, 0 to 1: the largest of theirs, as the first one ends a run.

    This sets the learning rate, so it depends on what was done and on the limits alone: a run whose
    limits are raised continues as a run of that length would from the same moment.
    """
    used = {"minutes": elapsed_s / 60.0, **counters}
    shares = [used.get(name, 0.0) / limits[name] for name in LIMITS if limits[name] > 0]
    return min(max(shares, default=0.0), 1.0)
