"""Minishogi's moves and both games' repetitions against pyffish (Fairy-Stockfish).

Two things differ, and are tested for: pyffish lists a pawn drop that mates as legal, and for a
perpetual check by the side to move it also asks for check in the position before the first of the
four occurrences.
"""

import os

import numpy as np
import pytest

from envs.game import advance, position_key
from envs.registry import find_game
from envs.shogi.board import LETTERS, MINISHOGI, SHOGI
from envs.shogi.rules import MATE, PERPETUAL_CHECK, REPETITION
from envs.shogi.usi import target_of
from tests.envs.shogi.playing import legal_sets, random_games

pyffish = pytest.importorskip("pyffish")
MANY = int(os.environ.get("SHOGI_POSITIONS", "5000"))
BOARDS = {"shogi": SHOGI, "minishogi": MINISHOGI}


def uci(action, side, board):
    """A move as pyffish writes it: files from the left, ranks from below."""

    def name(cell):
        cell = board.cells - 1 - cell if side else cell
        return f"{chr(ord('a') + cell % board.size)}{board.size - cell // board.size}"

    target, start, promotes = target_of(action, board)
    if start < 0:
        return f"{LETTERS[board.kinds[action // board.cells - board.drops]]}@{name(target)}"
    return name(start) + name(target) + ("+" if promotes else "")


def fen_of(sfen):
    rows, side, hands, _ = sfen.split()
    return f"{rows}[{hands}] {'w' if side == 'b' else 'b'} 0 1"


def mates_by_pawn(fen, move):
    return move.startswith("P@") and not pyffish.legal_moves("minishogi", fen, [move])


def compare_moves(positions, seed):
    game, compared, pawn_mates = find_game("minishogi"), 0, 0
    for _, states in random_games(game, positions, seed):
        for state, legal in zip(states, legal_sets(game, states)):
            if state["over"] not in (0, MATE) or state["ply"] >= game.max_plies:
                continue
            fen = fen_of(game.format_position(state))
            ours = {uci(action, int(state["side"]), MINISHOGI) for action in legal}
            theirs = set(pyffish.legal_moves("minishogi", fen, []))
            extra = theirs - ours
            assert ours <= theirs, (fen, ours - theirs)
            assert all(mates_by_pawn(fen, move) for move in extra), (fen, extra)
            assert bool(state["check"]) == pyffish.gives_check("minishogi", fen, [])
            compared, pawn_mates = compared + 1, pawn_mates + len(extra)
        if compared >= positions:
            break
    return compared, pawn_mates


def test_minishogi_has_the_same_moves():
    compared, _ = compare_moves(500, seed=1)
    assert compared >= 500


@pytest.mark.slow
def test_minishogi_has_the_same_moves_in_many_positions():
    compared, pawn_mates = compare_moves(MANY, seed=2)
    assert compared >= MANY
    assert pawn_mates > 0


def short_of_pieces(name):
    """Positions in which few moves are possible, so that random play repeats them."""
    if name == "shogi":
        return [
            "4k4/9/9/9/9/9/9/9/R3K4 b - 1",
            "8k/9/9/9/9/9/9/9/K7R w - 1",
            "k8/9/1+R7/9/9/9/9/9/8K b - 1",
        ]
    return ["4k/5/5/5/K2R1 b - 1", "k4/5/1+R3/5/4K w - 1", "1r2k/5/5/5/K2R1 b - 1"]


def repeating_game(game, rng, start, quiet):
    """Moves and records of a game that goes back and forth, until it is over or 60 plies.

    Players check if they can, or, in a quiet game, only if they must.
    """
    state, keys = game.parse_position(start), np.zeros(64, np.uint64)
    moves, states = [], [state.copy()]
    while len(moves) < 60 and not game.rules.is_terminal(state):
        legal = game.legal_actions(state)
        seen = set(keys[: len(moves)].tolist())
        choices, checks = [], []
        for action in legal.tolist():
            child = state.copy()
            game.rules.step(child, action)
            if position_key(child) in seen:
                choices.append(action)
            if child["check"]:
                checks.append(action)
        good = [action for action in legal.tolist() if (action in checks) != quiet]
        again = [action for action in choices if action in good]
        pool = again or (choices if choices and rng.random() < 0.8 else good or legal.tolist())
        action = int(rng.choice(pool))
        advance(state, keys, len(moves), action)
        moves.append(action)
        states.append(state.copy())
    return moves, states


def their_result(name, fen, texts):
    """Whether pyffish ends the game, and its value for the side to move: 1, 0 or -1."""
    over, value = pyffish.is_optional_game_end(name, fen, texts)
    return over, int(np.sign(value))


def drawn(name, state):
    """The value to play of a fourfold repetition without perpetual check."""
    if name == "shogi":
        return 0
    return -1 if state["side"] == 0 else 1


@pytest.mark.parametrize("name", ["shogi", "minishogi"])
def test_repetitions_end_as_there(name):
    game, board, rng = find_game(name), BOARDS[name], np.random.default_rng(7)
    reasons = {REPETITION: 0, PERPETUAL_CHECK: 0}
    with np.errstate(over="ignore"):
        for number, start in enumerate(short_of_pieces(name) * 4):
            moves, states = repeating_game(game, rng, start, quiet=number % 2 == 0)
            texts = [uci(m, int(s["side"]), board) for m, s in zip(moves, states)]
            for ply in range(1, len(states)):
                state = states[ply]
                if state["over"] == MATE:
                    continue
                over, value = their_result(name, fen_of(start), texts[:ply])
                assert over == (state["over"] != 0), (start, texts[:ply])
                if not over:
                    continue
                reasons[int(state["over"])] += 1
                allowed = {int(state["value"])}
                if state["over"] == PERPETUAL_CHECK and state["value"] < 0:  # see above
                    allowed.add(drawn(name, state))
                assert value in allowed, (start, texts[:ply])
    assert min(reasons.values()) > 0, reasons
