"""SFEN, USI, KIF, CSA and drawings, against cshogi and python-shogi."""

import re

import numpy as np
import pytest

from envs.game import NotationError
from envs.registry import find_game
from envs.shogi.board import MINISHOGI, SHOGI
from envs.shogi.csa import format_csa
from envs.shogi.drawing import diagram, number
from envs.shogi.kif import format_kif
from tests.envs.shogi.playing import random_games, random_positions

BOARDS = {"shogi": SHOGI, "minishogi": MINISHOGI}


@pytest.mark.parametrize("name", ["shogi", "minishogi"])
def test_positions_are_read_back_as_they_were(name):
    game = find_game(name)
    for _, states in random_games(game, 2, seed=21, longest=200):
        for state in states[::9]:
            back = game.parse_position(game.format_position(state))
            for field in ("board", "hand", "key", "side", "check", "ply"):
                assert np.array_equal(back[field], state[field]), field


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected the board"),
        ("9/9 b - 1", "2 rows"),
        ("4k4/9/9/9/9/9/9/9/4K3 b - 1", "has 8 cells"),
        ("4k4/9/9/9/9/9/9/9/4K4 x - 1", "'x'"),
        ("4k4/9/9/9/9/9/9/9/4K4 b - 0", "move number"),
        ("4k4/9/9/9/9/9/9/9/4K4 b Z 1", "'Z'"),
        ("4k4/9/9/9/9/9/9/9/4K4 b K 1", "'K'"),
        ("4k4/9/9/9/9/9/9/9/4K4 b 3R 1", "3 pieces R"),
        ("4k4/9/9/9/9/9/9/9/9 b - 1", "0 kings"),
        ("4k4/9/9/9/9/9/9/9/3+G1K3 b - 1", "is not a piece"),
        ("P3k4/9/9/9/9/9/9/9/4K4 b - 1", "never move"),
        ("4k4/N8/9/9/9/9/9/9/4K4 b - 1", "never move"),
        ("4k4/9/9/9/9/9/9/9/4K3p b - 1", "never move"),
        ("4k4/9/P8/9/P8/9/9/9/4K4 b - 1", "two pawns"),
        ("4k4/4R4/9/9/9/9/9/9/4K4 b - 1", "in check"),
        ("4k4/4K4/9/9/9/9/9/9/9 b - 1", "in check"),
    ],
)
def test_text_that_is_no_position_is_refused_with_its_reason(text, why):
    with pytest.raises(NotationError, match=re.escape(why)) as error:
        find_game("shogi").parse_position(text)
    assert repr(text) in str(error.value)


def test_a_position_may_come_as_usi_sends_it():
    game = find_game("shogi")
    start = game.new_state()
    for text in ("startpos", f"sfen {SHOGI.placement} b - 1", f"{SHOGI.placement} b -"):
        assert game.parse_position(text).tobytes() == start.tobytes()


@pytest.mark.parametrize("name", ["shogi", "minishogi"])
def test_every_action_is_read_back_for_both_sides(name):
    game = find_game(name)
    first, second = game.new_state(), game.new_state()
    second["side"] = 1
    for state in (first, second):
        for action in range(0, game.num_actions, 7):
            assert game.parse_move(state, game.format_move(state, action)) == action


@pytest.mark.parametrize(
    "text", ["", "7g", "7g7f+7", "0a1b", "1a1a", "9a8d", "K*5e", "P*0a", "#0x"]
)
def test_text_that_is_no_move_is_refused(text):
    game = find_game("shogi")
    with pytest.raises(ValueError):
        game.parse_move(game.new_state(), text)


@pytest.mark.parametrize("text", ["6a1a", "L*3c", "3a4c", "9i9h"])
def test_minishogi_refuses_moves_of_the_larger_board(text):
    game = find_game("minishogi")
    with pytest.raises(ValueError):
        game.parse_move(game.new_state(), text)


def usi_moves(game, moves, states):
    return [game.format_move(state, move) for state, move in zip(states, moves)]


