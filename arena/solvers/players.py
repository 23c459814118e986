"""Perfect players, for the games that have a solver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.players import Analysis
from arena.solvers.connect_four.positions import plies_left
from arena.solvers.connect_four.solver import ILLEGAL, ConnectFourSolver
from arena.solvers.tic_tac_toe import solve_tic_tac_toe
from envs.game import Game

NOT_LEGAL = -(1 << 15)


class Solved(NamedTuple):
    """Exact scores of n positions' moves, for the mover: higher is better, the sign is the result.

    Legal moves of equal score are equally good; between wins the sooner scores higher, between
    losses the later, where the solver can tell.
    """

    scores: NDArray[np.int64]  # [n, A], NOT_LEGAL for illegal moves
    plies: NDArray[np.int16]  # [n] plies to the end under perfect play, 0 where not known


class SolverPlayer:
    """Plays perfectly, and among equally good moves any.

    Raises ValueError for a game that has no solver here.
    """

    def __init__(self, game: Game) -> None:
        solvers: dict[str, Callable[[], Callable[[NDArray[Any]], Solved]]] = {
            "connect_four": _connect_four_solver,
            "tic_tac_toe": lambda: _solve_tic_tac_toe,
        }
        if game.name not in solvers:
            raise ValueError(f"no solver for {game.name!r}: there are {', '.join(solvers)}")
        self.game = game
        self.name = "solver"
        self._solve = solvers[game.name]()

    def choose(self, states: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
        """One of the best moves of each position, each as likely as the others."""
        best_NA = _best(self._solve(states).scores)
        return np.where(best_NA, rng.random(best_NA.shape), -1.0).argmax(axis=1)

    def analyze(self, states: NDArray[Any]) -> Analysis:
        """Exact values; the policy is uniform over the best moves."""
        scores_NA, plies_N = self._solve(states)
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
    """The marked action nearest to the middle of the numbering, which looks most natural."""
    distance = np.abs(np.arange(best_NA.shape[1]) - (best_NA.shape[1] - 1) / 2)
    return np.where(best_NA, distance, np.inf).argmin(axis=1)


def _connect_four_solver() -> Callable[[NDArray[Any]], Solved]:
    solver = ConnectFourSolver()

    def solve(states: NDArray[Any]) -> Solved:
        scores_NA = solver.solve_many(states["own"], states["mask"]).astype(np.int64)
        scores_NA[scores_NA == ILLEGAL] = NOT_LEGAL
        pairs = zip(states["ply"].tolist(), scores_NA.max(axis=1).tolist())
        plies = [plies_left(ply, score) for ply, score in pairs]
        return Solved(scores_NA, np.array(plies, np.int16))

    return solve


def _solve_tic_tac_toe(states: NDArray[Any]) -> Solved:
    solved = solve_tic_tac_toe()
    scores_NA = np.full((len(states), 9), NOT_LEGAL, np.int64)
    for row, state in enumerate(states):
        own, opponent = int(state["own"]), int(state["opponent"])
        for cell in range(9):
            if not (own | opponent) >> cell & 1:
                after = solved[opponent, own | 1 << cell]
                scores_NA[row, cell] = -after.value_to_play
    return Solved(scores_NA, np.zeros(len(states), np.int16))
