"""Connect Four, 7 columns by 6 rows, on bitboards.

Bit `column * 7 + row` (row 0 at the bottom) is a cell; the seventh bit of a column stays empty, so
that shifts do not wrap. A record of moves is a string of columns 1 to 7, as Pascal Pons writes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.board_text import STONES, bit_cells
from envs.compiled.jitable import jitable
from envs.game import Game, Rules, State
from envs.notation.boards import BoardShape
from envs.symmetry import Symmetries, mirror

COLUMNS, ROWS = 7, 6
COLUMN_NAMES = [str(column + 1) for column in range(COLUMNS)]
ONE = np.uint64(1)
KEY_OWN, KEY_MASK = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
SHIFTS = (np.uint64(1), np.uint64(6), np.uint64(7), np.uint64(8))  # down, two diagonals, across


@jitable
def has_four(stones: Any) -> bool:
    """Return whether the bitboard has four in a row in any of the four directions."""
    for shift in SHIFTS:
        pairs = stones & (stones >> shift)
        if pairs & (pairs >> (shift + shift)):
            return True
    return False


def reset(state: State) -> None:
    state["own"] = 0
    state["mask"] = 0
    state["ply"] = 0
    state["lost"] = 0


def legal_actions(state: State, actions: Any) -> int:
    occupied, count = state["mask"], 0
    for column in range(COLUMNS):  # without a branch: a full column is overwritten
        top = np.uint64(column * (ROWS + 1) + ROWS - 1)
        actions[count] = column
        count += (occupied >> top) & ONE == 0
    return count


def step(state: State, action: int) -> None:
    occupied = state["mask"]
    opponent = occupied ^ state["own"]
    stone = (occupied + (ONE << np.uint64(action * (ROWS + 1)))) & (
        np.uint64((1 << ROWS) - 1) << np.uint64(action * (ROWS + 1))
    )
    mover = state["own"] | stone
    state["own"] = opponent
    state["mask"] = occupied | stone
    state["ply"] += 1
    state["lost"] = has_four(mover)


def is_terminal(state: State) -> bool:
    return state["lost"] != 0 or state["ply"] == COLUMNS * ROWS


def value_to_play(state: State) -> float:
    return -1.0 if state["lost"] != 0 else 0.0


def to_play(state: State) -> int:
    return state["ply"] & 1


def encode(state: State, planes: Any) -> None:
    """Write two planes [6, 7], rows from the top: own stones, the opponent's stones."""
    own = state["own"]
    opponent = state["mask"] ^ own
    for column in range(COLUMNS):
        for row in range(ROWS):
            bit = np.uint64(column * (ROWS + 1) + row)
            planes[0, ROWS - 1 - row, column] = (own >> bit) & ONE
            planes[1, ROWS - 1 - row, column] = (opponent >> bit) & ONE


def position_key(state: State) -> Any:
    key = state["own"] * KEY_OWN
    key = ((key ^ (key >> np.uint64(32))) + state["mask"]) * KEY_MASK
    key = (key ^ (key >> np.uint64(29))) * KEY_OWN
    return key ^ (key >> np.uint64(32))


def format_action(action: int) -> str:
    """Return the column as text, 1 to 7."""
    return str(action + 1)


def parse_action(text: str) -> int:
    """Return the action of a column written 1 to 7. Raises ValueError for other text."""
    if len(text) != 1 or text not in "1234567":
        raise ValueError(f"{text!r} is not a column: expected 1 to 7")
    return int(text) - 1


def cells(state: State) -> NDArray[np.uint8]:
    """Return what stands on each cell, uint8 [42] from the top left; see `Game.cells`."""
    first = int(state["own"]) if state["ply"] % 2 == 0 else int(state["mask"] ^ state["own"])
    rows = reversed(range(ROWS))
    bits = [column * (ROWS + 1) + row for row in rows for column in range(COLUMNS)]
    return bit_cells(first, int(state["mask"]) ^ first, bits)


def render(state: State) -> str:
    """Draw the board in ANSI colours, first player red, second yellow, columns numbered."""
    rows = cells(state).reshape(ROWS, COLUMNS)
    lines = [" ".join(STONES[stone] for stone in row) for row in rows]
    return "\n".join([*lines, " ".join(COLUMN_NAMES)])


GAME = Game(
    name="connect_four",
    title="Connect Four",
    rules=Rules(
        reset, legal_actions, step, is_terminal, value_to_play, to_play, encode, position_key
    ),
    fields=[("own", "u8"), ("mask", "u8"), ("ply", "i1"), ("lost", "u1")],
    num_actions=COLUMNS,
    planes_shape=(2, ROWS, COLUMNS),
    max_plies=COLUMNS * ROWS,
    max_legal=COLUMNS,
    format_action=format_action,
    parse_action=parse_action,
    render=render,
    symmetries=Symmetries(
        mirror(ROWS, COLUMNS),
        np.stack([np.arange(7, dtype=np.int32), np.arange(6, -1, -1, dtype=np.int32)]),
    ),
    move_separator="",
    player_names=("X (red)", "O (yellow)"),
    in_a_row=4,
    cells=cells,
    board=BoardShape(columns=COLUMN_NAMES, rows=()),
)
