"""The position to think about, with its past, and whether it continues an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.game import Game, GameError
from envs.positions import Past, new_past, play_moves


@dataclass(frozen=True, eq=False)
class Position:
    """A position, what lies before it, and the moves by which it is known to have come about."""

    state: NDArray[Any]  # the record, [1]
    past: Past  # of one position
    start: bytes | None = None  # the record that the game began with; None is unknown
    moves: tuple[int, ...] = ()  # from there

    def moves_since(self, earlier: Position) -> tuple[int, ...] | None:
        """Return the moves that lead here from an earlier position, None if none are known."""
        known = self.start is not None and self.start == earlier.start
        played = len(earlier.moves)
        if known and self.moves[:played] == earlier.moves:
            return self.moves[played:]
        return None


def position_after(game: Game, moves: Sequence[int], start: Any = None) -> Position:
    """Return the position after `moves` from the game's start, or from the record `start`.

    A `start` of its own has no past. Raises GameError for a move that is not legal.
    """
    states = game.new_states(1)
    if start is not None:
        states[0] = start
    began = states.tobytes()
    past = new_past(game, states)
    wrong = play_moves(game, states, past, np.zeros(len(moves), np.int64), np.array(moves, int))
    if wrong >= 0:
        raise GameError(f"move {wrong + 1} of {game.name}, action {moves[wrong]}, is not legal")
    return Position(states, past, began, tuple(int(move) for move in moves))


def position_of(game: Game, state: Any, past: Past | None = None) -> Position:
    """Return a position with its past, None for nothing; no other is known to continue it."""
    states = np.array(np.atleast_1d(state), game.dtype)
    return Position(states, new_past(game, states) if past is None else past)
