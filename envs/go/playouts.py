"""Random games of Go from a position to the end, in compiled code, to measure the rules' speed.

A random player that never passes fills its own eyes and never ends a game; so the usual playout
plays any legal move but into its own eye, and passes if there is none. An eye is a point whose
neighbours are all own stones, with at most one diagonal neighbour the other side's, none at the
edge. A playout knows the simple ko, not superko, and ends after the game's cap of plies.
"""

# mypy: disable-error-code="no-untyped-def,assignment"

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import njit
from numba.extending import overload
from numpy.typing import NDArray

from envs.boards.bits import popcount
from envs.boards.words import ONE, WORD_BITS, ZERO, has_point, to_words
from envs.compiled.jitable import jitable
from envs.game import Game, GameError, is_terminal, position_key, step, to_play, value_to_play
from envs.go.board import Board, make_board
from envs.go.rules import Moves, make_moves

_RANDOM_MOVES: dict[Any, Any] = {}  # Numba type of a record -> the compilable function

THIRTEEN, SEVEN, SEVENTEEN, HALF = np.uint64(13), np.uint64(7), np.uint64(17), np.uint64(32)


@jitable
def next_random(generator: Any) -> Any:
    """Advance a xorshift generator (Marsaglia 2003), uint64 [1] and not zero; return its number."""
    number = generator[0]
    number ^= number << THIRTEEN
    number ^= number >> SEVEN
    number ^= number << SEVENTEEN
    generator[0] = number
    return number


@jitable
def draw(generator: Any, count: int) -> int:
    """Draw a number below `count`, which is small: the product's high half is even enough."""
    return int(((next_random(generator) >> HALF) * np.uint64(count)) >> HALF)


@jitable
def count_points(points: Any) -> int:
    """Return the size of a set."""
    count = 0
    for w in range(len(points)):
        count += popcount(points[w])
    return count


@jitable
def nth_point(points: Any, n: int) -> int:
    """Return the n-th point (from 0) of a set that has more than n."""
    w = 0
    inside = popcount(points[0])
    while n >= inside:
        n -= inside
        w += 1
        inside = popcount(points[w])
    word, shift, half = points[w], 0, 32
    while half > 0:
        low = popcount(word & ((ONE << np.uint64(half)) - ONE))
        if n >= low:
            n -= low
            shift += half
            word >>= np.uint64(half)
        half >>= 1
    return w * WORD_BITS + shift


def random_move(state: Any, generator: Any, earlier: Any, eyes: bool) -> int:
    """Draw a move of Go; the pass is drawn only for want of another, or if `eyes` is False.

    `generator` is uint64 [1]. A move that makes the board with the key `earlier` again is not
    drawn, if that is not zero. `eyes` leaves out the side's own eyes; otherwise moves and the pass
    are equally likely.
    """
    return int(_RANDOM_MOVES[numba.from_dtype(state.dtype)](state, generator, earlier, eyes))


@overload(random_move)
def _random_move(state, generator, earlier, eyes):
    return _RANDOM_MOVES.get(state)


def _make_find_eyes(board: Board) -> Any:
    words, rows, columns, stride = board.words, board.rows, board.columns, board.stride
    border = (cell for cell in range(rows * columns) if _is_border(cell, rows, columns))
    edge = to_words(border, rows, columns)
    wide, wide_back = np.uint64(stride + 1), np.uint64(WORD_BITS - stride - 1)
    slim, slim_back = np.uint64(stride - 1), np.uint64(WORD_BITS - stride + 1)

    @jitable
    def find_eyes(empty: Any, near_empty: Any, near_other: Any, other: Any, eyes: Any) -> None:
        """Write the empty points that are eyes of one side.

        `other` (padded) are the other side's stones, `near_other` their neighbours, `near_empty`
        those of the empty points.
        """
        for w in range(words):
            word, low, high = other[w + 1], other[w], other[w + 2]
            a, b = (word << wide) | (low >> wide_back), (word << slim) | (low >> slim_back)
            c, d = (word >> wide) | (high << wide_back), (word >> slim) | (high << slim_back)
            one, two = a | b | c | d, (a & b) | (c & d) | ((a | b) & (c | d))
            eyes[w] = empty[w] & ~(near_empty[w] | near_other[w] | two | (one & edge[w]))

    return find_eyes


