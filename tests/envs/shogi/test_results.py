"""How games of shogi end: mates, repetitions, perpetual checks, declarations, the cap."""

import numpy as np
import pytest

from envs.game import advance
from envs.registry import find_game
from envs.shogi.rules import DECLARATION, MATE, MAX_PLIES, PERPETUAL_CHECK, REPETITION

SHOGI, MINISHOGI = find_game("shogi"), find_game("minishogi")


def play(game, text, start="startpos"):
    """The position after moves in USI; each must be legal."""
    state = game.parse_position(start)
    words = text.split()
    keys = np.zeros(len(words) + 1, np.uint64)
    for ply, word in enumerate(words):
        action = game.parse_move(state, word)
        assert action in game.legal_actions(state), f"{word} after {words[:ply]}"
        advance(state, keys, ply, action)
    return state


def legal(game, sfen):
    state = game.parse_position(sfen)
    return {game.format_move(state, int(action)) for action in game.legal_actions(state)}


def result(state):
    return int(state["over"]), int(state["value"])


BACK_AND_FORTH = "2h3h 8b7b 3h2h 7b8b "


def test_the_fourth_occurrence_is_a_draw():
    before = play(SHOGI, (BACK_AND_FORTH * 3)[:-6])
    assert result(before) == (0, 0)
    assert before["repeats"] == 2
    assert result(play(SHOGI, BACK_AND_FORTH * 3)) == (REPETITION, 0)


def test_hands_and_the_side_to_move_are_part_of_a_position():
    board = "4k4/9/9/9/9/9/9/R8/4K4"
    keys = [
        int(SHOGI.parse_position(f"{board} {rest} 1")["key"])
        for rest in ("b -", "w -", "b P", "b p", "b 2P", "b L")
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("start", "cycle"),
    [
        ("4k/5/5/5/K2R1 b - 1", "2e3e 1a1b 3e2e 1b1a "),
        ("1r2k/5/5/5/K4 w - 1", "4a3a 5e5d 3a4a 5d5e "),
    ],
)
def test_minishogi_the_first_player_loses_a_repetition(start, cycle):
    state = play(MINISHOGI, cycle * 3, start)
    assert result(state) == (REPETITION, -1 if state["side"] == 0 else 1)


CHECKS = "9b9a 5a5b 9a9b 5b5a "
DRAGON = "4k4/+R8/9/9/9/9/9/9/4K4 b - 1"


def test_perpetual_check_loses_for_the_side_to_move():
    assert result(play(SHOGI, CHECKS * 3, DRAGON)) == (PERPETUAL_CHECK, -1)


def test_perpetual_check_loses_for_the_side_that_has_moved():
    start = "9/4k4/+R8/9/9/9/9/9/4K4 b - 1"
    moves = "9c9b " + "5b5a 9b9a 5a5b 9a9b " * 3
    assert result(play(SHOGI, moves, start)) == (PERPETUAL_CHECK, 1)


def test_perpetual_check_of_the_second_player():
    start = "4k4/9/9/9/9/9/9/+r8/4K4 w - 1"
    assert result(play(SHOGI, "9h9i 5i5h 9i9h 5h5i " * 3, start)) == (PERPETUAL_CHECK, -1)


def test_one_quiet_move_in_the_cycle_makes_it_a_draw():
    cycle = "9b9c 5a5b 9c9b 5b5a "  # the second move of the dragon checks, the first does not
    assert result(play(SHOGI, cycle * 3, DRAGON)) == (REPETITION, 0)


def test_both_sides_giving_perpetual_check_is_a_draw():
    for game in (SHOGI, MINISHOGI):
        state = game.new_state()
        state["runs"] = 6, 6
        keys = np.zeros(12, np.uint64)
        keys[[0, 4, 8]] = state["key"]
        game.rules.remember(state, keys, 12)
        assert result(state) == (REPETITION, 0)


def test_only_positions_with_the_same_side_to_move_are_compared():
    state = SHOGI.new_state()
    keys = np.zeros(8, np.uint64)
    keys[[1, 3, 5, 7]] = state["key"]
    SHOGI.rules.remember(state, keys, 8)
    assert state["repeats"] == 0


