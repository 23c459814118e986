"""Runs at a glance: their progress, and who trains them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from store.errors import RunLockedError
from store.files.lease import BEAT_SECONDS
from store.files.local import LocalFiles
from store.progress import summary
from store.progress.summary import summarize_run, summarize_store
from store.run import open_run
from tests.store.small_runs import ReadOnlyFiles, SmallRun, contents

ROOT = Path(__file__).parents[3]


def only(store):
    (found,) = summarize_store(store)
    return found


def test_a_run_without_a_checkpoint_knows_no_progress(tmp_path):
    SmallRun(tmp_path).segment()
    found = only(tmp_path)
    assert (found.name, found.game, found.state) == ("r", "tic_tac_toe", "stopped")
    assert (found.elapsed_s, found.games, found.rows, found.step) == (None, None, None, None)
    assert (found.checkpoints, found.budget_s) == (0, 30.0)


def test_progress_is_the_newest_checkpoints(tmp_path):
    small = SmallRun(tmp_path)
    small.checkpoint(1)
    small.checkpoint(20, elapsed_s=29.0, counters={"games": 7, "rows": 70})
    found = only(tmp_path)
    assert (found.elapsed_s, found.games, found.rows) == (29.0, 7, 70)
    assert (found.step, found.checkpoints, found.state) == (20, 2, "stopped")
    small.checkpoint(30, elapsed_s=30.0)
    assert only(tmp_path).state == "finished"
    (tmp_path / "r/checkpoints/000000030/MANIFEST.json").write_text("damaged")
    found = only(tmp_path)
    assert (found.elapsed_s, found.checkpoints) == (29.0, 3)


def test_an_extended_run_is_finished_when_its_newest_budget_is_used(tmp_path):
    small = SmallRun(tmp_path)  # begun with half a minute
    small.checkpoint(1, elapsed_s=30.0, budget={"minutes": 0.5, "games": 0})
    assert (only(tmp_path).state, only(tmp_path).budget_s) == ("finished", 30.0)
    small.checkpoint(2, elapsed_s=45.0, budget={"minutes": 1.0, "games": 0})
    assert (only(tmp_path).state, only(tmp_path).budget_s) == ("stopped", 60.0)
    small.checkpoint(3, elapsed_s=60.0, budget={"minutes": 1.0, "games": 0})
    assert only(tmp_path).state == "finished"


def test_a_budget_of_games_is_a_budget(tmp_path):
    small = SmallRun(tmp_path, config={"minutes": 0, "games": 4})
    small.checkpoint(1, counters={"games": 3})
    assert only(tmp_path).state == "stopped"
    small.checkpoint(2, counters={"games": 4})
    assert (only(tmp_path).state, only(tmp_path).games_goal) == ("finished", 4)


def test_a_budget_of_rows_is_a_budget(tmp_path):
    small = SmallRun(tmp_path, config={"minutes": 0, "games": 0, "rows": 8})
    small.checkpoint(1, counters={"games": 9, "rows": 7})
    assert only(tmp_path).state == "stopped"
    small.checkpoint(2, counters={"games": 9, "rows": 8})
    assert (only(tmp_path).state, only(tmp_path).rows_goal) == ("finished", 8)


def test_size_and_last_change_are_of_all_files_but_the_lock(tmp_path):
    small = SmallRun(tmp_path)
    small.segment()
    path = tmp_path / "r/matches/x.jsonl"
    path.parent.mkdir()
    path.write_text("{}\n")
    for file in (tmp_path / "r").rglob("*"):
        os.utime(file, (50, 50))
    os.utime(path, (100, 100))
    (tmp_path / "r/trainer.lock").write_text("")
    found = only(tmp_path)
    assert found.changed_ns == 100 * 10**9
    assert found.size == sum(map(len, contents(tmp_path / "r").values()))


def test_a_damaged_run_is_shown_and_stops_nothing(tmp_path):
    for name in ("a", "b", "c"):
        SmallRun(tmp_path, name).checkpoint(5)
    (tmp_path / "b/run.json").write_text("{")
    found = list(summarize_store(tmp_path))
    assert [run.name for run in found] == ["a", "b", "c"]
    assert [bool(run.problem) for run in found] == [False, True, False]
    assert "'b'" in found[1].problem
    assert (found[1].game, found[1].step) == ("", 5)


def test_a_folder_that_cannot_be_listed_hides_no_other_run(tmp_path, monkeypatch):
    for name in ("a", "b"):
        SmallRun(tmp_path, name).checkpoint(5)
    original = LocalFiles.tree

    def denied(self, folder):
        if self.root.name == "a":
            raise PermissionError(13, "Permission denied", f"{self.root}/{folder}")
        return original(self, folder)

    monkeypatch.setattr(LocalFiles, "tree", denied)
    first, second = summarize_store(tmp_path)
    assert "run 'a' cannot be read: [Errno 13] Permission denied" in first.problem
    assert (second.step, second.problem) == (5, "")


def test_a_held_lock_is_seen_and_not_disturbed(tmp_path):
    small = SmallRun(tmp_path)
    with small.run.lock_trainer() as lock:
        before = (tmp_path / "r/trainer.lock").read_bytes()
        assert only(tmp_path).state == "training"
        assert (tmp_path / "r/trainer.lock").read_bytes() == before
        assert lock.is_held
        with pytest.raises(RunLockedError):
            open_run(tmp_path, "r").lock_trainer()
    assert only(tmp_path).state == "stopped"


def test_a_free_lock_is_not_even_tried(tmp_path, monkeypatch):
    small = SmallRun(tmp_path)
    small.run.lock_trainer().release()
    monkeypatch.setattr(type(small.run.files), "lock", lambda self, key: pytest.fail("tried"))
    assert only(tmp_path).state == "stopped"
    (tmp_path / "r/trainer.lock").unlink()
    assert only(tmp_path).state == "stopped"


HOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
from store.run import open_run
lock = open_run(sys.argv[2], "r").lock_trainer()
print("held", flush=True)
sys.stdin.read()  # until it is killed, or the tests are gone
"""


