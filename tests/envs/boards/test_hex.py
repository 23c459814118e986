"""Hex against OpenSpiel, and against counts by hand."""

import os

import numpy as np
import pyspiel
import pytest

from envs.boards.hex import make_hex
from envs.checks.contract import check
from envs.checks.perft import perft
from envs.game import NotationError
from envs.registry import find_game

GAMES = int(os.environ.get("LUDENS_BOARD_GAMES", "1"))  # times as many games as usual


def compare(game, spiel, games, seed):
    """Play random games in OpenSpiel and here; how many stones stood at their ends."""
    size, rng, stones = game.planes_shape[1], np.random.default_rng(seed), 0
    for _ in range(games):
        ours, theirs, ply = game.new_state(), spiel.new_initial_state(), 0
        while not theirs.is_terminal():
            actions = np.zeros(game.max_legal, np.int32)
            count = game.rules.legal_actions(ours, actions)
            first = int(np.flatnonzero(game.cells(ours))[0]) if ply == 1 else -1
            # There taking over is an action of its own, here a move onto the stone.
            legal = sorted(first if a == size * size else a for a in theirs.legal_actions())
            assert actions[:count].tolist() == legal
            assert game.rules.to_play(ours) == theirs.current_player()
            assert not game.rules.is_terminal(ours)
            action = int(rng.choice(actions[:count]))
            theirs.apply_action(size * size if action == first else action)
            game.rules.step(ours, action)
            ply += 1
        assert game.rules.is_terminal(ours)
        loser = game.rules.to_play(ours)
        assert theirs.returns()[1 - loser] == -game.rules.value_to_play(ours) == 1.0
        board = [".xo".index(mark) for mark in str(theirs) if mark in ".xo"]
        assert game.cells(ours).tolist() == board
        stones += np.count_nonzero(board)
    return stones


@pytest.mark.parametrize(("size", "games"), [(2, 20), (4, 60), (7, 20), (11, 6), (19, 1)])
def test_games_equal_open_spiel(size, games):
    spiel = pyspiel.load_game(f"hex(board_size={size})")
    assert compare(make_hex(size), spiel, GAMES * games, seed=size) > games


@pytest.mark.parametrize("size", [3, 6])
def test_games_with_swap_equal_open_spiel(size):
    spiel = pyspiel.load_game(f"hex(board_size={size},swap=true)")
    assert compare(make_hex(size, swap=True), spiel, GAMES * 60, seed=9) > 60


def test_perft_of_the_3x3_board():
    counts = [9, 72, 504, 3024, 15120, 54720, 146880, 207360, 120960]
    assert [perft(make_hex(3), depth) for depth in range(1, 10)] == counts


def test_the_contract_with_swap():
    assert check(make_hex(4, swap=True), games=10).ok


def test_a_stone_that_is_taken_over_is_reflected():
    game = make_hex(5, swap=True)
    state = game.position(game.parse_moves("d1 d1"))
    assert np.flatnonzero(game.cells(state)).tolist() == [game.parse_action("a4")]
    assert game.cells(state).max() == 2
    assert game.rules.to_play(state) == 0
    with pytest.raises(NotationError, match="'d1', is not legal"):
        find_game("hex7").parse_moves("d1 d1")


def decode(planes):
    """The board that planes show, as `cells` gives it, and the side to move."""
    side = 0 if planes[2].all() else 1
    return (planes[side] + 2 * planes[1 - side]).astype(np.uint8).ravel(), side


def test_positions_are_recovered_from_planes_and_text():
    game, rng = make_hex(9), np.random.default_rng(2)
    state = game.new_state()
    while not game.rules.is_terminal(state):
        board, side = decode(game.encode(state))
        np.testing.assert_array_equal(board, game.cells(state))
        assert side == game.rules.to_play(state)
        again = game.parse_position(game.format_position(state))
        assert again.tobytes() == state.tobytes()
        game.rules.step(state, int(rng.choice(game.legal_actions(state))))
    assert game.parse_position(game.format_position(state)).tobytes() == state.tobytes()


GOLDEN = """\
own
. . .
. X .
. . .
opponent
. . .
X . .
. . X
first to move
. . .
. . .
. . .
"""


def test_golden_planes():
    game = make_hex(3)
    planes = game.encode(game.position(game.parse_moves("a2 b2 c3")))
    names = ("own", "opponent", "first to move")
    lines = []
    for name, plane in zip(names, planes, strict=True):
        lines += [name, *(" ".join(".X"[int(cell)] for cell in row) for row in plane)]
    assert "\n".join(lines) + "\n" == GOLDEN


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("... 1 0", "expected 3 rows"),
        (".../.../..Z 1 0", "expected 3 rows"),
        (".../.../... 3 0", "side 1 or 2"),
        (".../.../... 1 99", "at most 10 plies"),
        ("X../X../X.. 1 6", "has connected its edges before"),
    ],
)
def test_positions_that_are_none_are_refused(text, what):
    with pytest.raises(NotationError, match=what):
        make_hex(3).parse_position(text)
