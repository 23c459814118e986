"""Make the Connect Four test set in 15 minutes: `python -m arena.solvers.connect_four.positions`.

Random games are stopped at a random ply; each distinct, unfinished position goes to the set of its
stage (plies played: begin up to 14, middle 15 to 28, end later) and difficulty (plies left under
perfect play: easy under 14, medium 14 to 28, hard more), until every set is full. The same seed
gives the same file, whatever the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from arena.solvers.connect_four.solver import ConnectFourSolver, bitboards, plies_left
from arena.solvers.connect_four.test_set import (
    DIFFICULTY_PLIES_LEFT,
    SET_SIZES,
    STAGE_PLIES,
    TEST_SET_PATH,
)
from envs.connect_four import COLUMNS, ROWS, has_four

SEED = 20240607
# Earlier positions take this solver minutes each when they are hard.
FIRST_PLY = 8
TABLE_BITS = 25

HEADER = f"""\
# Connect Four positions with the exact score of every move, seed {SEED}, made by
# arena.solvers.connect_four.positions. A line: set, columns played (1 to 7), the scores of the
# seven moves for the mover.
# Scores: 0 draws, s > 0 wins with the mover's (22 - s)-th stone, s < 0 loses likewise, x is a full
# column. Random play, no finished games, no position twice. The begin sets hold positions of ply
# {FIRST_PLY} to 14 (begin_hard: to 13, nothing later has more than 28 plies left).
"""


def set_name(ply: int, score: int) -> str:
    """Return the name of a position's set, for example `middle_easy`."""
    stage = next(name for name, last in STAGE_PLIES.items() if ply <= last)
    left = plies_left(ply, score)
    difficulty = next(name for name, most in DIFFICULTY_PLIES_LEFT.items() if left <= most)
    return f"{stage}_{difficulty}"


def random_game(rng: np.random.Generator, plies: int) -> list[int] | None:
    """Play `plies` random moves from the empty board; None if the game ends."""
    moves: list[int] = []
    for _ in range(plies):
        open_columns = [c for c in range(COLUMNS) if moves.count(c) < ROWS]
        moves.append(int(rng.choice(open_columns)))
    try:
        own, mask = bitboards(moves)
    except ValueError:
        return None
    return None if has_four(np.uint64(own ^ mask)) else moves


def random_positions(rng: np.random.Generator, stage: str) -> Iterator[list[int]]:
    """Yield distinct random unfinished positions of a stage, its plies equally likely."""
    first = {"begin": FIRST_PLY, "middle": STAGE_PLIES["begin"] + 1}.get(
        stage, STAGE_PLIES["middle"] + 1
    )
    seen: set[tuple[int, int]] = set()
    while True:
        moves = random_game(rng, int(rng.integers(first, STAGE_PLIES[stage] + 1)))
        if moves is not None and bitboards(moves) not in seen:
            seen.add(bitboards(moves))
            yield moves


def fill_sets(stage: str, solver: ConnectFourSolver) -> dict[str, list[str]]:
    """Make the lines of all sets of one stage."""
    sets: dict[str, list[str]] = {name: [] for name in SET_SIZES if name.startswith(stage)}
    rng = np.random.default_rng([SEED, list(STAGE_PLIES).index(stage)])
    for moves in random_positions(rng, stage):
        if all(len(lines) == SET_SIZES[name] for name, lines in sets.items()):
            break
        name = set_name(len(moves), solver.score(moves))
        if len(sets[name]) < SET_SIZES[name]:
            scores = ["x" if s is None else str(s) for s in solver.move_scores(moves)]
            columns = "".join(str(column + 1) for column in moves)
            sets[name].append(f"{name} {columns} {' '.join(scores)}")
    return sets


def write_positions(path: Path = TEST_SET_PATH) -> None:
    """Generate all sets and write them in their fixed order."""
    solver = ConnectFourSolver(TABLE_BITS, book=False)
    sets: dict[str, list[str]] = {}
    for stage in reversed(STAGE_PLIES):
        sets |= fill_sets(stage, solver)
        print(f"{stage}: done, {solver.nodes:,} nodes so far", file=sys.stderr)
    lines = [line for name in SET_SIZES for line in sets[name]]
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    write_positions()
