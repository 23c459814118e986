"""Runs: created once, resumed, listed, refused clearly, trained by one process at a time."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from store.errors import (
    RunExistsError,
    RunLockedError,
    RunLostError,
    RunMismatchError,
    RunNameError,
    RunNotFoundError,
    StoreError,
    StoreUrlError,
    StoreWriteError,
)
from store.run import (
    RUN_SCHEMA_VERSION,
    config_differences,
    create_run,
    list_runs,
    open_run,
    resume_or_create_run,
)

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "game": "connect_four",
    "config": {"search": {"simulations": 64}, "widths": (1, 2)},
    "seed": 7,
    "versions": {"numpy": "2.4"},
}


def test_create_then_resume_gives_the_stored_settings(tmp_path):
    made = resume_or_create_run(tmp_path, "first", **SETTINGS)
    assert made.is_new
    again = resume_or_create_run(tmp_path, "first", **{**SETTINGS, "seed": 8, "config": {}})
    assert not again.is_new
    assert again.info == made.info == open_run(tmp_path, "first").info
    assert again.info.seed == 7
    assert again.info.config == {"search": {"simulations": 64}, "widths": [1, 2]}


def test_create_refuses_a_taken_name(tmp_path):
    create_run(tmp_path, "first", **SETTINGS)
    with pytest.raises(RunExistsError, match="'first' exists already"):
        create_run(tmp_path, "first", **SETTINGS)


def test_another_game_is_refused(tmp_path):
    create_run(tmp_path, "first", **SETTINGS)
    with pytest.raises(RunMismatchError, match="of game 'connect_four', not 'othello'"):
        resume_or_create_run(tmp_path, "first", **{**SETTINGS, "game": "othello"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema_version": 99, "news": 1}', "schema version 99"),
        ("{}", "cannot read"),
        ("[1]", "cannot read"),
        ("\x00\x01", "cannot read"),
        ('{"schema_version": 1, "game": "g"}', "not a run's file"),
        ('{"schema_version": 1, "game": "g", "config": [], "seed": 1}', "config in .* is \\[\\]"),
    ],
)
def test_a_bad_or_newer_run_file_is_refused_by_name(tmp_path, text, message):
    create_run(tmp_path, "first", **SETTINGS)
    (tmp_path / "first" / "run.json").write_text(text)
    with pytest.raises(RunMismatchError, match=message) as caught:
        open_run(tmp_path, "first")
    assert "'first'" in str(caught.value)


def test_a_missing_run_names_the_nearest(tmp_path):
    with pytest.raises(RunNotFoundError, match="no runs yet"):
        open_run(tmp_path, "anything")
    for name in ("connect_four-1", "othello"):
        create_run(tmp_path, name, **SETTINGS)
    with pytest.raises(RunNotFoundError, match="did you mean 'connect_four-1'"):
        open_run(tmp_path, "Conect_four-1")
    with pytest.raises(RunNotFoundError, match="it has 'connect_four-1', 'othello'"):
        open_run(tmp_path, "zzz")


@pytest.mark.parametrize("left", ["checkpoints/000000007", "replay/0123456789abcdef"])
def test_a_run_does_not_begin_with_what_another_left(tmp_path, left):
    (tmp_path / "first" / left).mkdir(parents=True)
    (tmp_path / "first" / left / "model.safetensors").write_bytes(b"of another game")
    with pytest.raises(RunExistsError, match=r"import or surgery of 'first' was cut off"):
        create_run(tmp_path, "first", **SETTINGS)
    with pytest.raises(RunExistsError, match=r"import or surgery of 'first' was cut off"):
        resume_or_create_run(tmp_path, "first", **SETTINGS)
    assert list_runs(tmp_path) == []


def test_opening_writes_nothing(tmp_path):
    with pytest.raises(RunNotFoundError):
        open_run(tmp_path / "none", "first")
    assert list_runs(tmp_path / "none") == []
    assert list(tmp_path.iterdir()) == []


def test_list_shows_only_runs(tmp_path):
    create_run(tmp_path, "b", **SETTINGS)
    create_run(tmp_path, "a", **SETTINGS)
    (tmp_path / "half-made").mkdir()
    (tmp_path / "file").write_text("")
    assert list_runs(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a@3", "a:sims=4", "-x", "a" * 101, "a\n"])
def test_names_that_could_be_paths_or_agents_are_refused(tmp_path, name):
    with pytest.raises(RunNameError, match="letters"):
        create_run(tmp_path, name, **SETTINGS)
    with pytest.raises(RunNameError):
        open_run(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_file_urls_and_home_are_local(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    create_run(f"file://{tmp_path}/with%20space", "first", **SETTINGS)
    assert list_runs(tmp_path / "with space") == list_runs("~/with space") == ["first"]
    with pytest.raises(StoreUrlError):
        list_runs("")
    with pytest.raises(StoreUrlError):
        list_runs("file://elsewhere/x")


def test_a_configuration_that_is_not_json_is_refused(tmp_path):
    with pytest.raises(StoreError, match="JSON"):
        create_run(tmp_path, "first", **{**SETTINGS, "config": {"a": object()}})
    with pytest.raises(StoreError, match="JSON"):
        create_run(tmp_path, "first", **{**SETTINGS, "config": {"a": float("nan")}})
    assert list_runs(tmp_path) == []


def test_differences_are_dotted():
    stored = {"search": {"simulations": 64, "c": 1}, "widths": [1, 2], "old": 1}
    asked = {"search": {"simulations": 32, "c": 1}, "widths": (1, 2), "new": 2}
    assert config_differences(stored, asked) == {
        "search.simulations": (64, 32),
        "old": (1, None),
        "new": (None, 2),
    }


def test_two_trainers_and_the_second_hears_who_the_first_is(tmp_path):
    run = create_run(tmp_path, "first", **SETTINGS)
    with run.lock_trainer() as lock:
        assert lock.is_held
        with pytest.raises(RunLockedError, match=f"'first' .* by process {os.getpid()}") as caught:
            open_run(tmp_path, "first").lock_trainer()
        assert caught.value.holder_pid == os.getpid()
    assert not lock.is_held
    lock.release()
    run.lock_trainer().release()


HOLDER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from store.run import open_run
lock = open_run(sys.argv[2], "first").lock_trainer()
if os.fork() == 0:  # a worker that outlives its trainer
    print(os.getpid(), flush=True)
    os.read(0, 1)  # until it is killed, or the tests are gone
    os._exit(0)
os.read(0, 1)
"""


