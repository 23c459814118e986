"""Any write, fsync, link or unlink of a whole training may fail: it says so and nothing is lost.

What is reported as failed is not found later, what was acknowledged is there, and the same command
goes on to the very end that a training without the fault has. So it is on a full disk, on one that
cannot be written, under a clock that jumps, beside other runs and other readers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.alphazero.episodes import SCHEMA
from selfplay.loop import train
from store import checkpoints
from store.errors import RunLockedError, StoreError, StoreWriteError
from store.replay.log import ReplayLog
from store.run import create_run, open_run, resume_or_create_run
from tests.selfplay.forking import ROOT
from tests.selfplay.killed_run import (
    CONFIG,
    RUN,
    acknowledging,
    assert_acknowledged,
    assert_sound,
    contents,
    finish,
)
from tests.store.faulty_files import CODES, Act, SystemCalls, failing, filling, sample_of

FOREVER = 10**9
FILES = {"model.safetensors": b"weights" * 100, "trainer.pt": b"momentum"}
SETTINGS: dict[str, Any] = {"game": "g", "config": {}, "seed": 0, "versions": {}}


class Uncut:
    """A training without faults: what it leaves, and how many system calls it makes."""

    def __init__(self, store: Path) -> None:
        with SystemCalls(store).watched() as watched:
            finish(store)
        self.store = store
        self.calls = len(watched.calls)
        self.contents = contents(store)


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Uncut:
    return Uncut(tmp_path_factory.mktemp("uncut"))


def train_until_fault(store: Path, act: Act) -> tuple[StoreError | None, list[str]]:
    """The store's error that ended the training, if any, and what it had acknowledged."""
    acknowledged: list[str] = []
    with acknowledging(acknowledged.append), SystemCalls(store, act).watched():
        try:
            finish(store)
        except StoreError as error:  # any other error is a failure of the test
            return error, acknowledged
    return None, acknowledged


def assert_clear(error: StoreError, store: Path, code: int, acknowledged: list[str]) -> None:
    """It names a path in the store and the reason, and what failed is not there.

    Unless another try succeeded: a training that ends saves its last checkpoint once more.
    """
    assert isinstance(error, StoreWriteError)
    assert error.errno == code
    assert os.strerror(code).lower() in str(error).lower()
    named = re.search(r"'([^']+)'", str(error))
    assert named is not None
    path = Path(named[1])
    assert path.is_relative_to(store)
    if "cannot write" not in str(error):
        return  # what was in the way of a checkpoint could not be removed
    if path.name != "trainer.lock" and f"checkpoints/{path.parent.name}" not in acknowledged:
        assert not path.exists()


def assert_survives(uncut: Uncut, store: Path, code: int, act: Act) -> bool:
    """Train with the fault, then without; whether the fault ended the training."""
    store.mkdir()
    error, acknowledged = train_until_fault(store, act)
    if error is not None:
        assert_clear(error, store, code, acknowledged)
    assert_acknowledged(store, acknowledged)
    finish(store)
    assert_sound(store)
    assert contents(store) == uncut.contents
    return error is not None


def assert_every_call_may_fail(uncut: Uncut, folder: Path, calls: list[int]) -> None:
    told = 0
    for call in calls:
        code = CODES[call % len(CODES)]
        told += assert_survives(uncut, folder / str(call), code, failing(code, call))
    assert 3 * told > len(calls)  # the others are removals of what is not needed any more


@pytest.mark.slow
def test_some_calls_of_a_training_fail(uncut: Uncut, tmp_path: Path) -> None:
    assert uncut.calls > 100
    assert_every_call_may_fail(uncut, tmp_path, list(sample_of(uncut.calls, 4)))


@pytest.mark.slow
def test_every_call_of_a_training_fails_in_turn(uncut: Uncut, tmp_path: Path) -> None:
    assert_every_call_may_fail(uncut, tmp_path, list(range(1, uncut.calls + 1)))


def assert_disk_may_fill(uncut: Uncut, folder: Path, wanted: int) -> None:
    told = [
        assert_survives(uncut, folder / str(call), errno.ENOSPC, filling(call))
        for call in sample_of(uncut.calls, wanted, seed=3)
    ]
    assert sum(told) >= len(told) - 1  # after the very last write nobody needs to hear of it


def test_a_disk_that_fills_and_stays_full(uncut: Uncut, tmp_path: Path) -> None:
    assert_disk_may_fill(uncut, tmp_path, 1)


@pytest.mark.slow
def test_a_disk_that_fills_at_many_moments(uncut: Uncut, tmp_path: Path) -> None:
    assert_disk_may_fill(uncut, tmp_path, 40)


