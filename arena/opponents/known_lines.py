"""The moves that lead to positions, found again from what a player gets of their past.

A `Past` has the keys of all earlier positions and the last few boards, but no moves. A move is the
legal one after which the position has the next key. Lines found before are kept, so that the next
question about a game adds two moves.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from envs.game import Game, State
from envs.positions import Past

MOST_LINES = 1024  # kept; those used last


class KnownLine(NamedTuple):
    """Where a game is known to begin, a record, and the moves from there."""

    start: State
    moves: tuple[int, ...]


class KnownLines:
    """Finds the lines to positions of one game."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self._found: OrderedDict[bytes, KnownLine] = OrderedDict()
        initial = game.new_state()
        self._initial = initial, _key(game, initial)

    def line_to(self, state: State, past: Past | None, row: int) -> KnownLine:
        """Return the longest line known to lead to a position; at least the position alone."""
        count = int(past.counts[row]) if past is not None else 0
        if past is None or count == 0 or self.game.rules.remember is None:
            found, keys = KnownLine(state.copy(), ()), np.zeros(1, np.uint64)
            keys[0] = _key(self.game, state)
        else:
            keys = np.append(past.keys[row, :count], np.uint64(_key(self.game, state)))
            begun, known = self._longest(keys, past, row)
            found = self._continue(begun, keys[known:]) or KnownLine(state.copy(), ())
        self._found[keys.tobytes()] = found
        if len(self._found) > MOST_LINES:
            self._found.popitem(last=False)
        return found

    def _longest(self, keys: Any, past: Past, row: int) -> tuple[KnownLine, int]:
        """Return a line to an earlier position, and how many of the keys it covers."""
        count = len(keys) - 1
        for covered in range(count, 0, -1):
            name = keys[:covered].tobytes()
            if name in self._found:
                self._found.move_to_end(name)
                return self._found[name], covered
        initial, key = self._initial
        if int(keys[0]) == key:
            return KnownLine(initial.copy(), ()), 1
        back = min(count, self.game.past_boards) - 1
        if back < 0:
            return KnownLine(initial.copy(), ()), 0  # no board is known: no move will fit
        return KnownLine(past.boards[row, back].copy(), ()), count - back

    def _continue(self, line: KnownLine, keys: Any) -> KnownLine | None:
        """Add the moves after which positions have these keys; None where one has no such move."""
        game, moves = self.game, list(line.moves)
        state = game.line(moves, line.start)[-1].copy()
        for key in keys:
            for action in game.legal_actions(state):
                after = state.copy()
                game.rules.step(after, int(action))
                if _key(game, after) == int(key):
                    break
            else:
                return None
            moves.append(int(action))
            state = after
        return KnownLine(line.start, tuple(moves))


def _key(game: Game, state: State) -> int:
    with np.errstate(over="ignore"):
        return int(game.rules.position_key(state))
