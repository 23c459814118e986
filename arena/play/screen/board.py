"""Read a board's cells from the game's text, and draw them in colours at any size."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rich.style import Style
from rich.text import Text

from arena.play.terminal import COLOUR
from envs.game import Game

Cell = tuple[int, int]  # row from the top, column
FIRST, SECOND = "X", "O"  # as games draw the two players
BLANK = (".", "*")  # an empty cell; one that may be played
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
        return self.cells[cell[0]][cell[1]] in BLANK

    def name(self, cell: Cell) -> str:
        """Return the game's name for a cell, or for its column where columns are moves."""
        return self.columns[cell[1]] + (self.rows[cell[0]] if self.rows else "")


def read_grid(game: Game, state: Any) -> Grid | None:
    """Read the cells of a position; None for a game whose drawing is no grid."""
    _, height, width = game.planes_shape
    lines = [line.split() for line in COLOUR.sub("", game.render(state)).splitlines()]
    body, rest = lines[:height], lines[height:]
    if len(body) < height or not rest or len(rest[0]) != width:
        return None
    labelled = all(len(line) == width + 1 and line[0].isdecimal() for line in body)
    cells = tuple(tuple(line[1:] if labelled else line) for line in body)
    if any(len(row) != width or any(len(cell) != 1 for cell in row) for row in cells):
        return None
    rows = tuple(line[0] for line in body) if labelled else ()
    return Grid(cells, tuple(rest[0]), rows, tuple("  ".join(line) for line in rest[1:]))


def actions_by_cell(game: Game, grid: Grid) -> dict[Cell, int]:
    """Map each cell to the action of a click on it, by the names of cells and actions."""
    named = {game.format_action(action): action for action in range(game.num_actions)}
    everywhere = [(row, column) for row in range(grid.height) for column in range(grid.width)]
    return {c: named[grid.name(c)] for c in everywhere if grid.name(c) in named}


def changed_cells(before: Grid, after: Grid) -> list[Cell]:
    """List the cells that a move filled."""
    return [
        (r, c)
        for r, row in enumerate(after.cells)
        for c, now in enumerate(row)
        if now not in BLANK and before.cells[r][c] in BLANK
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
                    if len(kinds) == 1 and not kinds & set(BLANK):
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


@dataclass(frozen=True)
class Layout:
    """The positions of a grid's cells on a widget, in characters."""

    grid: Grid
    cell_width: int
    cell_height: int
    left: int  # of the first cell
    top: int

    def cell_at(self, x: int, y: int) -> Cell | None:
        """Return the cell under a point; column labels count as their column."""
        row, column = (y - self.top) // self.cell_height, (x - self.left) // self.cell_width
        if not self.grid.rows and -1 <= row <= self.grid.height:
            row = min(max(row, 0), self.grid.height - 1)
        inside = 0 <= row < self.grid.height and 0 <= column < self.grid.width
        return (row, column) if inside else None


def fit(grid: Grid, width: int, height: int) -> Layout:
    """Make the largest layout that fits, centred; the smallest if none does."""
    margin, notes = (3 if grid.rows else 0), len(grid.notes)
    around = 1 + (0 if grid.rows else 1) + notes  # labels below, a marker line above columns
    sizes = [
        (w, h)
        for w, h in SIZES
        if grid.width * w + margin <= width and grid.height * h + around <= height
    ]
    w, h = sizes[0] if sizes else SIZES[-1]
    left = margin + max(0, (width - grid.width * w - margin) // 2)
    spare = max(0, height - grid.height * h - around) // 2
    return Layout(grid, w, h, left, spare + (0 if grid.rows else 1))


def draw(game: Game, layout: Layout, marks: CellMarks, plain: bool = False) -> Text:
    """Draw the board; `plain` tells the players apart without colours."""
    grid, text = layout.grid, Text(no_wrap=True)
    text.append("\n" * (layout.top - (0 if grid.rows else 1)))
    if not grid.rows:
        text.append_text(_markers(layout, marks))
    for row in range(grid.height):
        for part in range(layout.cell_height):
            label = grid.rows[row] if grid.rows and part == layout.cell_height // 2 else ""
            text.append(f"{label:>{layout.left - 1}} " if grid.rows else " " * layout.left, "dim")
            for column in range(grid.width):
                shown, style = _cell_part(game, layout, marks, (row, column), part, plain)
                text.append(shown, style)
            text.append("\n")
    text.append_text(_labels(layout, marks))
    for note in grid.notes:
        text.append("\n" + " " * layout.left + note, "dim")
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
    text = Text(" " * layout.left)
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
    inside = _blank(layout, marks, cell, part, plain) if kind in BLANK else ""
    inside = inside or _disc(kind, layout, part, plain)
    edges = "  "
    if cell in marks.won:
        edges = "**"
    elif cell in marks.last:
        edges = "[]"
    elif cursor_here:
        edges = "><"
    shown = edges[0] + inside + edges[1]
    ground = _ground(game, layout.grid, cell, marks, cursor_here)
    return shown, Style(color=_ink(game, layout.grid, kind), bgcolor=ground, bold=True)


def _disc(kind: str, layout: Layout, part: int, plain: bool) -> str:
    """Draw the middle of an occupied cell."""
    if layout.cell_height == 1:
        return {FIRST: "●", SECOND: "○" if plain else "●"}.get(kind, "●" if kind in BLANK else kind)
    if kind not in (FIRST, SECOND, *BLANK):
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
    return HOLE if kind in BLANK and not grid.rows else "#c9dccf"


def _ground(game: Game, grid: Grid, cell: Cell, marks: CellMarks, cursor: bool) -> str:
    base = BLUE if not grid.rows else GREEN if "black" in hues(game) else GREY
    if cell in marks.won:
        return "#7a5cff"
    if cursor:
        return "#5f6b7a"
    if cell in marks.last:
        return _lighter(base, 46)
    return _lighter(base, 14) if grid.rows and sum(cell) % 2 else base


def _lighter(colour: str, by: int) -> str:
    parts = [min(255, int(colour[i : i + 2], 16) + by) for i in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in parts)


def hues(game: Game) -> tuple[str, str]:
    """Return the colours that the players are named after, else red and yellow."""
    words = [re.search(r"\((\w+)\)", name) for name in game.player_names]
    found = [word[1] for word in words if word and word[1] in HUES]
    return (found[0], found[1]) if len(found) == 2 else ("red", "yellow")


def digit_actions(game: Game, grid: Grid | None, cells: Mapping[Cell, int]) -> dict[str, int]:
    """Map each digit key to its action: the move of that name, else the numbered cell."""
    named = {game.format_action(a): a for a in range(game.num_actions)}
    digits = {key: named[key] for key in "123456789" if key in named}
    if digits or grid is None or grid.width * grid.height > DIGITS:
        return digits
    numbered = {(row, column): row * grid.width + column + 1 for row, column in cells}
    return {str(numbered[cell]): action for cell, action in cells.items()}
