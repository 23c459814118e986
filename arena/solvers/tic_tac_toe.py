"""Tic-tac-toe solved exhaustively: the value and the optimal moves of every reachable position."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.solvers.solver import NOT_LEGAL, Solved, SolvedSet
from envs.tic_tac_toe import CELLS, FULL, GAME, LINES


@dataclass(frozen=True)
class SolvedPosition:
    """A position reachable from the empty board, for the side to move."""

    own: int  # stones of the side to move, bit row * 3 + column as in the game's records
    opponent: int
    moves: tuple[int, ...]  # one game, as cells 0 to 8, that leads here
    value_to_play: int  # 1 wins, 0 draws, -1 loses, with perfect play
    optimal_moves: frozenset[int]  # the cells that keep the value; none once the game is over

    @property
    def is_terminal(self) -> bool:
        """Whether the game is over here."""
        return not self.optimal_moves


@cache
def solve_tic_tac_toe() -> dict[tuple[int, int], SolvedPosition]:
    """All 5478 reachable positions, finished ones included, by `(own, opponent)`."""
    solved: dict[tuple[int, int], SolvedPosition] = {}
    _solve(0, 0, (), solved)
    return solved


def _solve(
    own: int, opponent: int, moves: tuple[int, ...], solved: dict[tuple[int, int], SolvedPosition]
) -> int:
    """Put the position and all that follow it into `solved`; return its value to play."""
    if (own, opponent) in solved:
        return solved[own, opponent].value_to_play
    lost = any(opponent & line == line for line in LINES)
    values = {}
    if not lost and own | opponent != FULL:
        for cell in range(CELLS):
            if not (own | opponent) >> cell & 1:
                values[cell] = -_solve(opponent, own | 1 << cell, (*moves, cell), solved)
    value = -1 if lost else max(values.values(), default=0)
    optimal = frozenset(cell for cell, worth in values.items() if worth == value)
    solved[own, opponent] = SolvedPosition(own, opponent, moves, value, optimal)
    return value


class TicTacToe:
    """See `arena.solvers.solver.Solver`."""

    prompt_from = 0

    def solve(self, states: NDArray[Any]) -> Solved:
        """Scores 1, 0 and -1, whenever the end comes."""
        solved = solve_tic_tac_toe()
        scores_NA = np.full((len(states), CELLS), NOT_LEGAL, np.int64)
        for row, state in enumerate(states):
            own, opponent = int(state["own"]), int(state["opponent"])
            for cell in range(CELLS):
                if not (own | opponent) >> cell & 1:
                    after = solved[opponent, own | 1 << cell]
                    scores_NA[row, cell] = -after.value_to_play
        return Solved(scores_NA, np.zeros(len(states), np.int16))

    def solved_sets(self) -> list[SolvedSet]:
        """One set: every position that is not over."""
        solved = [p for p in solve_tic_tac_toe().values() if not p.is_terminal]
        good = np.zeros((len(solved), CELLS), np.bool_)
        for row, position in enumerate(solved):
            good[row, list(position.optimal_moves)] = True
        states = np.concatenate([np.atleast_1d(GAME.position(p.moves)) for p in solved])
        return [SolvedSet("all positions", states, good)]

    def drawn_openings(self) -> list[tuple[int, ...]]:
        """None: random openings, judged by `solve`, are as good."""
        return []
