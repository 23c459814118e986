"""Gardner's 5x5 chess against pyffish (Fairy-Stockfish)."""

import random

import numpy as np
import pytest

from envs.chess.board import GARDNER
from envs.chess.moves import in_check
from envs.chess.notation import format_uci, legal_list
from envs.chess.perft import count_lines
from envs.chess.rules import CAP, CHECKMATE, NO_PROGRESS, ONGOING, STALEMATE, THREEFOLD
from envs.game import NotationError, advance
from envs.registry import find_game

pyffish = pytest.importorskip("pyffish")
GAME = find_game("chess5")
START = "rnbqk/ppppp/5/PPPPP/RNBQK w - - 0 1"


def peer_perft(position, depth):
    moves = pyffish.legal_moves("gardner", position, [])
    if depth == 1:
        return len(moves)
    nexts = (pyffish.get_fen("gardner", position, [move]) for move in moves)
    return sum(peer_perft(fen, depth - 1) for fen in nexts)


def choose(legal, played, rng):
    """A random move, or one that goes back, or a promotion."""
    if rng.random() < 0.25 and len(played) > 1:
        back = played[-2][2:4] + played[-2][:2]
        if back in legal:
            return back
    if rng.random() < 0.3:
        return rng.choice([word for word in legal if len(word) == 5] or legal)
    return rng.choice(legal)


def compare_game(rng):
    """Play one game beside pyffish; return its outcome and its number of positions."""
    state, keys, words = GAME.new_state(), np.zeros(GAME.max_plies + 1, np.uint64), []
    while True:
        legal = {format_uci(state, a, GARDNER): a for a in legal_list(state, GARDNER)}
        theirs = pyffish.legal_moves("gardner", START, words)
        fen = pyffish.get_fen("gardner", START, words)
        assert GAME.format_position(state) == fen
        assert in_check(state, GARDNER) == pyffish.gives_check("gardner", START, words)
        outcome = state["outcome"]
        assert (outcome in (CHECKMATE, STALEMATE)) == (not theirs), fen
        repeated, _ = pyffish.is_optional_game_end("gardner", START, words)
        if outcome in (THREEFOLD, NO_PROGRESS):
            assert repeated, fen
        elif outcome == ONGOING:
            assert not repeated, fen
        if outcome != ONGOING:
            return int(outcome), len(words) + 1
        assert set(legal) == set(theirs), fen
        words.append(choose(sorted(legal), words, rng))
        advance(state, keys, len(words) - 1, legal[words[-1]])


def test_random_games():
    rng = random.Random(11)
    outcomes = [compare_game(rng)[0] for _ in range(25)]
    assert {CHECKMATE, THREEFOLD} <= set(outcomes)
    assert CAP not in outcomes


@pytest.mark.parametrize("position", [START, "1nb1k/1P1p1/p1p1p/P1P1P/RNBQK w - - 0 5"])
def test_perft(position):
    for depth in (1, 2, 3):
        ours = count_lines(GAME.parse_position(position), depth, GARDNER, GAME.max_legal)
        assert ours == peer_perft(position, depth)


def test_no_castling_no_en_passant():
    for position in (START.replace("w - -", "w K -"), START.replace("w - -", "w - a3")):
        with pytest.raises(NotationError):
            GAME.parse_position(position)


def test_the_widest_position_fits():
    state = GAME.parse_position("Q3k/1Q3/4Q/1Q3/QK1Q1 w - - 0 1")
    assert 40 < len(GAME.legal_actions(state)) <= GAME.max_legal
