"""What a training shows: a live panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agents.progress import Progress
from arena.monitor.solver_errors import SolverErrors as Truth

LINE_INTERVAL_S = 10.0
REFRESHES_PER_S = 2.0
SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 16
MOST_COLUMNS = 100
MOST_NOTICES = 4  # shown at once, the newest
LOSSES = ("policy", "value")
COMPILING = "compiling the rules and the search, once on this machine; the clock does not run yet"
HOW_TO_STOP = "Ctrl-C saves and stops; the same command goes on from there"


def duration(seconds: float) -> str:
    """Seconds as `1:02:03` or `2:03`."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(share: float) -> str:
    """A share as a percentage with one decimal: `0.7%`."""
    return f"{100 * share:.1f}%"


def loss(value: float) -> str:
    """A loss, or a dash before the first training."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def sparkline(history: Sequence[float], bottom: float = 0.0, width: int = SPARK_WIDTH) -> str:
    """The course of a series in `width` characters at most, from `bottom` to its largest number."""
    size = min(width, len(history))
    parts = [
        history[i * len(history) // size : (i + 1) * len(history) // size] for i in range(size)
    ]
    means = [sum(part) / len(part) for part in parts]
    height = max((m - bottom for m in means), default=0.0) or 1.0
    return "".join(SPARKS[round((len(SPARKS) - 1) * max(m - bottom, 0) / height)] for m in means)


def seconds_left(progress: Progress) -> float | None:
    """Until the budget is used, at this pace; None where there is none or no pace yet."""
    if progress.budget_s:
        return max(0.0, progress.budget_s - progress.elapsed_s)
    if progress.games_goal and progress.games:
        return progress.elapsed_s * max(0.0, progress.games_goal / progress.games - 1)
    return None


def budget(progress: Progress) -> str:
    """The time used, of what there is."""
    used = duration(progress.elapsed_s)
    return f"{used}/{duration(progress.budget_s)}" if progress.budget_s else used


def line(progress: Progress, truth: Truth) -> str:
    """A training in one line."""
    if progress.event == "compiling":
        return f"{budget(progress)}  {COMPILING}"
    parts = [
        budget(progress),
        f"{progress.games:,} games",
        f"{progress.positions:,} positions",
        f"{progress.simulations_per_s:,.0f} simulations/s",
        f"{progress.evaluations_per_s:,.0f} evaluations/s",
        f"step {progress.learner_steps:,}",
        f"policy {loss(progress.policy_loss)} value {loss(progress.value_loss)}",
    ]
    if progress.workers_wanted:
        parts.insert(3, f"{progress.workers}/{progress.workers_wanted} workers")
    for label, errors in (("errors", truth.raw), (f"at {truth.simulations}", truth.searched)):
        if errors:
            parts.append(f"{label} " + " ".join(percent(e)[:-1] for e in errors.values()) + "%")
    return "  ".join(parts)


class PlainLines:
    """Prints a line every LINE_INTERVAL_S, and at the first and the last stage."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        self.say = say
        self._clock = clock
        self._due = -math.inf

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def notice(self, text: str) -> None:
        """Say something out of turn."""
        self.say(text)

    def show(self, progress: Progress, truth: Truth) -> None:
        """See `arena.monitor.stages.Watcher`."""
        for notice in progress.notices:
            self.say(f"{duration(progress.elapsed_s)}  {notice}")
        if progress.event == "finished" or self._clock() >= self._due:
            self.say(line(progress, truth))
            self._due = self._clock() + LINE_INTERVAL_S


