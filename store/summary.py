"""The runs of a store at a glance: what each is, how far it came, what it takes."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from store import checkpoints
from store.errors import RunLockedError, RunMismatchError, StoreError
from store.files import Files, open_files
from store.holds import HOLD_FOLDER
from store.lease import BEAT_SECONDS
from store.run import LOCK_FILE, Run, RunInfo, list_runs, read_info
from store.settings import newest_budget
from store.walk import size_of, walk

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
        rows: training rows made.
        step: the learner's.
        checkpoints: number of complete ones.
        size: bytes of all files.
        changed_ns: time of the last change by the store's clock, in nanoseconds.
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


def summarize_store(store_url: str | Path) -> Iterator[RunSummary]:
    """Every run of a store, by name. Reads only; a damaged run is told as such."""
    files = open_files(store_url)
    names = list_runs(store_url)
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # a heartbeat, or a far store, is worth waiting for
        yield from pool.map(lambda name: _summarize_or_say_why(files.within(name), name), names)


def _summarize_or_say_why(files: Files, name: str) -> RunSummary:
    try:
        return summarize_run(files, name)
    except (OSError, StoreError) as error:  # one folder without permission hides no other run
        return RunSummary(name, f"run {name!r} cannot be read: {error}")


def summarize_run(files: Files, name: str) -> RunSummary:
    """The run in these files."""
    try:
        info, problem = read_info(files, name), ""
    except RunMismatchError as error:
        info, problem = RunInfo("", {}, 0), str(error)
    run = Run(name, files, info)
    steps = checkpoints.steps(run)
    newest = checkpoints.newest_metadata(run, steps)
    elapsed, counters = newest.get("elapsed_s"), newest.get("counters", {})
    told = newest_budget(info.config, newest)
    budget_s, games_goal = 60.0 * told["minutes"], int(told["games"])
    used = [(elapsed, budget_s), (counters.get("games"), games_goal)]
    is_over = any(goal and (reached or 0) >= goal for reached, goal in used)
    size, changed_ns = _size_and_change(files)
    return RunSummary(
        name,
        problem,
        info.game,
        _state(files, is_over),
        elapsed,
        budget_s,
        counters.get("games"),
        games_goal,
        counters.get("rows"),
        steps[-1] if steps else None,
        len(steps),
        size,
        changed_ns,
    )


def _state(files: Files, is_over: bool, pause: Callable[[float], None] = time.sleep) -> State:
    """Whether a trainer holds the lock, judged without getting into its way.

    A local trainer notes its process in the lock's file and takes the note back when it ends. Only
    where a note was left is the lock tried, which no holder notices: it fails, or the note is
    stale. On an object store the lease's heartbeats are watched, and nothing is tried.
    """
    try:
        if lease := files.names(LOCK_FILE):
            is_held = _has_heartbeat(files, lease, pause)
        else:
            is_held = _is_locked(files)
    except (OSError, StoreError):  # a store that cannot be written
        return "unknown"
    return "training" if is_held else "finished" if is_over else "stopped"


def _is_locked(files: Files) -> bool:
    try:
        if files.read(LOCK_FILE).strip():
            files.lock(LOCK_FILE).release()
    except FileNotFoundError:
        return False
    except RunLockedError:
        return True
    return False


def _has_heartbeat(files: Files, names: list[str], pause: Callable[[float], None]) -> bool:
    """Whether the lease that these files make (see `store.lease`) changes within two beats."""
    claims = [name.partition(".")[0] for name in names if name.endswith(".json")]
    if not claims or f"{max(claims)}-released" in names:
        return False
    for _ in range(2 * round(BEAT_SECONDS)):
        pause(1.0)
        now = files.names(LOCK_FILE)
        if now != names:
            return f"{max(claims)}-released" not in now
    return False


def _size_and_change(files: Files) -> tuple[int, int]:
    size, changed_ns = 0, 0
    for key in walk(files):
        size += size_of(files, key)
        if not key.startswith((LOCK_FILE, f"{HOLD_FOLDER}/")):
            changed_ns = max(changed_ns, _modified_ns(files, key))
    return size, changed_ns


def _modified_ns(files: Files, key: str) -> int:
    try:
        return files.modified_ns(key)
    except OSError:  # gone since it was listed
        return 0
