"""The widgets that show a picture or another drawing, and redraw the rows that changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from arena.play.pictures.blocks import Depth, cells, fit, row_segments


class CellsView(Widget):
    """A drawing of coloured characters, as large as fits, in the middle; subclasses draw it."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self._drawn = np.zeros((0, 0), np.int64)  # the colours of each character
        self._left = self._top = 0

    def draw(self, columns: int, rows: int) -> NDArray[np.int64] | None:
        """Draw what fits within `columns` and `rows`, as `blocks.cells`; None without a content."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw the content; the rows that differ from the last drawing are shown again."""
        before, moved = self._drawn, self._place()
        if moved or before.shape != self._drawn.shape:
            self.refresh()
            return
        changed = np.flatnonzero((before != self._drawn).any(axis=1)).tolist()
        if changed:
            self.refresh(*(Region(0, self._top + row, self.size.width, 1) for row in changed))

    def on_resize(self) -> None:
        """Draw the content for the new size."""
        self._place()
        self.refresh()

    def _place(self) -> bool:
        """Draw the content for the widget's size; return whether its place has changed."""
        drawn = self.draw(*self.size) if self.size else None
        if drawn is None:
            return False
        self._drawn = drawn
        rows, columns = drawn.shape
        place = (self.size.width - columns) // 2, (self.size.height - rows) // 2
        moved = place != (self._left, self._top)
        self._left, self._top = place
        return moved

    def render_line(self, y: int) -> Strip:
        """Return a row of the widget."""
        row = y - self._top
        style = self.rich_style
        if not 0 <= row < len(self._drawn):
            return Strip.blank(self.size.width, style)
        columns = self._drawn.shape[1]
        right = self.size.width - self._left - columns
        segments = [Segment(" " * self._left, style), *row_segments(self._drawn[row])]
        return Strip([*segments, Segment(" " * right, style)], self.size.width)


class PictureView(CellsView):
    """A picture, as large as fits, in the middle.

    Args:
        depth: colours of the terminal.
        widest_pixel: the most that a pixel is stretched, width to height.
    """

    def __init__(self, depth: Depth, widest_pixel: float, **words: Any) -> None:
        super().__init__(**words)
        self._depth = depth
        self._widest = widest_pixel
        self._picture: NDArray[np.uint8] | None = None

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show a picture [h, w, 3]; the rows that differ from the last are drawn again."""
        self._picture = picture
        self.redraw()

    def draw(self, columns: int, rows: int) -> NDArray[np.int64] | None:
        """See CellsView."""
        if self._picture is None:
            return None
        height, width = self._picture.shape[:2]
        size = fit(height, width, columns, rows, self._widest)
        return cells(self._picture, size, self._depth)
