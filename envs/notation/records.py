"""Whole games as text: what a record holds, and how a game says which formats it writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

UNNAMED = ("", "")


@dataclass(frozen=True, eq=False)
class GameRecord:
    """A game: where it began, its moves, who played, and how it ended.

    Attributes:
        start: the position before the first move, a record; None is the game's initial position.
        moves: legal actions, one after the other.
        names: the first and the second player.
        points: of the first player, 1, 0.5 or 0; None where the game was not finished, or where
            the text does not say.
    """

    start: Any
    moves: tuple[int, ...]
    names: tuple[str, str] = UNNAMED
    points: float | None = None


@dataclass(frozen=True)
class RecordFormat:
    """A format of game records, such as PGN, for one game.

    Attributes:
        name: as people call it.
        suffix: of its files, with the dot.
        write: makes the text of a game, with a newline at its end.
        read: reads the games of a text, and raises NotationError for what is none; None where
            the format is only written.
        between: the text between two games of a file; None where a file has one game.
    """

    name: str
    suffix: str
    write: Callable[[GameRecord], str]
    read: Callable[[str], list[GameRecord]] | None = None
    between: str | None = "\n"
