"""Print an ablation: its runs while they train in turns, and the table at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from agents.metrics import MetricSpec
from agents.progress import Progress
from arena.monitor.figures import metric_text, percent
from arena.monitor.panel import (
    HOW_TO_STOP,
    LINE_INTERVAL_S,
    REFRESHES_PER_S,
    budget,
    line,
)
from arena.rating.ablation import Ablation, ErrorRates, VariantResult
from arena.rating.ladder_text import aligned, width_notes
from arena.solvers.error_rates import Errors

CHANCE = "Chance in training is not in the bars: how far two seeds of one setting differ shows it."
HEADER = ("variant", "Elo", "+-", "LOS", "games", "trained on", "simulations")


class TurnsDisplay:
    """Shows a row a variant, redrawn in place on a terminal; elsewhere prints lines.

    Args:
        title: in the first line.
        labels: {run: label of its variant}.
        specs: the metrics of the runs; the losses have columns.
        console: where to (default: standard output, or standard error with `on_stderr`).
    """

    def __init__(
        self,
        title: str,
        labels: Mapping[str, str],
        specs: Sequence[MetricSpec],
        console: Console | None = None,
        *,
        on_stderr: bool = False,
    ) -> None:
        self.title = title
        self.labels = labels
        self._specs = specs
        self._losses = [spec for spec in specs if spec.look == "loss"]
        self._console = console or Console(stderr=on_stderr)
        self._latest: dict[str, Progress] = {}
        self._notice = HOW_TO_STOP
        self._due: dict[str, float] = {}  # when a run's next line is, by the run
        self._live: Live | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                get_renderable=self.render,
                console=self._console,
                refresh_per_second=REFRESHES_PER_S,
            )

    def __enter__(self) -> TurnsDisplay:
        if self._live:
            self._live.start()
        else:
            self._console.print(self.title, highlight=False, soft_wrap=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def notice(self, text: str) -> None:
        """Print a notice."""
        self._notice = text
        if not self._live:
            self._console.print(text, highlight=False, soft_wrap=True)

    def show(self, run: str, progress: Progress) -> None:
        """Record a stage of one of the runs."""
        self._latest[run] = progress
        if self._live:
            return
        if progress.event == "finished" or time.monotonic() >= self._due.get(run, 0.0):
            self._due[run] = time.monotonic() + LINE_INTERVAL_S
            words = f"{self.labels[run]}: {line(progress, self._specs)}"
            self._console.print(words, highlight=False, soft_wrap=True)

    def render(self) -> Table:
        """Draw the current state of all variants."""
        table = Table(title=self.title, title_justify="left", caption=self._notice, box=None)
        table.caption_justify = "left"
        common = ("variant", "trained", "games", "positions", "step")
        for name in (*common, *(spec.label for spec in self._losses)):
            table.add_column(name, justify="left" if name == "variant" else "right", no_wrap=True)
        for run, label in self.labels.items():
            table.add_row(*self._cells(run, label), style="bold" if self._trains(run) else "")
        return table

    def _trains(self, run: str) -> bool:
        """Return whether a run is being trained now: a turn, too, ends with "finished"."""
        return run in self._latest and self._latest[run].event != "finished"

    def _cells(self, run: str, label: str) -> tuple[str, ...]:
        found = self._latest.get(run)
        if found is None:
            return (f"  {label}", "waits")
        return (
            f"{'▶' if self._trains(run) else ' '} {label}",
            budget(found),
            f"{found.games:,}",
            f"{found.positions:,}",
            f"{found.learner_steps:,}",
            *(metric_text(spec, found) for spec in self._losses),
        )


def ablation_text(found: Ablation) -> str:
    """Format the table, and how to read it."""
    rated = found.table
    where = f"{rated.simulations} simulations a move" if rated.simulations else "no search"
    first = found.results[0].variant
    lines = [
        f"{rated.game}, {where}, openings {rated.openings}",
        *_table(found.results, rated.simulations),
        f"Elo: over {first!r}, with 95% error bars. LOS: likelihood of being stronger than it.",
        "trained on: games of self-play, and their simulations.",
    ]
    if any(result.errors for result in found.results):
        lines.append(
            "errors: moves that worsen the result, mean over the solved sets, without search and "
            f"with {rated.simulations} simulations."
        )
    lines.append(CHANCE)
    lines += width_notes(rated)
    return "\n".join(lines)


def _table(results: Sequence[VariantResult], simulations: int) -> list[str]:
    has_errors = any(result.errors for result in results)
    header = (*HEADER, "errors", f"at {simulations}") if has_errors else HEADER
    return aligned([header, *(_row(result, has_errors) for result in results)], left=(0,))


def _row(result: VariantResult, has_errors: bool) -> tuple[str, ...]:
    is_first = result.error == 0.0
    trained = result.trained
    cells = (
        result.variant,
        f"{result.elo:+.0f}",
        "" if is_first else f"{result.error:.0f}",
        "" if is_first else f"{100 * result.superiority:.0f}%",
        f"{result.games:,}",
        "-" if trained.games is None else f"{trained.games:,}",
        "-" if trained.simulations is None else f"{trained.simulations:,}",
    )
    if not has_errors:
        return cells
    errors = result.errors or ErrorRates({}, {})
    return (*cells, _mean(errors.without_search), _mean(errors.searched))


def _mean(errors: Errors) -> str:
    return percent(sum(errors.values()) / len(errors)) if errors else "-"
