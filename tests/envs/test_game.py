import hashlib
from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from envs import game as generic
from envs import tic_tac_toe
from envs.game import GameError, NotationError, game_of
from envs.game_file import file_of, find_or_load, load_game_file, typed_game
from envs.positions import play_from
from envs.registry import BUILT_IN, find_game


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_record_has_no_byte_between_its_fields(name):
    dtype = find_game(name).dtype
    assert sum(dtype[field].itemsize for field in dtype.names) == dtype.itemsize
    assert dtype.isalignedstruct


def test_fields_are_ordered_widest_first_and_the_tag_fills_the_record():
    fields = [("small", "u1"), ("board", "i1", (5,)), ("wide", "u8"), ("middle", "u4")]
    game = replace(tic_tac_toe.GAME, name="ordered", fields=fields)
    assert game.dtype.names[:4] == ("wide", "middle", "small", "board")
    assert game.dtype.names[4].startswith("ordered_")
    assert game.dtype.itemsize == 24
    assert sum(game.dtype[field].itemsize for field in game.dtype.names) == 24


def test_records_of_equal_fields_have_different_dtypes_in_different_games():
    assert find_game("othello").dtype != find_game("othello6").dtype
    assert game_of(find_game("othello6").new_state()) is find_game("othello6")


def test_compiled_code_finds_the_rules_by_the_record():
    @njit
    def plies_to_the_end(state, actions):
        plies = 0
        while not generic.is_terminal(state):
            generic.legal_actions(state, actions)
            generic.step(state, actions[0])
            plies += 1
        return plies

    for name in ("tic_tac_toe", "othello6"):
        game = find_game(name)
        plain, actions = game.new_state(), np.zeros(game.max_legal, np.int32)
        expected = plies_to_the_end.py_func(plain, actions)
        compiled = game.new_state()
        assert plies_to_the_end(compiled, actions) == expected
        assert compiled.tobytes() == plain.tobytes()


def test_a_foreign_record_is_refused():
    with pytest.raises(GameError, match=r"no game is registered for the dtype \[\('x', '<i4'\)\]"):
        generic.is_terminal(np.zeros(1, [("x", "i4")])[0])


def test_notation_errors_name_the_move_its_number_and_the_legal_ones():
    game = find_game("othello")
    with pytest.raises(NotationError, match="move 2, 'e5', is not legal in othello: the legal"):
        game.parse_moves("f5 e5")
    with pytest.raises(NotationError, match=r"move 1, 'pass', .* are d3 c4 f5 e6$"):
        game.parse_moves("pass")
    with pytest.raises(NotationError, match=r"move 8, '1', .*: the game is over there"):
        find_game("connect_four").parse_moves("12121211")


def test_game_records_may_be_loosely_spaced_and_in_capitals():
    game = find_game("othello")
    assert game.parse_moves("  F5   d6 ") == game.parse_moves("f5 d6")
    assert game.format_moves(game.parse_moves("F5 D6")) == "f5 d6"
    assert game.parse_moves("") == []


def test_an_unknown_game_names_the_nearest_and_the_known():
    with pytest.raises(GameError, match=r"unknown game 'conect_four': did you mean 'connect_four'"):
        find_game("conect_four")
    with pytest.raises(GameError, match=r"unknown game 'qqq': known games are tic_tac_toe, conn"):
        find_game("qqq")
    with pytest.raises(GameError, match=r"unknown game 'breakout': it is a game of Atari, for"):
        find_game("breakout")


def test_a_game_file_that_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(GameError, match=r"no game file at .*missing.py"):
        load_game_file(tmp_path / "missing.py")
    broken = tmp_path / "broken_game.py"
    broken.write_text("1 / 0\n")
    with pytest.raises(GameError, match=r"broken_game.py failed to load: ZeroDivisionError"):
        load_game_file(broken)
    empty = tmp_path / "empty_game.py"
    empty.write_text("GAME = 3\n")
    with pytest.raises(GameError, match=r"empty_game.py must define GAME = .*; found int"):
        load_game_file(empty)


