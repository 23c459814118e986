"""Shogi against cshogi: legal moves, check, SFEN, mate and declaration.

`SHOGI_POSITIONS=200000 pytest -m slow tests/envs/shogi/test_against_cshogi.py` compares more.
"""

import os

import numpy as np
import pytest

from envs.registry import find_game
from envs.shogi.board import SHOGI
from envs.shogi.rules import DECLARATION, MATE
from envs.shogi.usi import parse_action
from tests.envs.shogi.playing import legal_sets, random_games, random_positions

cshogi = pytest.importorskip("cshogi")
GAME = find_game("shogi")
MANY = int(os.environ.get("SHOGI_POSITIONS", "10000"))
_ACTIONS = {}


def action_of(move, side):
    """The action of cshogi's move."""
    key = (move, side)
    if key not in _ACTIONS:
        _ACTIONS[key] = parse_action(cshogi.move_to_usi(move), SHOGI, second=bool(side))
    return _ACTIONS[key]


def compare(state, legal, board):
    """Compare one position with cshogi's board; return the moves by action."""
    side = int(state["side"])
    moves = {action_of(move, side): move for move in board.legal_moves}
    assert bool(state["check"]) == board.is_check(), board.sfen()
    assert (state["over"] == DECLARATION) == board.is_nyugyoku(), board.sfen()
    assert (state["over"] == MATE) == (not moves), board.sfen()
    if not GAME.rules.is_terminal(state):
        assert legal == sorted(moves), board.sfen()
    return moves


def compare_games(positions, seed):
    board, compared = cshogi.Board(), 0
    for moves, states in random_games(GAME, positions, seed):
        board.reset()
        for state, legal, action in zip(states, legal_sets(GAME, states), [*moves, -1]):
            found = compare(state, legal, board)
            compared += 1
            if compared % 16 == 0:
                assert GAME.format_position(state) == board.sfen()
            if action >= 0:
                board.push(found[action])
        if compared >= positions:
            return compared
    return compared


def compare_positions(count, seed, entered):
    board, declared, checks = cshogi.Board(), 0, 0
    found = random_positions(GAME, SHOGI, count, seed, entered)
    states = np.array([state for state, _ in found], GAME.dtype)
    for state, legal, (_, sfen) in zip(states, legal_sets(GAME, states), found):
        board.set_sfen(sfen)
        compare(state, legal, board)
        assert GAME.format_position(state) == sfen
        declared += int(state["over"] == DECLARATION)
        checks += int(state["check"])
    return declared, checks


def test_random_games_have_the_same_moves():
    assert compare_games(2000, seed=1) >= 2000


def test_random_positions_have_the_same_moves_and_mates():
    _, checks = compare_positions(300, seed=2, entered=False)
    assert checks > 30


def test_declarations_are_won_by_the_same_points():
    declared, _ = compare_positions(300, seed=3, entered=True)
    assert 30 < declared < 270


@pytest.mark.slow
def test_many_positions():
    assert compare_games(MANY, seed=4) >= MANY
    compare_positions(MANY // 10, seed=5, entered=False)
    compare_positions(MANY // 10, seed=6, entered=True)
