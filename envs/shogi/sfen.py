"""Positions as SFEN: board from the first rank, side to move, hands, move number."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envs.game import NotationError, Rule, State
from envs.shogi.board import KING, KNIGHT, LANCE, LETTERS, PAWN, PROMOTED, Board, zobrist
from envs.shogi.pieces import code_at, toggle
from envs.shogi.usi import CODES

HAND_ORDER = "RBGSNLP"  # as programs write it
LAST_PLY = 0xFFFF
Piece = tuple[int, bool]  # its code (0: none), and whether it is the second player's


def piece_text(code: int, second: bool) -> str:
    """Return a piece as in SFEN: "+R" for the first player's dragon, "+r" for the second's."""
    promoted = code > KING
    letter = LETTERS[code - PROMOTED if promoted else code]
    return ("+" if promoted else "") + (letter.lower() if second else letter)


def pieces_of(state: State, board: Board) -> list[Piece]:
    """Return the pieces of all cells, as the first player sees them."""
    words, second = state["board"], bool(state["side"])
    pieces = []
    for cell in range(board.cells):
        code = int(code_at(words, cell))
        own = bool(int(words[cell >> 6]) >> (cell & 63) & 1)
        pieces.append((code, code > 0 and own == second))
    return pieces[::-1] if second else pieces


def hand_of(state: State, player: int) -> list[int]:
    """Return how many pieces a player holds, by code from 1."""
    own = int(state["side"]) == player
    return [int(count) for count in (state["hand"][:7] if own else state["hand"][7:])]


def format_position(state: State, board: Board) -> str:
    """Return a position as SFEN."""
    pieces, rows = pieces_of(state, board), []
    for start in range(0, board.cells, board.size):
        row = "".join(piece_text(*p) if p[0] else "." for p in pieces[start : start + board.size])
        rows.append(re.sub(r"\.+", lambda gap: str(len(gap[0])), row))
    hands = ""
    for player in range(2):
        counts = hand_of(state, player)
        for letter in HAND_ORDER:
            count = counts[CODES[letter] - 1]
            if count:
                name = letter.lower() if player else letter
                hands += (str(count) if count > 1 else "") + name
    side = "w" if state["side"] else "b"
    return f"{'/'.join(rows)} {side} {hands or '-'} {int(state['ply']) + 1}"


def write_position(state: State, text: str, board: Board, settle: Rule) -> None:
    """Write the position of an SFEN into a record, without repetitions.

    The words "sfen" before it and the move number may be left out; "startpos" is the start. Raises
    NotationError, with the text, for other text and for what cannot be a position.
    """
    try:
        words = text.split()
        if words[:1] == ["sfen"]:
            words = words[1:]
        if words == ["startpos"]:
            words = [board.placement, "b", "-"]
        if len(words) not in (3, 4):
            raise ValueError("expected the board, the side to move, the hands and a move number")
        if words[1] not in ("b", "w"):
            raise ValueError(f"the side to move is {words[1]!r}, expected b or w")
        if not re.fullmatch("[1-9][0-9]{0,4}", words[3] if len(words) == 4 else "1"):
            raise ValueError(f"the move number is {words[3]!r}, expected 1 or more")
        ply = int(words[3]) - 1 if len(words) == 4 else 0
        pieces, hands = parse_board(words[0], board), _parse_hands(words[2], board)
        _check(pieces, hands, board)
        side = int(words[1] == "w")
        write_pieces(state, pieces, hands, 1 - side, board)
        settle(state)
        if state["check"]:
            raise ValueError("the side that is not to move is in check")
        write_pieces(state, pieces, hands, side, board)
        state["ply"] = min(ply, LAST_PLY)
        settle(state)
    except ValueError as error:
        raise NotationError(f"{text!r} is not a position of {board.name}: {error}") from None


def parse_board(text: str, board: Board) -> list[Piece]:
    """Return the pieces of all cells. Raises ValueError for text that is no board."""
    rows = text.split("/")
    if len(rows) != board.size:
        raise ValueError(f"the board has {len(rows)} rows, expected {board.size}")
    return [piece for row in rows for piece in _parse_row(row, board)]


def _parse_row(text: str, board: Board) -> list[Piece]:
    row: list[Piece] = []
    for word in re.findall(r"\+?[A-Za-z]|[1-9]|.", text):
        if word.isdigit():
            row += [(0, False)] * int(word)
            continue
        letter = word[-1]
        code = CODES.get(letter.upper(), 0) + (PROMOTED if len(word) == 2 else 0)
        if code not in board.codes:
            raise ValueError(f"{word!r} is not a piece")
        row.append((code, letter.islower()))
    if len(row) != board.size:
        raise ValueError(f"the row {text!r} has {len(row)} cells, expected {board.size}")
    return row


def _parse_hands(text: str, board: Board) -> list[list[int]]:
    hands = [[0] * 7, [0] * 7]
    if text == "-":
        return hands
    if not re.fullmatch("([1-9]?[0-9]?[A-Za-z])+", text):
        raise ValueError(f"the hands are {text!r}, expected pieces such as 2Pb, or -")
    for count, letter in re.findall("([0-9]*)([A-Za-z])", text):
        code = CODES.get(letter.upper(), 0)
        if code not in board.kinds:
            raise ValueError(f"{letter!r} cannot be in hand")
        hands[letter.islower()][code - 1] += int(count or 1)
    return hands


def _check(pieces: list[Piece], hands: list[list[int]], board: Board) -> None:
    """Raise ValueError for too many pieces, a missing king, or a piece that could never move."""
    for player in range(2):
        kings = pieces.count((KING, bool(player)))
        if kings != 1:
            raise ValueError(
                f"the {('first', 'second')[player]} player has {kings} kings, expected 1"
            )
    for kind, most in zip(board.kinds, board.copies, strict=True):
        on_board = sum(code & 7 == kind for code, _ in pieces)
        count = on_board + hands[0][kind - 1] + hands[1][kind - 1]
        if count > most:
            raise ValueError(f"{count} pieces {LETTERS[kind]}, expected {most} at most")
    for second in (False, True):
        for column, row, code in _pieces_of_side(pieces, second, board):
            if row < {PAWN: 1, LANCE: 1, KNIGHT: 2}.get(code, 0):
                raise ValueError(f"the piece {piece_text(code, second)} could never move")
            same = [c for c, _, other in _pieces_of_side(pieces, second, board) if other == code]
            if code == PAWN and same.count(column) > 1:
                raise ValueError("one player has two pawns on a file")


def _pieces_of_side(
    pieces: list[Piece], second: bool, board: Board
) -> Iterator[tuple[int, int, int]]:
    """Return (column, row, code) of one player's pieces, as that player sees them."""
    for cell, piece in enumerate(pieces[::-1] if second else pieces):
        if piece[0] and piece[1] == second:
            yield cell % board.size, cell // board.size, piece[0]


def write_pieces(
    state: State, pieces: list[Piece], hands: list[list[int]], side: int, board: Board
) -> None:
    """Write pieces and hands, seen by `side`, and the key; the other fields become 0."""
    piece_keys, hand_keys, side_key = zobrist(board.cells)
    for name in state.dtype.names:
        state[name] = 0
    key = int(side_key) if side else 0
    for cell, (code, second) in enumerate(pieces):
        if code:
            seen = board.cells - 1 - cell if side else cell
            toggle(state["board"], seen, code, second == bool(side))
            key ^= int(piece_keys[int(second), code, cell])
    for player, counts in enumerate(hands):
        for slot, count in enumerate(counts):
            state["hand"][slot + (7 if player != side else 0)] = count
            key ^= int(hand_keys[player, slot, count])
    state["side"], state["key"] = side, key
