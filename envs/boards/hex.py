"""Hex at any size to 19, with or without the swap rule.

A cell `row * size + column` (row 0 at the top) touches the two cells beside it in its row, those
above it and above to the right, and those below it and below to the left. The first player connects
the top row with the bottom row, the second the left column with the right one; one of them always
does. With the swap rule the second player may answer the first stone by taking it over: a move onto
it, which reflects it in the long diagonal and makes it the second player's. Cells are written as in
"f5" (column letter, row from the top).

The record has each side's stones, and which stones are connected to the side's near edge (top,
left) and to its far edge. A new stone spreads either property over its chain, so each stone is
visited at most once for each edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.board_text import EMPTY, FIRST, SECOND, format_cell, parse_cell
from envs.boards.bits import lowest_bit
from envs.boards.stones import format_rows, parse_rows, stone_cells
from envs.boards.words import ONE, WORD_BITS, ZERO, has_point, set_point, stack_words, to_words
from envs.compiled.jitable import jitable
from envs.game import Game, GameError, NotationError, Rules, State
from envs.notation.boards import stone_board
from envs.symmetry import Symmetries

MOST_ROWS = 19
KEY, SIDE_KEY = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
HALF, TOP_BIT = np.uint64(32), np.uint64(63)
FILLED = np.float32(1.0)


def is_terminal(state: State) -> bool:
    return state["over"] != 0


def value_to_play(state: State) -> float:
    return -1.0  # the last move connected the other side's edges


def to_play(state: State) -> int:
    return int(state["side"])


def position_key(state: State) -> Any:
    """Mix the stones, the side to move, and whether the only stone may be taken over."""
    key = np.uint64(state["side"]) * SIDE_KEY + np.uint64(state["ply"] == 1)
    for side in range(2):
        for word in state["stones"][side]:
            key = ((key ^ (key >> HALF)) + word) * KEY
    return key ^ (key >> HALF)


def _flood(size: int) -> Any:
    """Return the function that spreads a connection over stones of a board of size*size cells."""
    count = len(to_words([], size, size))
    new_frontier = stack_words(count + 2)
    down, down_back = np.uint64(size + 1), np.uint64(WORD_BITS - size - 1)
    slant, slant_back = np.uint64(size), np.uint64(WORD_BITS - size)  # down and to the left

    @jitable
    def flood(stones: Any, connected: Any, cell: Any) -> None:
        """Add to `connected` the stones that hang together with a cell and are not in it yet."""
        frontier, fresh = new_frontier(), new_frontier()
        bit = np.uint64(cell)
        frontier[(bit >> np.uint64(6)) + ONE] = ONE << (bit & TOP_BIT)
        changed = ONE
        while changed != ZERO:
            changed = ZERO
            for w in range(1, count + 1):
                word, low, high = frontier[w], frontier[w - 1], frontier[w + 1]
                near = word | (word << ONE) | (word >> ONE) | (word << down) | (word >> down)
                near |= (word << slant) | (word >> slant) | (low >> TOP_BIT) | (high << TOP_BIT)
                near |= (low >> down_back) | (high << down_back)
                near |= (low >> slant_back) | (high << slant_back)
                fresh[w] = near & stones[w - 1] & ~connected[w - 1]
            for w in range(1, count + 1):
                connected[w - 1] |= fresh[w]
                frontier[w] = fresh[w]
                changed |= fresh[w]

    return flood


def _place(size: int) -> Any:
    """Return the function that puts a stone on a board of size*size cells."""
    stride, flood = size + 1, _flood(size)
    around = (-stride, 1 - stride, -1, 1, stride - 1, stride)
    last = size - 1

    @jitable
    def place(state: State, side: int, cell: int) -> None:
        """Put a stone on an empty cell (a bit), and note whether it connects the side's edges."""
        stones, near, far = state["stones"][side], state["near"][side], state["far"][side]
        along = cell // stride if side == 0 else cell % stride
        at_near, at_far = along == 0, along == last
        for way in around:
            at_near |= has_point(near, cell + way)
            at_far |= has_point(far, cell + way)
        set_point(stones, cell)
        if at_near:
            flood(stones, near, cell)
        if at_far:
            flood(stones, far, cell)
        state["over"] = at_near and at_far

    return place


