"""Random games against OpenSpiel: legal actions, whose turn it is, the end and the returns."""

import numpy as np
import pyspiel
import pytest

from envs.checks.trial import trace
from envs.registry import find_game

NAMES = ("connect_four", "tic_tac_toe", "othello")


def play_there(spiel, num_actions, rng):
    """A random game by OpenSpiel: actions, masks [P, A], players [P], returns of player 0."""
    state, actions, masks, players = spiel.new_initial_state(), [], [], []
    while not state.is_terminal():
        legal = state.legal_actions()
        mask = np.zeros(num_actions, np.bool_)
        mask[legal] = True
        masks.append(mask)
        players.append(state.current_player())
        actions.append(legal[rng.integers(len(legal))])
        state.apply_action(actions[-1])
    return actions, np.array(masks), players, state.returns()[0]


def compare(name, games, seed):
    game, spiel = find_game(name), pyspiel.load_game(name)
    assert spiel.num_distinct_actions() == game.num_actions
    rng = np.random.default_rng(seed)
    for _ in range(games):
        actions, masks, players, value_first = play_there(spiel, game.num_actions, rng)
        ours = trace(game, actions, compiled=True)
        where = game.format_moves(actions)
        listed = [np.flatnonzero(mask).tolist() for mask in masks]
        assert [sorted(ours.legal_at(ply)) for ply in range(len(masks))] == listed, where
        assert ours.sides[:-1].tolist() == players, where
        assert not ours.over[:-1].any(), where
        assert ours.over[-1], where
        assert ours.values[-1] * (1 - 2 * ours.sides[-1]) == value_first, where


@pytest.mark.parametrize("name", NAMES)
def test_games_equal_open_spiel(name):
    compare(name, games=1000, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "games"), [("connect_four", 40_000), ("tic_tac_toe", 20_000), ("othello", 40_000)]
)
def test_many_games_equal_open_spiel(name, games):
    compare(name, games, seed=2)