def test_a_killed_trainer_trains_no_more(tmp_path):
    SmallRun(tmp_path)
    words = [sys.executable, "-c", HOLDER, str(ROOT), str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, text=True, **pipes) as holder:
        holder.stdout.readline()
        assert only(tmp_path).state == "training"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert (tmp_path / "r/trainer.lock").read_text().strip() == str(holder.pid)
    assert only(tmp_path).state == "stopped"


def test_a_read_only_store_is_listed(tmp_path):
    SmallRun(tmp_path).checkpoint(3)
    files = ReadOnlyFiles(tmp_path / "r")
    assert summarize_run(files, "r").state == "stopped"
    (tmp_path / "r/trainer.lock").write_text("12345\n")
    found = summarize_run(files, "r")
    assert (found.state, found.step) == ("unknown", 3)


class LeaseFiles:
    """The lock's folder as it is listed one time after another; the last time for ever."""

    def __init__(self, *listings):
        self.listings = list(listings)

    def names(self, folder):
        assert folder == "trainer.lock"
        return self.listings.pop(0) if len(self.listings) > 1 else self.listings[0]


@pytest.mark.parametrize(
    ("listings", "state"),
    [
        ([["00000001.json", "00000001-00000004"], ["00000001.json", "00000001-00000005"]],
         "training"),
        ([["00000001.json", "00000001-00000004"]], "stopped"),
        ([["00000001.json", "00000001-released"]], "stopped"),
        ([["00000001.json", "00000001-00000004"], ["00000001.json", "00000001-released"]],
         "stopped"),
        ([["00000001-released", "00000001.json", "00000002.json"], ["00000002-00000001"]],
         "training"),
    ],
)  # fmt: skip
def test_a_lease_is_judged_by_its_heartbeats(listings, state):
    paused = []
    assert summary._state(LeaseFiles(*listings), False, paused.append) == state
    assert sum(paused) <= 2 * BEAT_SECONDS


def test_no_store_is_no_runs(tmp_path):
    assert list(summarize_store(tmp_path / "none")) == []
    assert list(tmp_path.iterdir()) == []


def test_a_run_on_an_object_store_is_told_as_one_on_a_disk(tmp_path):
    url = f"memory://summary-test-{tmp_path.name}"
    small = SmallRun(url)
    small.segment()
    with small.run.lock_trainer():
        assert small.run.files.names("trainer.lock")
    small.checkpoint(4)
    found = only(url)
    assert (found.state, found.step, found.games) == ("stopped", 4, 3)
    assert found.changed_ns > 0
    assert found.size > 0
