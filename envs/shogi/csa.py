"""Game records as CSA, version 2.2, which computer shogi servers write.

Format: http://www2.computer-shogi.org/protocol/record_v22.html. A move is the side, the square it
comes from ("00" for a drop), the square it goes to and the piece as it is after the move.
"""

from __future__ import annotations

from collections.abc import Sequence

from envs.game import State
from envs.shogi.board import BISHOP, GOLD, KING, KNIGHT, LANCE, PAWN, PROMOTED, ROOK, SILVER, Board
from envs.shogi.pieces import code_at
from envs.shogi.rules import DECLARATION, MATE, MAX_PLIES, PERPETUAL_CHECK, REPETITION
from envs.shogi.sfen import format_position, hand_of, pieces_of
from envs.shogi.usi import target_of

NAMES = {PAWN: "FU", LANCE: "KY", KNIGHT: "KE", SILVER: "GI", GOLD: "KI", BISHOP: "KA", ROOK: "HI"}
NAMES |= {KING: "OU", PAWN + PROMOTED: "TO", LANCE + PROMOTED: "NY", KNIGHT + PROMOTED: "NK"}
NAMES |= {SILVER + PROMOTED: "NG", BISHOP + PROMOTED: "UM", ROOK + PROMOTED: "RY"}


def format_csa(
    states: Sequence[State],
    actions: Sequence[int],
    board: Board,
    names: tuple[str, str] = ("", ""),
    resigned: bool = True,
) -> str:
    """Return a game record, given its positions [P + 1] and its actions [P].

    A game that is not over ends as resigned by the side to move, or else as interrupted.
    """
    lines = ["V2.2", f"N+{names[0]}", f"N-{names[1]}", *_start(states[0], board)]
    for state, action in zip(states[:-1], actions, strict=True):
        lines.append(_format_move(state, action, board))
    lines.append(_ending(states[-1], resigned))
    return "\n".join(lines) + "\n"


def _start(state: State, board: Board) -> list[str]:
    side = "-" if state["side"] else "+"
    if board.name == "shogi" and format_position(state, board).split()[0] == board.placement:
        return ["PI", side]
    pieces, lines = pieces_of(state, board), []
    for row in range(board.size):
        drawn = [
            ("-" if second else "+") + NAMES[code] if code else " * "
            for code, second in pieces[row * board.size : (row + 1) * board.size]
        ]
        lines.append(f"P{row + 1}{''.join(drawn)}")
    for player, sign in enumerate("+-"):
        held = "".join(
            f"00{NAMES[code]}" * count for code, count in enumerate(hand_of(state, player), start=1)
        )
        lines += [f"P{sign}{held}"] if held else []
    return [*lines, side]


def _format_move(state: State, action: int, board: Board) -> str:
    target, start, promotes = target_of(action, board)
    second = bool(state["side"])
    if start < 0:
        code = board.kinds[action // board.cells - board.drops]
    else:
        code = int(code_at(state["board"], start)) + (PROMOTED if promotes else 0)
    came = _square(start, second, board) if start >= 0 else "00"
    return f"{'-' if second else '+'}{came}{_square(target, second, board)}{NAMES[code]}"


def _square(cell: int, second: bool, board: Board) -> str:
    row, column = divmod(board.cells - 1 - cell if second else cell, board.size)
    return f"{board.size - column}{row + 1}"


def _ending(state: State, resigned: bool) -> str:
    over = int(state["over"])
    if over == PERPETUAL_CHECK:  # the sign is of the player who broke the rule
        first_won = (state["value"] > 0) == (state["side"] == 0)
        return f"%{'-' if first_won else '+'}ILLEGAL_ACTION"
    endings = {MATE: "%TSUMI", REPETITION: "%SENNICHITE", DECLARATION: "%KACHI"}
    if over == 0 and state["ply"] >= MAX_PLIES:
        return "%HIKIWAKE"
    return endings.get(over, "%TORYO" if resigned else "%CHUDAN")
