"""Count the requests of store operations to an object store, as a run grows.

The runs are in this process's memory, behind `CountingFiles`: the requests are counted, not timed.
Tests against an S3 server check that each operation makes that many requests
(`tests/store/files/test_object_store.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np

from arena.match.records import Batch, MatchKey, MatchLog
from arena.rating.recorded import RatingsWatch
from benchmarks.machine import machine_facts, write_result
from benchmarks.store.counting_files import CountingFiles
from store import checkpoints
from store.files.opening import open_files
from store.files.protocol import Files
from store.progress.lock_watch import LockWatch
from store.progress.log import ProgressReader
from store.progress.summary import summarize_files
from store.replay.episodes import Episode, EpisodeSchema
from store.replay.log import ReplayLog
from store.replay.segments import SegmentName, SegmentWriter
from store.replay.window import Window
from store.run import Run, create_run
from store.upkeep.keeps import NotedBest, note_best
from store.upkeep.retention import Retention, plan_pruning, prune
from store.upkeep.tidy import Upkeep

SCHEMA = EpisodeSchema("requests/1", {"row": (np.dtype("<u2"), ())})
CHECKPOINTS = (1, 100, 1000)
SEGMENTS = (100, 1000, 10_000)
MODEL = {"model.safetensors": b"weights", "trainer.pt": b"momentum"}


def counted_run() -> tuple[Run, CountingFiles, CountingFiles]:
    """Create a run; return it, its files, and those of its store."""
    url = f"memory://requests-{uuid.uuid4().hex}"
    made = create_run(url, "run", game="connect_four", config={}, seed=0, versions={})
    store = CountingFiles(open_files(url))
    files = store.within("run")
    return Run("run", cast(Files, files), made.info), files, store


def requests_of(files: CountingFiles, operation: Callable[[], Any]) -> int:
    """Count the requests of an operation."""
    files.reset()
    operation()
    return files.requests


def saving() -> dict[str, dict[int, int]]:
    """Count requests with all checkpoints kept: of saving the last, of finding the newest."""
    run, files, _ = counted_run()
    saved, found = {}, {}
    for number in range(1, max(CHECKPOINTS) + 1):
        requests = requests_of(files, partial(checkpoints.save, run, 100 * number, MODEL))
        if number in CHECKPOINTS:
            saved[number] = requests
            found[number] = requests_of(files, lambda: checkpoints.latest_valid(run))
    return {"save_a_checkpoint": saved, "find_the_newest_checkpoint": found}


def training() -> dict[str, dict[int, int]]:
    """Count requests of saving a checkpoint and pruning, and the objects then stored."""
    run, files, _ = counted_run()
    upkeep = Upkeep(run, Window(64, "row"))
    log = ReplayLog(run, SCHEMA, on_segment=upkeep.note_segment)
    writer = SegmentWriter(run, SCHEMA)
    costs, objects = {}, {}
    for number in range(1, max(CHECKPOINTS) + 1):
        for part in range(4):
            identity = (4 * number + part).to_bytes(16, "big")
            writer.append(Episode(identity, {"row": np.zeros(8, "<u2")}))
            writer.commit()
        log.poll()
        cursor = log.cursor
        files.reset()
        checkpoints.save(run, 100 * number, MODEL, {"cursor": cursor})
        upkeep.note_checkpoint(100 * number, cursor)
        upkeep.tidy()
        if number in CHECKPOINTS:
            costs[number] = files.requests
            objects[number] = len(files.tree(""))
    return {"save_a_checkpoint_and_drop_what_is_old": costs, "objects_stored": objects}


def looking() -> dict[str, dict[int, int]]:
    """Count requests for runs of SEGMENTS segments, 30 checkpoints and 200 match files."""
    found: dict[str, dict[int, int]] = {}
    for segments in SEGMENTS:
        run, files, store = counted_run()
        fill(run, files, segments)
        for name, operation in looks(run, cast(Files, store)).items():
            found.setdefault(name, {})[segments] = requests_of(store, operation)
    return found


def looks(run: Run, store: Files) -> dict[str, Callable[[], Any]]:
    """Return operations on a run by name, to be counted; the last one changes the run."""
    watch, reader, ratings = (
        LockWatch(run.files),
        ProgressReader(run.files),
        RatingsWatch(run.files),
    )
    ratings.look()  # a later look finds nothing new
    return {
        "ludens_runs": lambda: list(summarize_files(store)),
        "rate_follow_empty_look": lambda: (watch.look(), checkpoints.steps(run)),
        "watch_empty_look": lambda: (reader.poll(), ratings.look()),
        "prune_all_but_the_window": lambda: pruned(run),
    }


def fill(run: Run, files: CountingFiles, segments: int) -> None:
    """Write segments of ten writers, checkpoints, matches, and the best checkpoint's name."""
    for number in range(segments):
        name = SegmentName(number // 10, 1, 0)
        files.create(f"replay/{number % 10:032x}/{name}", b"segment")
    cursor = {f"{writer:032x}": segments // 10 for writer in range(10)}
    for step in range(1, 31):
        checkpoints.save(run, step, MODEL, {"cursor": cursor})
    for seed in range(200):
        key = MatchKey("connect_four", ("run@7", f"run@{1 + seed % 30}"), seed, "random:1")
        MatchLog(run.files, key).write(Batch(0, np.full((1, 2), 2), np.full((1, 2), 30)))
    note_best(run.files, NotedBest(7, 100, 12.5, 3.0, 200))


def pruned(run: Run) -> None:
    """Prune as `ludens runs prune --keep-last 3 --keep-rows 0`, with an empty window."""
    prune(run, plan_pruning(run, Retention(keep_last=3, keep_rows=0, window=Window(0))))


def measure() -> dict[str, Any]:
    """Count all; {operation: {checkpoints or segments: requests}}."""
    return {
        "by_checkpoints": {**saving(), **training()},
        "by_segments": looking(),
        "machine": machine_facts(),
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Count, print a table and write results/requests.json; `seconds` is ignored."""
    result = measure()
    path = write_result("requests", result)
    for of in ("by_checkpoints", "by_segments"):
        print(f"requests {of.replace('_', ' ')}:")
        for name, counts in result[of].items():
            listed = ", ".join(f"{size:,}: {count:,}" for size, count in counts.items())
            print(f"  {name.replace('_', ' '):42} {listed}")
    print(f"  -> {path}")
