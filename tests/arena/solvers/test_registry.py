import numpy as np
import pytest

from arena.solvers.registry import SOLVERS, find_solver, solved_sets
from arena.solvers.solver import NOT_LEGAL
from envs.registry import BUILT_IN, find_game

# Sets of positions that are late enough to be solved at once.
LATE = {"connect_four": ("middle_easy", "end_easy"), "tic_tac_toe": ("all positions",)}


@pytest.mark.parametrize("name", SOLVERS)
def test_the_good_moves_of_a_set_are_those_that_its_solver_finds(name: str) -> None:
    game, solver = find_game(name), find_solver(name)
    assert solver is not None
    for part in (s.first(100) for s in solver.solved_sets() if s.name in LATE[name]):
        scores = solver.solve(part.states).scores
        legal = np.array([game.legal_mask(state) for state in part.states])
        assert ((scores != NOT_LEGAL) == legal).all()
        results = np.where(legal, np.sign(scores), -2)
        assert (part.good == (results == results.max(axis=1, keepdims=True))).all()


def test_drawn_openings_are_drawn() -> None:
    game, solver = find_game("connect_four"), find_solver("connect_four")
    assert solver is not None
    openings = solver.drawn_openings()
    late = [moves for moves in openings if len(moves) >= solver.prompt_from][:30]
    states = np.concatenate([np.atleast_1d(game.position(moves)) for moves in late])
    assert len(late) == 30
    assert (solver.solve(states).scores.max(axis=1) == 0).all()


@pytest.mark.parametrize("name", sorted({*BUILT_IN, "unheard_of"} - {*SOLVERS}))
def test_a_game_without_a_solver_has_no_sets(name: str) -> None:
    assert find_solver(name) is None
    assert solved_sets(name) == []
