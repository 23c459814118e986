"""Show a training run: a live panel on a terminal, lines elsewhere."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agents.metrics import MetricSpec
from agents.progress import Measured, Progress
from arena.monitor.figures import UNKNOWN, duration, metric_text, metric_value, percent

LINE_INTERVAL_S = 10.0
REFRESHES_PER_S = 2.0
SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 16
MOST_COLUMNS = 100
MOST_POINTS = 256  # of a series in memory
MOST_NOTICES = 4  # shown at once, the newest
COMPILING = "compiling, once on this machine; the clock does not run yet"
HOW_TO_STOP = "Ctrl-C saves and stops; the same command goes on from there"


def sparkline(history: Sequence[float], bottom: float = 0.0, width: int = SPARK_WIDTH) -> str:
    """Draw a series in at most `width` characters, from `bottom` to its largest number."""
    size = min(width, len(history))
    parts = [
        history[i * len(history) // size : (i + 1) * len(history) // size] for i in range(size)
    ]
    means = [sum(part) / len(part) for part in parts]
    height = max((m - bottom for m in means), default=0.0) or 1.0
    return "".join(SPARKS[round((len(SPARKS) - 1) * max(m - bottom, 0) / height)] for m in means)


class Course:
    """A series of numbers of any length, kept as at most MOST_POINTS means of neighbours."""

    def __init__(self) -> None:
        self.points: list[float] = []
        self._each = 1  # how many numbers a point is the mean of
        self._waiting: list[float] = []

    def add(self, number: float) -> None:
        """Append a number; once there are too many points, two become one."""
        self._waiting.append(number)
        if len(self._waiting) < self._each:
            return
        self.points.append(sum(self._waiting) / self._each)
        self._waiting.clear()
        if len(self.points) == MOST_POINTS:
            halves = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [(a + b) / 2 for a, b in halves]
            self._each *= 2


def seconds_left(progress: Progress) -> float | None:
    """Estimate seconds until the budget is used; None without a budget or a pace.

    Games and rows are taken to come as they came so far; the limit that is nearest counts.
    """
    left = [progress.budget_s - progress.elapsed_s] if progress.budget_s else []
    counts = (progress.games, progress.games_goal), (progress.positions, progress.rows_goal)
    left += [progress.elapsed_s * (goal / made - 1) for made, goal in counts if made and goal]
    return max(0.0, min(left)) if left else None


def budget(progress: Progress) -> str:
    """Format the time used of the budget."""
    used = duration(progress.elapsed_s)
    return f"{used}/{duration(progress.budget_s)}" if progress.budget_s else used


def line(progress: Progress, specs: Sequence[MetricSpec]) -> str:
    """Format a stage in one line; metrics that are not known are left out."""
    if progress.event == "compiling":
        return f"{budget(progress)}  {COMPILING}"
    known = [s for s in specs if s.in_line and progress.metrics.get(s.name) is not None]
    parts = [
        budget(progress),
        f"{_of(progress.games, progress.games_goal)} games",
        f"{_of(progress.positions, progress.rows_goal)} positions",
        *(f"{metric_text(s, progress)} {s.label}" for s in known if is_rate(s)),
        f"step {progress.learner_steps:,}",
        *(f"{s.label} {metric_text(s, progress)}" for s in known if not is_rate(s)),
    ]
    if progress.workers_wanted:
        parts.insert(3, f"{progress.workers}/{progress.workers_wanted} workers")
    for found in progress.measured:
        shares = " ".join(percent(share)[:-1] for share in found.shares.values())
        parts.append(f"errors, {found.name}: {shares}%")
    return "  ".join(parts)


def _of(count: int, goal: int) -> str:
    """Format a count, and what ends the run where it limits it."""
    return f"{count:,} of {goal:,}" if goal else f"{count:,}"


def is_rate(spec: MetricSpec) -> bool:
    """Whether a metric's label is a unit, which follows its number."""
    return spec.source == "rate"


class PlainLines:
    """Prints a line every LINE_INTERVAL_S, and at the first and the last stage."""

    def __init__(
        self,
        say: Callable[[str], None],
        specs: Sequence[MetricSpec],
        clock: Callable[[], float] = time.monotonic,
    ):
        self.say = say
        self._specs = specs
        self._clock = clock
        self._due = -math.inf

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def notice(self, text: str) -> None:
        """Print a notice."""
        self.say(text)

    def show(self, progress: Progress) -> None:
        """See `arena.monitor.listeners.Listener`."""
        for notice in progress.notices:
            self.say(f"{duration(progress.elapsed_s)}  {notice}")
        if progress.event == "finished" or self._clock() >= self._due:
            self.say(line(progress, self._specs))
            self._due = self._clock() + LINE_INTERVAL_S


