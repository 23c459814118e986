"""How much of a training's budget is used, over all of its sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from selfplay.config import TrainConfig


class Budget:
    """The clock of a training, and its end in minutes or in games, whichever comes first.

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
        self._started = clock()

    def session(self) -> float:
        """Seconds of this session."""
        return self._clock() - self._started

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

    def is_used(self, games: int) -> bool:
        """Whether the minutes or the games are used up."""
        return self.time_is_up() or 0 < self.games <= games


def share_used(limits: Mapping[str, float], elapsed_s: float, games: int) -> float:
    """How much of {"minutes": ..., "games": ...} is used, 0 to 1; time counts where it is limited.

    This sets the learning rate, so it depends on what was done and on the limits alone: a run whose
    limits are raised goes on as a training of that length would from the same moment.
    """
    if limits["minutes"] > 0:
        return min(elapsed_s / (60.0 * limits["minutes"]), 1.0)
    return min(games / limits["games"], 1.0) if limits["games"] > 0 else 0.0
