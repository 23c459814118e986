import numpy as np
import pytest

from arena.solvers.players import SolverPlayer
from envs.registry import find_game


def test_connect_four_solver_takes_the_soonest_win_and_counts_the_plies() -> None:
    game = find_game("connect_four")
    # Column 2 is full; 5 and 6 alone win, 5 at once.
    states = np.atleast_1d(game.position(game.parse_moves("562227736473171141127224")))
    found = SolverPlayer(game).analyze(states)
    assert game.format_action(int(found.best_action[0])) == "5"
    assert found.q[0][[4, 5]].tolist() == [1.0, 1.0]
    assert (found.exact[0], found.plies[0]) == (1.0, 1)
    assert np.flatnonzero(np.isnan(found.q[0])).tolist() == [1]
    assert not game.legal_mask(states[0])[1]


def test_tic_tac_toe_solver_draws_against_itself_whatever_it_chooses() -> None:
    game = find_game("tic_tac_toe")
    solver, rng = SolverPlayer(game), np.random.default_rng(0)
    states = game.new_states(50)
    for _ in range(9):
        for state, action in zip(states, solver.choose(states, rng)):
            game.rules.step(state, action)
    assert all(game.rules.value_to_play(state) == 0 for state in states)
    assert len({state.tobytes() for state in states}) > 10


def test_a_game_without_a_solver_is_refused() -> None:
    with pytest.raises(ValueError, match="no solver for 'othello'"):
        SolverPlayer(find_game("othello"))
