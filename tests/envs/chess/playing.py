"""Random games of chess, beside the package `chess`, which says what is right.

`python -m tests.envs.chess.playing 300000` compares that many positions.
"""

import random
import sys
import time

import chess
import numpy as np
from numba import njit

from envs.chess import rules
from envs.chess.board import STANDARD
from envs.chess.moves import in_check
from envs.chess.notation import format_uci, legal_list
from envs.game import advance, legal_actions
from envs.registry import find_game

GAME = find_game("chess")


@njit(cache=True)
def list_compiled(state, actions):
    return legal_actions(state, actions)


@njit(cache=True)
def advance_compiled(state, keys, count, action):
    advance(state, keys, count, action)


class Side:
    """One game by our rules, interpreted or compiled."""

    def __init__(self, board, compiled):
        self.state = GAME.parse_position(board.fen(shredder=True))
        self.keys, self.count = np.zeros(1100, np.uint64), 0
        self.compiled, self.actions = compiled, np.zeros(GAME.max_legal, np.int32)

    def legal(self):
        """Return {UCI, where castling takes the rook: action}."""
        if not self.compiled:
            found = legal_list(self.state, STANDARD)
        elif self.state["outcome"] != rules.ONGOING:
            found = []
        else:
            found = self.actions[: list_compiled(self.state, self.actions)].tolist()
        assert found == sorted(set(found))
        return {format_uci(self.state, action, STANDARD, True): action for action in found}

    def play(self, action):
        play = advance_compiled if self.compiled else advance
        play(self.state, self.keys, self.count, action)
        self.count += 1


def expected_outcome(board, plies):
    if board.is_checkmate():
        return rules.CHECKMATE
    if board.is_insufficient_material():
        return rules.INSUFFICIENT
    if board.is_stalemate():
        return rules.STALEMATE
    if board.is_fifty_moves():
        return rules.NO_PROGRESS
    if plies == GAME.max_plies:
        return rules.CAP
    return rules.THREEFOLD if board.is_repetition(3) else rules.ONGOING


def compare(side, board, plies):
    """Compare a position; return its legal moves {UCI: action}."""
    where, state = board.fen(), side.state
    legal = side.legal()
    outcome = expected_outcome(board, plies)
    assert state["outcome"] == outcome, (where, plies)
    if outcome == rules.ONGOING:
        assert set(legal) == {board.uci(move) for move in board.legal_moves}, where
    assert in_check(state, STANDARD) == board.is_check(), where
    repeated = 2 if board.is_repetition(3) else int(board.is_repetition(2))
    assert state["repetitions"] == repeated, where
    assert GAME.format_position(state) == where
    return legal


def choose(board, rng):
    """Choose a move, at random or one that leads to what random games seldom reach."""
    moves = list(board.legal_moves)
    style = rng.random()
    if style < 0.2 and len(board.move_stack) > 1:  # go back
        last = board.move_stack[-2]
        back = [
            m for m in moves if (m.from_square, m.to_square) == (last.to_square, last.from_square)
        ]
        moves = back or moves
    elif style < 0.35:
        forcing = [
            m for m in moves if m.promotion or board.is_castling(m) or board.is_en_passant(m)
        ]
        moves = forcing or moves
    elif style < 0.5:
        moves = [m for m in moves if board.is_capture(m)] or moves
    elif style < 0.6:
        moves = [m for m in moves if board.gives_check(m)] or moves
    elif style < 0.7:
        moves = [m for m in moves if board.piece_type_at(m.from_square) == chess.PAWN] or moves
    return rng.choice(moves)


def compare_games(positions, seed=0, compiled=False):
    """Play games from ordinary and Chess960 starts; return how often each outcome was seen."""
    rng = random.Random(seed)
    outcomes, done = dict.fromkeys(range(7), 0), 0
    while done < positions:
        if rng.random() < 0.5:
            board = chess.Board(chess960=True)
        else:
            board = chess.Board.from_chess960_pos(rng.randrange(960))
        side, plies, sharp = Side(board, compiled), 0, rng.random() < 0.8
        while True:
            legal = compare(side, board, plies)
            done += 1
            if not legal:
                break
            move = choose(board, rng) if sharp else rng.choice(list(board.legal_moves))
            side.play(legal[board.uci(move)])
            board.push(move)
            plies += 1
        outcomes[int(side.state["outcome"])] += 1
    return done, outcomes


if __name__ == "__main__":
    began = time.time()
    print(compare_games(int(sys.argv[1]), seed=1, compiled=True), f"{time.time() - began:.0f} s")
