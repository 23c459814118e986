"""Summarise the runs of a store: what each is, its progress, its size."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from store import checkpoints
from store.errors import RunMismatchError, StoreError
from store.files.opening import open_files
from store.files.protocol import FileEntry, Files
from store.progress.lock_watch import LockWatch
from store.run import LOCK_FILE, Run, RunInfo, read_info, runs_in
from store.settings import newest_budget
from store.upkeep.holds import HOLD_FOLDER
from store.upkeep.keeps import KeptNames, NotedBest, NotedScore, read_best, read_best_score
from store.upkeep.verify import EVALUATION_FOLDER, MATCH_FOLDER

_AT_ONCE = 16  # runs looked at together

State = Literal["training", "finished", "stopped", "unknown"]


@dataclass(frozen=True)
class RunSummary:
    """One run; figures of progress are those of its newest checkpoint, None before the first.

    Attributes:
        name: the run's name.
        problem: why `run.json`, or a folder, cannot be read; what it would tell is then empty.
        game: name of the game.
        state: "training" (a trainer holds the lock), "finished" (the budget of its newest session
            is used), "stopped", or "unknown" (the lock cannot be examined).
        elapsed_s, budget_s: seconds trained, and to train; 0 is no limit.
        games, games_goal: games played, and to play; 0 is no limit.
        rows, rows_goal: training rows made, and to make; 0 is no limit.
        step: the learner's.
        checkpoints: number of complete ones.
        size: bytes of all files.
        changed_ns: time of the last change by the store's clock, in nanoseconds.
        matches: files of recorded matches.
        best: the checkpoint noted as the best of just these matches, or None.
        kept: named checkpoints: {name: step}.
        evaluations: files of recorded evaluations in an environment.
        best_score: the checkpoint noted as the best of just these evaluations, or None.
    """

    name: str
    problem: str = ""
    game: str = ""
    state: State = "unknown"
    elapsed_s: float | None = None
    budget_s: float = 0.0
    games: int | None = None
    games_goal: int = 0
    rows: int | None = None
    step: int | None = None
    checkpoints: int = 0
    size: int = 0
    changed_ns: int = 0
    matches: int = 0
    best: NotedBest | None = None
    kept: Mapping[str, int] = field(default_factory=dict)
    rows_goal: int = 0
    evaluations: int = 0
    best_score: NotedScore | None = None


def summarize_store(store_url: str | Path) -> Iterator[RunSummary]:
    """Summarise every run of a store, by name. Reads only; a damaged run has its problem."""
    yield from summarize_files(open_files(store_url))


def summarize_files(files: Files) -> Iterator[RunSummary]:
    """Summarise the runs of a store with these files, as `summarize_store` does."""
    names = runs_in(files)
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # heartbeats and requests to a remote store overlap
        yield from pool.map(lambda name: _summarize_or_say_why(files.within(name), name), names)


def _summarize_or_say_why(files: Files, name: str) -> RunSummary:
    try:
        return summarize_run(files, name)
    except (OSError, StoreError) as error:  # one folder without permission hides no other run
        return RunSummary(name, f"run {name!r} cannot be read: {error}")


def summarize_run(files: Files, name: str) -> RunSummary:
    """Summarise a run by one listing, `run.json`, a manifest, and its notes.

    On an object store the listing is a request for each 1,000 files, and the others are few.
    """
    entries = files.tree("")
    try:
        info, problem = read_info(files, name), ""
    except RunMismatchError as error:
        info, problem = RunInfo("", {}, 0), str(error)
    run = Run(name, files, info)
    steps = checkpoints.complete_steps(entries) or checkpoints.steps(run)
    newest = checkpoints.newest_metadata(run, steps)
    elapsed, counters = newest.get("elapsed_s"), newest.get("counters", {})
    told = newest_budget(info.config, newest)
    budget_s, games_goal, rows_goal = 60.0 * told["minutes"], int(told["games"]), int(told["rows"])
    used = [
        (elapsed, budget_s),
        (counters.get("games"), games_goal),
        (counters.get("rows"), rows_goal),
    ]
    is_over = any(goal and (reached or 0) >= goal for reached, goal in used)
    matches, evaluations = (
        sum(entry.key.startswith(f"{folder}/") for entry in entries)
        for folder in (MATCH_FOLDER, EVALUATION_FOLDER)
    )
    kept = KeptNames.among(entries)
    return RunSummary(
        name,
        problem,
        info.game,
        _state(files, is_over, names=_lock_names(entries)),
        elapsed,
        budget_s,
        counters.get("games"),
        games_goal,
        counters.get("rows"),
        steps[-1] if steps else None,
        len(steps),
        sum(entry.size for entry in entries),
        _changed_ns(entries),
        matches,
        read_best(files, kept, matches),
        kept.named,
        rows_goal,
        evaluations,
        read_best_score(files, kept, evaluations),
    )


def _state(
    files: Files,
    is_over: bool,
    pause: Callable[[float], None] = time.sleep,
    names: Sequence[str] | None = None,
) -> State:
    """Return the run's state by its lock, whose files may be given as `names`."""
    try:
        is_held = LockWatch(files).is_held(names, pause)
    except (OSError, StoreError):  # a store that cannot be written
        return "unknown"
    return "training" if is_held else "finished" if is_over else "stopped"


def _lock_names(entries: Sequence[FileEntry]) -> list[str]:
    """List the files of a lease, none where the lock is a file."""
    start = f"{LOCK_FILE}/"
    return [entry.key.removeprefix(start) for entry in entries if entry.key.startswith(start)]


def _changed_ns(entries: Sequence[FileEntry]) -> int:
    apart = (LOCK_FILE, f"{HOLD_FOLDER}/")
    return max((e.modified_ns for e in entries if not e.key.startswith(apart)), default=0)
