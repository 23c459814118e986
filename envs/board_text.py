"""Boards as cells and text: cells named as in "f5" (column letter, row from the top), drawings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

RESET = "\x1b[0m"
FIRST, SECOND = "\x1b[91mX" + RESET, "\x1b[93mO" + RESET  # the first player red, the second yellow
EMPTY, LEGAL = "\x1b[90m.\x1b[0m", "\x1b[92m*\x1b[0m"
STONES = (EMPTY, FIRST, SECOND)  # by what stands on a cell, as in `Game.cells`


def bit_cells(first: int, second: int, bits: Iterable[int]) -> NDArray[np.uint8]:
    """Return what stands on the cells of some bits: 0 nothing, 1 and 2 a player's stone.

    `first` and `second` are the players' stones, a bit for each.
    """
    return np.array([(first >> bit & 1) + 2 * (second >> bit & 1) for bit in bits], np.uint8)


def format_cell(cell: int, width: int) -> str:
    """Return the name of a cell, counted row by row from the top left: 0 is "a1"."""
    return f"{chr(ord('a') + cell % width)}{cell // width + 1}"


def parse_cell(text: str, height: int, width: int) -> int:
    """Return the cell of a name such as "f5", in either case. Raises ValueError for other text."""
    parts = re.fullmatch(r"([a-zA-Z])([1-9][0-9]?)", text)
    column = ord(parts[1].lower()) - ord("a") if parts else width
    row = int(parts[2]) - 1 if parts else height
    if column >= width or row >= height:
        last = format_cell(height * width - 1, width)
        raise ValueError(f"{text!r} is not a cell: expected a letter and a number, a1 to {last}")
    return row * width + column


def draw_board(cells: Sequence[str], width: int) -> str:
    """Draw cells row by row from the top left, with column letters and row numbers."""
    rows = [cells[start : start + width] for start in range(0, len(cells), width)]
    margin = len(str(len(rows)))
    lines = [f"{number:>{margin}} {' '.join(row)}" for number, row in enumerate(rows, start=1)]
    letters = " ".join(chr(ord("a") + column) for column in range(width))
    return "\n".join([*lines, f"{'':{margin}} {letters}"])
