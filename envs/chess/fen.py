"""Positions as text: FEN, with X-FEN and Shredder-FEN for the castling rights of Chess960.

A right is written K, Q, k or q if its rook is the outermost one on that side of the king, otherwise
as the rook's file (X-FEN); files are read in any case (Shredder-FEN). The square en passant is
written only if a pawn can legally be captured there.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from envs.chess.board import Variant
from envs.chess.moves import in_check
from envs.chess.rules import find_outcome, set_en_passant, turn_board
from envs.game import NotationError, State

LETTERS = ".PpNnBbRrQqKk"  # by the number of `piece_cells`
KINDS = ("pawns", "knights", "bishops", "rooks", "queens", "king")
MOST_NO_PROGRESS = 200  # of a position to read; the game is over at 100
MOST_MOVES = 10_000


def flipped(square: int, variant: Variant) -> int:
    """Return the square as the other side sees it."""
    return square ^ 56 if variant.width == 8 else 8 * (variant.width - 1 - square // 8) + square % 8


def seen_by_white(square: int, state: State, variant: Variant) -> int:
    """Turn a square of the record's view into White's view, or back."""
    return flipped(square, variant) if state["ply"] & 1 else square


def square_name(square: int) -> str:
    """Return the name of a square in White's view: 0 is "a1"."""
    return f"{chr(ord('a') + square % 8)}{square // 8 + 1}"


def piece_cells(state: State, variant: Variant) -> NDArray[np.uint8]:
    """Return what stands on each square, row by row from Black's side, a file first.

    0 empty, 2k + 1 a white and 2k + 2 a black piece of kind k: pawn, knight, bishop, rook, queen,
    king.
    """
    width = variant.width
    cells = np.zeros(width * width, np.uint8)
    diagonal, straight = int(state["diagonal"]), int(state["straight"])
    pawns, knights, kings = (int(state[name]) for name in ("pawns", "knights", "kings"))
    officers = (diagonal & ~straight, straight & ~diagonal, straight & diagonal)
    boards = (pawns, knights, *officers, kings)
    black_to_move = bool(state["ply"] & 1)
    for kind, board in enumerate(boards):
        for square in (s for s in range(64) if board >> s & 1):
            own = bool(int(state["own"]) >> square & 1)
            place = seen_by_white(square, state, variant)
            row = width - 1 - place // 8
            cells[row * width + place % 8] = 2 * kind + 1 + (own == black_to_move)
    return cells


def format_fen(state: State, variant: Variant) -> str:
    """Return the position as FEN."""
    rows = []
    for row in piece_cells(state, variant).reshape(variant.width, -1):
        runs = groupby(LETTERS[cell] for cell in row)
        parts = [(letter, len(list(run))) for letter, run in runs]
        rows.append("".join(str(n) if letter == "." else letter * n for letter, n in parts))
    ply = int(state["ply"])
    target, passed = int(state["en_passant"]), "-"
    if target:
        passed = square_name(seen_by_white(target.bit_length() - 1, state, variant))
    castling = _format_castling(state, variant)
    side = "wb"[ply & 1]
    return f"{'/'.join(rows)} {side} {castling} {passed} {state['no_progress']} {ply // 2 + 1}"


def _format_castling(state: State, variant: Variant) -> str:
    text = ""
    cells = "".join(LETTERS[cell] for cell in piece_cells(state, variant))
    rights = {
        seen_by_white(s, state, variant) for s in range(64) if int(state["castling"]) >> s & 1
    }
    for row, first, rook, king in ((cells[-8:], 0, "R", "K"), (cells[:8], 56, "r", "k")):
        files = sorted((s - first for s in rights if first <= s < first + 8), reverse=True)
        for file in files:
            if file == row.rfind(rook) and file > row.find(king):
                letter = "k"
            elif file == row.find(rook) and file < row.find(king):
                letter = "q"
            else:
                letter = chr(ord("a") + file)
            text += letter.upper() if rook == "R" else letter
    return text or "-"


def read_fen(state: State, text: str, variant: Variant) -> None:
    """Write the position of a FEN into a record; the two counts at its end may be missing.

    Raises NotationError, quoting the text, if it is no FEN or if no game can reach such a position.
    """
    try:
        _read(state, text.split(), variant)
    except ValueError as error:
        raise NotationError(f"{text!r} is not a position: {error}") from None


def _read(state: State, words: list[str], variant: Variant) -> None:
    if len(words) not in (4, 6):
        raise ValueError(
            "expected pieces, side to move, castling, en passant, plies without progress, move"
        )
    pieces, side, castling, passed = words[:4]
    no_progress, move = (_number(word) for word in (words[4:] or ["0", "1"]))
    if side not in ("w", "b"):
        raise ValueError(f"the side to move is {side!r}, expected w or b")
    if no_progress > MOST_NO_PROGRESS or move > MOST_MOVES:
        raise ValueError(f"the counts are at most {MOST_NO_PROGRESS} and {MOST_MOVES}")
    squares = _read_pieces(pieces, variant)
    _check_material(squares, variant)
    state["ply"] = state["first_ply"] = 2 * max(move - 1, 0) + (side == "b")
    state["no_progress"], state["repetitions"] = no_progress, 0
    _place(state, squares, variant)
    rights = _read_castling(castling, squares, variant)
    state["castling"] = sum(1 << seen_by_white(s, state, variant) for s in rights)
    waiting = state.copy()
    turn_board(waiting, variant)
    if in_check(waiting, variant):
        raise ValueError("the side that is not to move is in check")
    _read_en_passant(state, passed, squares, variant)
    state["outcome"] = find_outcome(state, variant)


