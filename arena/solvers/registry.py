"""The solvers by the name of their game, each imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from arena.solvers.solver import SolvedSet, Solver

# {game: "module:class"} of what makes a `Solver` when it is called.
SOLVERS = {
    "connect_four": "arena.solvers.connect_four.adapter:ConnectFour",
    "tic_tac_toe": "arena.solvers.tic_tac_toe:TicTacToe",
}


def find_solver(game_name: str) -> Solver | None:
    """A new solver of the game, or None for a game without one."""
    if game_name not in SOLVERS:
        return None
    module, _, name = SOLVERS[game_name].partition(":")
    make: Callable[[], Solver] = getattr(import_module(module), name)
    return make()


def solved_sets(game_name: str) -> list[SolvedSet]:
    """The positions with known best moves; [] for a game without a solver."""
    solver = find_solver(game_name)
    return [] if solver is None else solver.solved_sets()
