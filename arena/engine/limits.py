"""How long to think: limits of visits and seconds, and clocks turned into a budget of seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from envs.game import Game
from envs.settings import NonNegativeFloat, NonNegativeInt, PositiveInt, Settings, check_value

MOVES_AHEAD = 30  # moves that the time left is shared among at most, where the clock names none
FEWEST_MOVES = 8  # and at least: a game that could soon end seldom does
LONGEST = 4.0  # times the optimum that one move may take
MOST_OF_CLOCK = 0.6  # of the time left for one move, where no overtime follows


@dataclass(frozen=True)
class Clock(Settings):
    """One side's time in seconds, before its move.

    Byo-yomi is a `period` for each move after the main time; Canadian overtime is a `period` for
    `period_moves` moves. In a running Canadian period, `remaining` and `moves_to_go` are what is
    left of it, and `period` is 0, because the next one cannot be spent yet.
    """

    remaining: float
    """Main time left; below 0 (a late clock) counts as none."""
    increment: NonNegativeFloat = 0.0
    """Added after each move (Fischer)."""
    moves_to_go: NonNegativeInt = 0
    """Moves until more time is added; 0 is unknown: the whole game."""
    period: NonNegativeFloat = 0.0
    """Overtime after the main time, for `period_moves` moves; 0 is none."""
    period_moves: PositiveInt = 1
    """Moves of one period of overtime; 1 is byo-yomi."""


@dataclass(frozen=True)
class Clocks(Settings):
    """The clocks of both sides, and the time that a move needs on its way."""

    first: Clock
    second: Clock
    overhead: NonNegativeFloat = 0.05
    """Seconds lost between a decision and the stop of the clock."""

    def of(self, side: int) -> Clock:
        """Return the clock of a side, 0 or 1."""
        return self.second if side else self.first


@dataclass(frozen=True)
class Limit:
    """What ends the thinking about a position; nothing given is infinite: until it is stopped.

    With several limits the first one reached ends it. A proven root and a full tree end it too.
    Raises ValueError for fewer than 0 nodes or seconds.
    """

    nodes: int = 0
    """New visits of the root's moves, those of a kept tree not included; 0 is no limit."""
    seconds: float = 0.0
    """Time for this position; 0 is no limit."""
    clocks: Clocks | None = None
    early: bool = field(default=True, kw_only=True)
    """End early too, once the leading move cannot be overtaken in what is left."""

    def __post_init__(self) -> None:
        check_value("nodes", self.nodes, NonNegativeInt)
        check_value("seconds", self.seconds, NonNegativeFloat)

    @property
    def is_infinite(self) -> bool:
        """Whether nothing but a stop ends the thinking."""
        return not (self.nodes or self.seconds or self.clocks)


class Budget(NamedTuple):
    """The seconds of one move: those after which a clear choice is made, and the most."""

    optimum: float
    maximum: float


def moves_ahead(game: Game, ply: int) -> int:
    """Estimate the moves that the side to move at a ply has left, for sharing out its time."""
    most = (game.max_plies - ply + 1) // 2
    return min(MOVES_AHEAD, max(most // 2, FEWEST_MOVES))


def budget_of(clock: Clock, overhead: float, moves: int) -> Budget:
    """Share out a clock: the budget of the next of about `moves` moves that are left.

    The maximum and the overhead together never exceed what the clock has for this move: the main
    time and its share of a period. Of a main time without overtime, every move leaves some.
    """
    moves = clock.moves_to_go or max(1, moves)
    remaining = max(0.0, clock.remaining)
    share = clock.period / clock.period_moves
    gained = clock.increment * (moves - 1)
    optimum = max(0.0, (remaining + gained) / moves + share - overhead)
    keeps_some = moves > 1 and not clock.period
    spendable = MOST_OF_CLOCK * remaining if keeps_some else remaining
    most = min(spendable + share, remaining + share - overhead)
    if clock.moves_to_go:  # each of the others has an overhead as well
        most = min(most, remaining + share - overhead * moves)
    most = max(0.0, most)
    maximum = min(LONGEST * optimum, most)
    return Budget(min(optimum, maximum), maximum)
