"""The interface of pools that play batches of matches, several at a time, in any order.

A `PlannedBatch` and its two agents decide the batch's games, but for those by the clock. So it does
not matter which process plays it, when, or after how many attempts: all pools in
`arena.match.workers` play the same games.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable
from dataclasses import dataclass
from typing import Protocol

from arena.match.clock import TimeControl
from arena.match.openings import Opening
from arena.match.records import Batch, MatchKey


@dataclass(frozen=True, eq=False)
class PlannedBatch:
    """Pairs of a match that are to be played together.

    Attributes:
        key: the match.
        first_pair: number of pairs of the match before these.
        openings: one a pair. They come along because a stream of openings is made from its
            beginning, and balanced ones cost searches.
        clock: by which the games are played; None is without one.
    """

    key: MatchKey
    first_pair: int
    openings: tuple[Opening, ...]
    clock: TimeControl | None = None

    @property
    def end(self) -> int:
        """Number of the pair after the batch's last."""
        return self.first_pair + len(self.openings)


class UnplayableError(Exception):
    """An agent cannot be loaded; `cause` says why."""

    def __init__(self, agent: str, cause: Exception) -> None:
        super().__init__(agent, cause)  # as they are: it may come from another process
        self.agent = agent
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.agent}: {self.cause}"


class MatchPool(Protocol):
    """Plays batches of one game."""

    @property
    def in_flight(self) -> Collection[PlannedBatch]:
        """Number of batches submitted and neither taken nor cancelled."""

    @property
    def has_room(self) -> bool:
        """Whether one more batch would start at once."""

    def submit(self, batch: PlannedBatch) -> None:
        """Submit a batch."""

    def take(self) -> tuple[PlannedBatch, Batch]:
        """Wait for a finished batch; at least one must be in flight.

        Raises UnplayableError, ChildProcessError when workers die of this batch again and again,
        and what an agent raises.
        """

    def cancel(self) -> None:
        """Stop and drop the batches in flight."""


def play_all(
    pool: MatchPool, batches: Iterable[PlannedBatch]
) -> Generator[tuple[PlannedBatch, Batch], None, None]:
    """Yield each batch when it is finished; batches start in order, when there is room.

    When the caller stops early, or fails, what is in flight is cancelled. Raises like `take`.
    """
    coming = iter(batches)
    try:
        while True:
            fill(pool, lambda: next(coming, None))
            if not pool.in_flight:
                return
            yield pool.take()
    finally:
        pool.cancel()


def fill(pool: MatchPool, plan: Callable[[], PlannedBatch | None]) -> None:
    """Submit planned batches while there is room, until the plan is empty."""
    while pool.has_room and (batch := plan()) is not None:
        pool.submit(batch)
