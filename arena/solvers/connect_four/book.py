"""Make the solver's opening book: `python -m arena.solvers.connect_four.book [MINUTES]`.

Without MINUTES it takes 15.

The book holds what a perfect player must know to answer at once, whichever side it plays and
whatever its opponent does: the scores of all moves of every position that it can come to. These are
solved ply by ply, one of each mirrored pair, until the time is up; the book is rewritten after
each, so that an interrupted run leaves what it has. More minutes give a deeper book. Wants 1 GiB
of memory.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from arena.solvers.connect_four.negamax import mirrored
from arena.solvers.connect_four.solver import BOOK_PATH, ConnectFourSolver, bitboards, read_book
from envs.connect_four import COLUMNS

DEFAULT_MINUTES = 15.0
TABLE_BITS = 27
DEEPEST_PLY = 6  # no game is over and no column is full before its end

HEADER = """\
# Exact Connect Four scores for the side to move. More of them:
# python -m arena.solvers.connect_four.book
# A line: the columns played (1 to 7, - for none) and the score. One of each mirrored pair.
# The first moves' scores are the published ones; all others are this solver's.
"""

Moves = tuple[int, ...]  # columns 0 to 6
Key = tuple[int, int]


def position_key(moves: Moves) -> Key:
    """Return the bitboards of the position or its mirror image, the same for both."""
    own, mask = bitboards(moves)
    return min((own, mask), (int(mirrored(own)), int(mirrored(mask))))


def repertoire(scores: Mapping[Key, int]) -> Iterator[Moves]:
    """Yield the positions whose scores a perfect player needs, ply by ply.

    The score of each must be in `scores` when the next is asked for: it decides which moves a
    perfect player makes, and so which positions can arise.
    """
    yield ()
    layers: list[list[Moves]] = [[()], [()]]  # where a perfect first, a perfect second player is
    for ply in range(DEEPEST_PLY):
        for side, layer in enumerate(layers):
            children = [[(*moves, column) for column in range(COLUMNS)] for moves in layer]
            if ply % 2 == side:
                yield from distinct(list(chain.from_iterable(children)))
                children = [_best(siblings, scores) for siblings in children]
            layers[side] = distinct(list(chain.from_iterable(children)))


def distinct(positions: list[Moves]) -> list[Moves]:
    """Drop repeated positions and mirror images; the first stays."""
    seen: dict[Key, Moves] = {}
    for moves in positions:
        seen.setdefault(position_key(moves), moves)
    return list(seen.values())


def _best(siblings: list[Moves], scores: Mapping[Key, int]) -> list[Moves]:
    """Return the moves that leave the opponent the lowest score."""
    found = {moves: scores[position_key(moves)] for moves in siblings}
    return [moves for moves, score in found.items() if score == min(found.values())]


def write_book(minutes: float, path: Path = BOOK_PATH) -> None:
    """Solve openings for `minutes`, starting from what the book already holds."""
    deadline = time.monotonic() + 60 * minutes
    book = dict(read_book(path)) if path.exists() else {}
    scores = {position_key(moves): score for moves, score in book.items()}
    solver = ConnectFourSolver(TABLE_BITS, book=False)
    solver.learn(book.items())
    for moves in repertoire(scores):
        if time.monotonic() > deadline:
            break
        if position_key(moves) in scores:
            continue
        started = time.monotonic()
        book[moves] = scores[position_key(moves)] = solver.score(moves)
        lines = [f"{_columns(m)} {score}" for m, score in book.items()]
        path.write_text(HEADER + "\n".join(lines) + "\n", encoding="ascii")
        seconds = time.monotonic() - started
        print(f"{_columns(moves)} {book[moves]} {seconds:.1f} s", file=sys.stderr)


def _columns(moves: Moves) -> str:
    return "".join(str(column + 1) for column in moves) or "-"


if __name__ == "__main__":
    write_book(float(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_MINUTES)
