"""Othello on bitboards, 8x8 (`GAME`) and 6x6 (`GAME_6`).

Bit and action `row * size + column` (row 0 at the top) is a cell; the last action is the pass,
legal only for a side that has no other move while its opponent has one. The first player is black.
Moves are written "f5" (column letter, row from the top) and "pass".

A line of discs is followed by a flood fill in doubling steps (Kogge-Stone): the flood enters only
the opponent's discs and grows by one, then by two cells a step. A sideways shift would wrap around
the edge of the board, so a sideways flood enters only inner columns; no flanked disc lies on the
edge of its line. The record holds the legal moves of the side to move, which the test for the end
of the game needs too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.board_text import LEGAL, STONES, bit_cells, draw_board, format_cell, parse_cell
from envs.compiled.jitable import jitable
from envs.game import Game, Rule, Rules, State
from envs.notation.boards import stone_board
from envs.symmetry import Symmetries, dihedral

ZERO, ONE, TWO, FOUR = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(4)
PAIRS, NIBBLES = np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
ODD_BITS = np.uint64(0x5555555555555555)
# A quarter turn or a mirror image swaps the colours of the four discs at the start, so its image of
# a game is no legal game; the half turn and the two diagonal reflections remain.
KEEP_THE_START = [0, 2, 4, 6]
KEY_OWN, KEY_OPPONENT = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


@jitable
def flood_up(start: Any, through: Any, shift: Any) -> Any:
    """Return the cells of `through` in unbroken lines of up to six from `start`, to higher bits."""
    double = shift + shift
    flood = through & (start << shift)
    flood = flood | (through & (flood << shift))
    both = through & (through << shift)
    flood = flood | (both & (flood << double))
    return flood | (both & (flood << double))


@jitable
def flood_down(start: Any, through: Any, shift: Any) -> Any:
    """Do as `flood_up`, to lower bits."""
    double = shift + shift
    flood = through & (start >> shift)
    flood = flood | (through & (flood >> shift))
    both = through & (through >> shift)
    flood = flood | (both & (flood >> double))
    return flood | (both & (flood >> double))


@jitable
def count_discs(board: Any) -> Any:
    """Count the bits set, as uint64, by sums of wider and wider fields."""
    pairs = board - ((board >> ONE) & ODD_BITS)
    nibbles = (pairs & PAIRS) + ((pairs >> TWO) & PAIRS)
    octets = (nibbles + (nibbles >> FOUR)) & NIBBLES
    half = octets + (octets >> np.uint64(32))
    quarter = half + (half >> np.uint64(16))
    return (quarter + (quarter >> np.uint64(8))) & np.uint64(0x7F)


def _bits(cells: Any) -> np.uint64:
    return np.uint64(sum(1 << int(cell) for cell in cells))


def most_moves(size: int) -> int:
    """Return an upper bound on the legal moves of a position on size*size cells.

    A legal move is an empty cell at one end of a line of the opponent's discs with an own disc at
    the other end. An own disc ends at most 8 such lines; an opponent's disc lies inside at most 4,
    one an axis. So m moves need m empty cells, m/8 own and m/4 opposing discs (the largest number
    known for 8x8 is 33).
    """
    moves = 0
    while (moves + 1) + -(-(moves + 1) // 8) + -(-(moves + 1) // 4) <= size * size:
        moves += 1
    return moves


def is_terminal(state: State) -> bool:
    return state["over"] != 0


def value_to_play(state: State) -> float:
    own, opponent = count_discs(state["own"]), count_discs(state["opponent"])
    if own == opponent:
        return 0.0
    return 1.0 if own > opponent else -1.0


def to_play(state: State) -> int:
    return state["side"] & 1


def position_key(state: State) -> Any:
    key = state["own"] * KEY_OWN
    key = ((key ^ (key >> np.uint64(32))) + state["opponent"]) * KEY_OPPONENT
    key = (key ^ (key >> np.uint64(29))) * KEY_OWN
    return key ^ (key >> np.uint64(32))


def _start(size: int) -> tuple[np.uint64, np.uint64]:
    """Return the black and the white discs at the start."""
    middle = size // 2
    white = _bits([(middle - 1) * size + middle - 1, middle * size + middle])
    black = _bits([(middle - 1) * size + middle, middle * size + middle - 1])
    return black, white


def _move_finders(size: int) -> tuple[Rule, Rule]:
    """Return `legal_moves` and `flipped_discs`, closures over the masks of a size*size board."""
    cells = size * size
    column_of = np.arange(cells) % size
    full = _bits(range(cells))
    inner = _bits(np.flatnonzero((column_of > 0) & (column_of < size - 1)))
    across, down = np.uint64(1), np.uint64(size)
    falling, rising = np.uint64(size + 1), np.uint64(size - 1)
    axes = ((across, inner), (down, full), (falling, inner), (rising, inner))

    @jitable
    def legal_moves(own: Any, opponent: Any) -> Any:
        found = ZERO
        for shift, enterable in axes:
            through = opponent & enterable
            found = found | (flood_up(own, through, shift) << shift)
            found = found | (flood_down(own, through, shift) >> shift)
        return found & ~(own | opponent) & full

    @jitable
    def flipped_discs(own: Any, opponent: Any, disc: Any) -> Any:
        flipped = ZERO
        for shift, enterable in axes:
            through = opponent & enterable
            line = flood_up(disc, through, shift)
            if (line << shift) & own != ZERO:
                flipped = flipped | line
            line = flood_down(disc, through, shift)
            if (line >> shift) & own != ZERO:
                flipped = flipped | line
        return flipped

    return legal_moves, flipped_discs


def _encoder(size: int) -> Rule:
    """Return the rule `encode` of a board of size*size cells."""

    def encode(state: State, planes: Any) -> None:
        """Write two planes: own discs, the opponent's discs."""
        own, opponent = state["own"], state["opponent"]
        for row in range(size):
            for column in range(size):
                bit = np.uint64(row * size + column)
                planes[0, row, column] = (own >> bit) & ONE
                planes[1, row, column] = (opponent >> bit) & ONE

    return encode


