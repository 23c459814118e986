"""Play games with a clock, one after the other; a side whose time runs out loses.

Our agents think in an `Engine`, which divides the remaining time among its moves; other programs
receive the clocks by their protocol. A move costs the wall time from the question to the answer.
Loading, compiling and the opening happen before the clocks start.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from agents.players import ForfeitError, Player
from arena.engine.engine import Engine
from arena.engine.limits import Clock, Clocks, Limit
from arena.engine.position import Position, position_after
from arena.engine.protocols.uci import centipawns, moves_to_mate
from arena.engine.snapshot import Snapshot
from arena.engine.thinking import Request
from arena.match.clock import TimeControl
from arena.match.openings import Opening
from arena.match.pool import PlannedBatch
from arena.match.records import Batch
from arena.opponents.opponent import OpponentPlayer
from envs.game import Game
from envs.notation.records import MoveNote

OVERHEAD_S = 0.03  # of our agents, for waking a thread on a busy machine
NOBODY, FIRST, SECOND = 0, 1, 2  # the agent that lost on time

_logger = logging.getLogger("ludens.arena")


class Reply(NamedTuple):
    """A move, None where there is none for a `reason`; its value is for the side that makes it."""

    action: int | None
    value_to_play: float = math.nan
    mate: int = 0  # moves until then, below 0 for a side that is mated; 0 is unknown
    seconds: float | None = None  # that it took; None is all until the answer
    reason: str = ""


class Seat(Protocol):
    """An agent that plays by the clock."""

    name: str

    def begin(self) -> None:
        """Begin another game."""

    def reply(self, position: Position, clocks: Clocks, seed: list[int]) -> Reply:
        """Choose a move."""

    def close(self) -> None:
        """End what thinks."""


class _EngineSeat:
    """One of our agents."""

    def __init__(self, game: Game, player: Player) -> None:
        self.name = player.name
        self._engine = Engine(game, player)
        self._engine.get_ready()
        start = position_after(game, ())
        self._engine.start(Request(start, Limit(nodes=1), seed=[0])).wait()  # compiles the rest

    def begin(self) -> None:
        """See Seat."""

    def reply(self, position: Position, clocks: Clocks, seed: list[int]) -> Reply:
        """See Seat. Raises what the agent raises."""
        result = self._engine.start(Request(position, Limit(clocks=clocks), seed=seed)).wait()
        return Reply(result.best, *_opinion(result.snapshot))

    def close(self) -> None:
        """See Seat."""
        self._engine.close()


def _opinion(snapshot: Snapshot | None) -> tuple[float, int]:
    """Return a snapshot's value, NaN where unknown, and the moves to mate, 0 where unknown."""
    if snapshot is None or snapshot.value_to_play is None:
        return math.nan, 0
    exact = snapshot.exact
    if exact is None or abs(exact) != 1.0:
        return snapshot.value_to_play, 0
    return exact, moves_to_mate(exact, snapshot.plies)


class _ProgramSeat:
    """Another program."""

    def __init__(self, player: OpponentPlayer) -> None:
        self.name = player.name
        self._player = player

    def begin(self) -> None:
        """See Seat."""
        self._player.forget()

    def reply(self, position: Position, clocks: Clocks, seed: list[int]) -> Reply:
        """See Seat."""
        try:
            return Reply(*self._player.choose_by_clock(position.state, position.past, clocks))
        except ForfeitError as error:
            return Reply(None, reason=error.reasons[0])

    def close(self) -> None:
        """See Seat; the program runs on, for other games."""


@dataclass
class _Played:
    """A game: the first player's points (0, 1/2 or 1), its moves, and the side that overstepped."""

    points: float = math.nan
    moves: list[int] = field(default_factory=list)
    notes: list[MoveNote] = field(default_factory=list)
    late: int | None = None


def play_timed(
    game: Game,
    players: tuple[Player, Player],
    planned: PlannedBatch,
    report: Callable[[int], None] = lambda finished: None,
    now: Callable[[], float] = time.monotonic,
) -> Batch:
    """Play the pairs of a batch by its clock, reporting the number of finished games.

    Args:
        game: the game.
        players: both agents.
        planned: the batch, with a clock.
        report: called with the number of finished games.
        now: a clock in seconds.
    """
    assert planned.clock is not None
    with ExitStack() as stack:
        seats: list[Seat] = []
        for player in players:
            seats.append(_seat(game, player))
            stack.callback(seats[-1].close)
        games = []
        for number in range(2 * len(planned.openings)):
            order = (seats[0], seats[1]) if number % 2 == 0 else (seats[1], seats[0])
            seed = [planned.key.seed, 2, 2 * planned.first_pair + number]
            opening = planned.openings[number // 2]
            games.append(_play_game(game, order, opening, planned.clock, seed, now))
            report(len(games))
    return _batch_of(planned, games)


def _seat(game: Game, player: Player) -> Seat:
    return _ProgramSeat(player) if isinstance(player, OpponentPlayer) else _EngineSeat(game, player)


def _play_game(
    game: Game,
    seats: tuple[Seat, Seat],
    opening: Opening,
    control: TimeControl,
    seed: list[int],
    now: Callable[[], float],
) -> _Played:
    """Play a game from an opening; the seats are in the order of the sides."""
    played, left = _Played(), [control.seconds, control.seconds]
    for seat in seats:
        seat.begin()
    position = position_after(game, (), opening.state[0])
    while not game.rules.is_terminal(position.state[0]):
        side = int(game.rules.to_play(position.state[0]))
        first, second = (Clock(seconds, control.increment) for seconds in left)
        clocks = Clocks(first, second, overhead=OVERHEAD_S)
        began = now()
        reply = seats[side].reply(position, clocks, [*seed, len(played.moves)])
        left[side] -= now() - began if reply.seconds is None else reply.seconds
        if left[side] < 0:
            played.late = side
        elif reply.action is None:
            _logger.warning("%s forfeits a game: %s", seats[side].name, reply.reason)
        if left[side] < 0 or reply.action is None:
            played.points = float(side)  # a point for the first player if it was the second
            return played
        left[side] += control.increment
        played.moves.append(reply.action)
        played.notes.append(_note(reply, side, left[side]))
        position = position_after(game, played.moves, opening.state[0])
    value, last = float(game.rules.value_to_play(position.state[0])), position.state[0]
    played.points = (1 + (-value if game.rules.to_play(last) else value)) / 2
    return played


def _note(reply: Reply, side: int, seconds: float) -> MoveNote:
    """Note a move's clock and its score from the first player's side."""
    sign = -1 if side else 1
    if reply.mate:
        return MoveNote(seconds, mate=sign * reply.mate)
    if not math.isfinite(reply.value_to_play):
        return MoveNote(seconds)
    return MoveNote(seconds, centipawns=sign * centipawns(reply.value_to_play))


def _batch_of(planned: PlannedBatch, games: list[_Played]) -> Batch:
    swapped = np.arange(len(games)) % 2 == 1  # the first agent is the second player
    points = np.array([played.points for played in games])
    late = np.array(
        [NOBODY if g.late is None else (g.late ^ i % 2) + 1 for i, g in enumerate(games)]
    )
    lengths = np.array([len(g.moves) + planned.openings[i // 2].plies for i, g in enumerate(games)])
    return Batch(
        planned.first_pair,
        np.rint(2 * np.where(swapped, 1 - points, points)).astype(np.int64).reshape(-1, 2),
        lengths.reshape(-1, 2),
        tuple(opening.id for opening in planned.openings),
        tuple(tuple(played.moves) for played in games),
        tuple(tuple(played.notes) for played in games),
        late.reshape(-1, 2),
    )
