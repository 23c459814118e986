"""The network's input, as in AlphaZero (Silver et al. 2018, Table S1): 362 planes for shogi.

For each of eight boards, the newest first, all seen by the side to move now:

    14  its pieces: a plane a kind, in the order of `Board.codes`
    14  the opponent's pieces
    3   whether the position occurred for the first, second or third time: one plane of ones
    7   its hand: a plane a kind, the number over the number of such pieces in the game
    7   the opponent's hand

then the colour (1 if the second player is to move) and the ply over `MAX_PLIES`. Minishogi has 10
kinds, of which 5 are held in hand: 266 planes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.compiled.jitable import jitable
from envs.game import Rule, State
from envs.shogi.bits import ONE, ZERO, lowest_cell, only
from envs.shogi.board import Board
from envs.shogi.pieces import code_at, occupied, words_of
from envs.shogi.rules import MAX_PLIES

PAST_BOARDS = 7
OCCURRENCES = 3


def planes_of_board(board: Board) -> int:
    """Return the number of planes of each of the eight boards."""
    return 2 * len(board.codes) + OCCURRENCES + 2 * len(board.kinds)


def planes_shape(board: Board) -> tuple[int, int, int]:
    """Return the shape of the network's input."""
    return (1 + PAST_BOARDS) * planes_of_board(board) + 2, board.size, board.size


def make_encode(board: Board) -> Rule:
    """Return the rule `encode`."""
    size, last, codes = board.size, board.cells - 1, len(board.codes)
    place = np.zeros(16, np.int64)
    place[list(board.codes)] = range(codes)
    slots = np.array(board.kinds) - 1
    copies = np.array(board.copies, np.float32)
    depth = planes_of_board(board)

    @jitable
    def encode_board(record: State, side: int, planes: Any, first: int) -> None:
        """Write one board's planes from plane `first`, seen by `side`."""
        b, flip = record["board"], record["side"] != side
        low, high = occupied(words_of(record))
        while low | high != ZERO:
            cell = lowest_cell(low, high)
            cell_l, cell_h = only(cell)
            low, high = low ^ cell_l, high ^ cell_h
            own = (b[0] & cell_l) | (b[1] & cell_h) != ZERO
            plane = place[code_at(b, cell)] + (codes if own == flip else 0)
            seen = last - cell if flip else cell
            planes[first + plane, seen // size, seen % size] = ONE
        first += 2 * codes
        if record["repeats"] < OCCURRENCES:
            planes[first + np.int64(record["repeats"]), :, :] = 1.0
        first += OCCURRENCES
        for player in range(2):
            held = 7 if (player == 1) != flip else 0
            for i in range(len(slots)):
                count = record["hand"][held + slots[i]]
                if count:
                    planes[first + i, :, :] = np.float32(count) / copies[i]
            first += len(slots)

    def encode(state: State, past: Any, planes: Any) -> None:
        side = state["side"]
        encode_board(state, side, planes, 0)
        for i in range(PAST_BOARDS):
            encode_board(past[i], side, planes, (i + 1) * depth)
        first = (PAST_BOARDS + 1) * depth
        if side:
            planes[first, :, :] = 1.0
        planes[first + 1, :, :] = min(
            np.float32(state["ply"]) / np.float32(MAX_PLIES), np.float32(1.0)
        )

    return encode