def _rules(size: int) -> Rules:
    """Return the rules of a board of size*size cells."""
    cells = size * size
    black, white = _start(size)
    legal_moves, flipped_discs = _move_finders(size)

    def reset(state: State) -> None:
        state["own"] = black
        state["opponent"] = white
        state["moves"] = legal_moves(black, white)
        state["side"] = 0
        state["over"] = 0

    def legal_actions(state: State, actions: Any) -> int:
        moves, count = state["moves"], 0
        if moves == ZERO:
            actions[0] = cells
            return 1
        for cell in range(cells):
            if (moves >> np.uint64(cell)) & ONE != ZERO:
                actions[count] = cell
                count += 1
        return count

    def step(state: State, action: int) -> None:
        mover, other = state["own"], state["opponent"]
        if action != cells:
            disc = ONE << np.uint64(action)
            flipped = flipped_discs(mover, other, disc)
            mover = mover | flipped | disc
            other = other ^ flipped
        replies = legal_moves(other, mover)
        state["own"] = other
        state["opponent"] = mover
        state["moves"] = replies
        state["side"] ^= 1
        state["over"] = replies == ZERO and legal_moves(mover, other) == ZERO

    return Rules(
        reset,
        legal_actions,
        step,
        is_terminal,
        value_to_play,
        to_play,
        _encoder(size),
        position_key,
    )


def _cells(state: State, size: int) -> NDArray[np.uint8]:
    """Return what stands on each cell; see `Game.cells`."""
    discs = (int(state["own"]), int(state["opponent"]))
    return bit_cells(*(discs if state["side"] == 0 else discs[::-1]), range(size * size))


def _count(state: State, size: int) -> str:
    """Tell the discs of both players."""
    _, black, white = np.bincount(_cells(state, size), minlength=3)
    return f"X {black}  O {white}"


def _draw(state: State, size: int) -> str:
    """Draw the board in ANSI colours, with a green star at each legal move."""
    shown = [STONES[disc] for disc in _cells(state, size)]
    for cell in range(size * size):
        if int(state["moves"]) >> cell & 1:
            shown[cell] = LEGAL
    return f"{draw_board(shown, size)}\n{_count(state, size)}"


def _game(name: str, title: str, size: int) -> Game:
    cells = size * size
    turned = dihedral(size)[KEEP_THE_START]
    passes = np.full((len(turned), 1), cells, np.int32)

    def format_action(action: int) -> str:
        return "pass" if action == cells else format_cell(action, size)

    def parse_action(text: str) -> int:
        return cells if text.lower() == "pass" else parse_cell(text, size, size)

    return Game(
        name=name,
        title=title,
        rules=_rules(size),
        fields=[("own", "u8"), ("opponent", "u8"), ("moves", "u8"), ("side", "u1"), ("over", "u1")],
        num_actions=cells + 1,
        planes_shape=(2, size, size),
        max_plies=2 * (cells - 4) - 1,  # a disc each ply, and never two passes in a row
        max_legal=most_moves(size),
        format_action=format_action,
        parse_action=parse_action,
        render=lambda state: _draw(state, size),
        symmetries=Symmetries(turned, np.hstack([turned, passes])),
        player_names=("X (black)", "O (white)"),
        cells=lambda state: _cells(state, size),
        board=stone_board(size, size, notes=lambda state: [_count(state, size)]),
    )


GAME = _game("othello", "Othello", 8)
GAME_6 = _game("othello6", "Othello 6x6", 6)
