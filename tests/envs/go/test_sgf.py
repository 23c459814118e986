"""Go records in SGF."""

import pytest

from envs.game import NotationError
from envs.go.game import GO_9, GO_19
from envs.go.notation import handicap_points
from envs.go.sgf import GoRecord, format_result, format_sgf, parse_sgf
from tests.envs.go.driving import random_line

# The example of FF[4] at red-bean.com, shortened: variations, comments with escapes, setup.
PLAYED = r"""(;FF[4]AP[Primiview:3.1]GM[1]SZ[19]GN[Gametree 1: properties]US[Arno Hollosi]
KM[6.5]PB[Black [the first\]]PW[White \\ two]RE[B+R]C[a \] in
a comment: (;B[aa\])]
;B[pd]N[Moves, comments]C[x];W[dp](;B[pp];W[dd](;B[pj])(;B[aa];W[bb]))(;B[cc];W[]))
(;GM[1]SZ[9];B[aa])"""


def test_the_main_line_of_a_record_with_variations():
    record = parse_sgf(PLAYED)
    assert (record.rows, record.columns, record.komi) == (19, 19, 6.5)
    assert record.names == ("Black [the first]", "White \\ two")
    assert record.result == "B+R"
    words = [GO_19.format_action(action) for action in record.actions()]
    assert words == ["Q16", "D4", "Q4", "D16", "Q10"]


def test_a_game_survives_formatting_and_parsing():
    line = random_line(GO_9, 120, seed=2)
    moves = GO_9.parse_moves("E5 pass D4 pass pass")
    record = GoRecord(9, 9, 7.5, [(ply % 2, a) for ply, a in enumerate(moves)])
    record.names, record.result = ("a]b", "c\\d"), format_result(3.5)
    assert parse_sgf(format_sgf(record)) == record
    assert parse_sgf(format_sgf(record)).actions() == moves
    assert len(line) > 100


def test_handicap_stones_and_white_first():
    stones = handicap_points(19, 4)
    record = GoRecord(19, 19, 0.5, [(1, 60), (0, 61)], (stones, []), first_side=1)
    text = format_sgf(record)
    assert "HA[4]AB[dp][pd][dd][pp]PL[W]" in text
    assert parse_sgf(text) == record
    state = GO_19.parse_position(record.position())
    assert GO_19.cells(state).sum() == 4
    assert GO_19.rules.to_play(state) == 1


def test_a_side_that_moves_twice_has_let_the_other_pass():
    record = parse_sgf("(;GM[1]SZ[9]KM[7];B[ee];B[cc];W[gg])")
    assert record.actions() == GO_9.parse_moves("E5 pass C7 G3")


def test_passes_rectangles_compressed_points_and_old_names():
    record = parse_sgf("(;SZ[5:3]AB[aa:bb]AW[ec];Black[tt];White[])")
    assert (record.rows, record.columns) == (3, 5)
    assert record.stones == ([0, 1, 5, 6], [14])
    assert record.moves == [(0, 15), (1, 15)]
    assert parse_sgf(format_sgf(record)).stones == record.stones


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("no game", "no SGF"),
        ("(;GM[2])", "is of game '2'"),
        ("(;SZ[20])", "expected 1 to 19"),
        ("(;SZ[9]KM[six])", "expected a number"),
        ("(;SZ[9];B[jj])", "expected a point of the board"),
        ("(;SZ[9];B[aa", "cannot be read"),
        ("(;SZ[9];B[aa];AW[bb])", "after the start"),
    ],
)
def test_text_that_is_no_record_of_go_is_refused(text, what):
    with pytest.raises(NotationError, match=what):
        parse_sgf(text)


@pytest.mark.parametrize(("lead", "text"), [(3.5, "B+3.5"), (-12.0, "W+12"), (0.0, "0")])
def test_results(lead, text):
    assert format_result(lead) == text
