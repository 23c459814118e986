"""The order in which segments were taken is the order in which a window is read again."""

import logging

import numpy as np
import pytest

from store import checkpoints
from store.errors import StoreError
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.known_segments import REMEMBERED
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.replay.window import (
    WINDOW_FILE,
    ReplayWindow,
    SavedWindow,
    TakenSegment,
    TakenSegments,
    Window,
)
from store.run import Run, RunInfo
from store.upkeep.retention import Retention, plan_pruning, prune
from store.upkeep.tidy import Upkeep
from tests.store.memory_files import MemoryFiles
from tests.store.small_runs import SCHEMA

ROWS = 2  # of an episode
WINDOW = Window(8, "row_ply")


class Writers:
    """A run in memory and two writers, whose commits are a second apart."""

    def __init__(self):
        self.run = Run("r", MemoryFiles(), RunInfo("g", {}, 0))
        self.of = {n: SegmentWriter(self.run, SCHEMA, writer=n * 32) for n in "ab"}
        self.count = 0

    def commit(self, name, *numbers, rows=ROWS):
        for number in numbers or (self.count,):
            arrays = {"number": np.array([number], "<i8"), "row_ply": np.zeros(rows, "<u2")}
            self.of[name].append(Episode(number.to_bytes(16, "big"), arrays))
        self.count += 1
        return self.of[name].commit()

    def log(self):
        return ReplayLog(self.run, SCHEMA, window=WINDOW)


def numbers(batches):
    return [n for batch in batches for n in batch.values["number"].tolist()]


def again(writers, log):
    """A log and the window that resuming from a checkpoint of `log` reads."""
    other = writers.log()
    saved = SavedWindow.from_bytes(log.saved_window.to_bytes())
    return other, other.load_window(saved, log.cursor)


def test_the_order_is_that_of_taking_and_not_of_committing():
    writers = Writers()
    keys = [writers.commit(name) for name in "aabbab"]
    log = writers.log()
    log.announce([keys[2], keys[0], keys[3], keys[1], keys[5], keys[4]])
    assert numbers(log.take()) == [2, 0, 3, 1, 5, 4]
    other, window = again(writers, log)
    assert (window.rows, numbers(window)) == (8, [3, 1, 5, 4])
    by_time = numbers(writers.log().load_newest(8, "row_ply", until=log.cursor))
    assert by_time == [2, 3, 4, 5]  # what resuming took them for
    assert other.cursor == log.cursor
    assert other.saved_window == log.saved_window
    writers.commit("a")
    assert numbers(other.poll()) == [6]


def test_a_window_that_was_not_read_counts_as_read():
    writers = Writers()
    log = writers.log()
    log.announce([writers.commit("a") for _ in range(6)])
    log.take()
    other, _ = again(writers, log)
    assert numbers(other.poll()) == []
    assert other.saved_window == log.saved_window


def test_episodes_that_were_dropped_are_dropped_again():
    """The first of them lies before the window when it is read again."""
    writers = Writers()
    log = writers.log()
    keys = [writers.commit("a", 70), writers.commit("b", 71, 70, 72), writers.commit("a", 70)]
    log.announce([*keys, *(writers.commit("a", n) for n in range(2))])
    taken = numbers(log.take())
    assert taken == [70, 71, 72, 0, 1]
    assert [segment.rows for segment in log.saved_window.segments] == [4, 2, 2]
    _, window = again(writers, log)
    assert numbers(window) == [71, 72, 0, 1]


def test_what_was_taken_before_an_earlier_segment_could_be_read_is_not_taken_again(monkeypatch):
    writers = Writers()
    log = writers.log()
    keys = [writers.commit("a") for _ in range(9)]
    read = writers.run.files.read
    with monkeypatch.context() as patch:

        def failing(key, most=None):
            if key == keys[2]:
                raise OSError(5, "Input/output error")
            return read(key)

        patch.setattr(writers.run.files, "read", failing)
        log.announce(keys)
        assert numbers(log.take()) == [0, 1, 3, 4, 5, 6, 7, 8]
    assert log.cursor == {"a" * 32: 2}
    assert log.saved_window.ahead == tuple(keys[3:])
    other, window = again(writers, log)
    assert numbers(window) == [5, 6, 7, 8]
    assert numbers(other.poll()) == [2]
    assert other.cursor == {"a" * 32: 9}
    assert other.saved_window.ahead == ()