FILE = """
from dataclasses import replace
from envs import tic_tac_toe
def step(state, action):
    tic_tac_toe.step(state, action)
GAME = replace(tic_tac_toe.GAME, name="mine", rules=replace(tic_tac_toe.GAME.rules, step=step))
"""


def test_an_edit_of_a_users_game_changes_its_dtype(tmp_path):
    first, second = tmp_path / "mine_a.py", tmp_path / "mine_b.py"
    first.write_text(FILE)
    second.write_text(FILE + "# edited\n")
    assert load_game_file(first).dtype != load_game_file(second).dtype
    assert load_game_file(first) is load_game_file(first)
    third = tmp_path / "mine_c.py"
    third.write_text(FILE)
    assert load_game_file(third).dtype == load_game_file(first).dtype


def test_a_text_is_never_run(tmp_path):
    path = tmp_path / "tempting.py"
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    for text in (str(path), f"file://{path}", "../tempting.py", "envs.tic_tac_toe"):
        with pytest.raises(GameError, match=r"unknown game .* named on the command line"):
            find_game(text)
    assert not (tmp_path / "ran").exists()


def test_a_users_game_knows_its_file(tmp_path):
    path = tmp_path / "mine_d.py"
    path.write_text(FILE)
    game = find_or_load(typed_game(str(path)))
    found = file_of(game)
    assert (found.path, found.sha256) == (path, hashlib.sha256(FILE.encode()).hexdigest())
    assert find_or_load(typed_game("othello")) is find_game("othello")
    assert file_of(find_game("othello")) is None


@pytest.mark.parametrize(
    ("name", "text", "written"),
    [
        ("chess", "startpos moves e4 e5", "e2e4 e7e5"),
        ("chess", "e4 moves e5", "e2e4 e7e5"),
        ("connect_four", "startpos moves 443", "443"),
        ("connect_four", "44 moves 3", "443"),
        ("shogi", "sfen lnsgkgsnl/9/9/9/9/9/9/9/LNSGKGSNL b - 1 moves 5i5h", None),
        ("hex7", "a1 b2", "a1 b2"),
    ],
)
def test_a_position_may_be_followed_by_moves(name, text, written):
    game = find_game(name)
    start, moves = game.read_position(text)
    again = game.write_position(start, moves)
    assert again == (written or text.removeprefix("sfen "))
    other, same = game.read_position(again)
    assert same == moves
    assert (other is None) == (start is None)
    assert game.line(moves, start)[-1] == game.line(same, other)[-1]


def test_a_start_without_a_text_is_refused():
    game = find_game("othello")
    with pytest.raises(NotationError, match="othello has no text for positions"):
        game.write_position(game.new_state(), [])


@pytest.mark.parametrize(
    ("name", "kinds"), [("chess", 6), ("chess5", 6), ("shogi", 14), ("minishogi", 10)]
)
def test_a_board_that_turns_shows_each_player_what_the_other_saw(name, kinds):
    """Own pieces are those that the other player saw as the opponent's, but for a captured one."""
    game, rng = find_game(name), np.random.default_rng(0)
    state, captures = game.new_state(), 0
    for _ in range(150):
        theirs = np.flip(game.encode(state)[kinds : 2 * kinds], game.turned_axes)
        game.rules.step(state, int(rng.choice(game.legal_actions(state))))
        mine = game.encode(state)[:kinds]
        assert not (mine > theirs).any()
        gone = int((mine != theirs).sum())
        assert gone <= 1
        captures += gone
        if game.rules.is_terminal(state):
            state = game.new_state()
    assert captures


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"turned_axes": (0,)}, "expected axes of its planes' rows and columns"),
        ({"board_plane": 3}, "board_plane = 3, expected one of its 2"),
    ],
)
def test_planes_that_are_none_are_refused(changes, told):
    with pytest.raises(GameError, match=told):
        replace(tic_tac_toe.GAME, name="wrong", **changes)


@pytest.mark.parametrize("name", ["tic_tac_toe", "chess", "shogi", "go9"])
@pytest.mark.parametrize("action", [-1, 10**6])
def test_a_move_that_no_action_is_is_told_by_its_number(name: str, action: int) -> None:
    with pytest.raises(GameError, match=f"move 1, {action}: it is not legal"):
        play_from(find_game(name), None, [action])
