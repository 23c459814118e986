"""The position that another program tells, by a text and moves, each time longer by some moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.engine.position import Position
from envs.game import Game
from envs.positions import new_past, play_moves

ROW = np.zeros(1, np.int64)  # of the only position
FEN_WORDS = 6  # of chess; an SFEN of shogi has 4


class SessionPosition:
    """Follows a game by its moves' texts; only those that are new are read.

    Other programs end some games later than the rules here: they ask for a move after the third
    occurrence of a position, until a player claims the draw, or beyond the longest game. The game
    then continues from there without a past. It also continues where the program sends a move in
    a position that a declaration would win (the impasse of shogi).
    """

    def __init__(self, game: Game) -> None:
        self.game = game
        self.start, self.moves = "", tuple[str, ...]()
        self._states = game.new_states(1)
        self._past = new_past(game, self._states)
        self._began, self._actions = self._states.tobytes(), list[int]()

    @property
    def position(self) -> Position:
        """Return the position, with its past."""
        past = self._past.take(ROW)  # a copy
        return Position(self._states.copy(), past, self._began, tuple(self._actions))

    def after(self, start: str, moves: Sequence[str]) -> SessionPosition:
        """Return the position after `moves` from the text `start`, "" for the game's start.

        Raises GameError for text that names no position, and for a move that is not legal.
        """
        played = len(self.moves)
        goes_on = self.start == start and self.moves == tuple(moves[:played])
        found = SessionPosition(self.game)
        found.start, found.moves = start, tuple(moves)
        if goes_on:
            known = self.position
            found._states, found._past, found._began = known.state, known.past, known.start or b""
            found._actions = list(known.moves)
        elif start:
            found._begin(self._read(start))
        for number, word in enumerate(moves[played:] if goes_on else moves, start=1):
            found._play(word, number + (played if goes_on else 0))
        found._play_on()
        return found

    def _read(self, text: str) -> Any:
        if self.game.parse_position is None:
            raise ValueError(f"{self.game.name} has no text for positions, got {text!r}")
        return self.game.parse_position(text)

    def _begin(self, state: Any) -> None:
        self._states = np.array([state], self.game.dtype)
        self._past = new_past(self.game, self._states)
        self._began, self._actions = self._states.tobytes(), []

    def _play(self, word: str, number: int) -> None:
        if self._is_declared():
            self._begin(_undeclared(self._states[0]))
        action = self.game.parse_legal(self._states[0], word, number)
        moves: NDArray[np.int64] = np.array([action], np.int64)
        play_moves(self.game, self._states, self._past, ROW, moves)
        self._actions.append(action)
        self._play_on()

    def _play_on(self) -> None:
        """Begin again at a position that is over only by what came before it."""
        write, state = self.game.format_position, self._states[0]
        if write is None or not self.game.rules.is_terminal(state):
            return
        words = write(state).split()
        words[-1] = "1"  # the number of the move
        if len(words) == FEN_WORDS:
            words[-2] = "0"  # plies without progress
        fresh = self._read(" ".join(words))
        if not self.game.rules.is_terminal(fresh):
            self._begin(fresh)

    def _is_declared(self) -> bool:
        """Return whether the game is over by a win of the side to move."""
        rules, state = self.game.rules, self._states[0]
        return rules.is_terminal(state) and rules.value_to_play(state) > 0


def _undeclared(state: Any) -> Any:
    """Return a declared position as one that goes on."""
    fresh = state.copy()
    fresh["over"], fresh["value"], fresh["ply"] = 0, 0, 0
    return fresh
