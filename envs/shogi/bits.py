"""Sets of the cells of a board of up to 128 cells, as two 64-bit words.

Cells 0 to 63 are in the low word, the others in the high one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.boards.bits import highest_bit, lowest_bit
from envs.compiled.jitable import jitable

ZERO, ONE, WORD = np.uint64(0), np.uint64(1), np.uint64(64)


@jitable
def has(low: Any, high: Any, cell: int) -> bool:
    """Return whether the cell is in the set."""
    if cell < 64:
        return (low >> np.uint64(cell)) & ONE != ZERO
    return (high >> np.uint64(cell - 64)) & ONE != ZERO


@jitable
def only(cell: int) -> Any:
    """Return the set of one cell, as its two words."""
    if cell < 64:
        return ONE << np.uint64(cell), ZERO
    return ZERO, ONE << np.uint64(cell - 64)


@jitable
def lowest_cell(low: Any, high: Any) -> int:
    """Return the lowest cell of a set that is not empty."""
    return lowest_bit(low) if low != ZERO else 64 + lowest_bit(high)


@jitable
def highest_cell(low: Any, high: Any) -> int:
    """Return the highest cell of a set that is not empty."""
    return 64 + highest_bit(high) if high != ZERO else highest_bit(low)
