"""How much of a training's budget is used, over all of its sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from agents.training import TrainConfig


class Budget:
    """The clock of a training, and its end in minutes or in games, whichever comes first.

    The clock of a session stands still until `start`: loading and compiling are not training.

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
        """Let the clock of this session run from now on; harmless when it runs already."""
        if self._started is None:
            self._started = self._clock()

    @property
    def runs(self) -> bool:
        """Whether the clock of this session runs."""
        return self._started is not None

    def session(self) -> float:
        """Seconds of this session."""
        return 0.0 if self._started is None else self._clock() - self._started

    def elapsed(self) -> float:
        """Seconds of training over all sessions."""
        return self.elapsed_before + self.session()

    def share(self, games: int) -> float:
        """How much is used, 0 to 1; by the games finished where there is no time limit."""
        return share_used(self.limits(), self.elapsed(), games)

    def limits(self) -> dict[str, float]:
        """{"minutes": ..., "games": ...}, as a checkpoint keeps them."""
        return {"minutes": self.seconds / 60.0, "games": self.games}

    def time_is_up(self) -> bool:
        """Whether the minutes are used up."""
        return 0 < self.seconds <= self.elapsed()

    def games_are_up(self, games: int) -> bool:
        """Whether the games are used up, with so many finished."""
        return 0 < self.games <= games

    def is_used(self, games: int) -> bool:
        """Whether the minutes or the games are used up."""
        return self.time_is_up() or self.games_are_up(games)


def share_used(limits: Mapping[str, float], elapsed_s: float, games: int) -> float:
    """How much of {"minutes": ..., "games": ...} is used, 0 to 1; time counts where it is limited.

    This sets the learning rate, so it depends on what was done and on the limits alone: a run whose
    limits are raised goes on as a training of that length would from the same moment.
    """
    if limits["minutes"] > 0:
        return min(elapsed_s / (60.0 * limits["minutes"]), 1.0)
    return min(games / limits["games"], 1.0) if limits["games"] > 0 else 0.0