def _is_border(cell: int, rows: int, columns: int) -> bool:
    row, column = divmod(cell, columns)
    return row in (0, rows - 1) or column in (0, columns - 1)


def _make_candidates(board: Board) -> Any:
    words, find_empty, spread = board.words, board.find_empty, board.spread
    new_points, new_padded, find_eyes = board.new_points, board.new_padded, _make_find_eyes(board)

    @jitable
    def find_candidates(state: Any, empty: Any, near_empty: Any, left: Any, eyes: bool) -> int:
        """Write the empty points, their neighbours, and those to draw from; return how many."""
        side, padded, count = int(state["side"]), new_padded(), 0
        other = state["stones"][1 - side]
        find_empty(state["stones"], empty)
        for w in range(words):
            padded[w + 1] = empty[w]
        spread(padded, near_empty)
        if eyes:
            near_other = new_points()
            for w in range(words):
                padded[w + 1] = other[w]
            spread(padded, near_other)
            find_eyes(empty, near_empty, near_other, padded, left)
        for w in range(words):
            left[w] = empty[w] & ~left[w]
            count += popcount(left[w])
        return count

    return find_candidates


def _make_random_move(board: Board, moves: Moves) -> Any:
    new_points, stride, cells = board.new_points, board.stride, board.rows * board.columns
    has_way, key_after, find_candidates = moves.has_way, moves.key_after, _make_candidates(board)

    def random_move(state, generator, earlier, eyes):
        left, empty, near_empty = new_points(), new_points(), new_points()
        good, bad, side = new_points(), new_points(), int(state["side"])
        own, other = state["stones"][side], state["stones"][1 - side]
        count = find_candidates(state, empty, near_empty, left, eyes)
        while count > 0:
            n = draw(generator, count if eyes else count + 1)
            if n == count:
                return cells
            point = nth_point(left, n)
            if (
                has_point(near_empty, point) or has_way(point, own, other, empty, good, bad)
            ) and not (earlier != ZERO and key_after(state, point) == earlier):
                return point - point // stride
            left[point >> 6] &= ~(ONE << np.uint64(point & 63))
            count -= 1
        return cells

    return random_move


def prepare(game: Game, suicide: bool = False) -> None:
    """Make `random_move` of a game of Go; `play_out` needs it. Raises GameError for other games."""
    fields = game.dtype.names or ()
    if "vacated" not in fields:
        raise GameError(f"{game.name} is no game of Go")
    if "size" in fields:
        raise GameError(f"{game.name} has boards of several sizes: expected a game of one size")
    _, rows, columns = game.planes_shape
    board, kind = make_board(rows, columns), numba.from_dtype(game.dtype)
    if kind not in _RANDOM_MOVES:
        _RANDOM_MOVES[kind] = _make_random_move(board, make_moves(board, suicide))


@njit(cache=True, nogil=True)
def play_out(states, generator, eyes, values):
    """Play records [n] to the end in place; return the number of moves.

    Writes the results for the first player, float64 [n].
    """
    total = 0
    for i in range(len(states)):
        state, earlier = states[i], ZERO
        while not is_terminal(state):
            action = random_move(state, generator, earlier, eyes)
            other = state["stones"][1 - to_play(state)]
            before, earlier = count_points(other), position_key(state)
            step(state, action)
            if before - count_points(other) != 1:
                earlier = ZERO  # only a move that takes one stone can be undone by a move
            total += 1
        result = value_to_play(state)
        values[i] = result if to_play(state) == 0 else -result
    return total


def playouts(
    game: Game, count: int, seed: int, eyes: bool = True
) -> tuple[int, NDArray[np.float64], NDArray[Any]]:
    """Play `count` random games from the start.

    Returns the number of moves, the results for Black float64 [count], and the last positions.
    """
    prepare(game)
    states, values = game.new_states(count), np.zeros(count)
    generator = np.array([2 * seed + 1], np.uint64)
    moves = int(play_out(states, generator, eyes, values))
    return moves, values, states
