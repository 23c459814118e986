"""Go as text: points, positions, handicap."""

import numpy as np
import pytest

from envs.game import NotationError, remember
from envs.go.game import GO_7, GO_9, GO_19, make_go
from envs.go.notation import LETTERS, format_point, handicap_points, handicap_position
from tests.envs.go.driving import random_line


@pytest.mark.parametrize(
    ("text", "row", "column"),
    [("A1", 18, 0), ("T19", 0, 18), ("J10", 9, 8), ("H1", 18, 7), ("d4", 15, 3), ("Q16", 3, 15)],
)
def test_points_are_those_of_the_text_protocol(text, row, column):
    assert GO_19.parse_action(text) == row * 19 + column
    assert GO_19.format_action(row * 19 + column) == text.upper()


def test_the_pass_is_the_last_action():
    assert GO_9.parse_action("PASS") == 81
    assert GO_9.format_action(81) == "pass"


@pytest.mark.parametrize("text", ["I5", "K1", "A0", "A10", "", "55", "A", "A1 ", "resign"])
def test_other_text_is_no_point(text):
    with pytest.raises(ValueError, match="expected A1 to J9"):
        GO_9.parse_action(text)


def test_no_letter_is_i():
    assert "I" not in LETTERS
    assert len({format_point(a, 19, 19) for a in range(362)}) == 362


@pytest.mark.parametrize(("game", "plies"), [(GO_7, 97), (GO_19, 300)])
def test_positions_survive_formatting_and_parsing(game, plies):
    line = random_line(game, plies, seed=8)
    for state in line[:: len(line) // 20]:
        text = game.format_position(state)
        again = game.parse_position(text)
        assert game.format_position(again) == text
        for name in ("stones", "key", "side", "passes", "ply", "over"):
            np.testing.assert_array_equal(again[name], state[name], err_msg=f"{text} {name}")


def test_a_position_remembers_a_past_that_the_caller_knows():
    """Superko is exact from a bare position too, if the keys of the earlier ones are given."""
    game, some = make_go(3, max_plies=60), 0
    for seed in range(4):
        line = random_line(game, 60, seed)
        keys = np.array([state["key"] for state in line])
        for ply in range(len(line) - 1):
            state = game.parse_position(game.format_position(line[ply]))
            remember(state, keys, ply)
            some += state["forbidden"].any()
            np.testing.assert_array_equal(state["forbidden"], line[ply]["forbidden"])
            assert game.legal_actions(state).tolist() == game.legal_actions(line[ply]).tolist()
    assert some > 5


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("7/7/7/7/7/7 b", "has 6 rows, expected 7"),
        ("7/7/7/7/7/7/6 b", "has 6 points, expected 7"),
        ("7/7/7/7/7/7/7 x", "no side to move"),
        ("7/7/7/7/7/7/6z b", "expected X, O and numbers"),
        ("7/7/7/7/7/7/7 b 3", "up to 2 passes"),
        ("7/7/7/7/7/7/7 b 0 99", "up to 98 plies"),
        ("7/7/7/7/7/7/7 b 0 0 5.5", "komi 5.5, but this game has 9"),
        ("7/7/7/7/7/7/7 b 0 zero", "'zero' in"),
        ("7/7/7/7/7/7/7 b 0 inf", "'inf' in"),
        ("7/7/7/7/7/7/7 b nan", "'nan' in"),
        ("7/7/7/7/7/O6/XO5 b", "A1 have no liberty"),
        ("7/7/7/7/7/7/7", "is no position of Go"),
    ],
)
def test_positions_that_are_none_are_refused(text, what):
    with pytest.raises(NotationError, match=what):
        GO_7.parse_position(text)


def points_of(text, size):
    game = make_go(size)
    return {game.parse_action(word) for word in text.split()}


@pytest.mark.parametrize(
    ("size", "stones", "points"),
    [
        (19, 2, "D4 Q16"),
        (19, 4, "D4 Q16 D16 Q4"),
        (19, 5, "D4 Q16 D16 Q4 K10"),
        (19, 6, "D4 Q16 D16 Q4 D10 Q10"),
        (19, 7, "D4 Q16 D16 Q4 D10 Q10 K10"),
        (19, 9, "D4 Q16 D16 Q4 D10 Q10 K4 K16 K10"),
        (9, 4, "C3 G7 C7 G3"),
        (13, 3, "D4 K10 D10"),
    ],
)
def test_handicap_is_placed_as_the_text_protocol_says(size, stones, points):
    assert set(handicap_points(size, stones)) == points_of(points, size)


def test_white_begins_a_handicap_game():
    state = GO_19.parse_position(handicap_position(19, 9))
    assert GO_19.rules.to_play(state) == 1
    assert GO_19.cells(state).sum() == 9
    assert len(GO_19.legal_actions(state)) == 362 - 9


@pytest.mark.parametrize(("size", "stones"), [(19, 1), (19, 10), (8, 5), (5, 2)])
def test_a_handicap_without_places_is_refused(size, stones):
    with pytest.raises(ValueError, match=f"{stones} handicap stones on {size}x{size}"):
        handicap_points(size, stones)


def test_a_drawing_shows_stones_letters_and_the_side():
    state = GO_9.position(GO_9.parse_moves("E5 J1"))
    lines = GO_9.render(state).splitlines()
    assert lines[4].count("X") == 1
    assert "O" in lines[8]
    assert lines[9].split() == list("ABCDEFGHJ")
    assert "X (black) to move" in lines[-1]
