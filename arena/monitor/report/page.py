"""Write a run's report: one HTML file without scripts, which loads nothing from anywhere.

Python gathers what is on the page as plain data, the templates hold all markup, and `rendering`
escapes every value, since a store may hold what someone else wrote.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.metrics import MetricSpec
from agents.registry import metrics_of_run
from arena.monitor.figures import percent
from arena.monitor.history import History, Moment, NoHistoryError, Timeline
from arena.monitor.report.metrics import facts_of
from arena.monitor.report.rendering import render
from arena.monitor.report.sections import Section, sections_of
from arena.monitor.watch import state_of, state_text
from envs.game import Game
from store.run import Run


@dataclass(frozen=True)
class Page:
    """The content of the page.

    Attributes:
        title: of the page and at its top.
        origin: where the run is, and of when the page.
        state: whether the run is being trained; "" without a journal.
        facts: names and texts of the newest figures.
        sections: what is below.
    """

    title: str
    origin: str
    state: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]


@dataclass(frozen=True)
class Written:
    """A written report."""

    path: str
    run: str
    size: int  # bytes
    moments: int  # of the journal


def write_report(run: Run, path: Path, game: Game | None = None) -> Written:
    """Write a run's report, in place of an earlier one; raises OSError.

    Args:
        run: the run; it may be in training.
        path: the file.
        game: the run's game, to draw sample games; None leaves them out.
    """
    timeline = _timeline(run)
    page = report_html(run, timeline, game, time.time()).encode()
    write_page(path, page)
    return Written(str(path), run.name, len(page), len(timeline.moments))


def write_page(path: Path, page: bytes) -> None:
    """Write a page in place of an earlier one, whole or not at all; raises OSError.

    And ValueError where there is no such folder.
    """
    if not path.parent.is_dir():
        raise ValueError(f"{str(path)!r}: there is no folder {str(path.parent)!r}")
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(page)
        aside.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        aside.unlink(missing_ok=True)


def _timeline(run: Run) -> Timeline:
    try:
        return History(run).timeline()
    except NoHistoryError:  # the page has what else there is
        return Timeline()


def report_html(run: Run, timeline: Timeline, game: Game | None, now: float) -> str:
    """Make the page as HTML; `now` is in seconds since 1970."""
    return render("page.html", page=page_of(run, timeline, game, now))


def page_of(run: Run, timeline: Timeline, game: Game | None, now: float) -> Page:
    """Gather the content of the page; `now` is in seconds since 1970."""
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    newest = timeline.moments[-1] if timeline.moments else None
    return Page(
        title=f"{run.name}: {game.title if game else run.info.game}",
        origin=f"run {run.name} in {run.files.url}, begun {run.info.created}; "
        f"this page is of {made}",
        state=_state(newest, now) if newest else "",
        facts=_facts(newest, metrics_of_run(run.info)) if newest else [],
        sections=sections_of(run, timeline, game),
    )


def _state(newest: Moment, now: float) -> str:
    state = state_of(newest, now)
    return "in training" if state == "training" else state_text(state, newest, now)


def _facts(newest: Moment, specs: Sequence[MetricSpec]) -> list[tuple[str, str]]:
    """Write the newest figures; the share of wrong moves is there where a solver has judged."""
    facts = facts_of(newest.progress, specs)
    if newest.progress.measured:
        found = newest.progress.measured[-1]
        mean = sum(found.shares.values()) / max(len(found.shares), 1)
        facts.append((f"wrong moves ({found.name}), mean of {len(found.shares)}", percent(mean)))
    return facts
