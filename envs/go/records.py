"""Records of one Go game as SGF, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from envs.game import NotationError
from envs.go.notation import komi_of, on_largest, on_own_board, standing
from envs.go.rules import SETTLED, GoRules, board_of
from envs.go.scoring import make_scoring
from envs.go.sgf import GoRecord, format_result, format_sgf, parse_games
from envs.notation.records import GameRecord, RecordFormat
from envs.positions import play_from

if TYPE_CHECKING:
    from envs.game import Game, State


def sgf_format(rules: GoRules, game: Callable[[], Game]) -> RecordFormat:
    """Return SGF for the game of these rules, which need not be made yet."""
    return RecordFormat(
        "SGF",
        ".sgf",
        lambda record: write_sgf(record, game(), rules),
        lambda text: read_sgf(text, game(), rules),
    )


def write_sgf(record: GameRecord, game: Game, rules: GoRules) -> str:
    """Return a record as SGF; a game that is over has its score as the result."""
    states = play_from(game, record.start, record.moves)
    first, board = states[0], standing(states[0], rules)
    rows, columns = board.shape
    sides = [int(state["side"]) for state in states[:-1]]
    actions = [on_own_board(int(action), rows, rules.rows) for action in record.moves]
    stones = ([int(p) for p in np.flatnonzero(board == side)] for side in (1, 2))
    komi = komi_of(first, rules)
    text = GoRecord(rows, columns, komi, [*zip(sides, actions)], (next(stones), next(stones)))
    text.first_side, text.names = int(first["side"]), record.names
    text.result = _result(record, states[-1], rules)
    return format_sgf(text)


def _result(record: GameRecord, last: State, rules: GoRules) -> str:
    if last["over"]:
        scoring = make_scoring(board_of(rules), rules.suicide)
        area = scoring.settled_area if last["over"] == SETTLED else scoring.area
        with np.errstate(over="ignore"):
            return format_result(float(area(last["stones"])) - komi_of(last, rules))
    return "" if record.points is None else {1.0: "B+", 0.0: "W+"}.get(record.points, "0")


def read_sgf(text: str, game: Game, rules: GoRules) -> list[GameRecord]:
    """Read the main lines of the games of an SGF text.

    Raises NotationError with the number of the game for one on another board, and for text that is
    no SGF. The komi of a record may be another.
    """
    records = []
    boards = [(size, size) for size in rules.sizes] or [(rules.rows, rules.columns)]
    for number, found in enumerate(parse_games(text), start=1):
        where = f"game {number} of the SGF"
        size = found.rows
        if (size, found.columns) not in boards:
            wanted = ", ".join(f"{columns}x{rows}" for rows, columns in boards)
            raise NotationError(f"{where} is on {found.columns}x{size}, expected {wanted}")
        start = None
        if size != rules.rows or found.first_side or any(found.stones):
            assert game.parse_position is not None
            try:
                start = game.parse_position(found.position())
            except NotationError as error:
                raise NotationError(f"{where}: {error}") from None
        points = {"B": 1.0, "W": 0.0, "0": 0.5, "D": 0.5}.get(found.result[:1].upper())
        actions = tuple(on_largest(action, size, rules.rows) for action in found.actions())
        records.append(GameRecord(start, actions, found.names, points))
    return records
