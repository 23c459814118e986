"""The pieces on a record's board: all at once as sets, and cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.compiled.jitable import jitable
from envs.game import State
from envs.shogi.attacks import sort_pieces
from envs.shogi.bits import ONE, ZERO


@jitable
def words_of(state: State) -> Any:
    """Return the ten words of a record's board."""
    b = state["board"]
    return b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9]


@jitable
def sort_words(w: Any) -> Any:
    """Return the pieces of both words by how they move: see `sort_pieces`."""
    return sort_pieces(w[2], w[4], w[6], w[8]), sort_pieces(w[3], w[5], w[7], w[9])


@jitable
def occupied(w: Any) -> Any:
    """Return the cells that are not empty, as two words."""
    return w[2] | w[4] | w[6] | w[8], w[3] | w[5] | w[7] | w[9]


@jitable
def code_at(board: Any, cell: int) -> int:
    """Return the code of the piece on a cell, 0 if it is empty."""
    word, bit = cell >> 6, np.uint64(cell & 63)
    code = 0
    for i in range(4):
        if (board[2 + 2 * i + word] >> bit) & ONE != ZERO:
            code += 1 << i
    return code


@jitable
def toggle(board: Any, cell: int, code: int, own: bool) -> None:
    """Put a piece on an empty cell, or take it off."""
    word, bit = cell >> 6, ONE << np.uint64(cell & 63)
    for i in range(4):
        if (code >> i) & 1:
            board[2 + 2 * i + word] ^= bit
    if own:
        board[word] ^= bit