# --- parts of the store under every fault ---------------------------------------------------

Work = Callable[[Path], None]


def every_fault(prepare: Work, work: Work, folder: Path) -> Iterator[Path]:
    """Prepare and work in a fresh store for each system call of `work`, which fails there."""
    call, reached = 1, True
    while reached:
        store = folder / str(call)
        prepare(store)
        calls = SystemCalls(store, failing(errno.EIO, call))
        with calls.watched(), contextlib.suppress(StoreError):  # any other error fails the test
            work(store)
        reached = len(calls.calls) >= call
        call += 1
        yield store


def test_replacing_a_damaged_checkpoint_may_fail_anywhere(tmp_path: Path) -> None:
    def prepare(store: Path) -> None:
        run = create_run(store, RUN, **SETTINGS)
        checkpoints.save(run, 1, FILES)
        checkpoints.save(run, 2, FILES)
        (store / RUN / "checkpoints/000000002/trainer.pt").write_bytes(b"momentun")

    def save_again(store: Path) -> None:
        checkpoints.save(open_run(store, RUN), 2, FILES)

    stores = list(every_fault(prepare, save_again, tmp_path))
    assert len(stores) > 20
    for store in stores:
        save_again(store)
        run = open_run(store, RUN)
        assert checkpoints.load(run, 1).files == checkpoints.load(run, 2).files == FILES


def test_a_reader_survives_any_fault_of_putting_a_segment_aside(
    uncut: Uncut, tmp_path: Path
) -> None:
    first = next((uncut.store / RUN / "replay").glob("*/000000000-*"))
    read: list[int] = []

    def prepare(store: Path) -> None:
        folder = store / RUN / first.parent.relative_to(uncut.store / RUN)
        folder.mkdir(parents=True)
        for path in first.parent.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / first.name).write_bytes(b"")
        (store / RUN / "run.json").write_bytes((uncut.store / RUN / "run.json").read_bytes())

    def poll(store: Path) -> None:
        read.append(sum(map(len, ReplayLog(open_run(store, RUN), SCHEMA).poll())))

    stores = list(every_fault(prepare, poll, tmp_path))
    assert len(stores) > 5
    assert len(set(read)) == 1
    assert read[0] > 0


# --- real disks -----------------------------------------------------------------------------


def mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size; skips the test where this user cannot mount one."""
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", f"size={size}", "ludens-test", str(folder)):
        pytest.skip("this user cannot mount a tmpfs; a limit of the file size is tested instead")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(uncut: Uncut, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "250k") as disk:
        acknowledged: list[str] = []
        with (
            acknowledging(acknowledged.append),
            pytest.raises(StoreWriteError, match=r"no space left.*bytes to write") as caught,
        ):
            finish(disk)
        assert caught.value.errno == errno.ENOSPC
        assert any(what.startswith("checkpoints/") for what in acknowledged)
        assert_acknowledged(disk, acknowledged)
        assert mount("-o", "remount,size=16m", str(disk))
        finish(disk)
        assert_sound(disk)
        assert contents(disk) == uncut.contents


def test_a_disk_that_is_really_read_only(uncut: Uncut, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "16m") as disk:
        finish(disk)
        bad = next((disk / RUN / "replay").glob("*/000000001-*"))
        episodes = sum(map(len, ReplayLog(open_run(disk, RUN), SCHEMA).poll()))
        bad.write_bytes(bad.read_bytes()[:-1])
        assert mount("-o", "remount,ro", str(disk))
        run = open_run(disk, RUN)
        newest = checkpoints.latest_valid(run)
        assert newest is not None
        left = sum(map(len, ReplayLog(run, SCHEMA).poll()))
        assert left == episodes - int(bad.name.split("-")[1])
        with pytest.raises(StoreWriteError, match="read-only file system"):
            finish(disk)
        with pytest.raises(StoreWriteError, match=r"run\.json.*read-only file system"):
            create_run(disk, "new", **SETTINGS)
        assert bad.exists()


def test_a_limit_of_the_file_size(uncut: Uncut, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))  # segments fit, checkpoints do not
    acknowledged: list[str] = []
    try:
        with acknowledging(acknowledged.append), pytest.raises(StoreWriteError, match="too large"):
            finish(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert acknowledged
    assert_acknowledged(tmp_path, acknowledged)
    finish(tmp_path)
    assert_sound(tmp_path)
    assert contents(tmp_path) == uncut.contents


def test_a_store_that_refuses_every_change(uncut: Uncut, tmp_path: Path) -> None:
    error, acknowledged = train_until_fault(tmp_path, failing(errno.EROFS, 1, FOREVER))
    assert isinstance(error, StoreWriteError)
    assert_clear(error, tmp_path, errno.EROFS, acknowledged)
    assert acknowledged == []
    assert list(tmp_path.iterdir()) == []


# --- company --------------------------------------------------------------------------------


def test_two_runs_on_one_store_do_not_meet(uncut: Uncut, tmp_path: Path) -> None:
    runs = [train(CONFIG, store_url=str(tmp_path), run_name=name) for name in (RUN, "other")]
    while runs:
        runs = [run for run in runs if next(run, None) is not None]
    assert_sound(tmp_path)
    assert contents(tmp_path) == uncut.contents


def test_two_that_create_one_run_at_once(tmp_path: Path) -> None:
    """The second takes the lock and sweeps between the first's write aside and its link."""
    others: list[Any] = []

    def interfere(number: int, name: str, path: str) -> None:
        if name == "link" and not others:
            others.append(None)
            run = resume_or_create_run(tmp_path, RUN, **SETTINGS)
            others.append(run.lock_trainer())

    with SystemCalls(tmp_path, interfere).watched():
        run = resume_or_create_run(tmp_path, RUN, **SETTINGS)
    assert not run.is_new
    with pytest.raises(RunLockedError, match=f"process {os.getpid()}"):
        run.lock_trainer()
    others[1].release()