def test_kif_and_csa_are_read_by_python_shogi():
    kif = pytest.importorskip("shogi.KIF")
    csa = pytest.importorskip("shogi.CSA")
    game = find_game("shogi")
    for moves, states in random_games(game, 3, seed=22, longest=300):
        wanted = usi_moves(game, moves, states)
        names = ("Ada", "Grace")
        read = kif.Parser.parse_str(format_kif(states, moves, SHOGI, names))[0]
        assert read["moves"] == wanted
        assert set(read["names"]) == set(names)
        read = csa.Parser.parse_str(format_csa(states, moves, SHOGI, names))[0]
        assert read["moves"] == wanted
        assert set(read["names"]) == set(names)


def test_records_from_any_position_are_read_elsewhere():
    kif = pytest.importorskip("shogi.KIF")
    csa = pytest.importorskip("cshogi.CSA")
    cshogi = pytest.importorskip("cshogi")
    game = find_game("shogi")
    for state, sfen in random_positions(game, SHOGI, 20, seed=23):
        if game.rules.is_terminal(state):
            continue
        move = int(game.legal_actions(state)[-1])
        states = game.line([move], start=state)
        usi = game.format_move(state, move)
        read = kif.Parser.parse_str(format_kif(states, [move], SHOGI))[0]
        assert read["moves"] == [usi]
        read = csa.Parser.parse_str(format_csa(states, [move], SHOGI))[0]
        assert [cshogi.move_to_usi(m) for m in read.moves] == [usi]
        assert same_position(read.sfen, sfen)


def same_position(left, right):
    """Compare SFEN whose hands may be in another order."""
    board, side, hands, _ = left.split()
    other_board, other_side, other_hands, _ = right.split()
    held = sorted(re.findall("[0-9]*[A-Za-z]", hands))
    other_held = sorted(re.findall("[0-9]*[A-Za-z]", other_hands))
    return (board, side, held) == (other_board, other_side, other_held)


def test_diagrams_are_those_of_cshogi():
    cshogi = pytest.importorskip("cshogi")
    game = find_game("shogi")
    for state, sfen in random_positions(game, SHOGI, 20, seed=24):
        theirs = cshogi.Board(sfen).to_bod()
        ours = diagram(state, SHOGI)
        assert [line.rstrip() for line in ours.splitlines()] == [
            line.rstrip() for line in theirs.splitlines()
        ]


def test_endings_of_records():
    game = find_game("shogi")
    words = ("2h3h 8b7b 3h2h 7b8b " * 3).split()
    moves = [game.parse_move(game.new_state(), word) for word in words[:1]]
    for word in words[1:]:
        moves.append(game.parse_move(game.position(moves), word))
    states = game.line(moves)
    assert format_kif(states, moves, SHOGI).splitlines()[-1].split() == ["13", "千日手"]
    assert format_csa(states, moves, SHOGI).splitlines()[-1] == "%SENNICHITE"
    assert format_csa(states[:3], moves[:2], SHOGI).splitlines()[-1] == "%TORYO"
    lost = states[-1].copy()
    lost["over"], lost["value"] = 3, -1  # the first player, who is to move, gave perpetual check
    ended = [*states[:-1], lost]
    assert format_csa(ended, moves, SHOGI).splitlines()[-1] == "%+ILLEGAL_ACTION"
    assert format_kif(ended, moves, SHOGI).splitlines()[-1].split() == ["13", "反則負け"]


def test_minishogi_records():
    game = find_game("minishogi")
    moves = [game.parse_move(game.new_state(), "2e3d")]
    states = game.line(moves)
    assert "   1 ３四角(25)" in format_kif(states, moves, MINISHOGI).splitlines()
    lines = format_csa(states, moves, MINISHOGI).splitlines()
    assert lines[3] == "P1-HI-KA-GI-KI-OU"
    assert lines[-2].startswith("+2534")


@pytest.mark.parametrize(("count", "text"), [(2, "二"), (10, "十"), (11, "十一"), (18, "十八")])
def test_numbers_in_japanese(count, text):
    assert number(count) == text


def test_the_drawing_names_hands_check_and_the_side_to_move():
    game = find_game("shogi")
    drawing = game.render(game.parse_position("4k4/9/9/9/9/9/9/9/4KR3 w 2Pb 8"))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", drawing)
    assert "hand: P2" in plain
    assert "hand: b" in plain
    assert plain.endswith("second to move, move 8")
    checked = game.render(game.parse_position("4k4/9/9/9/9/9/9/4r4/4K4 b - 1"))
    assert checked.endswith("check")
