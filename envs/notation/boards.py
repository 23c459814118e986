"""What a screen needs to draw a game's cells and to play by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

NOWHERE = -1  # where a stone comes from, and where a pass goes to


def hand_place(kind: int) -> int:
    """Return where a drop of a piece of a kind comes from."""
    return -2 - kind


class Piece(NamedTuple):
    """A kind of piece: its ASCII form, the second player's in small letters, and Unicode forms."""

    letters: str  # "N", "+R"
    first: str  # "♘"
    second: str  # "♞"


@dataclass(frozen=True)
class BoardShape:
    """How a game's cells are laid out and named, and what moves do on them.

    Attributes:
        columns: names of the columns, from the left.
        rows: names of the rows, from the top; none where an action is a column.
        pieces: by kind, as in `Game.cells`; none is a board of stones.
        move_cells: move_cells(state, action) returns where a legal action leaves from, a cell,
            `hand_place` or NOWHERE, and the cell where it arrives, or NOWHERE. None: an action
            below the number of cells puts a stone on that cell (or, without rows, in that column).
        hands: hands(state) returns how many pieces of each kind either player holds, [2][kinds].
        checked: checked(state) returns the cell of a king in check, or NOWHERE.
        slants: each row begins half a cell to the right of the row above, as in Hex.
        notes: notes(state) returns lines to write below the board, such as a count of discs.
    """

    columns: Sequence[str]
    rows: Sequence[str]
    pieces: Sequence[Piece] = ()
    move_cells: Callable[[Any, int], tuple[int, int]] | None = None
    hands: Callable[[Any], Sequence[Sequence[int]]] | None = None
    checked: Callable[[Any], int] | None = None
    slants: bool = False
    notes: Callable[[Any], Sequence[str]] | None = None


def stone_board(
    rows: int,
    columns: int,
    slants: bool = False,
    notes: Callable[[Any], Sequence[str]] | None = None,
) -> BoardShape:
    """Return a board of stones whose cells are named as in "f5", rows from the top."""
    letters = [chr(ord("a") + column) for column in range(columns)]
    names = [str(row + 1) for row in range(rows)]
    return BoardShape(letters, names, slants=slants, notes=notes)
