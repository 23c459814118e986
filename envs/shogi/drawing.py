"""Positions as text: with letters, as in SFEN, or as Japanese programs write a diagram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.board_text import EMPTY, RESET
from envs.game import State
from envs.notation.boards import NOWHERE, BoardShape, Piece, hand_place
from envs.shogi.board import BISHOP, GOLD, KING, KNIGHT, LANCE, PAWN, PROMOTED, ROOK, SILVER, Board
from envs.shogi.sfen import HAND_ORDER, hand_of, piece_text, pieces_of
from envs.shogi.usi import CODES, target_of

COLOURS = ("\x1b[91m", "\x1b[93m")  # the first player red, the second yellow
KANJI = {PAWN: "歩", LANCE: "香", KNIGHT: "桂", SILVER: "銀", GOLD: "金", BISHOP: "角", ROOK: "飛"}
KANJI |= {KING: "玉", PAWN + PROMOTED: "と", LANCE + PROMOTED: "杏", KNIGHT + PROMOTED: "圭"}
KANJI |= {SILVER + PROMOTED: "全", BISHOP + PROMOTED: "馬", ROOK + PROMOTED: "龍"}
NUMBERS = "〇一二三四五六七八九"
WIDE_DIGITS = "０１２３４５６７８９"


def cells(state: State, board: Board) -> NDArray[np.uint8]:
    """Return what stands where as the first player sees it, uint8 [cells].

    0 is an empty cell, 2k + 1 and 2k + 2 are the first and the second player's piece of kind k, in
    the order of `Board.codes`.
    """
    pieces = pieces_of(state, board)
    values = [2 * board.codes.index(code) + 1 + second if code else 0 for code, second in pieces]
    return np.array(values, np.uint8)


def move_cells(state: State, action: int, board: Board) -> tuple[int, int]:
    """Return where a legal move leaves from, a cell or `hand_place`, and the cell it goes to."""
    target, start, _ = target_of(action, board)
    if state["side"]:
        target, start = board.cells - 1 - target, board.cells - 1 - start if start >= 0 else start
    if start >= 0:
        return start, target
    code = board.kinds[action // board.cells - board.drops]
    return hand_place(board.codes.index(code)), target


def checked_cell(state: State, board: Board) -> int:
    """Return the cell of the king that is in check, or NOWHERE."""
    king = (KING, bool(state["side"]))
    return pieces_of(state, board).index(king) if state["check"] else NOWHERE


def shape(board: Board) -> BoardShape:
    """Return how a screen draws the board."""

    def hands(state: State) -> list[list[int]]:
        held = (hand_of(state, player) for player in (0, 1))
        return [[of[code - 1] if code in board.kinds else 0 for code in board.codes] for of in held]

    return BoardShape(
        columns=[str(board.size - column) for column in range(board.size)],
        rows=[chr(ord("a") + row) for row in range(board.size)],
        pieces=[Piece(piece_text(c, second=False), KANJI[c], KANJI[c]) for c in board.codes],
        move_cells=lambda state, action: move_cells(state, action, board),
        hands=hands,
        checked=lambda state: checked_cell(state, board),
    )


def render(state: State, board: Board) -> str:
    """Draw the board in ANSI colours, the first player's pieces in capitals, and the hands."""
    pieces, size = pieces_of(state, board), board.size
    lines = [_hand_line(state, 1)]
    lines.append("".join(f"{size - column:>3}" for column in range(size)))
    for row in range(size):
        drawn = [_drawn(*piece) for piece in pieces[row * size : (row + 1) * size]]
        lines.append("".join(drawn) + f" {chr(ord('a') + row)}")
    lines.append(_hand_line(state, 0))
    side = ("first", "second")[int(state["side"])]
    lines.append(
        f"{side} to move, move {int(state['ply']) + 1}{', check' if state['check'] else ''}"
    )
    return "\n".join(lines)


def _drawn(code: int, second: bool) -> str:
    if code == 0:
        return f"  {EMPTY}"
    return f"{COLOURS[second]}{piece_text(code, second):>3}{RESET}"


def _hand_line(state: State, player: int) -> str:
    counts = hand_of(state, player)
    held = [(letter, counts[CODES[letter] - 1]) for letter in HAND_ORDER]
    words = [
        piece_text(CODES[letter], player == 1) + (str(count) if count > 1 else "")
        for letter, count in held
        if count
    ]
    return f"hand: {COLOURS[player]}{' '.join(words)}{RESET}" if words else "hand: -"


def diagram(state: State, board: Board) -> str:
    """Draw the board and the hands with Japanese characters, as programs exchange positions.

    The second player's pieces have a "v" before them.
    """
    pieces, size = pieces_of(state, board), board.size
    edge = "+" + "---" * size + "+"
    digits = "".join(f" {WIDE_DIGITS[size - column]}" for column in range(size))
    lines = [f"後手の持駒：{_held(state, 1)}", f" {digits}", edge]
    for row in range(size):
        drawn = "".join(
            (("v" if second else " ") + KANJI[code]) if code else " ・"
            for code, second in pieces[row * size : (row + 1) * size]
        )
        lines.append(f"|{drawn}|{NUMBERS[row + 1]}")
    lines += [edge, f"先手の持駒：{_held(state, 0)}"]
    if state["side"]:
        lines.append("後手番")
    return "\n".join(lines)


def _held(state: State, player: int) -> str:
    counts = hand_of(state, player)
    held = [(CODES[letter], counts[CODES[letter] - 1]) for letter in HAND_ORDER]
    words = [KANJI[code] + (number(count) if count > 1 else "") for code, count in held if count]
    return "　".join(words) or "なし"


def number(count: int) -> str:
    """Return a number from 1 to 99 in Japanese characters."""
    tens, ones = divmod(count, 10)
    text = (NUMBERS[tens] if tens > 1 else "") + "十" if tens else ""
    return text + (NUMBERS[ones] if ones else "")
