"""Moves as text: UCI, and through the package `chess` SAN.

UCI writes castling as the king's move from e1 to g1 or c1 where king and rook stand as in the
ordinary start, and as the king's move onto its rook elsewhere, or always for `chess960`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from envs.chess.board import STANDARD, Variant, decode_action
from envs.chess.fen import format_fen, seen_by_white, square_name
from envs.chess.listing import list_legal
from envs.chess.rules import ONGOING
from envs.game import NotationError, State

if TYPE_CHECKING:
    import chess

MOST_LEGAL = 256
PROMOTION_LETTERS = ("", "n", "b", "r", "q")
DIRECTION_NAMES = ("n", "ne", "e", "se", "s", "sw", "w", "nw")
KNIGHT_NAMES = ("nne", "een", "ees", "sse", "ssw", "wws", "wwn", "nnw")
UNDERPROMOTION_NAMES = ("nw", "n", "ne")


def plane_names(variant: Variant) -> list[str]:
    """Return the name of each plane of actions: "ne3", "nne", "n=r"."""
    rays = [f"{name}{d}" for name in DIRECTION_NAMES for d in range(1, variant.reach + 1)]
    promotions = [f"{name}={piece}" for piece in "nbr" for name in UNDERPROMOTION_NAMES]
    return [*rays, *KNIGHT_NAMES, *promotions]


def format_action(action: int, variant: Variant) -> str:
    """Return an action without a position, as the mover sees it: "e2n2" is e2-e4, or e7-e5."""
    plane, cell = divmod(action, variant.width**2)
    square = cell // variant.width * 8 + cell % variant.width
    return square_name(square) + plane_names(variant)[plane]


def parse_action(text: str, variant: Variant) -> int:
    """Read what `format_action` writes. Raises ValueError for other text."""
    names, width = plane_names(variant), variant.width
    file, rank = (ord(text[0]) - ord("a"), ord(text[1]) - ord("1")) if len(text) > 1 else (-1, -1)
    if text[2:] not in names or not (0 <= file < width and 0 <= rank < width):
        raise ValueError(f"{text!r} is not an action: expected a square and a step, such as e2n2")
    return names.index(text[2:]) * width * width + rank * width + file


def legal_list(state: State, variant: Variant) -> list[int]:
    """Return the legal actions of a position; none if the game is over."""
    if state["outcome"] != ONGOING:
        return []
    actions = np.zeros(MOST_LEGAL, np.int32)
    return [int(a) for a in actions[: list_legal(state, actions, variant)]]


def _squares(state: State, action: int, variant: Variant) -> tuple[int, int, str]:
    """Return where a move leaves and arrives, in White's view, and the letter of its promotion."""
    leave, arrive, promotion = (int(part) for part in decode_action(action, variant))
    if int(state["pawns"]) >> leave & 1 and int(variant.last_rank) >> arrive & 1:
        promotion = promotion or 4
    ends = (seen_by_white(s, state, variant) for s in (leave, arrive))
    return next(ends), next(ends), PROMOTION_LETTERS[promotion]


def format_uci(state: State, action: int, variant: Variant, chess960: bool = False) -> str:
    """Return a legal action as UCI."""
    leave, arrive, promotion = _squares(state, action, variant)
    castles = int(state["own"]) >> seen_by_white(arrive, state, variant) & 1
    if castles and not chess960 and leave % 8 == 4 and arrive % 8 in (0, 7):
        arrive = leave + 2 if arrive > leave else leave - 2
    return square_name(leave) + square_name(arrive) + promotion


def move_cells(state: State, action: int, variant: Variant) -> tuple[int, int]:
    """Return the cells where a legal move leaves and arrives, as `piece_cells` counts them.

    Castling arrives where the king does, as UCI writes it.
    """
    word = format_uci(state, action, variant)
    leave, arrive = (
        (variant.width - int(square[1])) * variant.width + ord(square[0]) - ord("a")
        for square in (word[:2], word[2:4])
    )
    return leave, arrive


def parse_move(state: State, text: str, variant: Variant) -> int:
    """Read a legal move in UCI (either way to castle) or, on 8x8, in SAN.

    Raises NotationError, with the legal moves, for anything else.
    """
    legal = legal_list(state, variant)
    for chess960 in (False, True):
        words = {format_uci(state, action, variant, chess960): action for action in legal}
        if text.lower() in words:
            return words[text.lower()]
    if variant is STANDARD and (move := _parse_san(state, text)):
        for action in legal:
            if chess_move(state, action) == move:
                return action
    names = " ".join(format_uci(state, action, variant) for action in legal)
    what = f"the legal moves are {names}" if names else "the game is over there"
    raise NotationError(f"the move {text!r} is not legal: {what}")


def _parse_san(state: State, text: str) -> chess.Move | None:
    try:
        return chess_board(state).parse_san(text)
    except ValueError:
        return None


def chess_board(state: State) -> chess.Board:
    """Return the position as a board of the package `chess`."""
    import chess

    return chess.Board(format_fen(state, STANDARD), chess960=True)


def chess_move(state: State, action: int) -> chess.Move:
    """Return a move of the package `chess`, where castling takes the own rook."""
    import chess

    leave, arrive, promotion = _squares(state, action, STANDARD)
    piece = PROMOTION_LETTERS.index(promotion) + 1 if promotion else None
    return chess.Move(leave, arrive, piece)


def format_san(state: State, action: int) -> str:
    """Return a legal action as SAN, such as "Nbxd7+"."""
    return chess_board(state).san(chess_move(state, action))
