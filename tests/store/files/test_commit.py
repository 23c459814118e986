"""The commit protocol: whole or absent, never replaced, errors that name the path."""

import contextlib
import errno
import os
import resource
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

from store import checkpoints
from store.errors import AlreadyStoredError, StoreWriteError
from store.files import commit
from store.files.commit import (
    TEMPORARY_PREFIX,
    commit_new,
    commit_same,
    remove_leftovers,
    rename_new,
)
from store.replay.episodes import Episode, EpisodeSchema
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.run import create_run, list_runs, open_run, resume_or_create_run

ROOT = Path(__file__).parents[3]
WRITER = "ab" * 16
SCHEMA = EpisodeSchema("test/1", {"moves": (np.dtype("<u2"), ())})


def leftovers(folder):
    return [path for path in folder.rglob("*") if path.name.startswith(TEMPORARY_PREFIX)]


def test_commits_the_bytes_and_creates_folders(tmp_path):
    commit_new(tmp_path / "a" / "b" / "file", memoryview(b"content"))
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"
    assert leftovers(tmp_path) == []


def test_never_replaces(tmp_path):
    commit_new(tmp_path / "file", b"first")
    with pytest.raises(AlreadyStoredError, match="file' exists already"):
        commit_new(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert leftovers(tmp_path) == []


def test_commit_same_confirms_equal_bytes_only(tmp_path):
    assert commit_same(tmp_path / "file", b"first") is True
    assert commit_same(tmp_path / "file", b"first") is False
    with pytest.raises(AlreadyStoredError):
        commit_same(tmp_path / "file", b"other")


def test_without_hard_links_renameat2_does_not_replace_either(tmp_path, monkeypatch):
    def no_links(source, target):
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    commit_new(tmp_path / "file", b"first")
    with pytest.raises(AlreadyStoredError):
        commit_new(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert leftovers(tmp_path) == []


def test_rename_new_moves_and_refuses(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    rename_new(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == b"a"
    assert not (tmp_path / "a").exists()
    with pytest.raises(AlreadyStoredError):
        rename_new(tmp_path / "b", tmp_path / "c")
    assert (tmp_path / "b").read_bytes() == b"b"


def test_leftovers_are_removed_by_their_owner(tmp_path):
    (tmp_path / f"{TEMPORARY_PREFIX}x").write_bytes(b"half")
    (tmp_path / "whole").write_bytes(b"whole")
    assert remove_leftovers(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
    assert remove_leftovers(tmp_path / "missing") == 0


def test_a_real_write_cut_short_is_an_error_that_names_the_path(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StoreWriteError, match=r"big.*too large.*10,000 bytes") as caught:
            commit_new(tmp_path / "big", bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "no space left"), (errno.EACCES, "permission denied"), (errno.EROFS, "read-")],
)
def test_system_errors_are_told_in_words(tmp_path, monkeypatch, code, words):
    commit_new(tmp_path / "before", b"kept")

    def fail(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreWriteError, match=words) as caught:
        commit_new(tmp_path / "file", b"content")
    assert str(tmp_path / "file") in str(caught.value)
    assert caught.value.errno == code
    assert [path.name for path in tmp_path.iterdir()] == ["before"]


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "blocker").write_bytes(b"")
    with pytest.raises(StoreWriteError, match="blocker"):
        commit_new(tmp_path / "blocker" / "sub" / "file", b"content")


def deterministic_work(store, acknowledge=lambda what: None):
    """Two segments of two episodes and a checkpoint; tells after each what is now safe."""
    run = resume_or_create_run(store, "r", game="g", config={}, seed=0, versions={})
    with run.lock_trainer():
        writer = SegmentWriter(run, SCHEMA, writer=WRITER, next_seq=0)
        for segment in range(2):
            for n in range(2):
                moves = np.arange(segment + n, dtype="<u2")
                writer.append(Episode(bytes([segment, n] * 8), {"moves": moves}))
            writer.commit()
            acknowledge(f"segment {segment}")
        if checkpoints.latest(run) is None:
            checkpoints.save(run, 1, {"model": b"weights"}, {"cursor": writer.cursor})
        acknowledge("checkpoint")


SYSTEM_CALLS = ("fsync", "link", "unlink", "mkdir")


def with_fault_at(set_attribute, point, fault):
    """Call `fault` instead of the point-th of all calls of SYSTEM_CALLS; returns their counter."""
    calls = [0]
    for name in SYSTEM_CALLS:
        original = getattr(os, name)

        def counted(*arguments, original=original, **options):
            calls[0] += 1
            if calls[0] == point:
                fault()
            return original(*arguments, **options)

        set_attribute(os, name, counted)
    return calls


def work_until_killed(store, point):
    acks = os.open(f"{store}.acks", os.O_CREAT | os.O_WRONLY)
    with_fault_at(setattr, point, lambda: os.kill(os.getpid(), signal.SIGKILL))
    try:
        deterministic_work(store, lambda what: os.write(acks, f"{what}\n".encode()))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def kill_at_every_point(root):
    """Do the work once for each system call of a commit, each time in a child killed there."""
    point = killed = 1
    while killed:
        child = os.fork()
        if child == 0:
            work_until_killed(f"{root}/{point}", point)
        status = os.waitpid(child, 0)[1]
        killed = os.WIFSIGNALED(status)
        assert killed or status == 0, f"the child at point {point} failed"
        point += 1


def test_kill_at_every_system_call_loses_nothing_acknowledged(tmp_path):
    program = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]\n"
        f"import test_commit; test_commit.kill_at_every_point({str(tmp_path)!r})"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    points = sorted(tmp_path.glob("*.acks"), key=lambda path: int(path.stem))
    assert len(points) > 20
    for path in points:
        acked = path.read_text().split("\n")[:-1]
        store = path.with_suffix("")
        if list_runs(store):
            run = open_run(store, "r")
            log = ReplayLog(run, SCHEMA)
            log.poll()
            assert log.episodes_read in (2 * sum("segment" in a for a in acked), 2, 4)
            assert log.episodes_read >= 2 * sum("segment" in a for a in acked)
            assert checkpoints.latest(run) == 1 or "checkpoint" not in acked
        deterministic_work(store)
        assert_work_is_complete(store)
    assert points[-1].read_text().endswith("checkpoint\n")


def assert_work_is_complete(store):
    run = open_run(store, "r")
    batches = ReplayLog(run, SCHEMA).poll()
    uuids = [batch.episode(n).uuid for batch in batches for n in range(len(batch))]
    assert uuids == [bytes([segment, n] * 8) for segment in range(2) for n in range(2)]
    checkpoint = checkpoints.load(run, 1)
    assert checkpoint.files == {"model": b"weights"}
    assert checkpoint.metadata == {"cursor": {WRITER: 2}}
    assert leftovers(store) == []
    assert not (store / "r" / "quarantine").exists()


def test_failure_of_every_system_call_loses_nothing(tmp_path):
    point, failed = 1, True
    while failed:
        with pytest.MonkeyPatch.context() as patch:
            calls = with_fault_at(patch.setattr, point, raise_disk_full)
            with contextlib.suppress(StoreWriteError):
                deterministic_work(tmp_path / str(point))
            failed = calls[0] >= point
        deterministic_work(tmp_path / str(point))
        assert_work_is_complete(tmp_path / str(point))
        point += 1
    assert point > 20


def raise_disk_full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_episodes_stay_in_memory_when_the_disk_is_full(tmp_path, monkeypatch):
    run = create_run(tmp_path, "r", game="g", config={}, seed=0, versions={})
    writer = SegmentWriter(run, SCHEMA)
    writer.append(Episode(b"u" * 16, {"moves": np.arange(3, dtype="<u2")}))
    with monkeypatch.context() as patch:
        patch.setattr(commit, "_write_durably", lambda path, data: raise_disk_full())
        with pytest.raises(StoreWriteError, match="1 episodes stay in memory"):
            writer.commit()
    assert writer.pending_episodes == 1
    assert writer.commit() is not None
    assert writer.pending_episodes == 0
    assert ReplayLog(run, SCHEMA).poll()[0].episode(0).arrays["moves"].tolist() == [0, 1, 2]
