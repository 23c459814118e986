"""Parts of the screen that draw themselves anew for their size, and only when something changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from arena.play.screen.board import Cell, CellMarks, Grid, Layout, draw, fit
from envs.game import Game


class Panel(Widget):
    """Text made for the widget's size.

    Args:
        make: the text for a width and a height.
        rest_s: seconds for which it stays as it is drawn, where nobody asked for another.
    """

    def __init__(self, make: Callable[[int, int], Text], rest_s: float = 0.0, **words: Any) -> None:
        super().__init__(**words)
        self._make = make
        self._rest_s = rest_s
        self._shown: Text | None = None
        self._drawn_at = -rest_s

    def show(self, asked: bool = True) -> None:
        """Draw again if the text is another by now; `asked` ends its rest."""
        if not asked and time.monotonic() - self._drawn_at < self._rest_s:
            return
        if self._make(self.size.width, self.size.height) != self._shown:
            self.refresh()

    def render(self) -> Text:
        """The text for the present size."""
        self._shown = self._make(self.size.width, self.size.height)
        self._drawn_at = time.monotonic()
        return self._shown


class BoardView(Widget):
    """The board; a click on a cell is posted as `Clicked`."""

    class Clicked(Message):
        """A cell that was clicked."""

        def __init__(self, cell: Cell) -> None:
            super().__init__()
            self.cell = cell

    def __init__(self, game: Game, plain: bool, **words: Any) -> None:
        super().__init__(**words)
        self.game = game
        self.plain = plain
        self._content: tuple[Grid, CellMarks] | Text = Text()
        self._placed: Layout | None = None

    def show(self, content: tuple[Grid, CellMarks] | Text) -> None:
        """Show a grid with its marks, or the drawing of a game that has no grid."""
        if content != self._content:
            self._content = content
            self.refresh()

    def render(self) -> Text:
        """The board as large as fits."""
        if isinstance(self._content, Text):
            return self._content
        grid, marks = self._content
        self._placed = fit(grid, self.size.width, self.size.height)
        return draw(self.game, self._placed, marks, self.plain)

    def on_click(self, event: Click) -> None:
        """Tell which cell it was."""
        cell = self._placed.cell_at(event.x, event.y) if self._placed else None
        if cell is not None:
            self.post_message(self.Clicked(cell))