class LivePanel:
    """Redraws the panel in place while it is entered."""

    def __init__(
        self,
        title: str,
        where: str,
        specs: Sequence[MetricSpec],
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.title = title
        self.where = where
        self._specs = specs
        self._console = console
        self._clock = clock
        self._progress: Progress | None = None
        self._shown_at = 0.0
        self._began = clock()
        self._notice = HOW_TO_STOP
        self._history: dict[str, Course] = {}
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
        """Show a notice in the last line."""
        self._notice = text

    def show(self, progress: Progress) -> None:
        """See `arena.monitor.listeners.Listener`."""
        if progress.event == "learned":
            for spec in self._specs:
                value = metric_value(spec, progress)
                if spec.look == "loss" and not math.isnan(value):
                    self._remember(spec.name, value)
        before = self._progress.measured if self._progress else ()
        seen = {found.name: found.at_s for found in before}
        for found in progress.measured:
            if seen.get(found.name) != found.at_s:
                for name, share in found.shares.items():
                    self._remember(f"{found.name} {name}", share)
        for notice in progress.notices:
            self._happened.append(f"{duration(progress.elapsed_s)}  {notice}")
        self._progress, self._shown_at = progress, self._clock()

    def _remember(self, series: str, number: float) -> None:
        self._history.setdefault(series, Course()).add(number)

    def _spark(self, series: str) -> Text:
        history = self._history.get(series, Course()).points
        losses = [spec.name for spec in self._specs if spec.look == "loss"]
        bottom = min(history, default=0.0) if series in losses else 0.0  # a loss never nears zero
        return Text(sparkline(history, bottom), style="cyan")

    def render(self) -> RenderableType:
        """Draw the current panel."""
        progress = self._progress
        if progress is None or progress.event == "compiling":
            doing = "loading the network" if progress is None else COMPILING
            body: RenderableType = Text(f"{duration(self._clock() - self._began)}  {doing}")
        else:
            parts = [self._clock_line(progress), Text(), self._figures(progress)]
            if progress.measured:
                parts += [Text(), measured_table(progress.measured, self._spark)]
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
        acting = [
            ("games", _of(progress.games, progress.games_goal)),
            ("positions", _of(progress.positions, progress.rows_goal)),
        ]
        learning = [("learner steps", f"{progress.learner_steps:,}", Text())]
        for spec in self._specs:
            text = metric_text(spec, progress)
            if spec.side == "acting":
                acting.append((spec.label, text))
            elif spec.side == "learning":
                spark = self._spark(spec.name) if spec.look == "loss" else Text()
                learning.append((spec.label, text, spark))
        if progress.workers_wanted:
            acting.append(("workers", f"{progress.workers} of {progress.workers_wanted}"))
            learning.append(("steps behind", f"{progress.staleness:,.0f}", Text()))
        table = Table.grid(padding=(0, 2))
        for justify in ("left", "right", "left", "right", "left"):
            table.add_column(justify=justify, no_wrap=True)
        for left, right in zip_longest(acting, learning, fillvalue=("", "", "")):
            table.add_row(*left[:2], *right)
        return table


def measured_table(measured: Sequence[Measured], spark: Callable[[str], Text]) -> Table:
    """Draw the newest measurements, a column each, with the course of every share."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("moves that lose the result", no_wrap=True)
    for found in measured:
        table.add_column(found.name, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True, width=SPARK_WIDTH)
    for name in dict.fromkeys(name for found in measured for name in found.shares):
        row: list[str | Text] = [name.replace("_", " ")]
        for found in measured:
            row.append(percent(found.shares[name]) if name in found.shares else UNKNOWN)
            row.append(spark(f"{found.name} {name}"))
        table.add_row(*row)
    return table


AnyPanel = TypeVar("AnyPanel", bound=LivePanel)


def open_panel(
    panel: type[AnyPanel],
    title: str,
    where: str,
    specs: Sequence[MetricSpec],
    console: Console | None = None,
) -> AnyPanel | PlainLines:
    """Make a panel of that class on a terminal, plain lines elsewhere.

    Enter it before the first stage.
    """
    console = console or Console()
    if console.is_terminal and not console.is_dumb_terminal:
        return panel(title, where, specs, console)
    print(f"{title}, {where}", flush=True)
    return PlainLines(lambda text: print(text, flush=True), specs)