def _legal_actions(size: int, swap: bool) -> Any:
    full = to_words(range(size * size), size, size)
    words, stride = len(full), size + 1

    def legal_actions(state: State, actions: Any) -> int:
        stones, count = state["stones"], 0
        for w in range(words):
            left = full[w]
            if not (swap and state["ply"] == 1):
                left &= ~(stones[0, w] | stones[1, w])
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
        """Write three planes: own stones, the opponent's, ones if the side to move is the first."""
        side = int(state["side"])
        for channel in range(2):
            owner = side ^ channel
            for w in range(words):
                left = state["stones"][owner, w]
                while left != ZERO:
                    cell = w * WORD_BITS + lowest_bit(left)
                    planes[channel, cell // stride, cell % stride] = FILLED
                    left &= left - ONE
        if side == 0:
            planes[2, :, :] = FILLED

    return encode


def _rules(size: int, swap: bool) -> Rules:
    place, words = _place(size), len(to_words([], size, size))

    def reset(state: State) -> None:
        for side in range(2):
            for w in range(words):
                state["stones"][side, w] = ZERO
                state["near"][side, w] = ZERO
                state["far"][side, w] = ZERO
        state["ply"] = 0
        state["side"] = 0
        state["over"] = 0

    def step(state: State, action: int) -> None:
        row, column, side = int(action) // size, int(action) % size, int(state["side"])
        if swap and state["ply"] == 1 and has_point(state["stones"][0], row * (size + 1) + column):
            for w in range(words):
                state["stones"][0, w] = ZERO
                state["near"][0, w] = ZERO
                state["far"][0, w] = ZERO
            row, column = column, row
        place(state, side, row * (size + 1) + column)
        state["ply"] += 1
        state["side"] = 1 - side

    return Rules(
        reset=reset,
        legal_actions=_legal_actions(size, swap),
        step=step,
        is_terminal=is_terminal,
        value_to_play=value_to_play,
        to_play=to_play,
        encode=_encode(size),
        position_key=position_key,
    )


def draw(state: State, size: int) -> str:
    """Draw the board in ANSI colours as a rhombus, with column letters and row numbers."""
    board, lines = stone_cells(state, size, size).reshape(size, size), []
    for row in range(size):
        stones = " ".join((EMPTY, FIRST, SECOND)[stone] for stone in board[row])
        lines.append(f"{' ' * row}{row + 1:>2} {stones}")
    letters = " ".join(chr(ord("a") + column) for column in range(size))
    return "\n".join([f"   {letters}", *lines])


def format_position(state: State, size: int) -> str:
    """Return a position as rows of X, O and dots joined by slashes, the side to move, the ply."""
    return f"{format_rows(state, size)} {'12'[state['side']]} {state['ply']}"


def parse_position(text: str, state: State, rules: Rules, size: int) -> None:
    """Write the position of a text into a record.

    Raises NotationError, with the text, for anything that is not a position of this board.
    """
    words = text.split()
    if len(words) != 3 or words[1] not in ("1", "2") or not words[2].isdigit():
        raise NotationError(f"{text!r} is no position of Hex: expected rows, side 1 or 2, ply")
    sides = parse_rows(words[0], size)
    if not int(words[2]) <= size * size + 1:
        raise NotationError(f"{text!r}: expected at most {size * size + 1} plies")
    rules.reset(state)
    place, connected = _place(size), [False, False]
    for side, points in enumerate(sides):
        for cell in points:
            place(state, side, cell + cell // size)
            connected[side] |= bool(state["over"])
    state["side"], state["ply"] = int(words[1]) - 1, int(words[2])
    state["over"] = any(connected)
    if connected[state["side"]]:
        raise NotationError(f"{text!r}: the side to move has connected its edges before")


def make_hex(size: int, swap: bool = False) -> Game:
    """Return Hex on size*size cells, 1 to 19. Raises GameError for another size."""
    if not 1 <= size <= MOST_ROWS:
        raise GameError(f"a Hex board of {size}x{size}: expected 1 to {MOST_ROWS}")
    count, words, rules = size * size, len(to_words([], size, size)), _rules(size, swap)

    def parse(text: str) -> State:
        states = np.zeros(1, game.dtype)
        parse_position(text, states[0], rules, size)
        return states[0]

    turned = np.stack([np.arange(count, dtype=np.int32), np.arange(count, dtype=np.int32)[::-1]])
    game = Game(
        name=f"hex{size}_swap" if swap else f"hex{size}",
        title=f"Hex {size}x{size}{' with swap' if swap else ''}",
        rules=rules,
        fields=[
            ("stones", "u8", (2, words)),
            ("near", "u8", (2, words)),
            ("far", "u8", (2, words)),
            ("ply", "i2"),
            ("side", "u1"),
            ("over", "u1"),
        ],
        num_actions=count,
        planes_shape=(3, size, size),
        max_plies=count + swap,
        max_legal=count,
        format_action=lambda action: format_cell(action, size),
        parse_action=lambda text: parse_cell(text, size, size),
        render=lambda state: draw(state, size),
        symmetries=Symmetries(turned, turned),
        player_names=("X (top to bottom)", "O (left to right)"),
        mean_legal=count * 3 // 4 + 1,
        policy_planes=1,
        parse_position=parse,
        format_position=lambda state: format_position(state, size),
        board=stone_board(size, size, slants=True),
        cells=lambda state: stone_cells(state, size, size),
    )
    return game


HEX_7, HEX_11 = make_hex(7), make_hex(11)
