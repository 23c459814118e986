"""Solve Connect Four: the exact score of any position and of each of its moves.

Scores are for the side to move and counted as Pascal Pons counts them: 0 draws, s > 0 wins with
the mover's (22 - s)-th stone, s < 0 loses to the opponent's (22 + s)-th. The empty board is worth
1: the first player wins with the 21st stone.

A position from ply 15 on takes milliseconds, one from ply 8 on up to seconds, earlier ones minutes.
The book of exact scores (`data/connect_four_book.txt`) holds what a perfect player needs for its
first moves, so that these are answered at once; `python -m arena.solvers.connect_four.book` makes
it deeper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import envs  # noqa: F401  (names the directory of the kernel cache before Numba is imported)
from arena.solvers.connect_four import negamax
from envs.connect_four import COLUMNS, ROWS, has_four

BOOK_PATH = Path(__file__).parent / "data" / "connect_four_book.txt"
ILLEGAL = negamax.ILLEGAL
FEWEST_TABLE_BITS = 10
MOST_TABLE_BITS = 32


def bitboards(moves: Sequence[int]) -> tuple[int, int]:
    """Compute the bitboards `(own, mask)` after `moves` (columns 0 to 6) from the empty board.

    Raises:
        ValueError: a column is not 0 to 6 or is full, or a move follows the end of the game.
    """
    own = mask = 0
    for ply, column in enumerate(moves):
        if not 0 <= column < COLUMNS:
            raise ValueError(f"move {ply + 1}: expected a column from 0 to 6, got {column!r}")
        stone = (mask + (1 << column * negamax.STRIDE)) & (
            negamax.COLUMN << column * negamax.STRIDE
        )
        if not stone:
            raise ValueError(f"move {ply + 1}: column {column} already holds {ROWS} stones")
        if has_four(np.uint64(own ^ mask)):
            raise ValueError(f"move {ply + 1}: the game was over after {ply} moves")
        own, mask = own ^ mask, mask | stone
    return own, mask


def plies_left(ply: int, score: int) -> int:
    """Count the plies of perfect play left from a position of `ply` worth `score`."""
    if score == 0:
        return negamax.CELLS - ply
    winner_moves_first = (ply % 2 == 0) == (score > 0)
    return 2 * (negamax.CELLS // 2 + 1 - abs(score)) - winner_moves_first - ply


def read_book(path: Path = BOOK_PATH) -> Iterator[tuple[tuple[int, ...], int]]:
    """Read a book's `(moves, score)`: a line each, columns 1 to 7 (`-` for none), the score."""
    for line in path.read_text(encoding="ascii").splitlines():
        if line and not line.startswith("#"):
            columns, score = line.split()
            yield tuple(int(c) - 1 for c in columns if c != "-"), int(score)


class ConnectFourSolver:
    """Exact scores, with a transposition table that is kept from one call to the next.

    Args:
        table_bits: log2 of the table's entries, 8 bytes each (22: 32 MiB). Solving the first few
            plies without the book wants 26 or more.
        book: whether to put the book's scores into the table.

    One solver serves one thread; the compiled search releases the GIL, so several solvers can
    work at once.
    """

    def __init__(self, table_bits: int = 22, book: bool = True) -> None:
        if not FEWEST_TABLE_BITS <= table_bits <= MOST_TABLE_BITS:
            raise ValueError(
                f"table_bits is log2 of the number of entries, expected {FEWEST_TABLE_BITS} to "
                f"{MOST_TABLE_BITS}, got {table_bits}"
            )
        self._table = np.zeros(1 << table_bits, dtype=np.int64)
        self._remainder_bits = negamax.KEY_BITS - (table_bits - 1)  # two entries a bucket
        self._orders = np.zeros((negamax.CELLS, COLUMNS), dtype=np.int64)
        self._node_count = np.zeros(1, dtype=np.int64)
        if book and BOOK_PATH.exists():
            self.learn(read_book())

    @property
    def nodes(self) -> int:
        """Positions visited by the search so far."""
        return int(self._node_count[0])

    def learn(self, scored: Iterable[tuple[tuple[int, ...], int]]) -> None:
        """Put known scores of positions into the table, to stay."""
        for moves, score in scored:
            own, mask = bitboards(moves)
            negamax.store_exact(own, mask, score, self._table, self._remainder_bits)

    def score(self, moves: Sequence[int]) -> int:
        """Compute the exact score for the side to move after `moves` (columns 0 to 6)."""
        return self.score_bitboards(*bitboards(moves))

    def move_scores(self, moves: Sequence[int]) -> list[int | None]:
        """Compute each column's exact score for the mover, None where it is full."""
        return self.move_scores_bitboards(*bitboards(moves))

    def score_bitboards(self, own: int, mask: int) -> int:
        """Compute the exact score for the side to move.

        Raises:
            ValueError: the boards are not an unfinished position.
        """
        own, mask = _unfinished(own, mask)
        return int(
            negamax.exact_score(
                own, mask, self._table, self._remainder_bits, self._orders, self._node_count
            )
        )

    def move_scores_bitboards(self, own: int, mask: int) -> list[int | None]:
        """Compute each column's exact score for the mover, None where it is full."""
        own, mask = _unfinished(own, mask)
        scores_NA = self.solve_many(np.array([own], np.uint64), np.array([mask], np.uint64))
        return [None if score == ILLEGAL else int(score) for score in scores_NA[0]]

    def solve_many(self, own_N: NDArray[np.uint64], mask_N: NDArray[np.uint64]) -> NDArray[np.int8]:
        """Compute the exact score of every move of N unfinished positions.

        Args:
            own_N: stones of the side to move, as in the game's records.
            mask_N: all stones.

        Returns:
            int8[N, 7] for the mover, `ILLEGAL` where the column is full.
        """
        scores_NA = np.empty((len(own_N), COLUMNS), dtype=np.int8)
        negamax.exact_move_scores_many(
            np.ascontiguousarray(own_N, dtype=np.int64),
            np.ascontiguousarray(mask_N, dtype=np.int64),
            self._table,
            self._remainder_bits,
            self._orders,
            self._node_count,
            scores_NA,
        )
        return scores_NA


def _unfinished(own: int, mask: int) -> tuple[int, int]:
    """Return the boards as plain integers; ValueError unless they are an unfinished position."""
    own, mask = int(own), int(mask)
    above = mask + negamax.BOTTOM
    if mask & ~negamax.BOARD or own & ~mask or mask & above:
        raise ValueError(f"own {own:#x} and mask {mask:#x} are not a Connect Four position")
    if mask == negamax.BOARD or has_four(np.uint64(own)) or has_four(np.uint64(own ^ mask)):
        raise ValueError(f"own {own:#x} and mask {mask:#x} are a finished game: nothing to solve")
    return own, mask
