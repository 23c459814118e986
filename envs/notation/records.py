"""Whole games as text: what a record holds, and how a game says which formats it writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

UNNAMED = ("", "")


class MoveNote(NamedTuple):
    """What is known of a move beside it; None is unknown.

    `seconds` are those left on its side's clock after it. Its score is for the first player, as
    `centipawns` or as the moves until `mate`, below 0 where the second player mates.
    """

    seconds: float | None = None
    centipawns: int | None = None
    mate: int | None = None


@dataclass(frozen=True, eq=False)
class GameRecord:
    """A game: where it began, its moves, who played, and how it ended.

    Attributes:
        start: the position before the first move, a record; None is the game's initial position.
        moves: legal actions, one after the other.
        names: the first and the second player.
        points: of the first player, 1, 0.5 or 0; None where the game was not finished, or where
            the text does not say.
        notes: of the moves, one each; none at all where nothing is known.
        clock: the time of each side, SECONDS+INCREMENT; "" is none.
        is_late: whether the loser overstepped it.
    """

    start: Any
    moves: tuple[int, ...]
    names: tuple[str, str] = UNNAMED
    points: float | None = None
    notes: tuple[MoveNote, ...] = ()
    clock: str = ""
    is_late: bool = False


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


@dataclass(frozen=True)
class BookFormat:
    """A format of books of openings, such as EPD, for one game; such files are only read.

    Attributes:
        name: as people call it.
        suffix: of its files, with the dot.
        read: reads a file's openings, of at most as many plies as are given, as games without a
            result; raises NotationError for what is none.
    """

    name: str
    suffix: str
    read: Callable[[Path, int | None], list[GameRecord]]
