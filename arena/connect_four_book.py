"""Make the solver's opening book: `python -m arena.connect_four_book [MINUTES]` (default 15).

Positions are solved ply by ply from the empty board, one of each mirrored pair, until the time is
up; the book is written anew after each, so that an interrupted run leaves what it has. More minutes
give a deeper book. Wants 1 GiB of memory.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from arena.connect_four_negamax import mirrored
from arena.connect_four_solver import BOOK_PATH, ConnectFourSolver, bitboards, read_book
from envs.connect_four import COLUMNS

DEFAULT_MINUTES = 15.0
TABLE_BITS = 27
DEEPEST_PLY = 6  # no game is over and no column is full before its end

HEADER = """\
# Exact Connect Four scores for the side to move; `python -m arena.connect_four_book` adds to them.
# A line: the columns played (1 to 7, - for none) and the score. One of each mirrored pair.
# The first moves' scores are the published ones; all others are this solver's.
"""


def openings() -> Iterator[list[int]]:
    """Distinct positions up to mirroring, ply by ply, the centre first."""
    layer: list[list[int]] = [[]]
    for _ in range(DEEPEST_PLY + 1):
        yield from layer
        seen: dict[tuple[int, int], list[int]] = {}
        for moves in layer:
            for column in sorted(range(COLUMNS), key=lambda c: abs(c - COLUMNS // 2)):
                own, mask = bitboards([*moves, column])
                image = (int(mirrored(own)), int(mirrored(mask)))
                seen.setdefault(min((own, mask), image), [*moves, column])
        layer = list(seen.values())


def write_book(minutes: float, path: Path = BOOK_PATH) -> None:
    """Solve openings for `minutes`, starting from what the book already holds."""
    deadline = time.monotonic() + 60 * minutes
    known = dict(read_book(path)) if path.exists() else {}
    solver = ConnectFourSolver(TABLE_BITS, book=False)
    solver.learn(known.items())
    for moves in openings():
        if time.monotonic() > deadline:
            break
        if tuple(moves) in known:
            continue
        started = time.monotonic()
        known[tuple(moves)] = solver.score(moves)
        lines = [f"{_columns(m)} {score}" for m, score in known.items()]
        path.write_text(HEADER + "\n".join(lines) + "\n", encoding="ascii")
        seconds = time.monotonic() - started
        print(f"{_columns(moves)} {known[tuple(moves)]} {seconds:.1f} s", file=sys.stderr)


def _columns(moves: tuple[int, ...] | list[int]) -> str:
    return "".join(str(column + 1) for column in moves) or "-"


if __name__ == "__main__":
    write_book(float(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_MINUTES)
