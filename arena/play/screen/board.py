"""Read the cells of a position, and draw them in colours at any size.

A game says what stands on its cells (`Game.cells`, `Game.board`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from envs.game import Game
from envs.notation.boards import NOWHERE, Piece

Cell = tuple[int, int]  # row from the top, column; or a piece in hand, by `hand_cell`
FIRST, SECOND = "X", "O"  # as games draw the two players
BLANK = "."  # an empty cell
HAND = "hand "  # begins a line of pieces in hand
SIZES = ((8, 3), (6, 2), (3, 1))  # width and height of a cell in characters, the largest first
DIGITS = 9  # cells of a board that are numbered and played by one key
DISCS = {3: ("▄████▄", "██████", "▀████▀"), 2: ("▄██▄", "▀██▀")}  # by the cell's height
RINGS = {3: ("▄▀▀▀▀▄", "█    █", "▀▄▄▄▄▀"), 2: ("▄▀▀▄", "▀▄▄▀")}  # where colours are missing

HUES = {"red": "#e5484d", "yellow": "#f5d90a", "black": "#111314", "white": "#f2f2f2"}
HOLE = "#12305f"
BLUE, GREEN, GREY = "#1d4f9f", "#26734a", "#30353d"


@dataclass(frozen=True)
class Grid:
    """The cells of a position: X, O, blank, or another character that the game draws."""

    cells: tuple[tuple[str, ...], ...]  # rows from the top
    columns: tuple[str, ...]  # their labels
    rows: tuple[str, ...]  # their labels, none where a column alone is a move
    notes: tuple[str, ...] = ()  # what the game writes below its board
    pieces: tuple[Piece, ...] = ()  # by kind; none is a board of stones
    hands: tuple[tuple[int, ...], ...] = ()  # how many of each kind either player holds
    checked: Cell | None = None  # where a king in check stands
    slants: bool = False  # each row begins half a cell to the right of the row above

    @property
    def height(self) -> int:
        """Rows."""
        return len(self.cells)

    @property
    def width(self) -> int:
        """Columns."""
        return len(self.columns)

    def is_blank(self, cell: Cell) -> bool:
        """Whether a cell is empty."""
        return self.cells[cell[0]][cell[1]] == BLANK

    def shown(self, symbol: str, plain: bool) -> str:
        """Return how a piece is drawn: in Unicode, or in letters where colours are missing."""
        if not plain:
            for piece in self.pieces:
                if symbol.upper() == piece.letters:
                    return piece.first if symbol == piece.letters else piece.second
        return symbol


def hand_cell(side: int, kind: int) -> Cell:
    """Return the place of the pieces of a kind in a player's hand."""
    return -1 - side, kind


def read_grid(game: Game, state: Any) -> Grid | None:
    """Read the cells of a position; None for a game without `cells` or `board`."""
    shape = game.board
    if shape is None or game.cells is None:
        return None
    _, height, width = game.planes_shape
    symbols = [BLANK]
    for piece in shape.pieces:
        symbols += [piece.letters, piece.letters.lower()]
    if not shape.pieces:
        symbols += [FIRST, SECOND]
    standing = game.cells(state).reshape(height, width)
    checked = NOWHERE if shape.checked is None else shape.checked(state)
    return Grid(
        tuple(tuple(symbols[s] for s in row) for row in standing),
        tuple(shape.columns),
        tuple(shape.rows),
        notes=() if shape.notes is None else tuple(shape.notes(state)),
        pieces=tuple(shape.pieces),
        hands=() if shape.hands is None else tuple(map(tuple, shape.hands(state))),
        checked=None if checked == NOWHERE else divmod(checked, width),
        slants=shape.slants,
    )


def actions_by_cell(game: Game, grid: Grid) -> dict[Cell, int]:
    """Map each cell to the action of a click on it; none where moves go from cell to cell."""
    if game.board is None or game.board.move_cells is not None:
        return {}
    cells = [(row, column) for row in range(grid.height) for column in range(grid.width)]
    if not grid.rows:
        return {(row, column): column for row, column in cells}
    return {cell: number for number, cell in enumerate(cells)}


