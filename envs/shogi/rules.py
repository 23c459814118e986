"""Positions of shogi and minishogi, their moves and results.

A game ends by mate (a side without a legal move has lost), by fourfold repetition of a position
with the same hands and the same side to move, by declaration, or as a draw after `MAX_PLIES`.

- Repetition: a side whose every move since the first of the four occurrences gave check has lost.
  Otherwise it is a draw in shogi and a loss for the first player in minishogi; if both sides did,
  it is a draw in either.
- Declaration (CSA's 27 points): the side to move has won if its king stands in the three far rows
  and is not in check, at least ten other own pieces stand there too, and those pieces and its hand
  count 28 points for the first player or 27 for the second (bishop and rook, promoted or not, 5
  points, others 1). It is automatic: no action declares, so actions are those of AlphaZero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.boards.bits import popcount
from envs.compiled.jitable import jitable
from envs.game import Rule, State
from envs.shogi.bits import ZERO, highest_cell
from envs.shogi.board import BISHOP, BOARD_WORDS, POINTS, PROMOTED, ROOK, Board, zobrist
from envs.shogi.moves import Moves
from envs.shogi.pieces import code_at, occupied, sort_words, toggle, words_of
from envs.shogi.sfen import parse_board, write_pieces

MAX_PLIES = 512
MATE, REPETITION, PERPETUAL_CHECK, DECLARATION = 1, 2, 3, 4  # the field `over`
MOST_REPEATS = 3  # a position that occurred so often before ends the game

FIELDS = [
    ("board", "u8", (BOARD_WORDS,)),  # own pieces, and the four bits of their codes: see board.py
    ("key", "u8"),  # of the position
    ("hand", "u1", (14,)),  # pieces in hand by code, of the side to move and of the other
    ("ply", "u2"),
    ("runs", "u1", (2,)),  # how many of its last moves in a row gave check: side to move, other
    ("side", "u1"),  # who is to move
    ("check", "u1"),  # whether the side to move is in check
    ("repeats", "u1"),  # how often the position occurred before, at most 3
    ("over", "u1"),  # why the game is over, 0 if it is not or if only MAX_PLIES ends it
    ("value", "i1"),  # the result for the side to move
]


def is_terminal(state: State) -> bool:
    """Return whether the game is over."""
    return state["over"] != 0 or state["ply"] >= MAX_PLIES


def value_to_play(state: State) -> float:
    """Return the result for the side to move: 1, 0 or -1."""
    return float(state["value"])


def to_play(state: State) -> int:
    """Return who is to move."""
    return state["side"] & 1


def position_key(state: State) -> Any:
    """Return the key of board, hands and side to move, which repetition compares."""
    return state["key"]


def _counts() -> Any:
    return np.random.default_rng(0x5107).integers(0, 2**64, (MAX_PLIES + 1, 4), np.uint64)


COUNTS = _counts()


def evaluation_key(state: State) -> Any:
    """Return a key of all that the planes show of this record."""
    return state["key"] ^ COUNTS[min(np.int64(state["ply"]), MAX_PLIES), state["repeats"]]


def make_declaration(board: Board) -> Rule:
    """Return `declares`: whether the side to move, not in check, has won by declaration."""
    camp = board.cell_sets(range(board.zone * board.size))[0]
    dear = POINTS[ROOK] - 1
    automatic = board.declaration

    @jitable
    def declares(state: State) -> bool:
        if not automatic:
            return False
        b = state["board"]
        own = b[0] & camp
        if own & b[8] & ~(b[2] | b[4] | b[6]) == ZERO:  # the king
            return False
        others = popcount(own) - 1
        if others < 10:
            return False
        points: Any = others + dear * popcount(own & b[4] & b[6])
        hand = state["hand"]
        for i in range(7):
            points += np.int64(hand[i]) * (1 + dear if i >= BISHOP - 1 else 1)
        return points >= (28 if state["side"] == 0 else 27)

    return declares


def make_settle(board: Board, moves: Moves) -> Rule:
    """Return `settle`, which finds out whether the side to move is in check and has lost or won."""
    shift, _, pins_and_checks = moves.attacks
    most = board.max_legal
    lines = np.bitwise_or.reduce(board.rays, axis=0)
    legal_actions, declares = moves.legal_actions, make_declaration(board)

    @jitable
    def settle(state: State) -> None:
        w = words_of(state)
        kinds_l, kinds_h = sort_words(w)
        any_l, any_h = occupied(w)
        own_l, own_h = w[0], w[1]
        checks = pins_and_checks(kinds_l, kinds_h, own_l, own_h, any_l & ~own_l, any_h & ~own_h)[4]
        state["check"] = checks > 0
        state["repeats"], state["over"], state["value"] = 0, 0, 0
        if checks == 0:
            if declares(state):
                state["over"], state["value"] = DECLARATION, 1
                return
            king = highest_cell(kinds_l[8] & own_l, kinds_h[8] & own_h)
            low, high = shift(
                kinds_l[0] & own_l & ~kinds_l[8] & ~lines[king, 0],
                kinds_h[0] & own_h & ~kinds_h[8] & ~lines[king, 1],
                0,
            )
            if (low & ~own_l) | (high & ~own_h) != ZERO:
                return  # a piece that cannot be pinned has a move: most positions end here
        if legal_actions(state, np.empty(most, np.int32)) == 0:
            state["over"], state["value"] = MATE, -1

    return settle


def make_remember(board: Board) -> Rule:
    """Return the rule `remember`: repetition, and who gave perpetual check."""
    first_loses = board.first_loses_repetition

    def remember(state: State, keys: Any, count: int) -> None:
        if state["over"] != 0:
            return
        key, repeats, first = state["key"], 0, count
        for i in range(count - 2, -1, -2):
            if keys[i] == key:
                repeats, first = repeats + 1, i
                if repeats == MOST_REPEATS:
                    break
        state["repeats"] = repeats
        if repeats < MOST_REPEATS:
            return
        moves = (count - first) // 2  # of each side, since the first of the four occurrences
        own, other = state["runs"][0] >= moves, state["runs"][1] >= moves
        state["over"] = REPETITION
        if own != other:
            state["over"] = PERPETUAL_CHECK
            state["value"] = -1 if own else 1
        elif first_loses and not own:
            state["value"] = -1 if state["side"] == 0 else 1

    return remember


def make_reset(board: Board) -> Rule:
    """Return the rule `reset`."""
    start = np.zeros(1, FIELDS)
    write_pieces(start[0], parse_board(board.placement, board), [[0] * 7, [0] * 7], 0, board)
    words, key = start[0]["board"].copy(), start[0]["key"]

    def reset(state: State) -> None:
        for i in range(BOARD_WORDS):
            state["board"][i] = words[i]
        for i in range(14):
            state["hand"][i] = 0
        state["runs"][0], state["runs"][1] = 0, 0
        state["key"], state["ply"], state["side"], state["check"] = key, 0, 0, 0
        state["repeats"], state["over"], state["value"] = 0, 0, 0

    return reset


def _target_finder(board: Board) -> Rule:
    """Return `target_of`: where a move of a piece on the board goes."""
    size, reach, promoting = board.size, board.reach, board.promoting
    offsets = np.array(board.offsets)

    @jitable
    def target_of(plane: int, cell: int) -> int:
        if plane >= promoting:
            plane -= promoting
        if plane >= 8 * reach:
            return cell - 2 * size + 2 * (plane - 8 * reach) - 1
        return cell + offsets[plane // reach] * (plane % reach + 1)

    return target_of


def _board_turner(turn: Rule, side_key: Any) -> Rule:
    """Return `turn_board`, which passes the move to the other side."""

    @jitable
    def turn_board(state: State) -> None:
        """Let the other side see the board as its own."""
        b, hand = state["board"], state["hand"]
        b[0] = (b[2] | b[4] | b[6] | b[8]) & ~b[0]
        b[1] = (b[3] | b[5] | b[7] | b[9]) & ~b[1]
        for i in range(0, 10, 2):
            b[i], b[i + 1] = turn(b[i], b[i + 1])
        for i in range(7):
            hand[i], hand[i + 7] = hand[i + 7], hand[i]
        state["side"] ^= 1
        state["key"] ^= side_key

    return turn_board


def make_step(board: Board, moves: Moves, settle: Rule) -> Rule:
    """Return the rule `step`."""
    cells, last, kinds = board.cells, board.cells - 1, np.array(board.kinds)
    promoting, drops = board.promoting, board.drops
    piece_keys, hand_keys, side_key = zobrist(cells)
    target_of, turn_board = _target_finder(board), _board_turner(moves.turn, side_key)

    @jitable
    def seen(cell: int, side: int) -> int:
        """Return the cell as the first player sees it: keys are of that view."""
        return last - cell if side else cell

    @jitable
    def add_to_hand(state: State, slot: int, change: int) -> None:
        """Change the number of pieces in hand of the side to move, and the key."""
        side, count = state["side"], np.int64(state["hand"][slot])
        state["key"] ^= hand_keys[side, slot, count] ^ hand_keys[side, slot, count + change]
        state["hand"][slot] = count + change

    def step(state: State, action: int) -> None:
        plane, cell = action // cells, action % cells
        b, side = state["board"], state["side"]
        if plane >= drops:
            code, target = kinds[plane - drops], cell
            add_to_hand(state, code - 1, -1)
        else:
            target = target_of(plane, cell)
            code, taken = code_at(b, cell), code_at(b, target)
            toggle(b, cell, code, True)
            state["key"] ^= piece_keys[side, code, seen(cell, side)]
            if taken:
                toggle(b, target, taken, False)
                state["key"] ^= piece_keys[side ^ 1, taken, seen(target, side)]
                add_to_hand(state, (taken & 7) - 1, 1)
            if plane >= promoting:
                code += PROMOTED
        toggle(b, target, code, True)
        state["key"] ^= piece_keys[side, code, seen(target, side)]
        turn_board(state)
        state["ply"] += 1
        settle(state)
        run = min(np.int64(state["runs"][0]) + 1, 255) if state["check"] else 0
        state["runs"][0], state["runs"][1] = state["runs"][1], run

    return step
