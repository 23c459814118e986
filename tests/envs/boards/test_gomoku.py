"""Gomoku: free-style against OpenSpiel, both against slow rules that read lines as text."""

import os
import re

import numpy as np
import pyspiel
import pytest

from envs.boards.gomoku import make_gomoku
from envs.checks.trial import make_trial
from envs.game import NotationError
from envs.registry import find_game

GAMES = int(os.environ.get("LUDENS_BOARD_GAMES", "1"))  # times as many games as usual


@pytest.mark.parametrize(("size", "games"), [(9, 30), (15, 10)])
def test_free_style_games_equal_open_spiel(size, games):
    game, spiel = make_gomoku(size), pyspiel.load_game(f"gomoku(size={size})")
    rng, drawn = np.random.default_rng(size), 0
    for _ in range(GAMES * games):
        ours, theirs = game.new_state(), spiel.new_initial_state()
        while not theirs.is_terminal():
            assert not game.rules.is_terminal(ours)
            assert game.legal_actions(ours).tolist() == theirs.legal_actions()
            assert game.rules.to_play(ours) == theirs.current_player()
            action = int(rng.choice(theirs.legal_actions()))
            theirs.apply_action(action)
            game.rules.step(ours, action)
        assert game.rules.is_terminal(ours)
        mover = game.rules.to_play(ours)
        assert theirs.returns()[mover] == game.rules.value_to_play(ours)
        drawn += theirs.returns()[0] == 0
    assert drawn < GAMES * games


def lines_of(board, size):
    """All rows, columns and diagonals as texts of dots, X and O."""
    grid = np.array([".XO"[stone] for stone in board]).reshape(size, size)
    lines = [*grid, *grid.T]
    for turned in (grid, grid[:, ::-1]):
        lines += [turned.diagonal(offset) for offset in range(1 - size, size)]
    return ["".join(line) for line in lines]


def slow_winner(board, size, exact):
    """The side that has a row that wins, or -1."""
    for side, mark in enumerate("XO"):
        row = f"(?<!{mark}){mark}{{5}}(?!{mark})" if exact else mark * 5
        if any(re.search(row, line) for line in lines_of(board, size)):
            return side
    return -1


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("size", "games"), [(6, 40), (9, 10)])
def test_random_games_equal_the_slow_reference(size, games, exact):
    game = make_gomoku(size, exact)
    trial = make_trial(game, GAMES * games, seed=1)
    for trace in trial.traces:
        for ply, state in enumerate(trace.states):
            board = game.cells(state)
            winner = slow_winner(board, size, exact)
            assert trace.over[ply] == (winner >= 0 or ply == size * size)
            if not trace.over[ply]:
                assert trace.legal_at(ply).tolist() == np.flatnonzero(board == 0).tolist()
            else:
                assert trace.values[ply] == (-1.0 if winner >= 0 else 0.0)
                assert winner in (-1, 1 - trace.sides[ply])


def test_boards_full_of_lines_equal_the_slow_reference():
    """Long rows are rare in random games, so rows are laid first and then completed."""
    rng, overlines = np.random.default_rng(5), 0
    for exact in (True, False):
        game = make_gomoku(9, exact)
        for _ in range(300):
            board, cell, way = random_row(rng)
            text = "/".join("".join(".XO"[s] for s in board[r * 9 : r * 9 + 9]) for r in range(9))
            state = game.parse_position(text)
            game.rules.step(state, cell)
            board[cell] = 1
            assert game.rules.is_terminal(state) == (slow_winner(board, 9, exact) == 0)
            overlines += exact and not game.rules.is_terminal(state) and way >= 6
    assert overlines > 30


def random_row(rng):
    """A board with a row of 4 to 7 black stones but for one cell, that cell, and the row's length.

    White has as many stones, alone or in pairs far from five.
    """
    length = int(rng.integers(4, 8))
    down, right = [(0, 1), (1, 0), (1, 1), (1, -1)][rng.integers(4)]
    while True:
        row, column = rng.integers(0, 9, 2)
        cells = [(row + i * down, column + i * right) for i in range(length)]
        if all(0 <= r < 9 and 0 <= c < 9 for r, c in cells):
            break
    board, flat = np.zeros(81, np.uint8), [int(r * 9 + c) for r, c in cells]
    missing = int(rng.choice(flat))
    board[flat] = 1
    board[missing] = 0
    free = np.setdiff1d(np.arange(0, 81, 2), flat)
    board[rng.choice(free, length - 1, replace=False)] = 2
    if slow_winner(board, 9, exact=True) >= 0 or slow_winner(board, 9, exact=False) >= 0:
        return random_row(rng)
    return board, missing, length


@pytest.mark.parametrize(("name", "winning"), [("gomoku15", True), ("gomoku15_standard", False)])
def test_six_in_a_row(name, winning):
    game = find_game(name)
    moves = game.parse_moves("a1 a3 b1 b3 c1 c3 e1 e3 f1 f3 d1")
    state = game.position(moves)
    assert game.rules.is_terminal(state) == winning
    if not winning:  # the other side's six does not win either, but a five does
        assert not game.rules.is_terminal(game.position([*moves, game.parse_action("d3")]))


def test_a_full_board_is_a_draw():
    game = make_gomoku(5)
    rows = "XXOOX/OOXXO/XXOOX/OOXXO/XXOO."
    state = game.parse_position(rows)
    game.rules.step(state, 24)
    assert game.rules.is_terminal(state)
    assert game.rules.value_to_play(state) == 0.0


def test_positions_are_recovered_from_planes_and_text():
    game, rng = find_game("gomoku9_standard"), np.random.default_rng(2)
    state = game.new_state()
    while not game.rules.is_terminal(state):
        side = game.rules.to_play(state)
        planes = game.encode(state)
        board = (planes[side] + 2 * planes[1 - side]).astype(np.uint8).ravel()
        np.testing.assert_array_equal(board, game.cells(state))
        again = game.parse_position(game.format_position(state))
        assert again.tobytes() == state.tobytes()
        game.rules.step(state, int(rng.choice(game.legal_actions(state))))
    assert game.parse_position(game.format_position(state)).tobytes() == state.tobytes()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("...../.....", "expected 5 rows"),
        ("XX.../...../...../...../.....", "as many X as O"),
        ("XXXXX/OOOO./...../...../..O..", "the side to move has won before"),
    ],
)
def test_positions_that_are_none_are_refused(text, what):
    with pytest.raises(NotationError, match=what):
        make_gomoku(5).parse_position(text)
