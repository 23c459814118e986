"""Game records as KIF, which most Japanese programs read.

Format: http://kakinoki.o.oo7.jp/kif_format.html. A move is the square it goes to, the piece as it
was before the move, "打" for a drop or "成" for a promotion, and the square it came from.
"""

from __future__ import annotations

from collections.abc import Sequence

from envs.game import State
from envs.shogi.board import Board
from envs.shogi.drawing import KANJI, NUMBERS, WIDE_DIGITS, diagram
from envs.shogi.pieces import code_at
from envs.shogi.rules import DECLARATION, MATE, MAX_PLIES, PERPETUAL_CHECK, REPETITION
from envs.shogi.sfen import format_position
from envs.shogi.usi import target_of

PROMOTED_NAMES = {"杏": "成香", "圭": "成桂", "全": "成銀"}
HANDICAPS = {"shogi": "平手", "minishogi": "5五将棋"}


def format_kif(
    states: Sequence[State],
    actions: Sequence[int],
    board: Board,
    names: tuple[str, str] = ("", ""),
    resigned: bool = True,
) -> str:
    """Return a game record, given its positions [P + 1] and its actions [P].

    A game that is not over ends as resigned by the side to move, or else as interrupted.
    """
    lines = []
    if format_position(states[0], board).split()[:3] == [board.placement, "b", "-"]:
        lines.append(f"手合割：{HANDICAPS[board.name]}")
    else:
        lines += diagram(states[0], board).splitlines()
    lines += [f"先手：{names[0]}", f"後手：{names[1]}", "手数----指手---------消費時間--"]
    previous = -1
    for number, (state, action) in enumerate(zip(states[:-1], actions, strict=True), start=1):
        move, previous = _format_move(state, action, previous, board)
        lines.append(f"{number:>4} {move}")
    lines.append(f"{len(actions) + 1:>4} {_ending(states[-1], resigned)}")
    return "\n".join(lines) + "\n"


def _format_move(state: State, action: int, previous: int, board: Board) -> tuple[str, int]:
    """Return one move, and the square it goes to as the first player sees it."""
    target, start, promotes = target_of(action, board)
    second = bool(state["side"])
    to = board.cells - 1 - target if second else target
    row, column = divmod(to, board.size)
    square = f"{WIDE_DIGITS[board.size - column]}{NUMBERS[row + 1]}"
    where = "同　" if to == previous else square
    if start < 0:
        return f"{square}{KANJI[board.kinds[action // board.cells - board.drops]]}打", to
    piece = KANJI[int(code_at(state["board"], start))]
    row, column = divmod(board.cells - 1 - start if second else start, board.size)
    came = f"({board.size - column}{row + 1})"
    return f"{where}{PROMOTED_NAMES.get(piece, piece)}{'成' if promotes else ''}{came}", to


def _ending(state: State, resigned: bool) -> str:
    """Return how the game ended, as seen by the side to move."""
    over = int(state["over"])
    if over == PERPETUAL_CHECK:
        return "反則勝ち" if state["value"] > 0 else "反則負け"
    endings = {MATE: "詰み", REPETITION: "千日手", DECLARATION: "入玉勝ち"}
    if over == 0 and state["ply"] >= MAX_PLIES:
        return "持将棋"
    return endings.get(over, "投了" if resigned else "中断")
