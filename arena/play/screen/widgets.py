"""Widgets that redraw for their size, and only when something changed."""

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
    """A text widget whose text is made for its size.

    Args:
        make: the text for a width and a height.
        rest_s: least seconds between redraws that were not asked for.
    """

    def __init__(self, make: Callable[[int, int], Text], rest_s: float = 0.0, **words: Any) -> None:
        super().__init__(**words)
        self._make = make
        self._rest_s = rest_s
        self._shown: Text | None = None
        self._drawn_at = -rest_s

    def show(self, asked: bool = True) -> None:
        """Redraw if the text has changed; `asked` skips the rest."""
        if not asked and time.monotonic() - self._drawn_at < self._rest_s:
            return
        if self._make(self.size.width, self.size.height) != self._shown:
            self.refresh()

    def render(self) -> Text:
        """Return the text for the current size."""
        self._shown = self._make(self.size.width, self.size.height)
        self._drawn_at = time.monotonic()
        return self._shown


class BoardView(Widget):
    """The board widget; a click on a cell is posted as `Clicked`."""

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
        """Show a grid with its marks, or the text of a game without a grid."""
        if content != self._content:
            self._content = content
            self.refresh()

    def render(self) -> Text:
        """Draw the board as large as fits."""
        if isinstance(self._content, Text):
            return self._content
        grid, marks = self._content
        self._placed = fit(grid, self.size.width, self.size.height, self.plain)
        return draw(self.game, self._placed, marks, self.plain)

    def on_click(self, event: Click) -> None:
        """Post the clicked cell."""
        cell = self._placed.cell_at(event.x, event.y) if self._placed else None
        if cell is not None:
            self.post_message(self.Clicked(cell))
