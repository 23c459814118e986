"""Connect Four positions whose every move has a known score.

Their scores are never trained on; self-play meets a few of the positions by chance
(docs/benchmarks.md). The sets are named by stage and difficulty; how the positions were drawn is
said in `arena.solvers.connect_four.positions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arena.solvers.connect_four.solver import ILLEGAL, bitboards
from envs.connect_four import COLUMNS, ROWS

TEST_SET_PATH = Path(__file__).parent / "data" / "connect_four_test_set.txt"

# The last ply of a stage (plies played), and the most plies left of a difficulty.
STAGE_PLIES = {"begin": 14, "middle": 28, "end": COLUMNS * ROWS - 1}
DIFFICULTY_PLIES_LEFT = {"easy": 13, "medium": 28, "hard": COLUMNS * ROWS}
SET_SIZES = {
    "begin_easy": 300,
    "middle_easy": 300,
    "end_easy": 300,
    "begin_medium": 300,
    "middle_medium": 300,
    "begin_hard": 150,
}
SET_NAMES = tuple(SET_SIZES)


@dataclass(frozen=True)
class ScoredSet:
    """N positions and the exact score of each of their moves, for the side to move."""

    name: str
    moves: tuple[tuple[int, ...], ...]  # N games from the empty board, columns 0 to 6
    own: NDArray[np.uint64]  # [N] stones of the side to move, as in the game's records
    mask: NDArray[np.uint64]  # [N] all stones
    scores: NDArray[np.int8]  # [N, 7] a score a column, ILLEGAL where it is full

    def __len__(self) -> int:
        return len(self.moves)


ScoredSets = dict[str, ScoredSet]
_Row = tuple[tuple[int, ...], tuple[int, int], list[int]]  # moves, bitboards, scores


def load_test_sets(path: Path = TEST_SET_PATH) -> ScoredSets:
    """Load the six sets, in the order of `SET_NAMES`.

    Raises:
        ValueError: a line cannot be read; names the file and the line.
    """
    rows: dict[str, list[_Row]] = {name: [] for name in SET_NAMES}
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        try:
            name, row = _parse_line(line)
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from error
        rows[name].append(row)
    return {name: _scored_set(name, rows[name]) for name in SET_NAMES}


def _parse_line(line: str) -> tuple[str, _Row]:
    """Parse a line such as `begin_hard 4421 -1 0 x 2 0 -1 -2` into set and position."""
    fields = line.split()
    if len(fields) != 2 + COLUMNS:
        raise ValueError(f"expected a set, columns and {COLUMNS} scores, got {line!r}")
    name, columns, scores = fields[0], fields[1], fields[2:]
    if name not in SET_SIZES:
        nearest = get_close_matches(name, SET_NAMES, n=1, cutoff=0)[0]
        raise ValueError(f"no set {name!r}, did you mean {nearest!r}?")
    moves = tuple(int(column) - 1 for column in columns)
    row_scores = [ILLEGAL if score == "x" else int(score) for score in scores]
    return name, (moves, bitboards(moves), row_scores)


def _scored_set(name: str, rows: list[_Row]) -> ScoredSet:
    boards = np.array([board for _, board, _ in rows], dtype=np.uint64).reshape(-1, 2)
    scores_NA = np.array([scores for _, _, scores in rows], dtype=np.int8).reshape(-1, COLUMNS)
    moves = tuple(moves for moves, _, _ in rows)
    return ScoredSet(name, moves, boards[:, 0].copy(), boards[:, 1].copy(), scores_NA)


def good_moves(scores_NA: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Mark the moves that keep the mover's result (win, draw, loss).

    Args:
        scores_NA: exact scores for the mover, int8 [N, 7], `ILLEGAL` for a full column.

    Returns:
        bool [N, 7]; a full column is never good, not even in a lost position.
    """
    results_NA = np.sign(scores_NA)
    return (results_NA == results_NA.max(axis=1, keepdims=True)) & (scores_NA != ILLEGAL)
