"""Gomoku: free-style, where five or more stones in a row win, and standard, where only five do.

Cell `row * size + column` (row 0 at the top), written as in "f5" (column letter, row from the top).
In the standard game a row of six or more does not count. A full board is a draw.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.board_text import EMPTY, FIRST, SECOND, draw_board, format_cell, parse_cell
from envs.boards.bits import lowest_bit
from envs.boards.stones import format_rows, parse_rows, stone_cells
from envs.boards.words import ONE, WORD_BITS, ZERO, has_point, set_point, to_words
from envs.compiled.jitable import jitable
from envs.game import Game, GameError, NotationError, Rules, State
from envs.notation.boards import stone_board
from envs.symmetry import Symmetries, dihedral

MOST_ROWS, FIVE = 19, 5
KEY, SIDE_KEY, HALF = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xC2B2AE3D27D4EB4F),
    np.uint64(32),
)
LOST, FULL = 1, 2  # why a game is over; 0 while it is not
FILLED = np.float32(1.0)


def is_terminal(state: State) -> bool:
    return state["over"] != 0


def value_to_play(state: State) -> float:
    return -1.0 if state["over"] == LOST else 0.0


def to_play(state: State) -> int:
    return state["ply"] & 1


def position_key(state: State) -> Any:
    key = np.uint64(state["ply"] & 1) * SIDE_KEY
    for side in range(2):
        for word in state["stones"][side]:
            key = ((key ^ (key >> HALF)) + word) * KEY
    return key ^ (key >> HALF)


def _wins(size: int, exact: bool) -> Any:
    """Return the function that tells whether a new stone, at a bit, makes a row that wins."""
    directions = (1, size, size + 1, size + 2)

    @jitable
    def wins(stones: Any, cell: int) -> bool:
        for way in directions:
            length, place = 1, cell + way
            while has_point(stones, place):
                length, place = length + 1, place + way
            place = cell - way
            while has_point(stones, place):
                length, place = length + 1, place - way
            if length == FIVE or (length > FIVE and not exact):
                return True
        return False

    return wins


def _legal_actions(size: int) -> Any:
    full, stride = to_words(range(size * size), size, size), size + 1
    words = len(full)

    def legal_actions(state: State, actions: Any) -> int:
        count = 0
        for w in range(words):
            left = full[w] & ~(state["stones"][0, w] | state["stones"][1, w])
            while left != ZERO:
                cell = w * WORD_BITS + lowest_bit(left)
                actions[count] = cell - cell // stride
                count += 1
                left &= left - ONE
        return count

    return legal_actions


def _encode(size: int) -> Any:
    words, stride = len(to_words([], size, size)), size + 1

    def encode(state: State, planes: Any) -> None:
        """Write two planes: own stones, the opponent's stones."""
        side = int(state["ply"]) & 1
        for channel in range(2):
            owner = side ^ channel
            for w in range(words):
                left = state["stones"][owner, w]
                while left != ZERO:
                    cell = w * WORD_BITS + lowest_bit(left)
                    planes[channel, cell // stride, cell % stride] = FILLED
                    left &= left - ONE

    return encode


def _rules(size: int, exact: bool) -> Rules:
    words, count, wins = len(to_words([], size, size)), size * size, _wins(size, exact)

    def reset(state: State) -> None:
        for side in range(2):
            for w in range(words):
                state["stones"][side, w] = ZERO
        state["ply"] = 0
        state["over"] = 0

    def step(state: State, action: int) -> None:
        stones = state["stones"][int(state["ply"]) & 1]
        cell = int(action) + int(action) // size
        set_point(stones, cell)
        state["ply"] += 1
        if wins(stones, cell):
            state["over"] = LOST
        elif state["ply"] == count:
            state["over"] = FULL

    return Rules(
        reset=reset,
        legal_actions=_legal_actions(size),
        step=step,
        is_terminal=is_terminal,
        value_to_play=value_to_play,
        to_play=to_play,
        encode=_encode(size),
        position_key=position_key,
    )


def parse_position(text: str, state: State, rules: Rules, size: int, exact: bool) -> None:
    """Write the position of a text into a record; the number of stones says who is to move.

    Raises NotationError, with the text, for anything that is not a position of this board.
    """
    sides = parse_rows(text.strip(), size)
    ply = len(sides[0]) + len(sides[1])
    if len(sides[0]) - len(sides[1]) != ply % 2:
        raise NotationError(f"{text!r}: expected as many X as O, or one more")
    rules.reset(state)
    wins, won = _wins(size, exact), [False, False]
    for side, points in enumerate(sides):
        state["stones"][side] = to_words(points, size, size)
        won[side] = any(wins(state["stones"][side], cell + cell // size) for cell in points)
    if won[ply % 2]:
        raise NotationError(f"{text!r}: the side to move has won before")
    state["ply"] = ply
    state["over"] = LOST if any(won) else FULL if ply == size * size else 0


def make_gomoku(size: int, exact: bool = False) -> Game:
    """Return Gomoku on size*size cells, 5 to 19; `exact` makes it standard, else it is free-style.

    Raises GameError for another size.
    """
    if not FIVE <= size <= MOST_ROWS:
        raise GameError(f"a Gomoku board of {size}x{size}: expected {FIVE} to {MOST_ROWS}")
    count, rules = size * size, _rules(size, exact)
    marks = (EMPTY, FIRST, SECOND)

    def parse(text: str) -> State:
        states = np.zeros(1, game.dtype)
        parse_position(text, states[0], rules, size, exact)
        return states[0]

    game = Game(
        name=f"gomoku{size}_standard" if exact else f"gomoku{size}",
        title=f"Gomoku {size}x{size}{', standard' if exact else ''}",
        rules=rules,
        fields=[
            ("stones", "u8", (2, len(to_words([], size, size)))),
            ("ply", "i2"),
            ("over", "u1"),
        ],
        num_actions=count,
        planes_shape=(2, size, size),
        max_plies=count,
        max_legal=count,
        format_action=lambda action: format_cell(action, size),
        parse_action=lambda text: parse_cell(text, size, size),
        render=lambda state: draw_board([marks[s] for s in stone_cells(state, size, size)], size),
        symmetries=Symmetries(dihedral(size), dihedral(size)),
        player_names=("X (black)", "O (white)"),
        in_a_row=FIVE,
        mean_legal=count * 3 // 4 + 1,
        policy_planes=1,
        parse_position=parse,
        format_position=lambda state: format_rows(state, size),
        board=stone_board(size, size),
        cells=lambda state: stone_cells(state, size, size),
    )
    return game


GOMOKU_9, GOMOKU_15 = make_gomoku(9), make_gomoku(15)
GOMOKU_9_STANDARD, GOMOKU_15_STANDARD = make_gomoku(9, exact=True), make_gomoku(15, exact=True)