@pytest.mark.parametrize(
    ("sfen", "is_legal"),
    [
        ("7nk/9/7G1/9/9/9/9/9/4K4 b P 1", False),
        ("8k/9/7G1/9/9/9/9/9/4K4 b P 1", True),  # the king escapes
        ("7nk/9/9/9/9/9/9/9/4K4 b P 1", True),  # the king takes
        ("7nk/9/8G/9/9/9/9/9/4K4 b P 1", False),  # the gold guards 2b too
        ("7nk/6g2/7G1/9/9/9/9/9/4K4 b P 1", False),  # the gold cannot reach it
        ("7nk/7g1/7S1/9/9/9/9/9/4K4 b P 1", True),  # the gold takes
        ("7nk/7g1/7S1/9/9/4B4/9/9/4K4 b P 1", True),
        ("7nk/9/7G1/9/9/9/9/9/4K4 b L 1", None),
    ],
)
def test_a_pawn_drop_may_check_but_not_mate(sfen, is_legal):
    moves = legal(SHOGI, sfen)
    if is_legal is None:
        assert "L*1b" in moves  # other pieces may mate so
    else:
        assert ("P*1b" in moves) == is_legal


def test_a_pinned_piece_does_not_rescue_from_a_dropped_pawn():
    pinned = "5R1gk/9/7G1/9/9/9/9/9/4K4 b P 1"  # the gold at 2a would take on 1b
    assert "P*1b" not in legal(SHOGI, pinned)
    assert "P*1b" in legal(SHOGI, pinned.replace("5R1gk", "7gk"))


def test_a_pawn_may_mate_by_moving():
    state = play(SHOGI, "1c1b", "7nk/9/7GP/9/9/9/9/9/4K4 b - 1")
    assert result(state) == (MATE, -1)


def test_two_pawns_on_a_file_are_forbidden_but_a_promoted_one_does_not_count():
    moves = legal(SHOGI, "4k4/9/9/9/P8/1+P7/9/9/4K4 b P 1")
    assert not any(move.startswith("P*9") for move in moves)
    assert "P*8c" in moves
    assert not any(move.startswith("P*") and move.endswith("a") for move in moves)


def test_pieces_that_could_not_move_again_must_promote():
    moves = legal(SHOGI, "4k4/P7L/9/9/9/9/9/9/4K4 b - 1")
    assert {"9b9a+", "1b1a+"} <= moves
    assert not {"9b9a", "1b1a"} & moves
    knight = legal(SHOGI, "4k4/9/9/1N7/9/9/9/9/4K4 b - 1")
    assert {"8d7b+", "8d9b+"} <= knight
    assert not {"8d7b", "8d9b"} & knight


def test_declaration_needs_28_points_of_the_first_player_and_27_of_the_second():
    camp = "1K1+R1+R3/PPPPPPPP1/9/9/9/9/9/9/4k4"  # ten pieces besides the king, 18 points
    for hand, won in (("2B", True), ("B5P", True), ("B4P", False)):
        state = SHOGI.parse_position(f"{camp} b {hand} 1")
        assert (result(state) == (DECLARATION, 1)) == won, hand
    far = "4K4/9/9/9/9/9/9/1pppppppp/3+r1+r1k1"
    for hand, won in (("b4p", True), ("b3p", False)):
        state = SHOGI.parse_position(f"{far} w {hand} 1")
        assert (result(state) == (DECLARATION, 1)) == won, hand


def test_declaration_needs_ten_pieces_in_the_camp_and_no_check():
    nine = "1K1+R1+R3/PPPPPPP2/9/9/9/9/9/9/4k4 b 2B2G2S 1"
    assert result(SHOGI.parse_position(nine)) == (0, 0)
    beside = "bK1+R1+R3/1PPPPPPP1/P8/9/9/9/9/9/4k4 b B2G2S2P 1"
    assert result(SHOGI.parse_position(beside)) == (DECLARATION, 1)
    check = "1K1+R1+R3/bPPPPPPP1/P8/9/9/9/9/9/4k4 b B2G2S2P 1"
    assert result(SHOGI.parse_position(check)) == (0, 0)


def test_minishogi_has_no_declaration():
    state = MINISHOGI.parse_position("K+R+R2/PP3/5/5/4k b 2B2S2G 1")
    assert result(state) == (0, 0)


def test_the_game_is_a_draw_after_512_plies_unless_mate_ends_it():
    mate = "7nk/9/7GP/9/9/9/9/9/4K4 b - 512"
    assert not SHOGI.rules.is_terminal(SHOGI.parse_position(mate))
    quiet = play(SHOGI, "5i5h", mate)
    assert quiet["ply"] == MAX_PLIES
    assert SHOGI.rules.is_terminal(quiet)
    assert SHOGI.rules.value_to_play(quiet) == 0.0
    assert SHOGI.rules.value_to_play(play(SHOGI, "1c1b", mate)) == -1.0
