"""The network's input for Go: the 17 planes of AlphaGo Zero.

D. Silver et al., Mastering the game of Go without human knowledge, Nature 550 (2017), Methods: the
stones of the side to move and those of its opponent, for this position and the seven before it,
newest first, then a plane of ones if Black is to move, of zeros if White is. Where a game is
younger than seven plies, its oldest board stands again (there: zeros). A game of several sizes has
one more plane: ones on the points of the board that is played on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.boards.bits import lowest_bit
from envs.boards.words import ONE, WORD_BITS, ZERO
from envs.compiled.jitable import jitable
from envs.go.board import make_board

PAST_BOARDS = 7
CHANNELS = 2 * (PAST_BOARDS + 1) + 1
FILLED = np.float32(1.0)


def make_encode(rows: int, columns: int, several_sizes: bool = False) -> Any:
    """Return the rule `encode` of a board."""
    board = make_board(rows, columns)
    words, stride = board.words, board.stride

    @jitable
    def write_stones(stones: Any, planes: Any, channel: int) -> None:
        for w in range(words):
            left = stones[w]
            while left != ZERO:
                point = w * WORD_BITS + lowest_bit(left)
                planes[channel, point // stride, point % stride] = FILLED
                left &= left - ONE

    @jitable
    def encode(state: Any, past: Any, planes: Any) -> None:
        """Write 17 planes: own and opposing stones of eight boards, then who is Black."""
        side = int(state["side"])
        write_stones(state["stones"][side], planes, 0)
        write_stones(state["stones"][1 - side], planes, 1)
        for age in range(PAST_BOARDS):
            write_stones(past[age]["stones"][side], planes, 2 * age + 2)
            write_stones(past[age]["stones"][1 - side], planes, 2 * age + 3)
        if side == 0:
            planes[2 * PAST_BOARDS + 2, :, :] = FILLED

    def encode_sizes(state: Any, past: Any, planes: Any) -> None:
        encode(state, past, planes)
        first, size = rows - int(state["size"]), int(state["size"])
        planes[CHANNELS, first:, :size] = FILLED

    return encode_sizes if several_sizes else encode
