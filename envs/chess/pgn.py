"""Games as PGN, both ways, through the package `chess`; Chess960 by its FEN."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from envs.chess.board import STANDARD
from envs.chess.fen import flipped, square_name
from envs.chess.notation import (
    PROMOTION_LETTERS,
    chess_board,
    format_uci,
    parse_action,
)
from envs.chess.rules import CHECKMATE, ONGOING, play
from envs.game import NotationError, State
from envs.notation.records import GameRecord, MoveNote

if TYPE_CHECKING:
    import chess.pgn

KNIGHT_STEPS = {(1, 2): "nne", (2, 1): "een", (2, -1): "ees", (1, -2): "sse"}
KNIGHT_STEPS |= {(-1, -2): "ssw", (-2, -1): "wws", (-2, 1): "wwn", (-1, 2): "nnw"}
RESULTS = {"1-0": 1.0, "1/2-1/2": 0.5, "0-1": 0.0}


def format_pgn(
    start: State,
    actions: Sequence[int],
    headers: Mapping[str, str] | None = None,
    notes: Sequence[MoveNote] = (),
) -> str:
    """Return a game as PGN: moves from the record `start`, with the result if the game is over.

    `headers` are more tags ("White", "Date"...); they overwrite those derived from the game. Of the
    `notes`, one a move or none at all, clocks become %clk and scores %eval.
    """
    import chess.pgn

    state, board = start.copy(), chess_board(start)
    board.chess960 = board.has_chess960_castling_rights()
    game = chess.pgn.Game()
    if board.fen() != chess.STARTING_FEN:
        game.setup(board)
    node: chess.pgn.GameNode = game
    for number, action in enumerate(actions):
        move = board.parse_uci(format_uci(state, action, STANDARD, board.chess960))
        node = node.add_variation(move)
        _annotate(node, notes[number] if notes else MoveNote())
        board.push(move)
        play(state, int(action), STANDARD)
    game.headers["Result"] = _result(state)
    for name, value in (headers or {}).items():
        game.headers[name] = value
    return str(game)


def _annotate(node: chess.pgn.GameNode, note: MoveNote) -> None:
    import chess.engine

    if note.seconds is not None:
        node.set_clock(note.seconds)
    score: chess.engine.Score | None = None
    if note.mate is not None:
        score = chess.engine.Mate(note.mate)
    elif note.centipawns is not None:
        score = chess.engine.Cp(note.centipawns)
    if score is not None:
        node.set_eval(chess.engine.PovScore(score, chess.WHITE))


def _result(state: State) -> str:
    if state["outcome"] == ONGOING:
        return "*"
    if state["outcome"] != CHECKMATE:
        return "1/2-1/2"
    return "1-0" if state["ply"] & 1 else "0-1"


def write_pgn(record: GameRecord, start: State) -> str:
    """Return a record as PGN; `start` is where it begins."""
    headers = {"White": record.names[0] or "?", "Black": record.names[1] or "?"}
    headers["PlyCount"] = str(len(record.moves))
    if record.clock:
        headers["TimeControl"] = record.clock
        headers["Termination"] = "time forfeit" if record.is_late else "normal"
    if record.points is not None:
        headers["Result"] = next(word for word, p in RESULTS.items() if p == record.points)
    return format_pgn(start, record.moves, headers, record.notes) + "\n"


def read_pgn(text: str, parse_position: Callable[[str], State]) -> list[GameRecord]:
    """Read the main lines of the games of a PGN text.

    Raises NotationError with the number of the game for a move that is not legal, a variant other
    than Chess960, and a start that is no position.
    """
    import chess.pgn

    class Builder(chess.pgn.GameBuilder[chess.pgn.Game]):
        def handle_error(self, error: Exception) -> None:
            raise error  # the package would write it to a log and go on

    records: list[GameRecord] = []
    stream = io.StringIO(text)
    while True:
        try:
            game = chess.pgn.read_game(stream, Visitor=Builder)
            if game is None:
                return records
            records.append(_record(game, parse_position))
        except ValueError as error:
            raise NotationError(f"game {len(records) + 1} of the PGN: {error}") from None


def _record(game: chess.pgn.Game, parse_position: Callable[[str], State]) -> GameRecord:
    import chess

    board = game.board()
    if type(board) is not chess.Board:
        raise ValueError(f"the variant is {game.headers['Variant']!r}, expected chess")
    is_usual = board.fen() == chess.STARTING_FEN
    start = None if is_usual else parse_position(board.fen(en_passant="fen"))
    actions = []
    for move in game.mainline_moves():
        actions.append(action_on(board, move))
        board.push(move)
    white, black = (game.headers.get(side, "?").removesuffix("?") for side in ("White", "Black"))
    points = RESULTS.get(game.headers.get("Result", "*"))
    return GameRecord(start, tuple(actions), (white, black), points)


def action_on(board: chess.Board, move: chess.Move) -> int:
    """Return the action of a legal move on a board of the package `chess`, castling in any form."""
    import chess

    onto_rook = chess.Move.from_uci(board.uci(move, chess960=True))
    return action_of(onto_rook, board.turn == chess.BLACK)


def action_of(move: chess.Move, black: bool) -> int:
    """Return the action of a move of the package `chess`, where castling takes the own rook.

    Raises ValueError for what no piece could move.
    """
    ends = (move.from_square, move.to_square)
    leave, arrive = (flipped(square, STANDARD) if black else square for square in ends)
    right, up = arrive % 8 - leave % 8, arrive // 8 - leave // 8
    way = ("n" if up > 0 else "s" if up < 0 else "") + ("e" if right > 0 else "w" if right else "")
    step = KNIGHT_STEPS.get((right, up)) or f"{way}{max(abs(right), abs(up))}"
    if move.promotion and move.promotion <= len(PROMOTION_LETTERS) - 1:
        step = f"{way}={PROMOTION_LETTERS[move.promotion - 1]}"
    return parse_action(square_name(leave) + step, STANDARD)
