"""What it costs to look at a run and to care for it, counted in requests as it grows."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from store import checkpoints
from store.progress.lock_watch import LockWatch
from store.progress.log import ProgressReader, ProgressWriter
from store.progress.summary import summarize_run
from store.replay.segments import SegmentName
from store.replay.window import Window
from store.run import RUN_FILE, Run, RunInfo, _encode_info, read_info
from store.upgrades import KEPT
from store.upkeep.keeps import KEPT_FOLDER, NotedBest, kept_names, note_best
from store.upkeep.retention import RESUMABLE, Retention, plan_pruning, prune
from store.upkeep.verify import MATCH_FOLDER, verify_files
from tests.store.counting_files import CountingFiles
from tests.store.memory_files import MemoryFiles

INFO = RunInfo("tic_tac_toe", {"learner": {"window_rows": 4}}, 0)
SIZES = (100, 10_000)


def stored(segments: int, *, saved: int = 30, matches: int = 0) -> CountingFiles:
    """A run with so many segments by ten writers, none of which can be read."""
    files = MemoryFiles()
    files.create(RUN_FILE, _encode_info(INFO))
    run = Run("r", files, read_info(files, "r"))
    for number in range(segments):
        name = SegmentName(number // 10, 1, 0)
        files.create(f"replay/{number % 10:032x}/{name}", b"x" * 10)
    end = {f"{writer:032x}": segments // 10 for writer in range(10)}
    for step in range(1, saved + 1):
        checkpoints.save(run, step, {"model.safetensors": b"w"}, {"cursor": end, "elapsed_s": 1.0})
    for number in range(matches):
        files.create(f"{MATCH_FOLDER}/{number:016x}-0000000-1.jsonl", b"{}\n")
    return CountingFiles(files)


def cost(files: CountingFiles, operation: Callable[[], Any]) -> int:
    files.reset()
    operation()
    return files.requests


def test_a_run_of_ten_thousand_segments_is_summarised_with_fewer_than_twenty_requests():
    files = stored(SIZES[1], matches=200)
    note_best(files, NotedBest(7, 100, 12.5, 3.0, 200))
    found = summarize_run(files, "r")
    assert (found.best, found.matches) == (NotedBest(7, 100, 12.5, 3.0, 200), 200)
    assert (found.step, found.checkpoints, found.state) == (30, 30, "stopped")
    assert found.size > 10 * SIZES[1]
    assert cost(files, lambda: summarize_run(files, "r")) < 20
    small = stored(SIZES[0])
    few = cost(small, lambda: summarize_run(small, "r"))
    assert few <= 5
    assert files.requests - few <= SIZES[1] / 1000 + 2  # the listing's pages, and what is noted


def test_a_best_that_was_noted_of_fewer_matches_is_not_believed():
    files = stored(10, matches=3)
    note_best(files, NotedBest(7, 100, 12.5, 3.0, 2))
    assert summarize_run(files, "r").best is None
    note_best(files, NotedBest(9, 100, 12.5, 3.0, 3))
    assert summarize_run(files, "r").best == NotedBest(9, 100, 12.5, 3.0, 3)
    assert kept_names(files).best == [(3, 9)]


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"step": 7}', b'{"format": "ludens-kept/1"}'])
def test_a_damaged_note_is_passed_over(data, caplog):
    files = stored(10, matches=3)
    files.create(f"{KEPT_FOLDER}/best-000000003-000000007.json", data)
    assert summarize_run(files, "r").best is None
    assert "is skipped" in caplog.text
    assert kept_names(files).steps == {7}


def test_a_best_that_says_something_else_than_its_name_is_not_believed():
    files = stored(10, matches=3)
    note = {"format": KEPT.name, "step": 8, "games": 1, "elo": 0.0, "error": 1.0, "matches": 3}
    files.create(f"{KEPT_FOLDER}/best-000000003-000000007.json", json.dumps(note).encode())
    assert summarize_run(files, "r").best is None


def test_pruning_lists_and_deletes_in_bulk():
    """Only what stays is read: one window of segments and the newest checkpoints."""
    costs = {}
    for segments in SIZES:
        files = stored(segments, saved=segments // 50)
        run = Run("r", files, INFO)
        # No segment can be read, so all rows are looked for in vain; a window of none ends at once.
        retention = Retention(keep_last=3, keep_rows=0, window=Window(0))
        files.reset()
        plan = plan_pruning(run, retention)
        prune(run, plan)
        costs[segments] = files.requests
        assert len(plan.drop_segments) == segments - 10  # the last of each writer stays
        assert len(checkpoints.steps(run)) == min(3, segments // 50)
    pages = SIZES[1] // 1000
    assert costs[SIZES[1]] - costs[SIZES[0]] <= 2 * pages + RESUMABLE + 4


def test_verifying_reads_each_file_once_and_asks_little_else():
    files = stored(100, saved=20)
    reads = 100 + 2 * 20 + 1 + 1  # segments, a manifest and a file each, run.json, the schema's
    assert cost(files, lambda: verify_files(files, "r")) <= reads + 12


def test_a_look_at_a_lock_is_one_request():
    files = stored(10)
    assert LockWatch(files).look() is False
    assert files.calls == {"names": 1, "read": 1}
    clock = iter([0.0, 5.0, 15.0, 30.0, 31.0])
    watch = LockWatch(files, lambda: next(clock))
    files.create("trainer.lock/00000001.json", b"{}")
    files.create("trainer.lock/00000001-00000004", b"")
    assert watch.look() is None  # who knows
    files.remove("trainer.lock/00000001-00000004")
    files.create("trainer.lock/00000001-00000005", b"")
    files.reset()
    assert watch.look() is True  # a heartbeat came
    assert files.calls == {"names": 1}
    assert watch.look() is False  # none within ten seconds
    files.remove("trainer.lock/00000001-00000005")
    files.create("trainer.lock/00000001-00000006", b"")
    assert watch.look() is True
    files.create("trainer.lock/00000001-released", b"")
    assert watch.look() is False


def test_following_a_journal_is_one_listing_however_often_it_was_resumed():
    files = CountingFiles(MemoryFiles())
    reader, costs = ProgressReader(files), []
    for session in range(30):
        writer = ProgressWriter(files, {}, now=lambda session=session: 1e9 + session)
        for number in range(3):
            writer.append({"games": number})
            writer.flush()
        reader.poll()
        costs.append(cost(files, reader.poll))
    assert costs == [1] * 30
    assert len(reader.sessions) == 30
