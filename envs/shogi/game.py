"""The games shogi (`GAME`) and minishogi (`MINISHOGI_GAME`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from envs.game import Game, Rule, Rules, State
from envs.notation.records import GameRecord, RecordFormat
from envs.positions import play_from
from envs.shogi import drawing, sfen, usi
from envs.shogi.board import MINISHOGI, SHOGI, Board
from envs.shogi.csa import format_csa
from envs.shogi.kif import format_kif
from envs.shogi.moves import Moves, make_moves
from envs.shogi.planes import PAST_BOARDS, make_encode, planes_shape
from envs.shogi.rules import (
    FIELDS,
    MAX_PLIES,
    evaluation_key,
    is_terminal,
    make_remember,
    make_reset,
    make_settle,
    make_step,
    position_key,
    to_play,
    value_to_play,
)


def _rules(board: Board, moves: Moves, settle: Rule) -> Rules:
    return Rules(
        make_reset(board),
        moves.legal_actions,
        make_step(board, moves, settle),
        is_terminal,
        value_to_play,
        to_play,
        make_encode(board),
        position_key,
        make_remember(board),
        evaluation_key,
    )


def _record_formats(board: Board, game: Callable[[], Game]) -> tuple[RecordFormat, ...]:
    def kif(record: GameRecord) -> str:
        states = play_from(game(), record.start, record.moves)
        return format_kif([*states], record.moves, board, record.names, resigned=False)

    def csa(record: GameRecord) -> str:
        states = play_from(game(), record.start, record.moves)
        return format_csa([*states], record.moves, board, record.names, resigned=False)

    one_a_file = RecordFormat("KIF", ".kif", kif, between=None)
    return one_a_file, RecordFormat("CSA", ".csa", csa, between="/\n")


def _game(board: Board, title: str, mean_legal: int) -> Game:
    """Return the game of one board."""
    moves = make_moves(board)
    settle = make_settle(board, moves)

    def parse_position(text: str) -> State:
        state = game.new_state()
        sfen.write_position(state, text, board, settle)
        return state

    def format_move(state: State, action: int) -> str:
        return usi.format_action(action, board, bool(state["side"]))

    def parse_move(state: State, text: str) -> int:
        return usi.parse_action(text, board, bool(state["side"]))

    def cells(state: State) -> Any:
        return drawing.cells(state, board)

    game = Game(
        name=board.name,
        title=title,
        rules=_rules(board, moves, settle),
        fields=FIELDS,
        num_actions=board.policy_planes * board.cells,
        planes_shape=planes_shape(board),
        max_plies=MAX_PLIES,
        max_legal=board.max_legal,
        mean_legal=mean_legal,
        past_boards=PAST_BOARDS,
        policy_planes=board.policy_planes,
        turned_axes=(1, 2),
        format_action=partial(usi.format_action, board=board),
        parse_action=partial(usi.parse_action, board=board),
        format_move=format_move,
        parse_move=parse_move,
        parse_position=parse_position,
        format_position=partial(sfen.format_position, board=board),
        cells=cells,
        render=partial(drawing.render, board=board),
        board=drawing.shape(board),
        record_formats=_record_formats(board, lambda: game),
        player_names=("Sente (black)", "Gote (white)"),
    )
    return game


GAME = _game(SHOGI, "Shogi", mean_legal=96)
MINISHOGI_GAME = _game(MINISHOGI, "Minishogi", mean_legal=32)
