"""The games: chess, Chess960 included (its positions are FENs), and Gardner's chess on 5x5."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.chess.board import GARDNER, STANDARD, Variant, policy_planes
from envs.chess.books import read_epd, read_polyglot
from envs.chess.drawing import PIECES, draw
from envs.chess.encoding import PAST_BOARDS, plane_count, write_planes
from envs.chess.fen import format_fen, piece_cells, read_fen
from envs.chess.listing import list_legal
from envs.chess.moves import in_check
from envs.chess.notation import format_action, format_uci, move_cells, parse_action, parse_move
from envs.chess.perft import count_lines
from envs.chess.pgn import read_pgn, write_pgn
from envs.chess.rules import (
    FIELDS,
    evaluation_key,
    is_terminal,
    play,
    position_key,
    remember,
    to_play,
    value_to_play,
)
from envs.game import Game, Rules, State
from envs.notation.boards import NOWHERE, BoardShape
from envs.notation.records import BookFormat, GameRecord, RecordFormat

START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
KING_CELL = 11  # of White, in `piece_cells`; Black's is the next
START_GARDNER = "rnbqk/ppppp/5/PPPPP/RNBQK w - - 0 1"


def _rules(variant: Variant, start: str) -> Rules:
    """Return the rules of a board, bound to its constants."""
    blank = np.zeros(1, np.dtype(FIELDS))[0]
    read_fen(blank, start, variant)
    own, pawns, knights = blank["own"], blank["pawns"], blank["knights"]
    diagonal, straight, kings = blank["diagonal"], blank["straight"], blank["kings"]
    castling = blank["castling"]

    def reset(state: State) -> None:
        state["own"], state["pawns"], state["knights"] = own, pawns, knights
        state["diagonal"], state["straight"], state["kings"] = diagonal, straight, kings
        state["castling"], state["en_passant"] = castling, 0
        state["ply"], state["first_ply"] = 0, 0
        state["no_progress"], state["repetitions"], state["outcome"] = 0, 0, 0

    def legal_actions(state: State, actions: Any) -> int:
        return list_legal(state, actions, variant)

    def step(state: State, action: int) -> None:
        play(state, action, variant)

    def encode(state: State, past: Any, planes: Any) -> None:
        write_planes(state, past, planes, variant)

    return Rules(
        reset,
        legal_actions,
        step,
        is_terminal,
        value_to_play,
        to_play,
        encode,
        position_key,
        remember,
        evaluation_key,
    )


def checked_cell(state: State, variant: Variant) -> int:
    """Return the cell of the king that is in check, or NOWHERE."""
    if not in_check(state, variant):
        return NOWHERE
    king = KING_CELL + int(state["ply"] & 1)
    return int(np.flatnonzero(piece_cells(state, variant) == king)[0])


def _game(
    name: str, title: str, variant: Variant, start: str, mean_legal: int, max_legal: int
) -> Game:
    def parse_position(text: str) -> State:
        state = game.new_state()
        read_fen(state, text, variant)
        return state

    def pgn(record: GameRecord) -> str:
        return write_pgn(record, game.new_state() if record.start is None else record.start)

    formats = [RecordFormat("PGN", ".pgn", pgn, lambda text: read_pgn(text, parse_position))]
    epd = BookFormat("EPD", ".epd", lambda path, plies: read_epd(path, parse_position))
    books = [epd, BookFormat("Polyglot", ".bin", read_polyglot)]
    width, planes = variant.width, policy_planes(variant)
    game = Game(
        name=name,
        title=title,
        rules=_rules(variant, start),
        fields=FIELDS,
        num_actions=planes * width * width,
        planes_shape=(plane_count(variant), width, width),
        max_plies=variant.max_plies,
        max_legal=max_legal,
        mean_legal=mean_legal,
        past_boards=PAST_BOARDS,
        policy_planes=planes,
        turned_axes=(1,),
        format_action=lambda action: format_action(action, variant),
        parse_action=lambda text: parse_action(text, variant),
        format_move=lambda state, action: format_uci(state, action, variant),
        parse_move=lambda state, text: parse_move(state, text, variant),
        parse_position=parse_position,
        format_position=lambda state: format_fen(state, variant),
        cells=lambda state: piece_cells(state, variant),
        count_lines=lambda state, depth: count_lines(state, depth, variant, max_legal),
        render=lambda state: draw(state, variant),
        player_names=("White", "Black"),
        board=BoardShape(
            columns="abcdefgh"[:width],
            rows="87654321"[-width:],
            pieces=PIECES,
            move_cells=lambda state, action: move_cells(state, action, variant),
            checked=lambda state: checked_cell(state, variant),
        ),
        record_formats=tuple(formats) if variant is STANDARD else (),
        book_formats=tuple(books) if variant is STANDARD else (),
    )
    return game


# `max_legal` holds for every position that a FEN may set up, whose promoted pieces replace pawns:
# nine queens of at most 27 moves, two rooks of 14, bishops of 13 and knights of 8, a king of 8 and
# two castlings are 323. (No position that a game can reach is known with more than 218.) On 5x5,
# six queens of 16 moves, and a rook, a bishop, a knight and a king of 8 are 128.
GAME = _game("chess", "Chess", STANDARD, START, mean_legal=35, max_legal=323)
GAME_5 = _game("chess5", "Gardner's chess 5x5", GARDNER, START_GARDNER, 12, 128)
