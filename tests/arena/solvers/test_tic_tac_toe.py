from collections import Counter

import numpy as np

from arena.solvers.tic_tac_toe import solve_tic_tac_toe
from envs.tic_tac_toe import CELLS, GAME, LINES, is_terminal, legal_actions, reset, step


def play(moves):
    """The game's own record after `moves`."""
    state = np.zeros(1, dtype=GAME.dtype)[0]
    reset(state)
    for cell in moves:
        assert not is_terminal(state)
        actions = np.zeros(CELLS, dtype=np.int32)
        assert cell in actions[: legal_actions(state, actions)]
        step(state, cell)
    return state


def test_counts_of_all_reachable_positions():
    solved = solve_tic_tac_toe().values()
    assert len(solved) == 5478
    finished = [p for p in solved if p.is_terminal]
    assert len(finished) == 958
    plies = Counter(len(p.moves) for p in finished)
    assert plies == {5: 120, 6: 148, 7: 444, 8: 168, 9: 78}
    assert sum(p.value_to_play == 0 for p in finished) == 16


def test_every_position_is_where_the_game_says_its_moves_lead():
    for position in solve_tic_tac_toe().values():
        state = play(position.moves)
        assert (state["own"], state["opponent"]) == (position.own, position.opponent)
        assert bool(is_terminal(state)) == position.is_terminal
        if position.is_terminal:
            assert position.value_to_play == (-1 if state["lost"] else 0)


def test_value_is_the_best_of_the_moves_and_optimal_moves_are_those_that_keep_it():
    solved = solve_tic_tac_toe()
    for position in solved.values():
        if position.is_terminal:
            continue
        values = {
            cell: -solved[position.opponent, position.own | 1 << cell].value_to_play
            for cell in range(CELLS)
            if not (position.own | position.opponent) >> cell & 1
        }
        assert position.value_to_play == max(values.values())
        assert position.optimal_moves == {c for c, v in values.items() if v == max(values.values())}


def test_known_openings():
    solved = solve_tic_tac_toe()
    assert solved[0, 0].value_to_play == 0
    assert solved[0, 0].optimal_moves == set(range(CELLS))
    # A corner is met by the centre alone, the centre by a corner alone.
    assert solved[0, 1].optimal_moves == {4}
    assert solved[0, 1 << 4].optimal_moves == {0, 2, 6, 8}


def test_an_immediate_win_is_worth_one():
    for position in solve_tic_tac_toe().values():
        can_win = any(
            (position.own | 1 << cell) & line == line
            for cell in range(CELLS)
            for line in LINES
            if not (position.own | position.opponent) >> cell & 1
        )
        if can_win and not position.is_terminal:
            assert position.value_to_play == 1
