"""The used share of a run's budget, over all sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from agents.training import TrainConfig


class Budget:
    """Clock of a run, which ends after its minutes or its games, whichever comes first.

    The clock of a session runs from `start`: loading and compiling do not count.

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

    def share(self, games: int) -> float:
        """Return the used share, 0 to 1; by finished games if there is no time limit."""
        return share_used(self.limits(), self.elapsed(), games)

    def limits(self) -> dict[str, float]:
        """Return {"minutes": ..., "games": ...}, as checkpoints store them."""
        return {"minutes": self.seconds / 60.0, "games": self.games}

    def time_is_up(self) -> bool:
        """Return whether the minutes are used up."""
        return 0 < self.seconds <= self.elapsed()

    def games_are_up(self, games: int) -> bool:
        """Return whether `games` finished games use up the budget in games."""
        return 0 < self.games <= games

    def is_used(self, games: int) -> bool:
        """Return whether the minutes or the games are used up."""
        return self.time_is_up() or self.games_are_up(games)


def share_used(limits: Mapping[str, float], elapsed_s: float, games: int) -> float:
    """Return the used share of {"minutes": ..., "games": ...}, 0 to 1, by time if time is limited.

    This sets the learning rate, so it depends on what was done and on the limits alone: a run whose
    limits are raised continues as a run of that length would from the same moment.
    """
    if limits["minutes"] > 0:
        return min(elapsed_s / (60.0 * limits["minutes"]), 1.0)
    return min(games / limits["games"], 1.0) if limits["games"] > 0 else 0.0
