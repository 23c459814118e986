"""Small runs to take care of: a few writers, segments and checkpoints, and files read-only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from store import checkpoints
from store.errors import StoreWriteError
from store.files.local import LocalFiles
from store.replay.episodes import Episode, EpisodeSchema
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.replay.window import WINDOW_FILE, SavedWindow
from store.run import Run, create_run

SCHEMA = EpisodeSchema("test/1", {"number": ("<i8", ()), "row_ply": ("<u2", ())})
CONFIG = {"minutes": 0.5, "games": 0, "learner": {"window_rows": 4}}
A, B = "a" * 32, "b" * 32


class SmallRun:
    """A run that is written step by step; the time of a commit is its place in the order."""

    def __init__(self, store: str | Path, name: str = "r", config: Any = None) -> None:
        self.run: Run = create_run(
            store, name, game="tic_tac_toe", config=config or CONFIG, seed=0, versions={}
        )
        self.writers: dict[str, SegmentWriter] = {}
        self.count = 0

    def segment(self, writer: str = A, rows: int = 2) -> str:
        """Commit a segment of one episode; its key."""
        if writer not in self.writers:
            self.writers[writer] = SegmentWriter(self.run, SCHEMA, writer=writer)
        self.count += 1
        arrays = {"number": np.array([self.count], "<i8"), "row_ply": np.zeros(rows, "<u2")}
        self.writers[writer].append(Episode(self.count.to_bytes(16, "big"), arrays))
        key = self.writers[writer].commit()
        assert key is not None
        if isinstance(self.run.files, LocalFiles):
            os.utime(self.run.files.root / key, (self.count, self.count))
        return key

    def checkpoint(self, step: int, **metadata: Any) -> None:
        """Save a checkpoint whose cursor is after the segments so far."""
        cursor = {name: writer.next_seq for name, writer in self.writers.items()}
        content = {"cursor": cursor, "elapsed_s": 12.0, "counters": {"games": 3, "rows": 8}}
        model = {checkpoints.MODEL_FILE: f"weights {step}".encode()}
        checkpoints.save(self.run, step, model, content | metadata)


def resumed(run: Run, step: int, window: int) -> tuple[list[int], list[int]]:
    """What a trainer that resumes from a checkpoint reads: its window, and what comes after."""
    log = ReplayLog(run, SCHEMA)
    saved = checkpoints.load(run, step)
    cursor = saved.metadata["cursor"]
    if WINDOW_FILE in saved.files:
        loaded = log.load_window(SavedWindow.from_bytes(saved.files[WINDOW_FILE]), cursor)
        return _numbers(loaded), _numbers(log.poll())
    return _numbers(log.load_newest(window, of="row_ply", until=cursor)), _numbers(log.poll())


def _numbers(batches: Any) -> list[int]:
    return [number for batch in batches for number in batch.values["number"].tolist()]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in a folder and under it, by its path there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class ReadOnlyFiles(LocalFiles):
    """A folder in which nothing can be changed, whoever tries."""

    def within(self, folder: str) -> ReadOnlyFiles:
        return ReadOnlyFiles(self.root / folder)

    def _refuse(self, *arguments: object) -> Any:
        raise StoreWriteError(f"{arguments[0]}: read-only file system", 30)

    def _refuse_os(self, *arguments: object) -> Any:
        raise OSError(30, "Read-only file system", str(arguments[0]))

    create = create_same = lock = _refuse
    move = remove = remove_folder = remove_leftovers = _refuse_os
