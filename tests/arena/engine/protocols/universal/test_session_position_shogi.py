"""Games of shogi that other programs play longer than the rules here do."""

import pytest

from arena.engine.protocols.universal.session_position import SessionPosition
from envs.registry import find_game

pytestmark = pytest.mark.slow  # they compile shogi for the sake of three games
GAME = find_game("shogi")
ENTERED = "1K1+R1+R3/PPPPPPPP1/9/9/9/9/9/9/4k4 b 2B 1"  # won by declaration
THERE_AND_BACK = ["2h3h", "8b7b", "3h2h", "7b8b"]


def is_over(told: SessionPosition) -> bool:
    return bool(GAME.rules.is_terminal(told.position.state[0]))


def test_a_win_is_declared_until_a_move_is_told() -> None:
    declared = SessionPosition(GAME).after(ENTERED, [])
    assert is_over(declared)
    assert GAME.rules.value_to_play(declared.position.state[0]) == 1
    later = declared.after(ENTERED, ["8a9a"])
    assert not is_over(later)
    assert is_over(later.after(ENTERED, ["8a9a", "5i5h"]))
    at_once = SessionPosition(GAME).after(ENTERED, ["8a9a", "5i5h", "9a8a"])
    assert not is_over(at_once)
    last = ENTERED.removesuffix("1") + "600"  # beyond the longest game here, too
    assert not is_over(SessionPosition(GAME).after(last, ["8a9a"]))


def test_a_game_goes_on_after_a_fourth_occurrence_and_after_512_plies() -> None:
    told = SessionPosition(GAME).after("", THERE_AND_BACK * 3)
    assert not is_over(told)
    assert told.position.past.counts[0] == 0
    assert not is_over(told.after("", [*THERE_AND_BACK * 3, "7g7f"]))
    start = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL b - 510"
    moves = ["7g7f", "3c3d", "2g2f", "8c8d", "2f2e"]
    assert not is_over(SessionPosition(GAME).after(start, moves))


def test_mate_ends_a_game() -> None:
    mated = SessionPosition(GAME).after("8k/9/8G/9/9/9/9/9/4K4 b G 1", ["G*1b"])
    assert is_over(mated)
    assert GAME.rules.value_to_play(mated.position.state[0]) == -1