def changed_cells(before: Grid, after: Grid) -> list[Cell]:
    """List the cells that a move filled."""
    return [
        (r, c)
        for r, row in enumerate(after.cells)
        for c, now in enumerate(row)
        if now != BLANK and before.cells[r][c] == BLANK
    ]


def winning_cells(game: Game, grid: Grid) -> set[Cell]:
    """List the cells of the winning row, for games that are won by one."""
    length = game.in_a_row
    found: set[Cell] = set()
    for r in range(grid.height if length else 0):
        for c in range(grid.width):
            for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                line = [(r + i * down, c + i * right) for i in range(length)]
                row, column = line[-1]
                if row < grid.height and 0 <= column < grid.width:
                    kinds = {grid.cells[i][j] for i, j in line}
                    if len(kinds) == 1 and kinds != {BLANK}:
                        found.update(line)
    return found


@dataclass(frozen=True)
class CellMarks:
    """The marks shown on the board besides its discs."""

    legal: Collection[Cell] = ()
    last: Collection[Cell] = ()
    won: Collection[Cell] = ()
    hint: Cell | None = None
    cursor: Cell | None = None
    chosen: Cell | None = None  # the piece to move, on the board or in hand
    check: Cell | None = None  # a king in check


@dataclass(frozen=True)
class Layout:
    """The positions of a grid's cells on a widget, in characters."""

    grid: Grid
    cell_width: int
    cell_height: int
    left: int  # of the first cell
    top: int
    shift: int = 0  # of each row, to the right of the row above
    plain: bool = False

    def cell_at(self, x: int, y: int) -> Cell | None:
        """Return the cell under a point; column labels count as their column."""
        row = (y - self.top) // self.cell_height
        column = (x - self.left - row * self.shift) // self.cell_width
        if not self.grid.rows and -1 <= row <= self.grid.height:
            row = min(max(row, 0), self.grid.height - 1)
        inside = 0 <= row < self.grid.height and 0 <= column < self.grid.width
        return (row, column) if inside else self._hand_at(x, y)

    def _hand_at(self, x: int, y: int) -> Cell | None:
        """Return the piece in hand under a point."""
        lines = (self.top + self.grid.height * self.cell_height + 1, self.top - 1)
        if not self.grid.hands or y not in lines:
            return None
        side, place = lines.index(y), self.left + len(HAND)
        for kind, text in self.hand(side):
            if place <= x < place + cell_len(text):
                return hand_cell(side, kind)
            place += cell_len(text)
        return None

    def hand(self, side: int) -> Iterator[tuple[int, str]]:
        """Yield the kinds that a player holds, each with its text."""
        for kind, count in enumerate(self.grid.hands[side]):
            if count:
                letters = self.grid.pieces[kind].letters
                shown = self.grid.shown(letters.lower() if side else letters, self.plain)
                yield kind, f" {shown}{count if count > 1 else ''} "


