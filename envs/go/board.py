"""A Go board as a set of points in uint64 words, and the chains on it.

Bit `row * (columns + 1) + column` (row 0 at the top) is a point. The column after the last one
stays empty, so that a shift by one does not wrap into the next row; a shift by `columns + 1` is a
row. 19x19 takes six words either way. Chains are not stored: a chain is found when a rule asks for
it, by growing a stone over its neighbours, all words at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from envs.go.words import ONE, WORD_BITS, ZERO, popcount, stack_words

SIX, LOW_SIX = np.uint64(6), np.uint64(63)


class Board(NamedTuple):
    """The compilable functions of a board of one size, and its constants.

    `padded` is a set of points with an empty word before and after, so uint64 [words + 2]; `points`
    is one without, uint64 [words].
    """

    rows: int
    columns: int
    stride: int  # bits from one row to the next
    words: int
    full: NDArray[np.uint64]  # every point
    new_points: Callable[..., Any]  # new_points() -> zeros, uint64 [words]
    new_padded: Callable[..., Any]  # new_padded() -> zeros, uint64 [words + 2]
    spread: Callable[..., Any]  # spread(padded, out): the neighbours of the points, uint64 [words]
    find_chain: Callable[..., Any]
    has_point: Callable[..., Any]  # has_point(points, point) -> bool, False outside the words


@register_jitable
def set_point(points: Any, point: Any) -> None:
    """Add a point to a set without padding."""
    bit = np.uint64(point)
    points[bit >> SIX] |= ONE << (bit & LOW_SIX)


def to_words(points: Iterable[int], rows: int, columns: int) -> NDArray[np.uint64]:
    """Return a set of points, given as row * columns + column, as uint64 [words]."""
    bits = sum(1 << point + point // columns for point in points)
    count = -(-rows * (columns + 1) // WORD_BITS)
    return np.array([bits >> WORD_BITS * w & (1 << WORD_BITS) - 1 for w in range(count)], np.uint64)


@cache
def make_board(rows: int, columns: int) -> Board:
    """Return the functions of a board with 1 to 19 rows and columns."""
    stride, full = columns + 1, to_words(range(rows * columns), rows, columns)
    count = len(full)
    new_points, new_padded = stack_words(count), stack_words(count + 2)
    down, down_back = np.uint64(stride), np.uint64(WORD_BITS - stride)
    top = np.uint64(WORD_BITS - 1)

    @register_jitable
    def spread(padded: Any, out: Any) -> None:
        for w in range(count):
            word, low, high = padded[w + 1], padded[w], padded[w + 2]
            inside = (word << ONE) | (word >> ONE) | (word << down) | (word >> down)
            out[w] = (
                inside | (low >> top) | (low >> down_back) | (high << top) | (high << down_back)
            )

    @register_jitable
    def has_point(points: Any, point: Any) -> bool:
        if point < 0 or point >= count * WORD_BITS:
            return False
        bit = np.uint64(point)
        return (points[bit >> SIX] >> (bit & LOW_SIX)) & ONE != ZERO

    @register_jitable
    def find_chain(stones: Any, empty: Any, point: Any, wanted: Any, chain: Any) -> int:
        """Grow `chain` (padded) from a stone until it is whole or has `wanted` liberties or more.

        Returns the number of liberties of what was grown; below `wanted` it is exact, and the
        chain whole.
        """
        ring = new_points()
        for w in range(count + 2):
            chain[w] = ZERO
        bit = np.uint64(point)
        chain[(bit >> SIX) + ONE] = ONE << (bit & LOW_SIX)
        while True:
            spread(chain, ring)
            liberties, changed = 0, ZERO
            for w in range(count):
                liberties += popcount(ring[w] & empty[w])
                added = ring[w] & stones[w] & ~chain[w + 1]
                chain[w + 1] |= added
                changed |= added
            if liberties >= wanted or changed == ZERO:
                return liberties

    return Board(
        rows, columns, stride, count, full, new_points, new_padded, spread, find_chain, has_point
    )
