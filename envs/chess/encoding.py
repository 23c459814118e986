"""AlphaZero's planes (Science 2018, supplement, table S1), as the side to move sees the board.

Row 0 of a plane is the first rank of the side to move, column 0 the a file. Eight boards, newest
first, of 14 planes each: own pawns, knights, bishops, rooks, queens, king; the opponent's; whether
that position had occurred once before, twice before. Then constant planes: 1 if Black is to move;
the plies played, divided by the cap; where the board has castling, own and the opponent's right to
castle with the rook on the h side and on the a side of the king; and the plies without progress,
divided by 100. That is 119 planes for chess. A capture en passant shows only in the boards before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.boards.bits import lowest_bit
from envs.chess.board import ONE, RANK_1, RANK_8, ZERO, Variant
from envs.chess.moves import occupied_squares
from envs.chess.rules import NO_PROGRESS_LIMIT, turned
from envs.compiled.jitable import jitable
from envs.game import State

BOARDS, BOARD_PLANES = 8, 14
PAST_BOARDS = BOARDS - 1


def plane_count(variant: Variant) -> int:
    """Return the number of planes: 119 on 8x8."""
    return BOARDS * BOARD_PLANES + (7 if variant.after_push else 3)


@jitable
def write_squares(plane: Any, bits: Any) -> None:
    """Set a plane [H, W] to 1 on the squares of a bitboard."""
    while bits != ZERO:
        square = lowest_bit(bits)
        plane[square >> 3, square & 7] = 1.0
        bits = bits & (bits - ONE)


@jitable
def write_board(board: State, other_side: bool, planes: Any, first: int, variant: Variant) -> None:
    """Write the 14 planes of a record from plane `first` on.

    With `other_side`, as the side sees it that is not to move in the record.
    """
    own = board["own"]
    other = occupied_squares(board) & ~own
    bishops = board["diagonal"] & ~board["straight"]
    rooks = board["straight"] & ~board["diagonal"]
    queens = board["diagonal"] & board["straight"]
    kinds = (board["pawns"], board["knights"], bishops, rooks, queens, board["kings"])
    if other_side:
        own, other = other, own
    for kind in range(6):
        mine, theirs = kinds[kind] & own, kinds[kind] & other
        if other_side:
            mine, theirs = turned(mine, variant), turned(theirs, variant)
        write_squares(planes[first + kind], mine)
        write_squares(planes[first + 6 + kind], theirs)
    if board["repetitions"] >= 1:
        planes[first + 12] = 1.0
    if board["repetitions"] >= 2:
        planes[first + 13] = 1.0


@jitable
def write_castling(state: State, planes: Any, first: int) -> None:
    """Write four planes of castling rights: own h side and a side, then the opponent's."""
    rooks = state["castling"]
    for side in range(2):
        row = RANK_1 if side == 0 else RANK_8
        king = state["kings"] & row
        here = rooks & row
        if here != ZERO:  # then a king is in this row
            if here & ~(king - ONE) != ZERO:
                planes[first + 2 * side] = 1.0
            if here & (king - ONE) != ZERO:
                planes[first + 2 * side + 1] = 1.0


@jitable
def write_planes(state: State, past: Any, planes: Any, variant: Variant) -> None:
    """Write float32 [C, H, W], zeroed by the caller; `past` is 7 records, newest first."""
    write_board(state, False, planes, 0, variant)
    for age in range(PAST_BOARDS):
        other_side = (past[age]["ply"] ^ state["ply"]) & 1 == 1
        write_board(past[age], other_side, planes, (age + 1) * BOARD_PLANES, variant)
    constant = BOARDS * BOARD_PLANES
    planes[constant] = np.float32(state["ply"] & 1)
    planes[constant + 1] = np.float32(min(1.0, state["ply"] / variant.max_plies))
    if variant.after_push != ZERO:
        write_castling(state, planes, constant + 2)
        constant += 4
    planes[constant + 2] = np.float32(min(1.0, state["no_progress"] / NO_PROGRESS_LIMIT))
