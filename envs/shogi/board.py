"""Boards, pieces and the actions of shogi and minishogi.

**Point of view.** A record is seen by the side to move: row 0 is the far row, where its pieces
promote, and `step` turns the board by half a turn. For the first player that is the usual diagram:
row 0 is rank "a", column 0 is the highest file, at the left. Cells count row by row.

**Pieces.** A piece is a code of four bits: 1 to 7 pawn, lance, knight, silver, gold, bishop, rook;
8 the king; 8 more than the code of its unpromoted side for a promoted piece. 0 is an empty cell.
The board is five sets of cells: the pieces of the side to move, then one set for each bit of the
code, each set two words.

**Actions**, as in AlphaZero (Silver et al. 2018, "Representation"): `plane * cells + cell`. The
planes on a board of size n are, with n - 1 = 8 for shogi:

    8 * (n - 1)  a move of distance k + 1 in direction d, at d * (n - 1) + k, directions clockwise
                 from straight ahead
    2            a knight's move, to the left and to the right (none in minishogi)
    the same     again, with promotion
    7            a drop of the kinds of `HAND`, in that order (5 in minishogi)

The cell is the one a move leaves, or the one a piece is dropped on, seen by the side to move.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAWN, LANCE, KNIGHT, SILVER, GOLD, BISHOP, ROOK, KING = range(1, 9)
PROMOTED = 8  # added to a code
LETTERS = {PAWN: "P", LANCE: "L", KNIGHT: "N", SILVER: "S", GOLD: "G", BISHOP: "B", ROOK: "R"}
LETTERS[KING] = "K"
POINTS = {BISHOP: 5, ROOK: 5}  # of a declaration; every other piece but the king counts 1

DIRECTIONS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""(row, column) of the eight directions, clockwise from straight ahead."""

BOARD_WORDS = 10  # own pieces and the four bits of the codes, two words each
_HAND_LIMIT = 19  # more than any number of equal pieces in hand


@dataclass(frozen=True, eq=False)
class Board:
    """A variant's board, pieces and rule choices, and the tables made of them.

    `placement` and `hands` are the start as in SFEN; `zone` is how many far rows promote;
    `first_loses_repetition` says that fourfold repetition loses for the first player instead of
    being a draw; `declaration` is whether a king that has entered wins on points.
    """

    name: str
    size: int
    zone: int
    kinds: tuple[
        int, ...
    ]  # the codes of unpromoted pieces without the king: also what a hand holds
    copies: tuple[int, ...]  # of each of `kinds`, both players' together
    placement: str
    max_legal: int
    first_loses_repetition: bool
    declaration: bool

    @property
    def cells(self) -> int:
        """Return the number of cells."""
        return self.size * self.size

    @property
    def reach(self) -> int:
        """Return the longest distance of a move."""
        return self.size - 1

    @property
    def knight_planes(self) -> int:
        """Return the number of action planes of a knight's unpromoted moves."""
        return 2 if KNIGHT in self.kinds else 0

    @property
    def promoting(self) -> int:
        """Return the first action plane of promoting moves."""
        return 8 * self.reach + self.knight_planes

    @property
    def drops(self) -> int:
        """Return the first action plane of drops."""
        return 2 * self.promoting

    @property
    def policy_planes(self) -> int:
        """Return the number of action planes."""
        return self.drops + len(self.kinds)

    @cached_property
    def codes(self) -> tuple[int, ...]:
        """Return the codes of all pieces on the board: unpromoted, king, promoted."""
        promoted = [kind + PROMOTED for kind in self.kinds if kind != GOLD]
        return (*self.kinds, KING, *promoted)

    def cell_sets(self, cells: Any) -> tuple[np.uint64, np.uint64]:
        """Return a set of cells as its two words."""
        bits = sum(1 << int(cell) for cell in cells)
        return np.uint64(bits & (1 << 64) - 1), np.uint64(bits >> 64)

    def ray(self, cell: int, direction: int) -> list[int]:
        """Return the cells from a cell to the edge, nearest first."""
        down, right = DIRECTIONS[direction]
        row, column = cell // self.size + down, cell % self.size + right
        found = []
        while 0 <= row < self.size and 0 <= column < self.size:
            found.append(row * self.size + column)
            row, column = row + down, column + right
        return found

    @cached_property
    def rays(self) -> NDArray[np.uint64]:
        """Return the rays of all directions and cells as sets, uint64 [8, cells, 2]."""
        rays = [[self.cell_sets(self.ray(cell, d)) for cell in range(self.cells)] for d in range(8)]
        return np.array(rays, np.uint64)

    @cached_property
    def entered(self) -> NDArray[np.uint64]:
        """Return the cells that a step in each direction can enter, uint64 [8, 2]."""
        entered = [
            self.cell_sets({cell for start in range(self.cells) for cell in self.ray(start, d)})
            for d in range(8)
        ]
        return np.array(entered, np.uint64)

    @property
    def offsets(self) -> list[int]:
        """Return how much the cell's number changes in a step of each direction, [8]."""
        return [down * self.size + right for down, right in DIRECTIONS]


def zobrist(cells: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64], np.uint64]:
    """Return random words: pieces [2, 16, cells], hands [2, 8, 19], second player to move.

    A hand without a piece of some kind adds nothing to the key.
    """
    rng = np.random.default_rng(0x5106)
    every = rng.integers(0, 2**64, (2, 16, 81), np.uint64)[:, :, :cells].copy()
    hands = rng.integers(0, 2**64, (2, 8, _HAND_LIMIT), np.uint64)
    hands[:, :, 0] = 0
    return every, hands, np.uint64(rng.integers(0, 2**64, dtype=np.uint64))


SHOGI = Board(
    name="shogi",
    size=9,
    zone=3,
    kinds=(PAWN, LANCE, KNIGHT, SILVER, GOLD, BISHOP, ROOK),
    copies=(18, 4, 4, 4, 4, 2, 2),
    placement="lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL",
    max_legal=593,
    first_loses_repetition=False,
    declaration=True,
)
MINISHOGI = Board(
    name="minishogi",
    size=5,
    zone=1,
    kinds=(PAWN, SILVER, GOLD, BISHOP, ROOK),
    copies=(2, 2, 2, 2, 2),
    placement="rbsgk/4p/5/P4/KGSBR",
    # Both kings apart 10 pieces: at most 5 kinds to drop on at most 23 cells, and, with one of each
    # kind on the board, rook 16, bishop 16, silver 10, gold 6, pawn 2 and king 8 moves. A second
    # piece of a kind on the board has fewer moves than there are drops of it.
    max_legal=173,
    first_loses_repetition=True,
    declaration=False,
)
