"""The compiled work on many positions, against the interpreted rules one by one."""

import numpy as np
import pytest

from envs.batch import play_random, scratch_for, statuses, successors
from envs.registry import find_game

GAMES = ["tic_tac_toe", "connect_four", "othello6"]


def _random_positions(game, count, seed):
    rng = np.random.default_rng(seed)
    states = game.new_states(count)
    wanted = rng.integers(0, game.max_plies + 1, count)
    moves = np.zeros((count, game.max_plies), np.uint16)
    draws = rng.random((count, game.max_plies))
    play_random(scratch_for(game), states, wanted, draws, moves)
    return states, wanted, draws, moves


@pytest.mark.parametrize("name", GAMES)
def test_statuses_are_those_of_the_rules(name):
    game = find_game(name)
    states = _random_positions(game, 300, 1)[0]
    players, over, values = np.zeros(300, np.int64), np.zeros(300, np.bool_), np.zeros(300)
    statuses(states, players, over, values)
    assert 0 < over.sum() < 300
    for i, state in enumerate(states):
        assert players[i] == game.rules.to_play(state)
        assert over[i] == game.rules.is_terminal(state)
        assert values[i] == (game.rules.value_to_play(state) if over[i] else 0.0)


@pytest.mark.parametrize("name", GAMES)
def test_random_moves_are_the_drawn_legal_ones_up_to_the_end(name):
    game = find_game(name)
    states, wanted, draws, moves = _random_positions(game, 200, 2)
    for i in range(200):
        state = game.new_state()
        for ply in range(wanted[i]):
            legal = np.flatnonzero(game.legal_mask(state))
            if not len(legal):
                break
            assert moves[i, ply] == legal[int(draws[i, ply] * len(legal))]
            game.rules.step(state, int(moves[i, ply]))
        assert state == states[i]


def test_random_moves_are_uniform_over_the_legal_ones():
    game = find_game("connect_four")
    states = game.new_states(7000)
    moves = np.zeros((7000, 1), np.uint16)
    draws = np.random.default_rng(0).random((7000, 1))
    play_random(scratch_for(game), states, np.ones(7000, np.int64), draws, moves)
    counts = np.bincount(moves[:, 0], minlength=7)
    assert ((counts - 1000) ** 2 / 1000).sum() < 22.5  # chi-square, 6 degrees, 0.1%


@pytest.mark.parametrize("name", GAMES)
def test_successors_are_every_legal_move_that_does_not_end_the_game(name):
    game = find_game(name)
    states = _random_positions(game, 60, 3)[0]
    children = game.new_states(60 * game.max_legal)
    count = successors(states, np.zeros(game.max_legal, np.int32), children)
    expected = []
    for state in states:
        for action in np.flatnonzero(game.legal_mask(state)):
            child = state.copy()
            game.rules.step(child, int(action))
            if not game.rules.is_terminal(child):
                expected.append(child.tobytes())
    assert [child.tobytes() for child in children[:count]] == expected
