"""A session with a match of Lanes, without a screen: played by agents and a person, or a replay.

It advances by a clock that is passed in, tick by tick, so tests and screens use it alike.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from arena.play.lanes.person import Person
from arena.play.lanes.players import Players
from arena.play.lanes.replay import ENDING, Replay, ReplayError, write_replay
from arena.play.lanes.scene import SIDES, VIEWS, Scene, View, scene_of
from arena.play.lanes.timeline import Timeline, timeline_of
from arena.play.pictures.session import LATE_S, SPEEDS
from envs.lanes import rules as r
from envs.lanes.one_match import LanesMatch

OTHER_RULES = "recorded under other rules: the match ends otherwise than it did"
MOST_NAMES = 1000  # numbered names that are tried for a file


class LanesSession:
    """A match on its way.

    Args:
        timeline: of the match.
        names: of who plays the left and the right team.
        players: who play it; None for a replay.
        view: at first.
        by_turns: each decision waits for the person's order.
        now: seconds of a monotonic clock.

    Attributes:
        message: for the person who watches.
    """

    def __init__(
        self,
        timeline: Timeline,
        names: tuple[str, str],
        players: Players | None = None,
        *,
        view: View = "full",
        by_turns: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeline, self.names, self.players = timeline, names, players
        self.paused, self.speed, self.by_turns = False, 1.0, by_turns
        self.message = ""
        self._view: View = view
        self._now = now
        self._due = now()
        self._turn = False  # a decision of a game by turns is carried out
        self._ended = False  # the end was reached, wherever the timeline is now
        self._scene: tuple[object, Scene] | None = None

    @property
    def match(self) -> LanesMatch:
        """Return the match, at the place that is shown."""
        return self.timeline.match

    @property
    def person(self) -> Person | None:
        """Return the person who plays now; None in a replay, and when the match is over."""
        return None if self.players is None or self._ended else self.players.person

    @property
    def view(self) -> View:
        """Return whose view is shown: a person who plays sees what the own team sees."""
        return self._view if self.person is None else SIDES[self.person.team]

    def scene(self) -> Scene:
        """Return what is shown now."""
        key = (id(self.timeline), self.match.ticks, self.match.waits, self.view)
        if self._scene is None or self._scene[0] != key:
            self._scene = key, scene_of(self.match, self.view)
        return self._scene[1]

    @property
    def waits_for_order(self) -> bool:
        """Return whether a game by turns waits for the person."""
        return bool(self.by_turns and self.person and self.match.waits and not self._turn)

    # --- the clock ---

    def tick(self) -> bool:
        """Make the ticks that are due by the clock; return whether anything changed."""
        now = self._now()
        if self._rests():
            self._due = now
            return False
        if now - self._due > LATE_S:
            self._due = now
        changed = False
        while self._due <= now and not self._rests():
            self._due += r.TICK_S / self.speed
            changed |= self._advance(self.timeline.tick)
        return changed

    def _rests(self) -> bool:
        """Return whether nothing moves, whatever the clock says."""
        return self.paused or self.waits_for_order or self.timeline.is_at_end

    def _advance(self, move: Callable[[], bool]) -> bool:
        moved = move()
        if self.match.waits:
            self._turn = False
            self._ended |= self.match.is_over
        return moved

    # --- what a person asks for ---

    def press(self, key: str) -> None:
        """Take a key of the person who plays."""
        person = self.person
        if person is None:
            return
        ordered = person.press(key, self.match, self._now())
        self.message = person.message
        if ordered and self.by_turns:
            self._turn, self._due = True, self._now()

    def pause(self) -> None:
        """Pause, or go on."""
        self.paused = not self.paused
        self.message = "paused: p goes on, . makes one decision" if self.paused else ""

    def step(self) -> None:
        """Finish the running decision, or make one more, and stay paused."""
        if not self.by_turns:
            self.paused = True
        self._advance(self.timeline.advance)

    def seek(self, decisions: int) -> None:
        """Go forward or back by decisions, as far as the match is known."""
        self.seek_to(self.timeline.at + decisions)

    def seek_to(self, decision: int) -> None:
        """Go to a decision, as far as it is known; a person who plays stays in the present."""
        if self.person is not None:
            self.message = "you can go back when the match is over"
        else:
            self.timeline.seek(decision)
            self._due = self._now()

    def change_speed(self, up: bool) -> None:
        """Play at the next higher or lower speed."""
        place = SPEEDS.index(self.speed) + (1 if up else -1)
        self.speed = SPEEDS[max(0, min(place, len(SPEEDS) - 1))]
        self.message = f"speed {self.speed:g}"

    def change_view(self) -> None:
        """Show everything, what the left team sees, or what the right team sees, in turn."""
        if self.person is not None:
            self.message = "you see what your team sees, until the match is over"
            return
        self._view = VIEWS[(VIEWS.index(self._view) + 1) % len(VIEWS)]
        self.message = {"full": "everything"}.get(self._view, f"what the {self._view} team sees")

    def change_turns(self) -> None:
        """Play by turns, or by the clock."""
        if self.person is None:
            self.message = "only who plays can play by turns"
            return
        self.by_turns = not self.by_turns
        told = "by turns: each decision waits for your order" if self.by_turns else "by the clock"
        self.message = told

    def new_match(self) -> None:
        """Begin another match of the same players, of the next seed; a replay begins again."""
        if self.players is None:
            self.timeline.seek(0)
            return
        if self.players.person is not None:
            self.players.person.begin()
        seed = (self.match.seed + 1) % 2**64
        self.timeline = Timeline(LanesMatch(self.match.game, seed), (), self.players)
        self._ended, self._turn, self._due, self.message = False, False, self._now(), ""

    def save(self, folder: Path = Path()) -> None:
        """Save the match so far as a replay in a folder, under a name that is free."""
        try:
            path = save_replay(folder, self.timeline.replay(self.names))
            self.message = f"saved to {path}"
        except (ReplayError, OSError) as error:
            self.message = f"not saved: {error}"


def begin_session(
    game: str,
    players: Players,
    *,
    seed: int = 0,
    by_turns: bool = False,
    now: Callable[[], float] = time.monotonic,
) -> LanesSession:
    """Begin a match of players from a seed. Raises ValueError for a seed below 0."""
    timeline = Timeline(LanesMatch(game, seed), (), players)
    return LanesSession(timeline, players.names, players, by_turns=by_turns, now=now)


def open_session(replay: Replay, now: Callable[[], float] = time.monotonic) -> LanesSession:
    """Open a replay at its beginning."""
    timeline, is_same = timeline_of(replay)
    session = LanesSession(timeline, replay.names, now=now)
    session.message = "" if is_same else OTHER_RULES
    return session


def save_replay(folder: Path, replay: Replay) -> Path:
    """Write a replay under a name that is free; returns its path.

    Raises ReplayError where no name is free, and OSError.
    """
    who = "-".join(re.sub(r"[^A-Za-z0-9_@.]+", "_", name) for name in replay.names)
    stem = f"{replay.game}-{who[:100]}-{replay.seed}"
    for number in range(1, MOST_NAMES):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{ENDING}"
        if not path.exists():
            write_replay(path, replay)
            return path
    raise ReplayError(f"{stem!r}: {MOST_NAMES} replays have this name")
