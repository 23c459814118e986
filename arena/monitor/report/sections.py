"""Gather the sections below the header as plain text, which `templates/page.html` lays out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.registry import metrics_of_run
from arena.evaluation.records import read_evaluations
from arena.evaluation.table import published_scores
from arena.evaluation.text import conditions, measured_text, published_text, score_text
from arena.monitor.figures import duration, percent
from arena.monitor.history import Timeline
from arena.monitor.report.charts import Chart
from arena.monitor.report.curves import elo_charts, metric_charts, score_charts
from arena.monitor.report.games import DrawnGame, draw_game, sample_games
from arena.monitor.runs_text import size_text
from arena.rating.recorded import elo_by_step, rate_recorded_matches
from arena.teams.names import team_game_of
from arena.teams.skill import cross_play, fit_skills, recorded_results
from arena.teams.table import HEADER, MODEL, cells, matrix_cells, rows_of
from envs.game import Game
from store import checkpoints
from store.errors import CheckpointError, CheckpointNotFoundError
from store.files.protocol import Files
from store.run import CHECKPOINT_FOLDER, Run

MOST_CHECKPOINTS = 40  # listed; a long run keeps many more
MOST_NOTICES = 200  # the newest
MOST_RATED = 60
MOST_CROSSED = 20  # agents in a matrix

SESSION_FACTS = {
    "date": "begun",
    "cpu": "processor",
    "cores": "cores",
    "memory_gib": "memory, GiB",
    "python": "Python",
    "system": "system",
    "packages": "packages",
}


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; columns set to the right, and columns broken into lines."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Collection[int] = ()
    wrapped: Collection[int] = ()


@dataclass(frozen=True)
class Section:
    """A heading and what is below it, in the order of these fields.

    Attributes:
        title: the heading.
        note: a sentence about what follows.
        missing: a sentence in place of what follows.
        charts, tables, games: drawn one below the other.
        grouped: whether the tables stand side by side.
    """

    title: str
    note: str = ""
    missing: str = ""
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    games: Sequence[DrawnGame] = ()
    grouped: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing below the heading."""
        return not (self.note or self.missing or self.charts or self.tables or self.games)


def sections_of(run: Run, timeline: Timeline, game: Game | None) -> list[Section]:
    """Gather the sections that are not empty, from the top of the page to its end."""
    sections = [
        Section("Curves", charts=metric_charts(timeline.moments, metrics_of_run(run.info))),
        _elo(run),
        _skill(run),
        _scores(run),
        _checkpoints(run),
        _games(run.files, game),
        _notices(timeline),
        _settings(run),
        _machine(run, timeline),
    ]
    return [section for section in sections if not section.is_empty]


def _elo(run: Run) -> Section:
    ratings = rate_recorded_matches(run.files)
    if not ratings:
        return Section("Elo")
    rows = [
        (r.agent, f"{r.elo:+.0f} ± {r.error:.0f}", f"{r.games:,}", percent(r.score))
        for r in ratings[:MOST_RATED]
    ]
    table = Table(("agent", "Elo", "games", "score"), rows, right=(1, 2, 3))
    return Section("Elo", charts=elo_charts(elo_by_step(ratings, run.name)), tables=[table])


def _skill(run: Run) -> Section:
    """Make the tables of a run of a game of teams: skill, and who beats whom."""
    game = team_game_of(run.info)
    results = recorded_results(run.files, game.name) if game else None
    if game is None or results is None or not results.agents():
        return Section("Skill")
    skills = fit_skills(results, results.agents(), game.scripts)
    rows = rows_of(skills, results, [], {})[:MOST_RATED]
    table = Table(HEADER, [cells(i, row) for i, row in enumerate(rows, 1)], (0, 2, 3, 4, 5, 6))
    note = f"{MODEL}; share of the points of a row's agent against a column's below."
    head, *shares = matrix_cells(cross_play(results, [row.agent for row in rows[:MOST_CROSSED]]))
    matrix = Table(head, shares, right=[0, *range(2, len(head))])
    return Section("Skill", note, tables=[table, matrix])