def _number(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 6):
        raise ValueError(f"{word!r} is not a count")
    return int(word)


def _read_pieces(text: str, variant: Variant) -> dict[int, str]:
    """Return the letter of each occupied square, in White's view."""
    rows, width = text.split("/"), variant.width
    if len(rows) != width:
        raise ValueError(f"there are {len(rows)} ranks, expected {width}")
    squares: dict[int, str] = {}
    for rank, row in zip(range(width - 1, -1, -1), rows):
        file = 0
        for letter in row:
            if letter in "12345678":
                file += int(letter)
            elif letter in LETTERS[1:]:
                squares[8 * rank + file] = letter
                file += 1
            else:
                raise ValueError(f"{letter!r} is not a piece")
        if file != width:
            raise ValueError(f"rank {row!r} has {file} squares, expected {width}")
    return squares


def _check_material(squares: dict[int, str], variant: Variant) -> None:
    """Refuse what no game can reach, and so positions with more moves than buffers have room."""
    width = variant.width
    start = dict(zip("pnbrq", (8, 2, 2, 2, 1) if width == 8 else (5, 1, 1, 1, 1)))
    for side in (str.upper, str.lower):
        letters = [letter.lower() for letter in squares.values() if letter == side(letter)]
        kings = letters.count("k")
        if kings != 1:
            raise ValueError(f"{kings} pieces are {side('k')!r}, expected one")
        promoted = sum(max(0, letters.count(piece) - start[piece]) for piece in "nbrq")
        if letters.count("p") + promoted > width:
            raise ValueError(f"more pieces of the side of {side('k')!r} than pawns and promotions")
    if any(squares.get(s) in ("P", "p") for f in range(8) for s in (f, 8 * (width - 1) + f)):
        raise ValueError("a pawn stands on the first or the last rank")


def _place(state: State, squares: dict[int, str], variant: Variant) -> None:
    boards = dict.fromkeys(("own", "pawns", "knights", "diagonal", "straight", "kings"), 0)
    kinds = {"p": ["pawns"], "n": ["knights"], "b": ["diagonal"], "r": ["straight"]}
    kinds |= {"q": ["diagonal", "straight"], "k": ["kings"]}
    for square, letter in squares.items():
        bit = 1 << seen_by_white(square, state, variant)
        own = ["own"] if letter.isupper() == (state["ply"] % 2 == 0) else []
        for name in (*kinds[letter.lower()], *own):
            boards[name] |= bit
    for name, bits in boards.items():
        state[name] = bits


def _read_castling(text: str, squares: dict[int, str], variant: Variant) -> list[int]:
    """Return the squares of the rooks that may castle, in White's view."""
    if text == "-":
        return []
    if variant.width != 8:
        raise ValueError(f"castling is {text!r}, but there is none on this board: expected '-'")
    found: list[int] = []
    for letter in text:
        first, rook = (0, "R") if letter.isupper() else (56, "r")
        king = next(s for s, piece in squares.items() if piece == ("K" if first == 0 else "k"))
        rooks = [s for s in range(first, first + 8) if squares.get(s) == rook]
        file = first + ord(letter.lower()) - ord("a")
        if letter.lower() == "k":
            wanted = [s for s in rooks if s > king][-1:]
        elif letter.lower() == "q":
            wanted = [s for s in rooks if s < king][:1]
        else:
            wanted = [s for s in rooks if s == file]
        same_side = [
            s for s in found if s // 8 == first // 8 and (s > king) == (wanted[:1] > [king])
        ]
        if king // 8 != first // 8 or not wanted or same_side:
            raise ValueError(
                f"{letter!r} in the castling rights {text!r} names no rook to castle with"
            )
        found += wanted
    return found


def _read_en_passant(state: State, text: str, squares: dict[int, str], variant: Variant) -> None:
    """Store the square en passant if a capture there is legal. Raises ValueError for nonsense."""
    state["en_passant"] = 0
    if text == "-":
        return
    rank, behind, pawn = ("6", -8, "p") if state["ply"] % 2 == 0 else ("3", 8, "P")
    good = variant.width == 8 and len(text) == 2 and "a" <= text[0] <= "h" and text[1] == rank
    square = 8 * (int(rank) - 1) + ord(text[0]) - ord("a")
    empty = square not in squares and square - behind not in squares
    if not good or squares.get(square + behind) != pawn or not empty:
        raise ValueError(f"no pawn has just passed the square en passant, {text!r}")
    target = np.uint64(1 << seen_by_white(square, state, variant))
    set_en_passant(state, target, variant)
