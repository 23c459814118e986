"""The Textual app: the map of a match of Lanes, with the heroes beside it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Key

from arena.play.lanes import panels
from arena.play.lanes.painting import TILES, characters
from arena.play.lanes.person import KEYS as PLAY_KEYS
from arena.play.lanes.session import LanesSession
from arena.play.leaving import leave_by_signals, run_until_left
from arena.play.pictures.blocks import Depth, Size
from arena.play.pictures.widget import CellsView
from arena.play.screen.help_screen import HelpScreen
from arena.play.screen.widgets import Panel
from envs.lanes import rules as r

FRAME_S = 1 / 30  # between two looks at the clock
REST_S = 0.1  # between two redraws of the text beside a moving map
SHORT, LONG = 10, 75  # decisions: 8 s and a minute

PLAY_HELP = """\
arrows     walk; two at once walk diagonally, as do
           home, page up, end, page down and the
           digits of a number pad
space 5    stop
a          attack the target, else the nearest enemy
tab        the next target, by distance
s  d       the skills, on the target, else the nearest;
           a heal on the weakest ally; a dash in the
           direction of the last walk
r          recall to the base: 3 s without a hit
b          buy, in the base or while dead: then 1 to 4
             An order stands until the next one.
t          by turns (a decision, 0.8 s, for each
           order), or by the clock
p  .       pause; one decision
+  -       faster, slower
n  w       new match; save it as a replay
q, ctrl+c  leave"""

WATCH_HELP = """\
p  space   pause, or go on
.  ,       one decision (0.8 s) forward, back
← →        8 s back, forward, as far as is known
page up, page down   a minute back, forward
home end   the start; the last known moment
+  -       faster, slower
v          everything; the left team's view; the right
n          new match of the same agents; of a replay,
           its start
w          save the match so far as a replay
q, ctrl+c  leave"""

MAP_HELP = """

On the map: S support, A assassin, M mage, T tank,
C carry; ▲ tower, ◆ core; dots are creeps, yellow
ones neutrals. What a team does not see is dark; what
it remembers is dim."""

WATCH_KEYS = {
    "space": ("pause",),
    "comma": ("seek", -1),
    "left": ("seek", -SHORT),
    "right": ("seek", SHORT),
    "pageup": ("seek", -LONG),
    "pagedown": ("seek", LONG),
    "home": ("seek_to", 0),
    "end": ("seek_to", r.LIMIT),
}


class MapView(CellsView):
    """The map of a session, as large as fits, in the middle.

    Args:
        session: what is shown.
        depth: colours of the terminal.
    """

    def __init__(self, session: LanesSession, depth: Depth, **words: Any) -> None:
        super().__init__(**words)
        self._session = session
        self._depth = depth

    def draw(self, columns: int, rows: int) -> NDArray[np.int64] | None:
        """See CellsView."""
        rows = max(TILES // 4, min(rows, columns // 2))
        person = self._session.person
        you, chosen = (-1, -1) if person is None else (person.player, person.chosen)
        return characters(self._session.scene(), Size(2 * rows, rows), self._depth, you, chosen)


class LanesApp(App[None]):
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
    #map { width: 1fr; height: 100%; }
    #side { width: 42; max-width: 50%; height: 100%; padding: 0 1; }
    #score { height: 4; }
    #own { height: 7; }
    #heroes { height: 1fr; }
    #message { height: 1; color: $warning; padding: 0 1; }
    #keys { height: 2; color: $text-muted; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", priority=True),
        Binding("q", "leave"),
        Binding("p", "ask('pause')"),
        Binding("full_stop", "ask('step')"),
        Binding("v", "ask('change_view')"),
        Binding("t", "ask('change_turns')"),
        Binding("n", "ask('new_match')"),
        Binding("w", "ask('save')"),
        Binding("plus,equals_sign", "ask('change_speed', True)"),
        Binding("minus", "ask('change_speed', False)"),
        Binding("question_mark,f1", "help"),
    ]

    def __init__(self, session: LanesSession, notice: str = "") -> None:
        super().__init__()
        self.session = session
        session.message = session.message or notice

    def compose(self) -> ComposeResult:
        """Lay out the title on top, the map beside the text, message and keys below."""
        session = self.session
        colours: Depth = "true" if self.console.color_system == "truecolor" else "256"
        yield Panel(lambda w, h: panels.title_text(session), id="title")
        with Horizontal(id="middle"):
            yield MapView(session, colours, id="map")
            with Vertical(id="side"):
                yield Panel(lambda w, h: panels.score_text(session), REST_S, id="score")
                yield Panel(lambda w, h: panels.own_text(session), REST_S, id="own")
                yield Panel(lambda w, h: panels.heroes_text(session, h), REST_S, id="heroes")
        yield Panel(lambda w, h: panels.message_text(session), id="message")
        yield Panel(lambda w, h: panels.keys_text(session), id="keys")

    def on_mount(self) -> None:
        """Start the clock."""
        leave_by_signals(lambda status: self.exit(return_code=status))
        self.set_interval(FRAME_S, self._tick)
        self.call_after_refresh(self._show)

    def _tick(self) -> None:
        self.session.tick()
        self._show(asked=False)

    def _show(self, asked: bool = True) -> None:
        """Redraw what changed; `asked` by a key, or by the clock."""
        for base in self.screen_stack[:1]:  # none is left when the last tick comes late
            for view in base.query(MapView):
                view.redraw()
            for panel in base.query(Panel):
                panel.show(asked)
            for own in base.query("#own"):
                own.display = self.session.person is not None

    async def on_event(self, event: Any) -> None:
        """Take the keys of the map before Textual takes tab for its own."""
        is_key = isinstance(event, Key) and len(self.screen_stack) == 1
        if is_key and self._take(event.key):
            event.stop()
            self._show()
            return
        await super().on_event(event)

    def _take(self, key: str) -> bool:
        """Take a key of the person who plays, or who watches; return whether it is one."""
        if self.session.person is not None:
            if key in PLAY_KEYS:
                self.session.press(key)
            return key in PLAY_KEYS
        if key in WATCH_KEYS:
            name, *words = WATCH_KEYS[key]
            getattr(self.session, str(name))(*words)
        return key in WATCH_KEYS

    def action_ask(self, what: str, *words: bool) -> None:
        """Pass on pause, step and the other requests that the session handles."""
        getattr(self.session, what)(*words)
        self._show()

    def action_help(self) -> None:
        """Show the keys."""
        keys = WATCH_HELP if self.session.person is None else PLAY_HELP
        self.push_screen(HelpScreen(keys + MAP_HELP))

    def action_leave(self) -> None:
        """Leave."""
        self.exit()


def show(session: LanesSession, notice: str = "") -> int:
    """Show the session until it is left; returns the exit status."""
    app = LanesApp(session, notice)
    return run_until_left(app)