def _scores(run: Run) -> Section:
    """Make a table of the run's evaluations, and a chart for each way they were made."""
    found = read_evaluations(run.files)
    shown = found[-MOST_RATED:]
    told = [measured_text(e.key.environment, e.measured) for e in shown]
    labels = list(dict.fromkeys(label for shares in told for label in shares))
    rows = [
        (
            conditions(e.key),
            f"{e.key.step:,}",
            f"{score_text(e.mean)} ± {score_text(e.error)}",
            score_text(e.deviation),
            score_text(e.median),
            f"{e.games:,}",
            "" if e.human_normalised is None else f"{e.human_normalised:.3f}",
            *(shares.get(label, "") for label in labels),
        )
        for e, shares in zip(shown, told, strict=True)
    ]
    if not rows:
        return Section("Scores")
    head = ("environment", "step", "mean", "deviation", "median", "games", "human-normalised")
    published = published_text(published_scores(run.info.game))
    table = Table((*head, *labels), rows, right=range(1, len(head) + len(labels)))
    return Section("Scores", " ".join(published), charts=score_charts(found), tables=[table])


def _checkpoints(run: Run) -> Section:
    title = "Checkpoints"
    steps = checkpoints.steps(run)
    if not steps:
        return Section(title, missing="none yet")
    count = min(len(steps), MOST_CHECKPOINTS)
    last = len(steps) - 1
    shown = [steps[i * last // max(count - 1, 1)] for i in range(count)]
    note = f"{count} of {len(steps):,}, evenly chosen." if count < len(steps) else ""
    head = ("step", "trained", "games", "rows", "size")
    table = Table(head, [_checkpoint(run, step) for step in shown], right=range(5))
    return Section(title, note, tables=[table])


def _checkpoint(run: Run, step: int) -> tuple[str, ...]:
    try:
        saved = checkpoints.read_metadata(run, step)
    except (CheckpointError, CheckpointNotFoundError):
        return (f"{step:,}", "damaged or gone", "", "", "")
    counters = saved.get("counters", {})
    elapsed = saved.get("elapsed_s")
    size = sum(file.size for file in run.files.tree(f"{CHECKPOINT_FOLDER}/{step:09d}"))
    return (
        f"{step:,}",
        duration(elapsed) if isinstance(elapsed, (int, float)) else "",
        *(f"{counters[n]:,}" if n in counters else "" for n in ("games", "rows")),
        size_text(size),
    )


def _games(files: Files, game: Game | None) -> Section:
    title = "Games of self-play"
    samples = sample_games(files)
    if game is not None:
        return Section(title, games=[draw_game(game, sample) for sample in samples])
    missing = "not drawn: the game is a file of its own; name it with --game" if samples else ""
    return Section(title, missing=missing)


def _notices(timeline: Timeline) -> Section:
    title = "What happened"
    told = [(m, notice) for m in timeline.moments for notice in m.progress.notices]
    rows = [(duration(m.progress.elapsed_s), notice) for m, notice in told[-MOST_NOTICES:]]
    if not rows:
        return Section(title)
    left_out = len(told) - len(rows)
    note = f"The newest; {left_out:,} before them are left out." if left_out else ""
    return Section(title, note, tables=[Table(("trained", "notice"), rows, (0,), (1,))])


def _settings(run: Run) -> Section:
    """Make a table for each section's settings, those without a section first."""
    tables = {"": [("seed", str(run.info.seed))]}
    for name, value in _flat(run.info.config):
        tables.setdefault(name.rpartition(".")[0], []).append((name, str(value)))
    shown = [Table(("setting", "value"), rows, wrapped=(1,)) for rows in tables.values()]
    return Section("Settings", tables=shown, grouped=True)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif prefix or name != "seed":
            yield prefix + name, value


def _machine(run: Run, timeline: Timeline) -> Section:
    made_by = ", ".join(f"{name} {version}" for name, version in run.info.versions.items())
    sessions = [
        (str(number), *(_said(facts.get(name)) for name in SESSION_FACTS))
        for number, facts in enumerate(timeline.sessions, start=1)
    ]
    table = Table(("session", *SESSION_FACTS.values()), sessions, wrapped=(7,))
    tables = [table] if sessions else []
    return Section("Machine and versions", f"Begun with {made_by}.", tables=tables)


def _said(fact: Any) -> str:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {value}" for name, value in fact.items() if value is not None)
    return "" if fact is None else str(fact)