def fit(grid: Grid, width: int, height: int, plain: bool = False) -> Layout:
    """Make the largest layout that fits, centred; the smallest if none does."""
    margin, head = (3 if grid.rows else 0), _head(grid)
    below = 1 + len(grid.notes) + bool(grid.hands)  # labels, notes, the first player's hand
    forms = [cell_len(form) for piece in grid.pieces for form in piece]
    sizes = (*SIZES[:-1], (max([1, *forms]) + 2, 1))
    rows = grid.height if grid.slants else 0
    fitting = [
        (w, h)
        for w, h in sizes
        if grid.width * w + margin + rows * (w // 2) <= width
        and grid.height * h + head + below <= height
    ]
    w, h = fitting[0] if fitting else sizes[-1]
    left = margin + max(0, (width - grid.width * w - rows * (w // 2) - margin) // 2)
    spare = max(0, height - grid.height * h - head - below) // 2
    return Layout(grid, w, h, left, spare + head, w // 2 if grid.slants else 0, plain)


def _head(grid: Grid) -> int:
    """Return the lines above the cells: a marker line above columns, the second player's hand."""
    return (0 if grid.rows else 1) + bool(grid.hands)


def draw(game: Game, layout: Layout, marks: CellMarks, plain: bool = False) -> Text:
    """Draw the board; `plain` tells the players apart without colours."""
    grid, text = layout.grid, Text(no_wrap=True)
    text.append("\n" * (layout.top - _head(grid)))
    if not grid.rows:
        text.append_text(_markers(layout, marks))
    if grid.hands:
        text.append_text(_hand_line(game, layout, marks, 1)).append("\n")
    for row in range(grid.height):
        for part in range(layout.cell_height):
            label = grid.rows[row] if grid.rows and part == layout.cell_height // 2 else ""
            left = layout.left + row * layout.shift
            text.append(f"{label:>{left - 1}} " if grid.rows else " " * left, "dim")
            for column in range(grid.width):
                shown, style = _cell_part(game, layout, marks, (row, column), part, plain)
                text.append(shown, style)
            text.append("\n")
    text.append_text(_labels(layout, marks))
    if grid.hands:
        text.append("\n").append_text(_hand_line(game, layout, marks, 0))
    for note in grid.notes:
        text.append("\n" + " " * layout.left + note, "dim")
    return text


def _hand_line(game: Game, layout: Layout, marks: CellMarks, side: int) -> Text:
    """Draw the pieces that a player holds."""
    text = Text(" " * layout.left).append(HAND, "dim")
    ink = HUES[hues(game)[side]]
    for kind, shown in layout.hand(side):
        chosen = marks.chosen == hand_cell(side, kind)
        text.append(
            f"({shown[1:-1]})" if chosen else shown, Style(color=ink, bgcolor=GREEN, bold=True)
        )
    return text


def _markers(layout: Layout, marks: CellMarks) -> Text:
    """Draw the line above a board of columns: the cursor, and the hint."""
    text = Text(" " * layout.left)
    for column in range(layout.grid.width):
        here = {cell[1] for cell in (marks.cursor,) if cell} == {column}
        hinted = marks.hint is not None and marks.hint[1] == column
        mark = "▼" if here else "!" if hinted else ""
        text.append(f"{mark:^{layout.cell_width}}", "bold" if here else "bold green")
    return text.append("\n")


def _labels(layout: Layout, marks: CellMarks) -> Text:
    """Draw the line below the board; playable columns are bright."""
    text = Text(" " * (layout.left + layout.grid.height * layout.shift))
    open_columns = {cell[1] for cell in marks.legal}
    for column, label in enumerate(layout.grid.columns):
        bright = not layout.grid.rows and column in open_columns
        text.append(f"{label:^{layout.cell_width}}", "bold" if bright else "dim")
    return text


def _cell_part(
    game: Game, layout: Layout, marks: CellMarks, cell: Cell, part: int, plain: bool
) -> tuple[str, Style]:
    """Return one line of a cell: its characters and their style."""
    kind = layout.grid.cells[cell[0]][cell[1]]
    cursor_here = marks.cursor == cell and bool(layout.grid.rows)
    inside = _blank(layout, marks, cell, part, plain) if kind == BLANK else ""
    inside = inside or _disc(kind, layout, part, plain)
    edges = _edges(layout.grid, marks, cell, cursor_here)
    shown = edges[0] + inside + edges[1]
    ground = _ground(game, layout.grid, cell, marks, cursor_here)
    return shown, Style(color=_ink(game, layout.grid, kind), bgcolor=ground, bold=True)


def _edges(grid: Grid, marks: CellMarks, cell: Cell, cursor_here: bool) -> str:
    """Return the characters at both sides of a cell: its most urgent mark."""
    meant = {
        "**": cell in marks.won,
        "()": cell == marks.chosen,
        "!!": cell == marks.check,
        "^^": bool(grid.pieces) and cell == marks.hint,
        "{}": cell in marks.legal and not grid.is_blank(cell),  # may be taken
        "[]": cell in marks.last,
        "><": cursor_here,
    }
    return next((edges for edges, holds in meant.items() if holds), "  ")


def _disc(kind: str, layout: Layout, part: int, plain: bool) -> str:
    """Draw the middle of an occupied cell."""
    if layout.grid.pieces:
        middle = part == layout.cell_height // 2
        shown = layout.grid.shown(kind, plain) if middle and kind != BLANK else ""
        room = layout.cell_width - 2 - cell_len(shown)
        return " " * (room // 2) + shown + " " * (room - room // 2)
    if layout.cell_height == 1:
        return {FIRST: "●", SECOND: "○" if plain else "●"}.get(kind, "●" if kind == BLANK else kind)
    if kind not in (FIRST, SECOND, BLANK):
        middle = part == layout.cell_height // 2
        return f"{kind if middle else '':^{layout.cell_width - 2}}"
    return (RINGS if plain and kind == SECOND else DISCS)[layout.cell_height][part]


def _blank(layout: Layout, marks: CellMarks, cell: Cell, part: int, plain: bool) -> str:
    """Draw the middle of an empty cell: its number where a digit plays it.

    A board of columns has holes instead, which are drawn as discs: then it is empty.
    """
    mark, grid = "", layout.grid
    if not grid.rows and not plain:
        return ""
    if part == layout.cell_height // 2:
        if marks.hint == cell and grid.rows:
            mark = "!"
        elif not grid.rows:
            mark = "·"
        elif cell in marks.legal:
            small = grid.width * grid.height <= DIGITS
            mark = str(cell[0] * grid.width + cell[1] + 1) if small else "·"
    return f"{mark:^{layout.cell_width - 2}}"


def _ink(game: Game, grid: Grid, kind: str) -> str:
    if kind in (FIRST, SECOND):
        return HUES[hues(game)[0 if kind == FIRST else 1]]
    if grid.pieces and kind != BLANK:
        return HUES[hues(game)[kind.islower()]]
    return HOLE if kind == BLANK and not grid.rows else "#c9dccf"


def _ground(game: Game, grid: Grid, cell: Cell, marks: CellMarks, cursor: bool) -> str:
    base = BLUE if not grid.rows else GREEN if "black" in hues(game) else GREY
    if cell in marks.won:
        return "#7a5cff"
    if cell == marks.check:
        return "#a13030"
    if cursor or cell == marks.chosen:
        return "#5f6b7a"
    if cell in marks.last:
        return _lighter(base, 46)
    if grid.pieces and not grid.hands:  # a board of squares in two colours
        return base if sum(cell) % 2 else _lighter(base, 46)
    return _lighter(base, 14) if grid.rows and sum(cell) % 2 else base


def _lighter(colour: str, by: int) -> str:
    parts = [min(255, int(colour[i : i + 2], 16) + by) for i in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in parts)


def hues(game: Game) -> tuple[str, str]:
    """Return the colours that the players are named after, else red and yellow."""
    words = [re.search(r"\((\w+)\)|^(\w+)$", name.lower()) for name in game.player_names]
    named = [word[1] or word[2] for word in words if word]
    found = [word for word in named if word in HUES]
    return (found[0], found[1]) if len(found) == 2 else ("red", "yellow")


def digit_actions(game: Game, grid: Grid | None, cells: Mapping[Cell, int]) -> dict[str, int]:
    """Map each digit key to its action: the move of that name, else the numbered cell."""
    named = {game.format_action(a): a for a in range(game.num_actions)}
    digits = {key: named[key] for key in "123456789" if key in named}
    if digits or grid is None or grid.width * grid.height > DIGITS:
        return digits
    numbered = {(row, column): row * grid.width + column + 1 for row, column in cells}
    return {str(numbered[cell]): action for cell, action in cells.items()}
