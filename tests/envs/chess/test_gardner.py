"""Gardner's 5x5 chess against pyffish (Fairy-Stockfish)."""

import random

import numpy as np
import pytest

from envs.chess.board import GARDNER
from envs.chess.moves import in_check
from envs.chess.notation import format_uci, legal_list
from envs.chess.perft import count_lines
from envs.chess.rules import CHECKMATE, INSUFFICIENT, NO_PROGRESS, ONGOING, STALEMATE, THREEFOLD
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


def compare_end(state, base, since):
    """Compare whether and how a game is over; pyffish replays `since` from the FEN `base`."""
    outcome = state["outcome"]
    drawn, _ = pyffish.is_optional_game_end("gardner", base, since)
    if outcome in (THREEFOLD, NO_PROGRESS, ONGOING):
        assert drawn == (outcome != ONGOING), (base, since)
    if outcome == INSUFFICIENT:
        assert pyffish.has_insufficient_material("gardner", base, since) == (True, True)
    assert in_check(state, GARDNER) == pyffish.gives_check("gardner", base, since)


def compare_game(rng):
    """Play one game beside pyffish; return its outcome.

    Its calls are slow: legal moves are compared at each ply, the rest where it matters most.
    """
    state, keys, played = GAME.new_state(), np.zeros(GAME.max_plies + 1, np.uint64), []
    base, since = START, []  # since the last capture or pawn's move
    while True:
        fen, outcome = GAME.format_position(state), state["outcome"]
        if state["no_progress"] == 0:
            assert fen == pyffish.get_fen("gardner", base, since)
            base, since = fen, []
        theirs = pyffish.legal_moves("gardner", fen, [])
        assert (outcome in (CHECKMATE, STALEMATE)) == (not theirs), fen
        if outcome != ONGOING or state["repetitions"] or rng.random() < 0.1:
            compare_end(state, base, since)
        if outcome != ONGOING:
            return int(outcome)
        legal = {format_uci(state, a, GARDNER): a for a in legal_list(state, GARDNER)}
        assert set(legal) == set(theirs), fen
        played.append(choose(sorted(legal), played, rng))
        since.append(played[-1])
        advance(state, keys, len(played) - 1, legal[played[-1]])


def test_random_games():
    rng = random.Random(11)
    assert {compare_game(rng) for _ in range(4)} >= {THREEFOLD}


@pytest.mark.slow
def test_many_random_games():
    rng = random.Random(12)
    assert {compare_game(rng) for _ in range(12)} >= {THREEFOLD}


@pytest.mark.parametrize("position", [START, "1nb1k/1P1p1/p1p1p/P1P1P/RNBQK w - - 0 5"])
def test_perft(position):
    for depth in (1, 2):
        ours = count_lines(GAME.parse_position(position), depth, GARDNER, GAME.max_legal)
        assert ours == peer_perft(position, depth)


def test_no_castling_no_en_passant():
    for position in (START.replace("w - -", "w K -"), START.replace("w - -", "w - a3")):
        with pytest.raises(NotationError):
            GAME.parse_position(position)


def test_many_queens():
    position = "kr3/pp3/3Q1/2Q1Q/KQ1Q1 w - - 0 1"
    count = len(pyffish.legal_moves("gardner", position, []))
    assert len(GAME.legal_actions(GAME.parse_position(position))) == count
