"""Drawing a position for a terminal."""

from __future__ import annotations

from envs.board_text import RESET
from envs.chess.board import Variant
from envs.chess.fen import LETTERS, piece_cells
from envs.chess.rules import OUTCOME_NAMES
from envs.game import State
from envs.notation.boards import Piece

PIECES = tuple(Piece(*forms) for forms in zip("PNBRQK", "♙♘♗♖♕♔", "♟♞♝♜♛♚"))
WHITE, BLACK, FREE = "\x1b[97m", "\x1b[93m", "\x1b[90m"


def draw(state: State, variant: Variant) -> str:
    """Draw the board with White below, its pieces in capital letters, and who is to move."""
    width = variant.width
    lines = []
    for row, cells in enumerate(piece_cells(state, variant).reshape(width, width)):
        colours = [FREE if cell == 0 else (WHITE if cell % 2 else BLACK) for cell in cells]
        pieces = [f"{colour}{LETTERS[cell]}{RESET}" for colour, cell in zip(colours, cells)]
        lines.append(f"{width - row} {' '.join(pieces)}")
    lines.append("  " + " ".join("abcdefgh"[:width]))
    side = ("White", "Black")[int(state["ply"]) & 1]
    ending = OUTCOME_NAMES[state["outcome"]]
    return "\n".join([*lines, ending.capitalize() if ending else f"{side} to move"])
