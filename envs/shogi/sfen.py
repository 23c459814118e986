"""Positions as SFEN: board from the first rank, side to move, hands, move number."""

from __future__ import annotations

import re
from typing import Any

from envs.game import NotationError, State
from envs.shogi.board import KING, LETTERS, PAWN, PROMOTED, Board, zobrist
from envs.shogi.moves import occupied, words_of
from envs.shogi.rules import code_at, toggle

CODES = {letter: code for code, letter in LETTERS.items()}
HAND_ORDER = "RBGSNLP"  # as written by every program


def piece_text(code: int, second: bool) -> str:
    """Return a piece as in SFEN: "+R" for the first player's dragon, "+r" for the second's."""
    promoted = code > KING
    letter = LETTERS[code - PROMOTED if promoted else code]
    return ("+" if promoted else "") + (letter.lower() if second else letter)


def pieces_of(state: State, board: Board) -> list[tuple[int, bool]]:
    """Return (code, whether it is the second player's) of all cells, as the first player sees them."""
    words, second = state["board"], bool(state["side"])
    pieces = []
    for cell in range(board.cells):
        own = bool(int(words[cell >> 6]) >> (cell & 63) & 1)
        pieces.append((int(code_at(words, cell)), own == second))
    return pieces[::-1] if second else pieces


def hand_counts(state: State, player: int) -> list[int]:
    """Return how many pieces of each kind a player holds, by code from 1."""
    own = int(state["side"]) == player
    return [int(n) for n in (state["hand"][:7] if own else state["hand"][7:])]


def format_position(state: State, board: Board) -> str:
    """Return a position as SFEN."""
    pieces = pieces_of(state, board)
    rows = []
    for start in range(0, board.cells, board.size):
        row = "".join(piece_text(*p) if p[0] else "." for p in pieces[start : start + board.size])
        rows.append(re.sub(r"\.+", lambda gap: str(len(gap[0])), row))
    hands = ""
    for player in range(2):
        counts = hand_counts(state, player)
        for letter in HAND_ORDER:
            count = counts[CODES[letter] - 1]
            if count:
                name = letter if player == 0 else letter.lower()
                hands += (str(count) if count > 1 else "") + name
    side = "w" if state["side"] else "b"
    return f"{'/'.join(rows)} {side} {hands or '-'} {int(state['ply']) + 1}"
