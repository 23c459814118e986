"""Moves as USI writes them: "7g7f", "8h2b+", "P*5e".

A file is counted from the right and a rank is a letter from the top, both as the first player sees
the board. An action is seen by the side to move, so its text depends on who that is.
"""

from __future__ import annotations

import re

from envs.shogi.board import DIRECTIONS, LETTERS, Board

CODES = {letter: code for code, letter in LETTERS.items()}


def format_square(cell: int, board: Board) -> str:
    """Return the name of a cell seen by the first player: 0 is "9a" in shogi."""
    row, column = divmod(cell, board.size)
    return f"{board.size - column}{chr(ord('a') + row)}"


def parse_square(text: str, board: Board) -> int:
    """Return the cell of a name such as "7f". Raises ValueError for other text."""
    file, rank = int(text[0]), ord(text[1]) - ord("a")
    if not 1 <= file <= board.size or not 0 <= rank < board.size:
        last = format_square(board.size * (board.size - 1), board)
        raise ValueError(f"{text!r} is not a square: expected 1a to {last}")
    return rank * board.size + board.size - file


def target_of(action: int, board: Board) -> tuple[int, int, bool]:
    """Return where a move goes, where it comes from, and whether the piece promotes.

    Cells are seen by the side to move. A drop comes from -1; a target off the board is -1.
    """
    plane, cell = divmod(action, board.cells)
    if plane >= board.drops:
        return cell, -1, False
    promotes, plane = plane >= board.promoting, plane % board.promoting
    if plane >= 8 * board.reach:
        down, right, distance = -2, 2 * (plane - 8 * board.reach) - 1, 1
    else:
        (down, right), distance = DIRECTIONS[plane // board.reach], plane % board.reach + 1
    row, column = cell // board.size + down * distance, cell % board.size + right * distance
    inside = 0 <= row < board.size and 0 <= column < board.size
    return (row * board.size + column if inside else -1), cell, promotes


def format_action(action: int, board: Board, second: bool = False) -> str:
    """Return an action as USI; one that leaves the board, never legal, as its number: "#81"."""
    target, start, promotes = target_of(action, board)
    if target < 0:
        return f"#{action}"
    if second:
        target, start = board.cells - 1 - target, board.cells - 1 - start
    name = format_square(target, board)
    if action >= board.drops * board.cells:
        kind = board.kinds[action // board.cells - board.drops]
        return f"{LETTERS[kind]}*{name}"
    return f"{format_square(start, board)}{name}{'+' if promotes else ''}"


def parse_action(text: str, board: Board, second: bool = False) -> int:
    """Return the action that `format_action` writes so. Raises ValueError for other text."""
    if re.fullmatch(r"#[0-9]{1,5}", text):
        action = int(text[1:])
        if action < board.policy_planes * board.cells and target_of(action, board)[0] < 0:
            return action
    drop = re.fullmatch(r"([PLNSGBR])\*([1-9][a-i])", text)
    if drop and CODES[drop[1]] in board.kinds:
        cell = parse_square(drop[2], board)
        plane = board.drops + board.kinds.index(CODES[drop[1]])
        return plane * board.cells + (board.cells - 1 - cell if second else cell)
    move = re.fullmatch(r"([1-9][a-i])([1-9][a-i])(\+?)", text)
    if not move:
        raise ValueError(f"{text!r} is not a move: expected one such as 7g7f, 8h2b+ or P*5e")
    start, target = parse_square(move[1], board), parse_square(move[2], board)
    if second:
        start, target = board.cells - 1 - start, board.cells - 1 - target
    plane = _plane(start, target, board) + (board.promoting if move[3] else 0)
    return plane * board.cells + start


def _plane(start: int, target: int, board: Board) -> int:
    """Return the plane of a move without promotion. Raises ValueError if no piece moves so."""
    down = target // board.size - start // board.size
    right = target % board.size - start % board.size
    if board.knight_planes and down == -2 and abs(right) == 1:
        return 8 * board.reach + (right > 0)
    distance = max(abs(down), abs(right))
    for d, (step_down, step_right) in enumerate(DIRECTIONS):
        if distance and (down, right) == (step_down * distance, step_right * distance):
            return d * board.reach + distance - 1
    raise ValueError("no piece moves from the first of these squares to the second")