def test_a_read_error_leaves_a_gap_and_is_not_read_later_as_new(monkeypatch, caplog):
    writers = Writers()
    log = writers.log()
    keys = [writers.commit("a") for _ in range(6)]
    log.announce(keys)
    log.take()
    read = writers.run.files.read

    def failing(key, most=None):
        if key == keys[3]:
            raise OSError(5, "Input/output error")
        return read(key)

    with monkeypatch.context() as patch:
        patch.setattr(writers.run.files, "read", failing)
        other, window = again(writers, log)
        with caplog.at_level(logging.WARNING):
            placed = [(before, numbers([batch])) for before, batch in window.placed()]
    assert placed == [(0, [2]), (4, [4]), (6, [5])]
    assert "skipped for now" in caplog.text
    assert other.poll() == []
    assert other.cursor == log.cursor


def test_a_segment_taken_without_reading_it_is_one_of_the_order():
    writers = Writers()
    log, rows = writers.log(), []
    noted = ReplayLog(
        writers.run, SCHEMA, on_segment=lambda *part: rows.append(part[2].rows("row_ply")),
        window=WINDOW,
    )  # fmt: skip
    for name in "ab":
        key = writers.commit(name)
        (batch,) = log.poll()
        noted.mark_taken(key, batch)
    assert rows == [2, 2]
    assert noted.poll() == []
    assert noted.saved_window == log.saved_window
    assert (noted.cursor, noted.episodes_read) == (log.cursor, 2)
    with pytest.raises(StoreError, match="no segment's key"):
        noted.mark_taken("else", batch)


def test_the_order_that_is_kept_depends_on_the_window_and_not_on_the_age():
    writers = Writers()
    log = writers.log()
    sizes = []
    for _ in range(3 * REMEMBERED):
        log.announce([writers.commit("a")])
        log.take()
        sizes.append(len(log.saved_window.segments))
        assert log.saved_window.ahead == ()
    assert sizes == [1, 2, 3, *[4] * (3 * REMEMBERED - 3)]
    taken = TakenSegments(10)
    for rows in (4, 30, 0, 3, 3, 3):
        taken.add(TakenSegment(str(rows), rows))
    assert [segment.rows for segment in taken] == [30, 3, 3, 3]
    taken.add(TakenSegment("1", 1))
    assert [segment.rows for segment in taken] == [3, 3, 3, 1]


def test_batches_in_memory_are_a_window():
    episodes = [
        Episode(bytes([n]) * 16, {"number": np.array([n]), "row_ply": np.zeros(n, "<u2")})
        for n in (1, 2, 3)
    ]
    batches = [EpisodeBatch.of(SCHEMA, [episode]) for episode in episodes]
    window = ReplayWindow.of(batches, "row_ply")
    assert (window.rows, numbers(window)) == (6, [1, 2, 3])
    assert [before for before, _ in window.placed()] == [0, 1, 3]


@pytest.mark.parametrize("by_trainer", [True, False])
def test_pruning_keeps_what_resuming_reads_by_its_order(by_trainer):
    """Of "b" nothing was taken for long: by time of commit its segments would be of no window."""
    writers = Writers()
    upkeep = Upkeep(writers.run, WINDOW)
    log = ReplayLog(writers.run, SCHEMA, on_segment=upkeep.note_segment, window=WINDOW)
    late = [writers.commit("b") for _ in range(3)]
    log.announce([writers.commit("a") for _ in range(20)])
    log.take()
    log.announce(late)
    log.take()
    for step in range(1, 3):
        window = log.saved_window
        files = {checkpoints.MODEL_FILE: b"w", WINDOW_FILE: window.to_bytes()}
        checkpoints.save(writers.run, step, files, {"cursor": log.cursor})
        upkeep.note_checkpoint(step, log.cursor, window)
    if by_trainer:
        plan = upkeep.tidy()
    else:
        plan = plan_pruning(writers.run, Retention(keep_last=5, keep_rows=0, window=WINDOW))
        prune(writers.run, plan)
    assert len(plan.drop_segments) == 19
    _, again_read = again(writers, log)
    assert numbers(again_read) == [22, 0, 1, 2]
