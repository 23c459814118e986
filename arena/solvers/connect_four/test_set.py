"""Connect Four positions whose every move has a known score, and the error rates of chosen moves.

Their scores are never trained on; of the positions themselves self-play meets a few by chance
(docs/benchmarks.md). The sets are named by stage and difficulty; how the positions were drawn is
said in `arena.solvers.connect_four.positions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arena.solvers.connect_four.solver import ILLEGAL, bitboards
from envs.connect_four import COLUMNS, ROWS

TRUTH_PATH = Path(__file__).parent / "data" / "connect_four_truth.txt"

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
class TruthSet:
    """N positions and the exact score of each of their moves, for the side to move."""

    name: str
    moves: tuple[tuple[int, ...], ...]  # N games from the empty board, columns 0 to 6
    own: NDArray[np.uint64]  # [N] stones of the side to move, as in the game's records
    mask: NDArray[np.uint64]  # [N] all stones
    scores: NDArray[np.int8]  # [N, 7] a score a column, ILLEGAL where it is full

    def __len__(self) -> int:
        return len(self.moves)


TruthSets = dict[str, TruthSet]
_Row = tuple[tuple[int, ...], tuple[int, int], list[int]]  # moves, bitboards, scores


def load_truth(path: Path = TRUTH_PATH) -> TruthSets:
    """The six sets, in the order of `SET_NAMES`.

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
    return {name: _truth_set(name, rows[name]) for name in SET_NAMES}


def _parse_line(line: str) -> tuple[str, _Row]:
    """Set and position of `begin_hard 4421 -1 0 x 2 0 -1 -2`."""
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


def _truth_set(name: str, rows: list[_Row]) -> TruthSet:
    boards = np.array([board for _, board, _ in rows], dtype=np.uint64).reshape(-1, 2)
    scores_NA = np.array([scores for _, _, scores in rows], dtype=np.int8).reshape(-1, COLUMNS)
    moves = tuple(moves for moves, _, _ in rows)
    return TruthSet(name, moves, boards[:, 0].copy(), boards[:, 1].copy(), scores_NA)


def move_errors(chosen: ArrayLike, scores: ArrayLike) -> NDArray[np.bool_]:
    """Which chosen moves lower the result (win, draw, loss) that was there to be had.

    Args:
        chosen: int[N], a column 0 to 6 a position.
        scores: int[N, 7], exact scores for the mover, `ILLEGAL` for a full column.

    Returns:
        bool[N]; choosing a full column is an error even in a lost position.

    Raises:
        ValueError: a column is out of range, or the shapes do not fit.
    """
    chosen_N, scores_NA = _checked(chosen, scores)
    picked_N = _picked(chosen_N, scores_NA)
    return (np.sign(picked_N) < np.sign(scores_NA.max(axis=1))) | (picked_N == ILLEGAL)


def error_rate(chosen: ArrayLike, scores: ArrayLike) -> float:
    """Share (0 to 1) of `move_errors`; ValueError as there, and for no positions."""
    return float(move_errors(chosen, scores).mean())


def exact_best_rate(chosen: ArrayLike, scores: ArrayLike) -> float:
    """Share (0 to 1) of chosen moves with the best score: the soonest win, the latest loss."""
    chosen_N, scores_NA = _checked(chosen, scores)
    return float((_picked(chosen_N, scores_NA) == scores_NA.max(axis=1)).mean())


def _checked(chosen: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    chosen_N = np.asarray(chosen, dtype=np.int64)
    scores_NA = np.asarray(scores, dtype=np.int64)
    if chosen_N.ndim != 1 or not len(chosen_N) or scores_NA.shape != (len(chosen_N), COLUMNS):
        raise ValueError(
            f"expected N > 0 chosen columns and scores of shape (N, {COLUMNS}), "
            f"got shapes {chosen_N.shape} and {scores_NA.shape}"
        )
    outside_N = chosen_N[(chosen_N < 0) | (chosen_N >= COLUMNS)]
    if len(outside_N):
        raise ValueError(f"expected columns from 0 to {COLUMNS - 1}, got {outside_N[0]}")
    return chosen_N, scores_NA


def _picked(chosen_N: NDArray[np.int64], scores_NA: NDArray[np.int64]) -> NDArray[np.int64]:
    """The score of each chosen move."""
    return np.take_along_axis(scores_NA, chosen_N[:, None], axis=1)[:, 0]
