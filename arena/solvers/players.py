"""Play perfectly the games that have a solver."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.players import Analysis
from arena.solvers.registry import SOLVERS, find_solver
from arena.solvers.solver import NOT_LEGAL
from envs.game import Game
from envs.positions import Past


class SolverPlayer:
    """A perfect player that picks any of equally good moves.

    Raises ValueError for a game that has no solver here.
    """

    def __init__(self, game: Game) -> None:
        solver = find_solver(game.name)
        if solver is None:
            raise ValueError(f"no solver for {game.name!r}: there are {', '.join(SOLVERS)}")
        self.game = game
        self.name = "solver"
        self.solver = solver

    def choose(
        self, states: NDArray[Any], rng: np.random.Generator, past: Past | None = None
    ) -> NDArray[np.int64]:
        """Choose one of the best moves of each position uniformly."""
        best_NA = _best(self.solver.solve(states).scores)
        return np.where(best_NA, rng.random(best_NA.shape), -1.0).argmax(axis=1)

    def analyze(self, states: NDArray[Any], past: Past | None = None) -> Analysis:
        """Return exact values and a policy uniform over the best moves."""
        scores_NA, plies_N = self.solver.solve(states)
        best_NA = _best(scores_NA)
        value_N = np.sign(scores_NA.max(axis=1)).astype(np.float32)
        return Analysis(
            best_action=_most_central(best_NA),
            value_to_play=value_N,
            policy=(best_NA / best_NA.sum(axis=1, keepdims=True)).astype(np.float32),
            visits=np.zeros(scores_NA.shape, np.int32),
            q=np.where(scores_NA == NOT_LEGAL, np.nan, np.sign(scores_NA)).astype(np.float32),
            exact=value_N,
            plies=plies_N,
        )


def _best(scores_NA: NDArray[np.int64]) -> NDArray[np.bool_]:
    return scores_NA == scores_NA.max(axis=1, keepdims=True)


def _most_central(best_NA: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the marked action nearest to the middle number, which looks most natural."""
    distance = np.abs(np.arange(best_NA.shape[1]) - (best_NA.shape[1] - 1) / 2)
    return np.where(best_NA, distance, np.inf).argmin(axis=1)