@pytest.mark.slow
def test_the_front_door_says_in_one_line_who_trains(tmp_path: Path) -> None:
    command = [sys.executable, "ludens.py", "train", "tic_tac_toe", "--run", "first"]
    command += ["--store", str(tmp_path), "--minutes", "1"]
    with create_run(tmp_path, "first", **{**SETTINGS, "game": "tic_tac_toe"}).lock_trainer():
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode != 0
    assert "Traceback" not in told.stdout + told.stderr
    assert len(told.stderr.strip().splitlines()) == 1


def test_a_reader_never_fails_while_checkpoints_are_pruned(tmp_path: Path) -> None:
    run = create_run(tmp_path, RUN, **SETTINGS)
    checkpoints.save(run, 0, {"model": bytes(1000)})
    problems: list[BaseException] = []
    done = threading.Event()

    def read_on() -> None:
        try:
            newest = 0
            while not done.is_set():
                found = checkpoints.latest_valid(run)
                assert found is not None
                assert found.step >= newest
                assert found.files == {"model": bytes([found.step % 256]) * 1000}
                newest = found.step
        except BaseException as error:
            problems.append(error)

    readers = [threading.Thread(target=read_on) for _ in range(2)]
    for reader in readers:
        reader.start()
    for step in range(1, 80):
        checkpoints.save(run, step, {"model": bytes([step % 256]) * 1000})
        checkpoints.delete(run, checkpoints.steps(run)[:-1])
    done.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert checkpoints.steps(run) == [79]


# --- clocks ---------------------------------------------------------------------------------


class JumpingClock:
    """Before each system call the time and the age of every file jump by up to some days."""

    def __init__(self, store: Path, seed: int, cut: int) -> None:
        self.store = store
        self.cut = cut  # the call that fails
        self.rng = random.Random(seed)
        self.now = time.time()

    def __call__(self, number: int, name: str, path: str) -> None:
        self.now += self.rng.uniform(-5, 5) * 86_400
        for file in self.store.rglob("*.arrow"):
            age = self.rng.uniform(-30, 30) * 86_400
            os.utime(file, (self.now + age, self.now + age))
        if number == self.cut:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)


def assert_clock_does_not_matter(
    uncut: Uncut, store: Path, patch: pytest.MonkeyPatch, cut: int
) -> None:
    clock = JumpingClock(store, cut, cut)
    patch.setattr(time, "time", lambda: clock.now)
    store.mkdir()
    train_until_fault(store, clock)
    train_until_fault(store, JumpingClock(store, -cut, 0))
    assert_sound(store)
    assert contents(store) == uncut.contents


def test_a_clock_that_jumps_by_days_changes_nothing(
    uncut: Uncut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cut in sample_of(uncut.calls, 1, seed=5):
        assert_clock_does_not_matter(uncut, tmp_path / str(cut), monkeypatch, cut)


@pytest.mark.slow
def test_a_clock_that_jumps_at_many_moments_changes_nothing(
    uncut: Uncut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cut in sample_of(uncut.calls, 30, seed=6):
        assert_clock_does_not_matter(uncut, tmp_path / str(cut), monkeypatch, cut)