def test_a_killed_trainer_frees_the_lock_though_its_child_lives(tmp_path):
    run = create_run(tmp_path, "first", **SETTINGS)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(ROOT), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        child = int(holder.stdout.readline())
        try:
            with pytest.raises(RunLockedError) as caught:
                run.lock_trainer()
            assert caught.value.holder_pid == holder.pid
            holder.kill()
            holder.wait()
            os.kill(child, 0)  # the child is still there
            with run.lock_trainer() as lock:
                assert lock.is_held
        finally:
            holder.kill()
            os.kill(child, signal.SIGKILL)


def test_the_lock_survives_a_fork_of_its_holder(tmp_path):
    run = create_run(tmp_path, "first", **SETTINGS)
    with run.lock_trainer():
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        with pytest.raises(RunLockedError):
            run.lock_trainer()


def test_a_trainer_whose_run_was_deleted_writes_nothing_into_the_next_one(tmp_path):
    run = create_run(tmp_path, "first", **SETTINGS)
    with run.lock_trainer():
        run.files.within("replay").create("a", b"1")
        shutil.rmtree(tmp_path / "first")
        with pytest.raises(RunLostError, match="'first' was deleted while it was in training"):
            run.files.create("checkpoints/1/a", b"1")
        assert not (tmp_path / "first").exists()
        again = create_run(tmp_path, "first", **SETTINGS)
        with again.lock_trainer():
            for write in (run.files.create, run.files.create_same):
                with pytest.raises(RunLostError):
                    write("checkpoints/1/a", b"1")
            for remove in (run.files.remove, run.files.within("x").remove):
                with pytest.raises(RunLostError):
                    remove("run.json")
            again.files.create("checkpoints/1/a", b"2")
    assert (tmp_path / "first/checkpoints/1/a").read_bytes() == b"2"


def test_a_trainer_removes_what_killed_ones_left(tmp_path):
    run = create_run(tmp_path, "first", **SETTINGS)
    (tmp_path / "first" / ".writing-run.json-0").write_bytes(b"half")
    run.lock_trainer().release()
    assert sorted(p.name for p in (tmp_path / "first").iterdir()) == ["run.json", "trainer.lock"]


def test_a_store_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    run = create_run(tmp_path, "first", **SETTINGS)

    def denied(*arguments, **options):
        raise PermissionError(13, "denied", str(arguments[0]))

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(StoreWriteError, match=r"trainer\.lock.*permission denied"):
        run.lock_trainer()


def test_run_file_is_readable_json(tmp_path):
    create_run(tmp_path, "first", **SETTINGS)
    document = json.loads((tmp_path / "first" / "run.json").read_text())
    assert document["schema_version"] == RUN_SCHEMA_VERSION
    assert document["versions"] == {"numpy": "2.4"}
    assert document["created"].endswith("+00:00")
