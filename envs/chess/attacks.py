"""Lines of attack, checks and pins, by flood fills in doubling steps (Kogge-Stone).

A fill follows all lines of one direction at once, without tables and branches. Bitboards are
uint64; `empty` is the squares of the board that no piece stands on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.boards.bits import rotate_left
from envs.chess.board import (
    EAST,
    FILE_A,
    FILE_H,
    INSIDE,
    KNIGHT_INSIDE,
    KNIGHT_TURNS,
    NORTH,
    NORTH_EAST,
    NORTH_WEST,
    ONE,
    SOUTH,
    SOUTH_EAST,
    SOUTH_WEST,
    TURNS,
    WEST,
    ZERO,
)
from envs.compiled.jitable import jitable

TWO, EIGHT, SIXTEEN, SIX_BITS = np.uint64(2), np.uint64(8), np.uint64(16), np.uint64(63)


@jitable
def step_to(pieces: Any, direction: int) -> Any:
    """Return the squares one step from the pieces in a direction."""
    return rotate_left(pieces, TURNS[direction]) & INSIDE[direction]


@jitable
def ray(pieces: Any, empty: Any, direction: int) -> Any:
    """Return the squares that the pieces reach in a direction, the first occupied one included."""
    turn, inside = TURNS[direction], INSIDE[direction]
    path = empty & inside
    reached = pieces | (path & rotate_left(pieces, turn))
    path = path & rotate_left(path, turn)
    turn = (turn * TWO) & SIX_BITS
    reached = reached | (path & rotate_left(reached, turn))
    path = path & rotate_left(path, turn)
    turn = (turn * TWO) & SIX_BITS
    reached = reached | (path & rotate_left(reached, turn))
    return rotate_left(reached, TURNS[direction]) & inside


@jitable
def straight_rays(pieces: Any, empty: Any) -> Any:
    """Return the squares that rooks attack."""
    return (
        ray(pieces, empty, NORTH)
        | ray(pieces, empty, EAST)
        | ray(pieces, empty, SOUTH)
        | ray(pieces, empty, WEST)
    )


@jitable
def diagonal_rays(pieces: Any, empty: Any) -> Any:
    """Return the squares that bishops attack."""
    return (
        ray(pieces, empty, NORTH_EAST)
        | ray(pieces, empty, SOUTH_EAST)
        | ray(pieces, empty, SOUTH_WEST)
        | ray(pieces, empty, NORTH_WEST)
    )


@jitable
def king_attacks(kings: Any) -> Any:
    """Return the squares around the kings."""
    row = kings | step_to(kings, EAST) | step_to(kings, WEST)
    return (row | step_to(row, NORTH) | step_to(row, SOUTH)) ^ kings


@jitable
def knight_attacks(knights: Any) -> Any:
    """Return the squares that knights attack."""
    one_east = (knights << ONE) & ~FILE_A
    one_west = (knights >> ONE) & ~FILE_H
    two_east = (one_east << ONE) & ~FILE_A
    two_west = (one_west >> ONE) & ~FILE_H
    near, far = one_east | one_west, two_east | two_west
    return (near << SIXTEEN) | (near >> SIXTEEN) | (far << EIGHT) | (far >> EIGHT)


@jitable
def knight_step(knights: Any, direction: int) -> Any:
    """Return the squares that knights reach by one of their eight moves."""
    return rotate_left(knights, KNIGHT_TURNS[direction]) & KNIGHT_INSIDE[direction]


@jitable
def pawns_below(pawns: Any) -> Any:
    """Return the squares that pawns attack which move down the board: the opponent's."""
    return step_to(pawns, SOUTH_EAST) | step_to(pawns, SOUTH_WEST)


@jitable
def line_from_king(
    king: Any, own: Any, other: Any, sliders: Any, squares: Any, direction: int
) -> tuple[Any, Any]:
    """Follow a line from the king to the first piece of the opponent.

    Returns (checking, pinned): if one of the opponent's `sliders` stands there, the line up to and
    with the slider where nothing is between, or the only own piece between; otherwise no squares.
    """
    line = ray(king, squares & ~other, direction)
    if line & sliders == ZERO:
        return ZERO, ZERO
    between = line & own
    if between == ZERO:
        return line, ZERO
    if between & (between - ONE) == ZERO:
        return ZERO, between
    return ZERO, ZERO
