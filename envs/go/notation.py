"""Go as text: points as in the Go Text Protocol, positions in one line, drawings, handicap.

A point is a column letter without I and a row from the bottom, such as D4; "pass" is the pass. A
position is `rows side passes ply komi`: rows from the top, joined by slashes, of X (Black), O
(White) and numbers of empty points; side is b or w; passes in a row just now; plies so far. The
last three may be left out (0, 0, the game's komi). Which earlier boards superko forbids is no part
of it. In a game of several sizes, the number of rows is the size.
"""

from __future__ import annotations

import math
import re
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.board_text import EMPTY, FIRST, SECOND
from envs.boards.stones import stone_cells
from envs.boards.words import to_words
from envs.game import NotationError
from envs.go.rules import (
    BLACK,
    BY_CAP,
    BY_PASSES,
    SETTLED,
    GoRules,
    board_of,
    inside,
    outside_words,
    size_key,
    zobrist_keys,
)
from envs.go.scoring import make_scoring

LETTERS = "ABCDEFGHJKLMNOPQRST"
PASS = "pass"


def format_point(action: int, rows: int, columns: int) -> str:
    """Return an action as the Go Text Protocol writes it."""
    if action == rows * columns:
        return PASS
    return f"{LETTERS[action % columns]}{rows - action // columns}"


def parse_point(text: str, rows: int, columns: int) -> int:
    """Return the action of a point such as D4, or of "pass". Raises ValueError for other text."""
    if text.lower() == PASS:
        return rows * columns
    parts = re.fullmatch(r"([A-HJ-Ta-hj-t])([1-9][0-9]?)", text)
    column = LETTERS.index(parts[1].upper()) if parts else columns
    row = rows - int(parts[2]) if parts else -1
    if column >= columns or row < 0:
        last = format_point(columns - 1, rows, columns)
        raise ValueError(f"{text!r} is no point: expected A1 to {last} without I, or pass")
    return row * columns + column


def size_of(state: Any, rules: GoRules) -> int:
    """Return the number of rows of the board that a position is on."""
    return int(state["size"]) if rules.smallest else rules.rows


def standing(state: Any, rules: GoRules) -> NDArray[np.uint8]:
    """Return the board that a position is on, uint8 [rows, columns]: 1 Black's, 2 White's."""
    board = stone_cells(state, rules.rows, rules.columns).reshape(rules.rows, rules.columns)
    size = size_of(state, rules)
    return board[rules.rows - size :, :size] if rules.smallest else board


def on_largest(action: int, size: int, largest: int) -> int:
    """Return the game's action for one that was counted on a board of `size` rows.

    `largest` is the number of rows of the game's largest board.
    """
    if size == largest:
        return action
    row, column = divmod(action, size)  # a pass is on a row of its own
    return (largest - size + row) * largest + column


def on_own_board(action: int, size: int, largest: int) -> int:
    """Return a legal action of the game as it is counted on its board of `size` rows."""
    if size == largest:
        return action
    row, column = divmod(action, largest)
    return (row - largest + size) * size + column


