"""Tic-tac-toe on a 3x3 board.

Bit and action `row * 3 + column` (row 0 at the top) is a cell. A move is written as the cell's
column letter and its row from the top, "a1" to "c3"; "b2" is the centre.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.board_text import STONES, bit_cells, draw_board, format_cell, parse_cell
from envs.game import Game, Rules, State
from envs.notation.boards import stone_board
from envs.symmetry import Symmetries, dihedral

SIZE = 3
CELLS = SIZE * SIZE
FULL = (1 << CELLS) - 1
LINES = (0o007, 0o070, 0o700, 0o111, 0o222, 0o444, 0o124, 0o421)  # three bits each: an octal digit
KEY = np.uint64(0x9E3779B97F4A7C15)


def reset(state: State) -> None:
    state["own"] = 0
    state["opponent"] = 0
    state["side"] = 0
    state["lost"] = 0


def legal_actions(state: State, actions: Any) -> int:
    occupied, count = state["own"] | state["opponent"], 0
    for cell in range(CELLS):
        if (occupied >> cell) & 1 == 0:
            actions[count] = cell
            count += 1
    return count


def step(state: State, action: int) -> None:
    mover = state["own"] | (1 << action)
    state["own"] = state["opponent"]
    state["opponent"] = mover
    state["side"] ^= 1
    for line in LINES:
        if mover & line == line:
            state["lost"] = 1


def is_terminal(state: State) -> bool:
    return state["lost"] != 0 or state["own"] | state["opponent"] == FULL


def value_to_play(state: State) -> float:
    return -1.0 if state["lost"] != 0 else 0.0


def to_play(state: State) -> int:
    return state["side"] & 1


def encode(state: State, planes: Any) -> None:
    """Write two planes [3, 3]: own stones, the opponent's stones."""
    for cell in range(CELLS):
        planes[0, cell // SIZE, cell % SIZE] = (state["own"] >> cell) & 1
        planes[1, cell // SIZE, cell % SIZE] = (state["opponent"] >> cell) & 1


def position_key(state: State) -> Any:
    board = np.uint64(state["own"]) | (np.uint64(state["opponent"]) << np.uint64(CELLS))
    key = (board + KEY) * KEY
    return (key ^ (key >> np.uint64(32))) * KEY


def format_action(action: int) -> str:
    """Return the name of a cell, "a1" (top left) to "c3"."""
    return format_cell(action, SIZE)


def parse_action(text: str) -> int:
    """Return the action of a cell such as "b2". Raises ValueError for other text."""
    return parse_cell(text, SIZE, SIZE)


def cells(state: State) -> NDArray[np.uint8]:
    """Return what stands on each cell, uint8 [9]; see `Game.cells`."""
    stones = (int(state["own"]), int(state["opponent"]))
    return bit_cells(*(stones if state["side"] == 0 else stones[::-1]), range(CELLS))


def render(state: State) -> str:
    """Draw the board in ANSI colours, the first player's X red, the second's O yellow."""
    return draw_board([STONES[stone] for stone in cells(state)], SIZE)


GAME = Game(
    name="tic_tac_toe",
    title="Tic-tac-toe",
    rules=Rules(
        reset, legal_actions, step, is_terminal, value_to_play, to_play, encode, position_key
    ),
    fields=[("own", "i2"), ("opponent", "i2"), ("side", "u1"), ("lost", "u1")],
    num_actions=CELLS,
    planes_shape=(2, SIZE, SIZE),
    max_plies=CELLS,
    max_legal=CELLS,
    format_action=format_action,
    parse_action=parse_action,
    render=render,
    symmetries=Symmetries(dihedral(SIZE), dihedral(SIZE)),  # an action is a cell
    player_names=("X (red)", "O (yellow)"),
    in_a_row=3,
    cells=cells,
    board=stone_board(SIZE, SIZE),
)
