"""The board, seen by the side to move: squares, directions, actions.

Bit `8 * rank + file` of a bitboard is a square. A record holds the board as the side to move sees
it: its own first rank is rank 0, its pawns move to higher bits, and after each move the board is
turned upside down (rank 0 becomes the last one, files stay). So every rule is written once, for a
side that moves up. A smaller board lies in the corner of the 8x8 bits: its squares are a mask.

An action is `plane * cells + rank * width + file`, with the square that the piece leaves, and the
planes of AlphaZero (Science 2018, supplement, table S2): for each of eight directions, clockwise
from the north, the distances 1 to 7 of a queen's move; the eight knight's moves, clockwise from
north-north-east; the promotions to knight, bishop and rook, each to the north-west, north and
north-east. A pawn that reaches the last rank by a queen's move becomes a queen. Castling is the
move of the king onto its own rook: the only name that is unambiguous in Chess960.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.compiled.jitable import jitable

ZERO, ONE = np.uint64(0), np.uint64(1)
RANK_1, RANK_8 = np.uint64(0xFF), np.uint64(0xFF << 56)
FILE_A, FILE_H = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
DARK_SQUARES = np.uint64(0xAA55AA55AA55AA55)  # a1 is dark
NO_SQUARE = 64

# A step in a direction is a rotation of the bitboard, by STEPS bits modulo 64, to a square that is
# inside INSIDE: the other squares are where a step would come out that leaves the board.
NORTH, NORTH_EAST, EAST, SOUTH_EAST, SOUTH, SOUTH_WEST, WEST, NORTH_WEST = range(8)
STEPS = np.array([8, 9, 1, -7, -8, -9, -1, 7], np.int64)
TURNS = (STEPS % 64).astype(np.uint64)
KNIGHT_STEPS = np.array([17, 10, -6, -15, -17, -10, 6, 15], np.int64)
KNIGHT_TURNS = (KNIGHT_STEPS % 64).astype(np.uint64)


def _inside(files: int, ranks: int) -> np.uint64:
    """Return the squares of 8x8 that a step of the given files and ranks can reach."""
    squares = range(64)
    reached = [s for s in squares if 0 <= s % 8 - files < 8 and 0 <= s // 8 - ranks < 8]
    return np.uint64(sum(1 << s for s in reached))


COMPASS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
KNIGHT_COMPASS = ((1, 2), (2, 1), (2, -1), (1, -2), (-1, -2), (-2, -1), (-2, 1), (-1, 2))
INSIDE = np.array([_inside(*step) for step in COMPASS], np.uint64)
KNIGHT_INSIDE = np.array([_inside(*step) for step in KNIGHT_COMPASS], np.uint64)

KNIGHT, BISHOP, ROOK, QUEEN = 1, 2, 3, 4  # what a pawn is promoted to
UNDERPROMOTIONS = 9  # planes: three pieces, three directions


class Variant(NamedTuple):
    """What distinguishes one board from another; constants of the compiled rules."""

    squares: np.uint64  # the board
    last_rank: np.uint64  # where pawns are promoted
    after_push: np.uint64  # where a pawn's first step ends, if it may then take another one
    turn: np.uint64  # bits by which a board that is turned upside down must move back
    width: int  # files, and ranks
    reach: int  # the longest move of a queen
    max_plies: int


def _variant(width: int, double_step: bool, max_plies: int) -> Variant:
    ranks = [((1 << width) - 1) << 8 * rank for rank in range(width)]
    return Variant(
        squares=np.uint64(sum(ranks)),
        last_rank=np.uint64(ranks[-1]),
        after_push=np.uint64(ranks[2] if double_step else 0),
        turn=np.uint64(64 - 8 * width),
        width=width,
        reach=width - 1,
        max_plies=max_plies,
    )


STANDARD = _variant(8, double_step=True, max_plies=512)
GARDNER = _variant(5, double_step=False, max_plies=512)


def policy_planes(variant: Variant) -> int:
    """Return the number of planes of actions: 73 on 8x8."""
    return 8 * variant.reach + 8 + UNDERPROMOTIONS


@jitable
def decode_action(action: int, variant: Variant) -> tuple[int, int, int]:
    """Return where an action leaves from, where it arrives, and its underpromotion (or 0)."""
    cells = variant.width * variant.width
    plane, cell = action // cells, action % cells
    origin = cell // variant.width * 8 + cell % variant.width
    rays = 8 * variant.reach
    if plane < rays:
        step = STEPS[plane // variant.reach]
        return origin, origin + step * (plane % variant.reach + 1), 0
    if plane < rays + 8:
        return origin, origin + KNIGHT_STEPS[plane - rays], 0
    promotion = plane - rays - 8
    return origin, origin + 7 + promotion % 3, promotion // 3 + 1
