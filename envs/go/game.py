"""Go as a `Game`: a maker for any board up to 19x19, and the boards that have a name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.boards.stones import stone_cells
from envs.game import Game, GameError, Rules, State
from envs.go.encoding import CHANNELS, PAST_BOARDS, make_encode
from envs.go.notation import (
    LETTERS,
    draw,
    format_point,
    format_position,
    parse_point,
    parse_position,
    size_of,
)
from envs.go.records import sgf_format
from envs.go.rules import (
    GoRules,
    evaluation_key,
    is_terminal,
    make_step_rules,
    position_key,
    record_fields,
    to_play,
)
from envs.notation.boards import BoardShape
from envs.symmetry import Symmetries, dihedral

MOST_ROWS = 19
USUAL_KOMI = 7.5
LEAST_SMALLEST = 2
SEVEN_KOMI = 9.0  # Black wins by nine points with best play, according to strong players


def make_go(
    rows: int,
    columns: int = 0,
    komi: float | None = None,
    *,
    suicide: bool = False,
    end_settled: bool = False,
    max_plies: int = 0,
    smallest: int = 0,
) -> Game:
    """Return Go on a board of `rows` x `columns` points (0: square), 1 to 19 each.

    `komi` is added to White's area (None: 9 on 7x7, else 7.5); `suicide` allows a move to take its
    own chain; `end_settled` ends a game once every point is pass-alive, for self-play; a game is
    scored as it stands after `max_plies` (0: twice the number of points). With `smallest`, a game
    may also begin from a position on a smaller square board, down to that size. What differs from
    the usual is part of the game's name: "go9_komi5.5_settled", "go9_from7". Raises GameError for
    other sizes.
    """
    columns = columns or rows
    if not (1 <= rows <= MOST_ROWS and 1 <= columns <= MOST_ROWS):
        raise GameError(f"a Go board of {rows}x{columns}: expected 1 to {MOST_ROWS} each")
    if smallest and not (rows == columns and LEAST_SMALLEST <= smallest < rows):
        raise GameError(
            f"boards from {smallest} up to {rows}x{columns}: expected a square, and a smallest "
            f"size from {LEAST_SMALLEST} to less than its own"
        )
    usual = _usual_komi(rows, columns)
    komis = [
        _usual_komi(size, size) if komi is None else komi
        for size in (range(smallest, rows) if smallest else ())
    ]
    komi = usual if komi is None else komi
    rules = GoRules(rows, columns, komi, suicide, end_settled, max_plies, smallest, tuple(komis))
    return _game(_name(rules, usual), rules)


def _usual_komi(rows: int, columns: int) -> float:
    return SEVEN_KOMI if (rows, columns) == (7, 7) else USUAL_KOMI


def _name(rules: GoRules, usual_komi: float) -> str:
    square = rules.rows == rules.columns
    parts = [f"go{rules.rows}" if square else f"go{rules.rows}x{rules.columns}"]
    parts += [f"from{rules.smallest}"] if rules.smallest else []
    parts += [f"komi{rules.komi:g}"] if rules.komi != usual_komi else []
    parts += ["suicide"] if rules.suicide else []
    parts += ["settled"] if rules.end_settled else []
    parts += [f"cap{rules.max_plies}"] if rules.max_plies else []
    return "_".join(parts)


def _symmetries(rows: int, columns: int) -> Symmetries:
    """Return the eight symmetries of a square board, the four of another; the pass stays."""
    if rows == columns:
        turned = dihedral(rows)
    else:
        board = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
        images = (board, board[::-1, ::-1], board[:, ::-1], board[::-1])
        turned = np.stack([image.ravel() for image in images])
    passes = np.full((len(turned), 1), rows * columns, np.int32)
    return Symmetries(turned, np.hstack([turned, passes]))


def _shape(rules: GoRules) -> BoardShape:
    def size_note(state: State) -> list[str]:
        size = size_of(state, rules)
        return [f"{size}x{size}, in the lower left"] if size < rules.rows else []

    names = [str(rules.rows - row) for row in range(rules.rows)]
    return BoardShape(LETTERS[: rules.columns], names, notes=size_note if rules.smallest else None)


def _game(name: str, rules: GoRules) -> Game:
    rows, columns = rules.rows, rules.columns
    points, several = rows * columns, rules.smallest > 0
    reset, legal_actions, step, remember, value_to_play, ownership = make_step_rules(rules)

    def parse(text: str) -> State:
        states = np.zeros(1, game.dtype)
        parse_position(text, states[0], rules)
        return states[0]

    def stones(state: State) -> NDArray[np.uint8]:
        return stone_cells(state, rows, columns)

    game = Game(
        name=name,
        title=f"Go {rows}x{columns}" + (f" down to {rules.smallest}" if several else ""),
        rules=Rules(
            reset=reset,
            legal_actions=legal_actions,
            step=step,
            is_terminal=is_terminal,
            value_to_play=value_to_play,
            to_play=to_play,
            encode=make_encode(rows, columns, several),
            position_key=position_key,
            remember=remember,
            evaluation_key=evaluation_key,
            final_ownership=ownership,
        ),
        fields=record_fields(rows, columns, several),
        num_actions=points + 1,
        planes_shape=(CHANNELS + several, rows, columns),
        board_plane=CHANNELS if several else None,
        max_plies=rules.cap,
        max_legal=points + 1,
        format_action=lambda action: format_point(action, rows, columns),
        parse_action=lambda text: parse_point(text, rows, columns),
        render=lambda state: draw(state, rules),
        symmetries=_symmetries(rows, columns),
        player_names=("X (black)", "O (white)"),
        mean_legal=points * 3 // 4 + 1,
        past_boards=PAST_BOARDS,
        parse_position=parse,
        board=_shape(rules),
        record_formats=(sgf_format(rules, lambda: game),),
        format_position=lambda state: format_position(state, rules),
        cells=stones,
    )
    return game


GO_7, GO_9, GO_13, GO_19 = (make_go(size) for size in (7, 9, 13, 19))
GO_9_FROM_7 = make_go(9, smallest=7)
