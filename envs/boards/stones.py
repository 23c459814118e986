"""Boards of stones as text: the cells of a record with two sets of points, and rows of X, O, dots.

The record's field `stones` has a set of points for each side, uint64 [2, words].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.boards.words import to_cells
from envs.game import NotationError, State


def stone_cells(state: State, rows: int, columns: int) -> NDArray[np.uint8]:
    """Return what stands on each point, uint8 [rows * columns]: 0 nothing, 1 first, 2 second."""
    board = np.zeros(rows * columns, np.uint8)
    for side in (0, 1):
        board[to_cells(state["stones"][side], rows, columns)] = side + 1
    return board


def format_rows(state: State, size: int) -> str:
    """Return a square board as rows of X, O and dots from the top, joined by slashes."""
    board = stone_cells(state, size, size).reshape(size, size)
    return "/".join("".join(".XO"[stone] for stone in row) for row in board)


def parse_rows(text: str, size: int) -> tuple[list[int], list[int]]:
    """Return the first and the second player's points, ascending, of what `format_rows` writes.

    Raises NotationError, with the text, for anything else.
    """
    rows = text.split("/")
    if len(rows) != size or any(len(row) != size or set(row) - set(".XO") for row in rows):
        raise NotationError(f"{text!r}: expected {size} rows of {size} times X, O or a dot")
    stones = "".join(rows)
    first, second = ([p for p, stone in enumerate(stones) if stone == who] for who in "XO")
    return first, second
