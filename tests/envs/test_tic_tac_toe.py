import numpy as np
import pytest
from numba import njit

from envs.game import NotationError, is_terminal, legal_actions, step, to_play, value_to_play
from envs.registry import find_game

GAME = find_game("tic_tac_toe")


@njit(cache=True)
def count_results(state, actions_PL, children_P, results_3):
    """Count whole games by result: the first player wins, the second wins, draws."""
    if is_terminal(state):
        value_first = value_to_play(state) * (1 - 2 * to_play(state))
        results_3[0 if value_first > 0 else 1 if value_first < 0 else 2] += 1
        return
    for k in range(legal_actions(state, actions_PL[0])):
        children_P[0] = state
        step(children_P[0], actions_PL[0, k])
        count_results(children_P[0], actions_PL[1:], children_P[1:], results_3)


def test_there_are_255168_games():
    results = np.zeros(3, np.int64)
    actions = np.zeros((10, GAME.max_legal), np.int32)
    count_results(GAME.new_state(), actions, GAME.new_states(10), results)
    assert results.tolist() == [131184, 77904, 46080]
    assert results.sum() == 255168


@pytest.mark.parametrize(
    "record",
    ["a1 b1 a2 b2 a3", "a1 a2 b1 b2 c1", "a1 a2 b2 a3 c3", "c1 a1 b2 b1 a3", "a3 a1 b3 b1 c3"],
)
def test_three_in_a_row_wins(record):
    end = GAME.position(GAME.parse_moves(record))
    assert GAME.rules.is_terminal(end)
    assert GAME.rules.value_to_play(end) == -1.0


def test_cells_are_named_from_the_top_left():
    planes = GAME.encode(GAME.position(GAME.parse_moves("c1 a3")))
    assert planes[0, 0, 2] == 1  # the first player, to move again, holds the top right corner
    assert planes[1, 2, 0] == 1
    assert planes.sum() == 2


@pytest.mark.parametrize("word", ["d1", "a4", "a0", "a", "b01", "5", "ä1"])
def test_nonsense_is_refused(word):
    with pytest.raises(NotationError, match="the legal moves are a1 b1 c1 a2 b2 c2 a3 b3 c3"):
        GAME.parse_moves(word)
