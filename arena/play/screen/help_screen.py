"""The window that lists the keys."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS = """\
1 to 9     play that column, or the cell of that number
arrows     move the cursor;  enter  plays there (or passes)
m          type a move by its name (e2e4, Nf3, P*5e, pass)
click      play there; of pieces the one to move, then where
             to; one in hand to drop it
space      the agent stops thinking and moves now
u  r       undo, redo
h          hint: the best move and its value
x          swap sides
+  -       more, fewer simulations; 0 is no search
p  .       pause agents and clocks; one agent's move
n          new game
s  o       save the game to a file, open one
a          analysis: walk the game, see the mistakes
             arrows, home and end walk; esc leaves
             ?! doubtful  ? mistake  ?? blunder
t          tree of the last search (of the position
             shown, in analysis)
q, ctrl+c  leave"""


class HelpScreen(ModalScreen[None]):
    """A list of the keys, over the current screen; by default those of a board game."""

    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 60; max-width: 100%; height: auto; max-height: 100%;
        border: round $accent; padding: 0 1; background: $surface;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,space", "dismiss", "close"),
        Binding("ctrl+c", "app.leave", priority=True, show=False),
    ]

    def __init__(self, keys: str = KEYS) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """Lay out the keys, scrolled where they do not fit."""
        with VerticalScroll() as box:
            box.border_title = "keys"
            yield Static(self._keys, markup=False)
