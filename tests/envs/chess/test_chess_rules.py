"""What ends a game, and what counts as the same position, on constructed games."""

import chess
import numpy as np
import pytest

from envs.chess.board import STANDARD
from envs.chess.notation import format_uci
from envs.chess.rules import (
    CAP,
    CHECKMATE,
    INSUFFICIENT,
    NO_PROGRESS,
    ONGOING,
    STALEMATE,
    THREEFOLD,
)
from tests.envs.chess.playing import GAME


def after(words, position=None):
    """The last record of a game, its moves given as UCI or SAN."""
    start = GAME.parse_position(position) if position else GAME.new_state()
    actions = []
    for word in words.split():
        state = GAME.line(actions, start)[-1]
        actions.append(GAME.parse_move(state, word))
    return GAME.line(actions, start)[-1]


@pytest.mark.parametrize(
    ("position", "outcome"),
    [
        ("rnb1kbnr/pppp1ppp/8/4p3/6Pq/5P2/PPPPP2P/RNBQKBNR w KQkq - 1 3", CHECKMATE),
        ("7k/5Q2/6K1/8/8/8/8/8 b - - 0 1", STALEMATE),
        ("7k/8/6K1/8/8/8/8/8 b - - 0 1", INSUFFICIENT),
        ("7k/8/6K1/8/8/8/8/7N b - - 0 1", INSUFFICIENT),
        ("7k/8/6K1/8/8/8/8/6NN b - - 0 1", ONGOING),  # no mate can be forced, but one exists
        ("7k/8/6K1/8/8/8/8/n6N b - - 0 1", ONGOING),
        ("7k/8/6K1/8/8/8/8/B6N b - - 0 1", ONGOING),
        ("7k/8/6K1/8/8/2b5/1B6/B7 b - - 0 1", INSUFFICIENT),  # all on dark squares
        ("8/k7/6K1/8/8/2b5/8/B3B3 b - - 0 1", INSUFFICIENT),
        ("8/k7/6K1/8/8/8/8/B2b4 b - - 0 1", ONGOING),
        ("7k/8/6K1/8/8/8/P7/8 b - - 99 80", ONGOING),
        ("7k/8/6K1/8/8/8/P7/8 b - - 100 80", NO_PROGRESS),
        ("7k/7Q/6K1/8/8/8/8/8 b - - 100 80", CHECKMATE),  # mate comes first
    ],
)
def test_outcomes(position, outcome):
    board, state = chess.Board(position), GAME.parse_position(position)
    assert state["outcome"] == outcome
    assert GAME.rules.is_terminal(state) == (outcome != ONGOING)
    assert GAME.rules.value_to_play(state) == (-1.0 if outcome == CHECKMATE else 0.0)
    assert board.is_insufficient_material() == (outcome == INSUFFICIENT)
    assert len(GAME.legal_actions(state)) == (board.legal_moves.count() if not outcome else 0)


def test_threefold_repetition_ends_the_game():
    knights = "Nf3 Nf6 Ng1 Ng8 "
    twice = after(knights)
    assert (twice["repetitions"], twice["outcome"]) == (1, ONGOING)
    thrice = after(knights * 2)
    assert (thrice["repetitions"], thrice["outcome"]) == (2, THREEFOLD)
    assert GAME.rules.value_to_play(thrice) == 0.0


def test_lost_castling_rights_are_another_position():
    kings = "Ke2 Ke7 Ke1 Ke8 "
    start = "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1"
    assert after(kings * 2, start)["outcome"] == ONGOING  # the first one had the rights
    assert after(kings * 2 + "Ke2 Ke7", start)["outcome"] == THREEFOLD


@pytest.mark.parametrize(
    ("start", "differs"),
    [
        # The black pawn has just passed d6, and e5xd6 is legal.
        ("6k1/8/8/3pP3/8/8/8/K7 w - d6 0 1", True),
        # The same, but the pawn on e5 is pinned by the bishop on h8.
        ("6kb/8/8/3pP3/8/8/8/K7 w - d6 0 1", False),
        # No pawn stands beside it.
        ("6k1/8/8/3p4/4P3/8/8/K7 w - d6 0 1", False),
    ],
)
def test_en_passant_counts_only_if_it_is_legal(start, differs):
    kings = "Kb1 Kf8 Ka1 Kg8 "
    state = after(kings * 2, start)
    assert (state["outcome"] == ONGOING) == differs
    assert bool(GAME.parse_position(start)["en_passant"]) == differs
    board = chess.Board(start)
    for word in (kings * 2).split():
        board.push_san(word)
    assert board.is_repetition(3) == (not differs)


def test_a_pawn_move_makes_earlier_positions_unreachable():
    keys = np.zeros(4, np.uint64)
    state = after("Nf3 Nf6 Ng1 e6")
    keys[:] = GAME.rules.position_key(state)  # as if it had been there: nothing looks so far back
    GAME.rules.remember(state, keys, 4)
    assert state["repetitions"] == 0


@pytest.mark.parametrize("first_ply", [0, 100])
def test_the_cap_counts_from_the_position_that_was_set_up(first_ply):
    state = GAME.parse_position(f"7k/8/6K1/8/8/8/P7/8 w - - 0 {first_ply // 2 + 1}")
    state["ply"] = first_ply + GAME.max_plies - 2
    GAME.rules.step(state, GAME.parse_move(state, "a3"))
    assert state["outcome"] == ONGOING
    GAME.rules.step(state, GAME.parse_move(state, "Kg8"))
    assert state["outcome"] == CAP
    assert GAME.rules.value_to_play(state) == 0.0


@pytest.mark.parametrize(
    ("position", "legal"),
    [
        # The king's way is attacked on f1; on b1 only the rook's.
        ("1r3r2/6k1/8/8/8/8/8/R3K2R w KQ - 0 1", {"e1a1"}),
        ("4r3/6k1/8/8/8/8/8/R3K2R w KQ - 0 1", set()),  # in check
        # Chess960: the castling rook shields its king from the rook on a1.
        ("4k3/8/8/8/8/8/8/rR2K3 w B - 0 1", set()),
        ("4k3/8/8/8/8/8/8/1R2K3 w B - 0 1", {"e1b1"}),
        # King and rook change places; the king does not move; the rook does not move.
        ("4k3/8/8/8/8/8/8/5KR1 w G - 0 1", {"f1g1"}),
        ("4k3/8/8/8/8/8/8/1RK5 w B - 0 1", {"c1b1"}),
        ("4k3/8/8/8/8/8/8/3RK3 w D - 0 1", {"e1d1"}),
    ],
)
def test_castling(position, legal):
    state, board = GAME.parse_position(position), chess.Board(position, chess960=True)
    words = [format_uci(state, int(a), STANDARD, chess960=True) for a in GAME.legal_actions(state)]
    assert {word for word in words if board.is_castling(chess.Move.from_uci(word))} == legal
    for word in legal:
        board.push_uci(word)
        assert GAME.format_position(after(word, position)) == board.fen()
