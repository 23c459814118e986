"""The Textual app: an environment's picture, live, with the values of its actions."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Key

from arena.play.leaving import leave_by_signals, run_until_left
from arena.play.pictures import panels
from arena.play.pictures.blocks import Depth
from arena.play.pictures.session import PictureSession
from arena.play.pictures.stick import HOLD_S
from arena.play.pictures.widget import PictureView
from arena.play.screen.help_screen import HelpScreen
from arena.play.screen.widgets import Panel

TICK_S = 1 / 60
DRAWN_S = 1 / 30  # least time between two pictures, whatever the speed
REST_S = 0.1  # between two redraws of the text beside a moving picture

KEYS = f"""\
t          take over, or hand the stick back to the agent
arrows     the stick, where the game knows them
space      fire
0 to 9     the action of that number
             A terminal does not tell when a key is let
             go: a press holds for {HOLD_S:g} s, and the
             repeats of a key that stays down renew it.
p  .       pause; one step
+  -       faster, slower
n          new game
q, ctrl+c  leave"""


class PictureApp(App[None]):
    """A session on the screen.

    Args:
        session: what is shown.
        notice: the first message.
    """

    TITLE = "Ludens"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    CSS = """
    #title { height: 2; padding: 0 1; }
    #middle { height: 1fr; }
    #picture { width: 1fr; height: 100%; }
    #side { width: 36; max-width: 45%; height: 100%; padding: 0 1; }
    #score { height: 6; }
    #values { height: 1fr; }
    #message { height: 1; color: $warning; padding: 0 1; }
    #keys { height: 2; color: $text-muted; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", priority=True),
        Binding("q", "leave"),
        Binding("p", "ask('pause')"),
        Binding("full_stop", "ask('step')"),
        Binding("t", "ask('take_over')"),
        Binding("n", "ask('new_game')"),
        Binding("plus,equals_sign", "speed(True)"),
        Binding("minus", "speed(False)"),
        Binding("question_mark,f1", "help"),
    ]

    def __init__(self, session: PictureSession, notice: str = "") -> None:
        super().__init__()
        self.session = session
        session.message = notice
        self._stick_keys = frozenset(session.stick.known_keys)

    def compose(self) -> ComposeResult:
        """Lay out the title on top, the picture beside the text, message and keys below."""
        session = self.session
        colours: Depth = "true" if self.console.color_system == "truecolor" else "256"
        yield Panel(lambda w, h: panels.title_text(session, w), id="title")
        with Horizontal(id="middle"):
            yield PictureView(colours, session.environment.widest_pixel, id="picture")
            with Vertical(id="side"):
                yield Panel(lambda w, h: panels.score_text(session), REST_S, id="score")
                yield Panel(lambda w, h: panels.values_text(session, w, h), REST_S, id="values")
        yield Panel(lambda w, h: Text(session.message, no_wrap=True), id="message")
        yield Panel(lambda w, h: Text(panels.keys_text(session)), id="keys")

    def on_mount(self) -> None:
        """Start the clocks of the session and of the drawing."""
        leave_by_signals(lambda status: self.exit(return_code=status))
        self.set_interval(TICK_S, self.session.tick)
        self.set_interval(DRAWN_S, lambda: self._show(asked=False))
        self.call_after_refresh(self._show)

    def _show(self, asked: bool = True) -> None:
        """Redraw what changed; `asked` by a key, or by the clock."""
        for base in self.screen_stack[:1]:  # none is left when the last tick comes late
            for view in base.query(PictureView):
                view.show(self.session.game.seen.picture)
            for panel in base.query(Panel):
                panel.show(asked)

    def on_key(self, event: Key) -> None:
        """Pass the keys of the stick on."""
        if len(self.screen_stack) == 1 and event.key in self._stick_keys:
            event.stop()
            self.session.press(event.key)

    def action_ask(self, what: str) -> None:
        """Pass on pause, step and the other requests that the session handles."""
        getattr(self.session, what)()
        self._show()

    def action_speed(self, up: bool) -> None:
        """Change the speed."""
        self.session.change_speed(up)
        self._show()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(HelpScreen(KEYS))

    def action_leave(self) -> None:
        """Leave."""
        self.exit()


def show(session: PictureSession, notice: str = "") -> int:
    """Show the session until it is left; returns the exit status."""
    app = PictureApp(session, notice)
    return run_until_left(app)
