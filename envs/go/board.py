"""A Go board as a set of points in uint64 words, and the chains on it.

Points are bits as in `envs.boards.words`. Chains are not stored: a chain is found when a rule asks
for it, by growing a stone over its neighbours, all words at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.boards.bits import popcount
from envs.boards.words import LOW_SIX, ONE, SIX, WORD_BITS, ZERO, stack_words, to_words
from envs.compiled.jitable import jitable


class Board(NamedTuple):
    """The compilable functions of a board of one size, and its constants.

    `padded` is a set of points with an empty word before and after, so uint64 [words + 2]; `points`
    is one without, uint64 [words]. `stones` has the sets of Black's and White's stones, uint64
    [2, words]; on a board of several sizes [3, words], the third the points outside the one played
    on, where nothing may be put and nothing counts.
    """

    rows: int
    columns: int
    stride: int  # bits from one row to the next
    words: int
    full: NDArray[np.uint64]  # every point
    near: NDArray[np.uint64]  # the neighbours of each bit that is a point, [bits, words]
    new_points: Callable[..., Any]  # new_points() -> zeros, uint64 [words]
    new_padded: Callable[..., Any]  # new_padded() -> zeros, uint64 [words + 2]
    spread: Callable[..., Any]  # spread(padded, out): the neighbours of the points, uint64 [words]
    find_empty: Callable[..., Any]  # find_empty(stones, out): the empty points, uint64 [words]
    find_chain: Callable[..., Any]


def _neighbours(rows: int, columns: int) -> NDArray[np.uint64]:
    """Return the neighbours of each point, uint64 [rows * (columns + 1), words]."""
    words = len(to_words([], rows, columns))
    near = np.zeros((rows * (columns + 1), words), np.uint64)
    for row in range(rows):
        for column in range(columns):
            places = ((row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column))
            inside = [r * columns + c for r, c in places if 0 <= r < rows and 0 <= c < columns]
            near[row * (columns + 1) + column] = to_words(inside, rows, columns)
    return near


def _make_find_empty(full: NDArray[np.uint64], several_sizes: bool) -> Any:
    words = len(full)

    @jitable
    def find_empty(stones: Any, out: Any) -> None:
        for w in range(words):
            out[w] = full[w] & ~(stones[0, w] | stones[1, w])

    @jitable
    def find_empty_inside(stones: Any, out: Any) -> None:
        for w in range(words):
            out[w] = full[w] & ~(stones[0, w] | stones[1, w] | stones[2, w])

    return find_empty_inside if several_sizes else find_empty


def _make_find_chain(count: int, new_points: Any, spread: Any) -> Any:
    @jitable
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

    return find_chain


@cache
def make_board(rows: int, columns: int, several_sizes: bool = False) -> Board:
    """Return the functions of a board with 1 to 19 rows and columns.

    With `several_sizes` it can be played on in part.
    """
    stride, full = columns + 1, to_words(range(rows * columns), rows, columns)
    count = len(full)
    new_points, new_padded = stack_words(count), stack_words(count + 2)
    down, down_back = np.uint64(stride), np.uint64(WORD_BITS - stride)
    top = np.uint64(WORD_BITS - 1)

    @jitable
    def spread(padded: Any, out: Any) -> None:
        for w in range(count):
            word, low, high = padded[w + 1], padded[w], padded[w + 2]
            inside = (word << ONE) | (word >> ONE) | (word << down) | (word >> down)
            out[w] = (
                inside | (low >> top) | (low >> down_back) | (high << top) | (high << down_back)
            )

    find_chain = _make_find_chain(count, new_points, spread)
    return Board(
        rows,
        columns,
        stride,
        count,
        full,
        _neighbours(rows, columns),
        new_points,
        new_padded,
        spread,
        _make_find_empty(full, several_sizes),
        find_chain,
    )
