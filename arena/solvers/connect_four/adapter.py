"""Connect Four as a `Solver`: the perfect player's scores and the stored test sets."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.solvers.connect_four.solver import ILLEGAL, ConnectFourSolver, plies_left
from arena.solvers.connect_four.test_set import good_moves, load_test_sets
from arena.solvers.solver import NOT_LEGAL, Solved, SolvedSet
from envs.connect_four import GAME

OPENING_STAGES = ("begin", "middle")  # later positions leave little to play


class ConnectFour:
    """See `arena.solvers.solver.Solver`."""

    prompt_from = 16

    @cached_property
    def _solver(self) -> ConnectFourSolver:
        return ConnectFourSolver()

    def solve(self, states: NDArray[Any]) -> Solved:
        """Return exact scores and the plies that follow from them."""
        scores_NA = self._solver.solve_many(states["own"], states["mask"]).astype(np.int64)
        scores_NA[scores_NA == ILLEGAL] = NOT_LEGAL
        pairs = zip(states["ply"].tolist(), scores_NA.max(axis=1).tolist())
        plies = [plies_left(ply, score) for ply, score in pairs]
        return Solved(scores_NA, np.array(plies, np.int16))

    def solved_sets(self) -> list[SolvedSet]:
        """Return the six test sets, by stage and difficulty."""
        return [
            SolvedSet(
                name,
                np.concatenate([np.atleast_1d(GAME.position(moves)) for moves in scored.moves]),
                good_moves(scored.scores),
            )
            for name, scored in load_test_sets().items()
        ]

    def drawn_openings(self) -> list[tuple[int, ...]]:
        """Return the drawn positions of the test sets, without the late ones."""
        return [
            moves
            for name, scored in load_test_sets().items()
            if name.startswith(OPENING_STAGES)
            for moves, scores in zip(scored.moves, scored.scores)
            if scores.max() == 0
        ]
