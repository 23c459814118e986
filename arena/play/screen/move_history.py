"""Keep the moves of a game, with undo and redo, and read and write game files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arena.game_records import read_games
from envs.game import Game, NotationError, State, advance, position_key
from envs.notation.records import GameRecord
from envs.positions import Past, past_of

MOST_BYTES = 1 << 16  # of a file that can be one game


class GameFileError(ValueError):
    """The file cannot be read or written as a game."""


class MoveHistory:
    """The moves of a game and their positions, with undo and redo.

    It begins at the record `start`, or at the game's initial position.
    """

    def __init__(self, game: Game, moves: Sequence[int] = (), start: State | None = None) -> None:
        self.game = game
        self.start = start
        self.moves: list[int] = []
        first = game.new_state() if start is None else start
        self.states: list[Any] = [first]  # one more than moves, none of them changes
        self.undone: list[int] = []  # the next to redo is the last
        for action in moves:
            self._append(action)

    @property
    def state(self) -> Any:
        """Return the current position; do not modify it."""
        return self.states[-1]

    def past(self, ply: int | None = None) -> Past | None:
        """Return what lies before the position after `ply` moves; None in games without history."""
        if not self.game.has_history:
            return None
        states = self.states if ply is None else self.states[: ply + 1]
        return past_of(self.game, [np.array(states, self.game.dtype)])

    def play(self, action: int) -> None:
        """Play a legal action; one that differs from the next redo clears the redo list."""
        if self.undone and self.undone[-1] == action:
            self.undone.pop()
        else:
            self.undone.clear()
        self._append(action)

    def undo(self) -> bool:
        """Take back one move; False where there is none."""
        if not self.moves:
            return False
        self.undone.append(self.moves.pop())
        self.states.pop()
        return True

    def redo(self) -> bool:
        """Play the last undone move again; False where there is none."""
        if not self.undone:
            return False
        self._append(self.undone.pop())
        return True

    def _append(self, action: int) -> None:
        # Plain Python rules are slow where games are long: no position is computed twice.
        state, count = self.states[-1].copy(), len(self.moves)
        keys = np.zeros(count + 1, np.uint64)
        if self.game.rules.remember is not None:
            keys[:count] = [position_key(earlier) for earlier in self.states[:count]]
        advance(state, keys, count, action)
        self.moves.append(int(action))
        self.states.append(state)


def write_game(
    path: Path, history: MoveHistory, comment: str, replace: bool = False, **about: Any
) -> None:
    """Write a game in the format of the file's ending, PGN say, or else as text.

    Text is the position and the moves as `Game.read_position` reads them, under comments that begin
    with #. `about` are more fields of the `GameRecord`. Raises GameFileError where the file is
    there already (unless `replace`) or cannot be written.
    """
    game = history.game
    own = {found.suffix: found for found in game.record_formats}.get(path.suffix.lower())
    if own is None:
        line = game.write_position(history.start, history.moves)
        text = f"# {game.title}\n# {comment}\n{line}\n"
    else:
        text = own.write(GameRecord(history.start, tuple(history.moves), **about))
    try:
        with path.open("w" if replace else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise GameFileError(f"{path} is there already; save as {path.name}! replaces it") from None
    except (OSError, ValueError) as error:
        raise GameFileError(f"{path}: {_reason(error)}") from None


def read_game(path: Path, game: Game) -> GameRecord:
    """Read the first game of a file: by its ending, PGN say, or as text, where # begins a comment.

    Raises GameFileError where it cannot be read, or a move is not legal.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise GameFileError(f"{path} is no text file") from None
    except (OSError, ValueError) as error:
        raise GameFileError(f"{path}: {_reason(error)}") from None
    if len(data) > MOST_BYTES:
        raise GameFileError(f"{path} is too long for one game (over {MOST_BYTES:,} bytes)")
    if any(path.suffix.lower() == found.suffix for found in game.record_formats):
        try:
            return read_games(game, path)[0].record
        except NotationError as error:
            raise GameFileError(str(error)) from None
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    try:
        start, moves = game.read_position(game.move_separator.join(filter(None, lines)))
    except NotationError as error:
        raise GameFileError(f"{path.name}: {error}") from None
    return GameRecord(start, tuple(moves))


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
