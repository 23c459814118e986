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


class SessionPosition:
    """Follows a game by its moves' texts; only those that are new are read.

    Other programs end a game later than the rules of some games do: they ask for a move after a
    position has come the third time, until a player claims the draw. Such a game goes on from
    there, as one without a past.
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
        words[4:5] = ["0"]  # plies without progress
        fresh = self._read(" ".join(words))
        if not self.game.rules.is_terminal(fresh):
            self._begin(fresh)