def set_stones(state: Any, board: NDArray[np.uint8], rules: GoRules) -> None:
    """Write stones, uint8 [points]: 1 Black's, 2 White's, into a record whose past is not known.

    In a game of several sizes, the number of points says which.
    """
    rows, columns = rules.rows, rules.columns
    stride, full = columns + 1, board_of(rules).full
    size = isqrt(len(board)) if rules.smallest else rows
    zobrist, key = zobrist_keys(rows * stride), size_key(rules, size)
    if rules.smallest:
        state["size"], state["stones"][2] = size, outside_words(rules, size)
        largest = np.zeros(rows * columns, np.uint8)
        largest[inside(rules, size)] = board
        board = largest
    for side in (0, 1):
        points = [int(point) for point in np.flatnonzero(board == side + 1)]
        state["stones"][side] = to_words(points, rows, columns)
        for point in points:
            key ^= int(zobrist[side, point + point // columns])
    state["key"] = key
    state["vacated"] = full  # any point may have been emptied before
    state["forbidden"] = 0


def format_position(state: Any, rules: GoRules) -> str:
    """Return a position as one line of text."""
    lines = ["".join(".XO"[stone] for stone in row) for row in standing(state, rules)]
    text = re.sub(r"\.+", lambda dots: str(len(dots[0])), "/".join(lines))
    side, komi = "bw"[state["side"]], komi_of(state, rules)
    return f"{text} {side} {state['passes']} {state['ply']} {komi:g}"


def komi_of(state: Any, rules: GoRules) -> float:
    """Return the komi of a position's board."""
    return rules.komi_on(size_of(state, rules))


def parse_position(text: str, state: Any, rules: GoRules) -> None:
    """Write the position of a text into a record.

    Raises NotationError, with the text, for anything that is not a position of this board.
    """
    words = text.split()
    if not 2 <= len(words) <= 5:
        raise NotationError(
            f"{text!r} is no position of Go: expected rows side passes ply komi, the last three "
            "of them optional"
        )
    board, side = _parse_rows(words[0], rules), words[1]
    if side not in ("b", "w"):
        raise NotationError(f"{side!r} in {text!r} is no side to move: expected b or w")
    set_stones(state, board, rules)
    usual, cap = komi_of(state, rules), rules.cap_on(size_of(state, rules))
    numbers = [_parse_number(word, text) for word in words[2:]]
    numbers += (0.0, 0.0, usual)[len(numbers) :]
    passes, ply, komi = numbers
    if passes not in (0, 1, 2) or ply != int(ply) or not 0 <= ply <= cap:
        raise NotationError(f"{text!r}: expected up to 2 passes, up to {cap} plies")
    if komi != usual:
        raise NotationError(f"{text!r} has komi {komi:g}, but this game has {usual:g}")
    state["side"], state["passes"], state["ply"] = "bw".index(side), passes, ply
    state["over"] = _why_over(state, rules)
    _require_liberties(state, text, rules)


def _why_over(state: Any, rules: GoRules) -> int:
    if state["passes"] == 2:
        return BY_PASSES
    if rules.end_settled:
        scoring = make_scoring(board_of(rules), rules.suicide)
        if scoring.settled(state["stones"]):
            return SETTLED
    return BY_CAP if state["ply"] >= rules.cap_on(size_of(state, rules)) else 0


def _parse_number(word: str, text: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise NotationError(f"{word!r} in {text!r} is no number")
    return number


def _parse_rows(text: str, rules: GoRules) -> NDArray[np.uint8]:
    lines, board = text.split("/"), list[int]()
    if len(lines) not in (rules.sizes or (rules.rows,)):
        wanted = f"{rules.smallest} to {rules.rows}" if rules.smallest else f"{rules.rows}"
        raise NotationError(f"{text!r} has {len(lines)} rows, expected {wanted}")
    columns = len(lines) if rules.smallest else rules.columns
    for line in lines:
        if not re.fullmatch(r"([XO]|[1-9][0-9]?)+", line):
            raise NotationError(f"row {line!r} of {text!r}: expected X, O and numbers")
        row = re.sub(r"[0-9]+", lambda number: "." * int(number[0]), line)
        if len(row) != columns:
            raise NotationError(
                f"row {line!r} of {text!r} has {len(row)} points, expected {columns}"
            )
        board += [".XO".index(stone) for stone in row]
    return np.array(board, np.uint8)


def _require_liberties(state: Any, text: str, rules: GoRules) -> None:
    board = board_of(rules)
    empty, chain = board.new_points(), board.new_padded()
    board.find_empty(state["stones"], empty)
    cells = stone_cells(state, rules.rows, rules.columns)
    for cell in np.flatnonzero(cells):
        own = state["stones"][cells[cell] - 1]
        if board.find_chain(own, empty, int(cell + cell // rules.columns), 1, chain) == 0:
            point = format_point(int(cell), rules.rows, rules.columns)
            raise NotationError(f"{text!r}: the stones at {point} have no liberty")


def most_handicap_stones(size: int) -> int:
    """Return how many stones a fixed handicap has at most on a square board; 0: it has none."""
    return 0 if size < 7 else 9 if size % 2 and size > 7 else 4


def handicap_points(size: int, stones: int) -> list[int]:
    """Return the points of a fixed handicap on a square board, as the Go Text Protocol places them.

    Raises ValueError for a number of stones that the board has no places for.
    """
    most = most_handicap_stones(size)
    if not 2 <= stones <= most:
        raise ValueError(f"{stones} handicap stones on {size}x{size}: expected 2 to {most}")
    low = 2 if size < 13 else 3
    high, middle = size - 1 - low, size // 2
    places = [(high, low), (low, high), (low, low), (high, high)]
    places += [(middle, low), (middle, high)] if stones >= 6 else []
    places += [(high, middle), (low, middle)] if stones >= 8 else []
    if stones in (5, 7, 9):
        places = [*places[: stones - 1], (middle, middle)]
    return [row * size + column for row, column in places[:stones]]


def handicap_position(size: int, stones: int) -> str:
    """Return the position with a fixed handicap, White to move, for `parse_position`."""
    board = ["."] * (size * size)
    for point in handicap_points(size, stones):
        board[point] = "X"
    lines = ["".join(board[row * size : (row + 1) * size]) for row in range(size)]
    return re.sub(r"\.+", lambda dots: str(len(dots[0])), "/".join(lines)) + " w"


def draw(state: Any, rules: GoRules) -> str:
    """Draw the board in ANSI colours, with letters and row numbers, and who is to move."""
    board = standing(state, rules)
    rows, columns = board.shape
    lines = [
        f"{rows - row:>2} " + " ".join((EMPTY, FIRST, SECOND)[stone] for stone in board[row])
        for row in range(rows)
    ]
    lines.append("   " + " ".join(LETTERS[:columns]))
    side = "X (black)" if state["side"] == BLACK else "O (white)"
    passed = ", after a pass" if state["passes"] else ""
    komi = komi_of(state, rules)
    return "\n".join([*lines, f"{side} to move{passed}, ply {state['ply']}, komi {komi:g}"])