class LivePanel:
    """Redraws all there is to know in place, as long as it is entered."""

    def __init__(
        self, title: str, where: str, console: Console, clock: Callable[[], float] = time.monotonic
    ):
        self.title = title
        self.where = where
        self._console = console
        self._clock = clock
        self._progress: Progress | None = None
        self._truth = Truth()
        self._shown_at = 0.0
        self._began = clock()
        self._notice = HOW_TO_STOP
        self._history: dict[str, list[float]] = {}
        self._happened: deque[str] = deque(maxlen=MOST_NOTICES)
        self._live = Live(
            get_renderable=self.render, console=console, refresh_per_second=REFRESHES_PER_S
        )

    def __enter__(self) -> LivePanel:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def notice(self, text: str) -> None:
        """Say something in the last line."""
        self._notice = text

    def show(self, progress: Progress, truth: Truth) -> None:
        """See `arena.monitor.stages.Watcher`."""
        if progress.event == "learned" and not math.isnan(progress.policy_loss):
            self._remember("policy", progress.policy_loss)
            self._remember("value", progress.value_loss)
        if truth.raw_at != self._truth.raw_at:
            for name, rate in truth.raw.items():
                self._remember(f"raw {name}", rate)
        if truth.searched_at != self._truth.searched_at:
            for name, rate in truth.searched.items():
                self._remember(f"searched {name}", rate)
        for notice in progress.notices:
            self._happened.append(f"{duration(progress.elapsed_s)}  {notice}")
        self._truth, self._progress, self._shown_at = truth, progress, self._clock()

    def _remember(self, series: str, number: float) -> None:
        self._history.setdefault(series, []).append(number)

    def _spark(self, series: str) -> Text:
        history = self._history.get(series, [])
        bottom = min(history, default=0.0) if series in LOSSES else 0.0  # a loss never nears zero
        return Text(sparkline(history, bottom), style="cyan")

    def render(self) -> RenderableType:
        """The panel as it stands at this moment."""
        progress = self._progress
        if progress is None or progress.event == "compiling":
            doing = "loading the network" if progress is None else COMPILING
            body: RenderableType = Text(f"{duration(self._clock() - self._began)}  {doing}")
        else:
            parts = [self._clock_line(progress), Text(), self._figures(progress)]
            if self._truth.raw or self._truth.searched:
                parts += [Text(), self._errors()]
            if self._happened:
                parts += [Text(), Text("\n".join(self._happened), style="yellow")]
            body = Group(*parts)
        subtitle = Text(self._notice, style="dim")
        title = Text.assemble((self.title, "bold"), f"  {self.where}")
        # Room on the right for the ^C that the terminal echoes, which would break the last line.
        width = min(MOST_COLUMNS, self._console.width - 4)
        return Panel(
            body, title=title, subtitle=subtitle, title_align="left", padding=(1, 2), width=width
        )

    def _clock_line(self, progress: Progress) -> RenderableType:
        running = 0.0 if progress.event == "finished" else self._clock() - self._shown_at
        elapsed = progress.elapsed_s + running
        left = seconds_left(progress)
        row = Table.grid(padding=(0, 2))
        if left is None:
            row.add_row(duration(elapsed))
            return row
        whole = progress.elapsed_s + left
        bar = ProgressBar(total=whole, completed=min(elapsed, whole), width=32)
        row.add_row(
            f"{duration(elapsed)} of {duration(whole)}", bar, f"{duration(whole - elapsed)} left"
        )
        return row

    def _figures(self, progress: Progress) -> Table:
        looked_up = max(progress.evaluations + progress.cache_hits + progress.proven_leaves, 1)
        playing = [
            ("games", f"{progress.games:,}"),
            ("positions", f"{progress.positions:,}"),
            ("simulations/s", f"{progress.simulations_per_s:,.0f}"),
            ("evaluations/s", f"{progress.evaluations_per_s:,.0f}"),
            ("cache hits", percent(progress.cache_hits / looked_up)),
            ("proven leaves", percent(progress.proven_leaves / looked_up)),
        ]
        resigned = progress.resign_false_positive
        learning = [
            ("learner steps", f"{progress.learner_steps:,}", Text()),
            ("learning rate", f"{progress.learning_rate:.1e}", Text()),
            ("policy loss", loss(progress.policy_loss), self._spark("policy")),
            ("value loss", loss(progress.value_loss), self._spark("value")),
            ("plies a game", f"{progress.mean_plies:.1f}", Text()),
            ("wrong resignations", "-" if resigned is None else percent(resigned), Text()),
        ]
        table = Table.grid(padding=(0, 2))
        if progress.workers_wanted:
            workers = f"{progress.workers} of {progress.workers_wanted}"
            playing.append(("workers", workers))
            learning.append(("steps behind", f"{progress.staleness:,.0f}", Text()))
        for justify in ("left", "right", "left", "right", "left"):
            table.add_column(justify=justify, no_wrap=True)
        for left, right in zip(playing, learning):
            table.add_row(*left, *right)
        return table

    def _errors(self) -> Table:
        truth = self._truth
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        table.add_column("moves that lose the result", no_wrap=True)
        for title in ("no search", f"{truth.simulations} simulations"):
            table.add_column(title, justify="right", no_wrap=True)
            table.add_column("", no_wrap=True, width=SPARK_WIDTH)
        for name in truth.raw or truth.searched:
            row: list[str | Text] = [name.replace("_", " ")]
            for kind, errors in (("raw", truth.raw), ("searched", truth.searched)):
                row.append(percent(errors[name]) if name in errors else "-")
                row.append(self._spark(f"{kind} {name}"))
            table.add_row(*row)
        return table


def open_display(title: str, where: str, console: Console | None = None) -> LivePanel | PlainLines:
    """The panel on a terminal, plain lines elsewhere; enter it before the first stage."""
    console = console or Console()
    if console.is_terminal and not console.is_dumb_terminal:
        return LivePanel(title, where, console)
    print(f"{title}, {where}", flush=True)
    return PlainLines(lambda text: print(text, flush=True))
