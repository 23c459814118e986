"""A pool without workers whose batches are over in an order of its own."""

import numpy as np

from arena.match.pool import PlannedBatch
from arena.match.records import Batch
from arena.match.workers import LocalPool
from envs.game import Game


class ShuffledPool(LocalPool):
    """Has room for several; Ctrl-C is pressed when so many `plays` were taken."""

    def __init__(self, game: Game, room: int, plays: int = 1 << 30, store_url: str = "no") -> None:
        super().__init__(game, store_url)
        self.room = room
        self.plays = plays
        self.played: list[int] = []  # first pairs
        self.submitted: list[PlannedBatch] = []
        self.cancelled: list[PlannedBatch] = []
        self._rng = np.random.default_rng(room)

    @property
    def has_room(self) -> bool:
        return len(self.in_flight) < self.room

    def submit(self, batch: PlannedBatch) -> None:
        self.submitted.append(batch)
        super().submit(batch)

    def take(self) -> tuple[PlannedBatch, Batch]:
        if len(self.played) == self.plays:
            raise KeyboardInterrupt
        self._waiting.rotate(int(self._rng.integers(len(self._waiting))))
        planned, batch = super().take()
        self.played.append(planned.first_pair)
        return planned, batch

    def cancel(self) -> None:
        self.cancelled += self.in_flight
        super().cancel()
