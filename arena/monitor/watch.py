"""Follow a training run from any terminal, by its journal: `ludens watch`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol

from rich.console import Console, Group, RenderableType
from rich.text import Text

from agents.progress import Progress
from agents.registry import metrics_of_run
from arena.monitor.figures import duration
from arena.monitor.history import History, Moment, Timeline
from arena.monitor.panel import LivePanel, PlainLines, line, sparkline
from arena.rating.recorded import Rated, RatingsWatch, elo_by_step, rate_recorded_matches

POLL_S = 2.0
STALE_S = 60.0  # a running session records every ten seconds
RATINGS_S = 60.0  # between two reads of the recorded matches
HOW_TO_LEAVE = "Ctrl-C leaves; training goes on"

State = Literal["training", "finished", "stopped", "lost"]


def state_of(newest: Moment, now: float) -> State:
    """Derive a run's state from its newest record; `now` is in seconds since 1970.

    "lost": it is silent without having ended. It was killed, or its clock and ours disagree, or one
    stage takes it longer than STALE_S.
    """
    progress = newest.progress
    if progress.event != "finished":
        return "training" if now - newest.time < STALE_S else "lost"
    return "finished" if progress.budget_is_used else "stopped"


def state_text(state: State, newest: Moment, now: float) -> str:
    """Describe the state in a sentence."""
    if state == "training":
        return HOW_TO_LEAVE
    why = {"finished": "its budget is used", "stopped": "stopped", "lost": "it ended unexpectedly"}
    ago = duration(now - newest.time)
    return f"not being trained now ({why[state]}), last seen {ago} ago"


class Display(Protocol):
    """The interface of `LivePanel` and `PlainLines`."""

    def show(self, progress: Progress) -> None:
        """Show a stage."""

    def notice(self, text: str) -> None:
        """Show a notice."""


@dataclass(frozen=True)
class EloLine:
    """The checkpoints' ratings by recorded matches in one line, empty without any."""

    text: str = ""

    @classmethod
    def of(cls, ratings: Sequence[Rated], run_name: str) -> EloLine:
        """Format the ratings of a run's recorded matches."""
        rated = elo_by_step(ratings, run_name)
        if not rated:
            return cls()
        series = [r.elo for _, r in rated]
        step, newest = rated[-1]
        return cls(
            f"Elo {newest.elo:+.0f} ± {newest.error:.0f} at step {step:,}"
            f"  {sparkline(series, min(series))}"
        )


class WatchPanel(LivePanel):
    """The run's panel, with the checkpoints' ratings under it."""

    elo = EloLine()

    def render(self) -> RenderableType:
        """Draw the current panel."""
        drawn = super().render()
        return Group(drawn, Text(f"  {self.elo.text}", style="cyan")) if self.elo.text else drawn


def feed(display: Display, timeline: Timeline, shown: Moment | None) -> None:
    """Show the moments after the one shown last, earlier ones as the panel's history.

    Plain lines show only the newest: repeating a day of them helps no reader.
    """
    new = timeline.moments
    if shown is not None:
        new = [moment for moment in new if moment.time > shown.time]
    if isinstance(display, PlainLines):
        new = new[-1:]
    steps = shown.progress.learner_steps if shown else 0
    for moment in new:
        progress = moment.progress
        if progress.learner_steps != steps and progress.event != "finished":
            progress = replace(progress, event="learned")  # its own record may be thinned out
        steps = progress.learner_steps
        display.show(progress)


def follow(
    history: History,
    display: Display,
    *,
    pause: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> None:
    """Show a run while it trains, until interrupted; raises NoHistoryError without a journal."""
    shown, state, rated_at = None, "", 0.0
    ratings = RatingsWatch(history.run.files)
    while True:
        timeline = history.timeline()
        newest = timeline.moments[-1]
        if isinstance(display, WatchPanel) and now() - rated_at >= RATINGS_S:
            display.elo, rated_at = EloLine.of(ratings.look(), history.run.name), now()
        if newest != shown:
            feed(display, timeline, shown)
            shown = newest
        before, state = state, state_of(newest, now())
        if state == "lost" and before != state:  # its clock stops
            display.show(replace(newest.progress, event="finished", notices=()))
        if isinstance(display, LivePanel) or before != state:
            display.notice(state_text(state, newest, now()))
        pause(POLL_S)


def as_json(history: History, now: float, ratings: RatingsWatch | None = None) -> dict[str, Any]:
    """Return the state of a run as values for JSON."""
    rated = (ratings or RatingsWatch(history.run.files)).look()
    newest = history.timeline().moments[-1]
    progress = {
        name: None if figure != figure else figure  # NaN
        for name, figure in vars(newest.progress).items()
        if name not in ("policy", "measured")
    }
    return {
        "run": history.run.name,
        "game": history.run.info.game,
        "state": state_of(newest, now),
        "last_seen_s": round(max(0.0, now - newest.time), 1),
        "progress": progress,
        "measured": [asdict(found) for found in newest.progress.measured],
        "ratings": [found._asdict() for found in rated],
    }


def each_moment(
    history: History,
    *,
    pause: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> Any:
    """Yield `as_json` now and after each new record, until interrupted."""
    last: Mapping[str, Any] = {}
    ratings = RatingsWatch(history.run.files)
    while True:
        found = as_json(history, now(), ratings)
        if any(found[name] != last.get(name) for name in ("state", "progress", "measured")):
            yield found
        last = found
        pause(POLL_S)


def show_once(history: History, title: str, where: str, console: Console | None = None) -> None:
    """Print the state of a run: the panel on a terminal, lines elsewhere."""
    console = console or Console()
    timeline, now = history.timeline(), time.time()
    newest, specs = timeline.moments[-1], metrics_of_run(history.run.info)
    state = state_of(newest, now)
    said = "being trained" if state == "training" else state_text(state, newest, now)
    elo = EloLine.of(rate_recorded_matches(history.run.files), history.run.name)
    if console.is_terminal and not console.is_dumb_terminal:
        panel = WatchPanel(title, where, specs, console)
        panel.elo = elo
        feed(panel, timeline, None)
        panel.show(replace(newest.progress, event="finished", notices=()))
        panel.notice(said)
        console.print(panel.render())
        return
    for text in (f"{title}, {where}", line(newest.progress, specs), elo.text, said):
        if text:
            print(text, flush=True)
