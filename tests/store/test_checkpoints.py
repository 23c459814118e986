"""Checkpoints: complete or not there, verified, and a damaged one never in the way."""

import errno
import json
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import checkpoints
from store.errors import (
    AlreadyStoredError,
    CheckpointError,
    CheckpointNotFoundError,
    StoreError,
    StoreWriteError,
)
from store.files import commit
from store.run import create_run
from store.seals import seal_of

FILES = {"model.safetensors": b"weights" * 100, "trainer.pt": b"momentum"}


@pytest.fixture
def run(tmp_path):
    return create_run(tmp_path, "r", game="g", config={}, seed=0, versions={})


def folder_of(run, step):
    return run.files.root / "checkpoints" / f"{step:09d}"


def test_round_trip(run):
    checkpoints.save(run, 100, FILES, {"loss": 0.5, "cursor": {"a": 3}})
    loaded = checkpoints.load(run, 100)
    assert loaded.step == 100
    assert loaded.files == FILES
    assert (
        loaded.metadata == {"loss": 0.5, "cursor": {"a": 3}} == checkpoints.read_metadata(run, 100)
    )
    assert checkpoints.load(run, 100, ["trainer.pt"]).files == {"trainer.pt": b"momentum"}
    with pytest.raises(CheckpointError, match=r"no file 'other'; it has .*'trainer\.pt'"):
        checkpoints.load(run, 100, ["other"])


def test_without_its_manifest_a_checkpoint_does_not_exist(run):
    assert checkpoints.latest(run) is None
    assert checkpoints.latest_valid(run) is None
    checkpoints.save(run, 1, FILES)
    checkpoints.save(run, 2, FILES)
    (folder_of(run, 2) / "MANIFEST.json").unlink()
    assert checkpoints.steps(run) == [1]
    assert checkpoints.latest(run) == 1
    with pytest.raises(CheckpointNotFoundError, match="no checkpoint 2 of run 'r'; it has 1"):
        checkpoints.load(run, 2)
    checkpoints.save(run, 2, {"model.safetensors": b"anew"})
    assert checkpoints.load(run, 2).files == {"model.safetensors": b"anew"}
    assert len(list(folder_of(run, 2).iterdir())) == 2


def test_saving_the_same_again_is_harmless_and_another_is_refused(run):
    checkpoints.save(run, 1, FILES, {"a": 1})
    checkpoints.save(run, 1, FILES, {"a": 1})
    with pytest.raises(AlreadyStoredError, match="checkpoint 1 of run 'r'"):
        checkpoints.save(run, 1, FILES, {"a": 2})
    with pytest.raises(AlreadyStoredError):
        checkpoints.save(run, 1, {**FILES, "trainer.pt": b"other"}, {"a": 1})
    assert checkpoints.load(run, 1).metadata == {"a": 1}


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["model.safetensors", "MANIFEST.json"])
@pytest.mark.parametrize(
    "damage",
    [truncate, flip, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"{}")],
)
def test_damage_is_named_passed_over_and_replaced(run, caplog, name, damage):
    checkpoints.save(run, 1, FILES)
    checkpoints.save(run, 2, FILES)
    damage(folder_of(run, 2) / name)
    with pytest.raises(CheckpointError, match=f"checkpoint 2 of run 'r' is damaged.*{name}"):
        checkpoints.load(run, 2)
    assert checkpoints.latest_valid(run).step == 1
    assert "checkpoint 2" in caplog.text
    checkpoints.save(run, 2, FILES)
    assert checkpoints.latest_valid(run).step == 2
    quarantined = run.files.root / "quarantine" / "checkpoint-000000002-0"
    assert (quarantined / name).exists()


def test_a_missing_file_is_damage_and_all_damaged_is_an_error(run):
    checkpoints.save(run, 1, FILES)
    (folder_of(run, 1) / "trainer.pt").unlink()
    with pytest.raises(CheckpointError, match=r"damaged: cannot read 'trainer\.pt'"):
        checkpoints.load(run, 1)
    assert checkpoints.load(run, 1, ["model.safetensors"]).step == 1
    with pytest.raises(CheckpointError, match="none of the 1 checkpoints of run 'r' is intact"):
        checkpoints.latest_valid(run)


def test_a_newer_manifest_is_refused_by_version(run, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SCHEMA_VERSION", 99)
    checkpoints.save(run, 1, FILES)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"schema version 99, .*reads \d"):
        checkpoints.load(run, 1)


def test_arguments_are_checked_before_anything_is_written(run):
    for files in ({"../x": b""}, {"MANIFEST.json": b""}, {"a/b": b""}, {"": b""}):
        with pytest.raises(StoreError, match="cannot be named"):
            checkpoints.save(run, 1, files)
    with pytest.raises(StoreError, match="negative"):
        checkpoints.save(run, -1, FILES)
    for metadata in ({"a": object()}, {"a": float("inf")}):
        with pytest.raises(StoreError, match="JSON"):
            checkpoints.save(run, 1, FILES, metadata)
    assert not (run.files.root / "checkpoints").exists()


def test_a_full_disk_keeps_the_earlier_checkpoint_and_gives_the_space_back(run, monkeypatch):
    original = commit._write_durably

    def full_at_the_second_file(path, data):
        if "trainer.pt" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(commit, "_write_durably", full_at_the_second_file)
        with pytest.raises(StoreWriteError, match=r"no space.*not saved; there is none before it"):
            checkpoints.save(run, 1, FILES)
    checkpoints.save(run, 1, FILES)
    with monkeypatch.context() as patch:
        patch.setattr(commit, "_write_durably", full_at_the_second_file)
        with pytest.raises(StoreWriteError, match=r"trainer\.pt.*no space.*the newest one is 1"):
            checkpoints.save(run, 2, FILES)
    assert not folder_of(run, 2).exists()
    assert checkpoints.latest_valid(run).step == 1
    checkpoints.save(run, 2, FILES)
    assert checkpoints.latest(run) == 2


def test_deleted_checkpoints_are_gone_with_all_that_lay_beside_them(run):
    for step in range(0, 60, 10):
        checkpoints.save(run, step, FILES)
    (folder_of(run, 0) / ".writing-x").write_bytes(b"")
    checkpoints.delete(run, [0])
    assert not folder_of(run, 0).exists()
    checkpoints.delete(run, [10, 30])
    assert checkpoints.steps(run) == [20, 40, 50]


@given(st.sets(st.integers(0, 100)), st.integers(1, 10), st.integers(0, 10))
def test_retention_keeps_the_last_and_the_milestones(steps, keep_last, keep_every):
    kept = checkpoints.steps_to_keep(steps, keep_last, keep_every)
    for step in steps:
        newer = sum(other > step for other in steps)
        milestone = keep_every > 0 and step % keep_every == 0
        assert (step in kept) == (newer < keep_last or milestone)
    assert kept == sorted(kept)


def test_retention_refuses_to_keep_nothing():
    with pytest.raises(ValueError, match="keep_last >= 1"):
        checkpoints.steps_to_keep([1], 0)


def test_tensors_survive_and_equal_ones_make_equal_bytes():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(4, 6)).astype(np.float32)
    tensors = {"b": weights.T, "a": np.array(3, np.int64), "c": np.zeros((0, 2), np.float16)}
    data = checkpoints.tensors_to_bytes(tensors)
    read = checkpoints.tensors_from_bytes(data)
    assert read.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
        assert read[name].flags.writeable
    assert data == checkpoints.tensors_to_bytes({name: tensors[name] for name in "cab"})


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"\x08\0\0\0\0\0\0\0not json"])
def test_bytes_that_are_no_tensors_are_refused(data):
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        checkpoints.tensors_from_bytes(data)


HEADERS = (
    {"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}},
    {"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 8]}},
    {"x": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]}},
    {"x": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
    {"x": {"dtype": "O", "shape": [2], "data_offsets": [0, 8]}},
    {"x": {"dtype": ",", "shape": [2], "data_offsets": [0, 8]}},
)


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_tensors_of_sizes_that_the_file_has_not_are_refused(header):
    text = json.dumps(header).encode()
    for length in (len(text), 2**60):
        with pytest.raises(CheckpointError, match="not a safetensors file"):
            checkpoints.tensors_from_bytes(struct.pack("<Q", length) + text + bytes(8))


@pytest.mark.parametrize(
    "changed",
    [
        {"files": []},
        {"files": {"x": 1}},
        {"files": {"x": {"size": "1", "sha256": ""}}},
        {"files": {"../x": {"size": 0, "sha256": ""}}},
        {"metadata": 3},
        {"metadata": None},
    ],
    ids=str,
)
def test_a_manifest_of_another_form_is_damage(run, changed):
    checkpoints.save(run, 1, FILES)
    path = run.files.root / "checkpoints/000000001/MANIFEST.json"
    document = {**json.loads(path.read_text()), **changed}
    del document["seal"]
    path.write_text(json.dumps({**document, "seal": seal_of(document)}))
    with pytest.raises(CheckpointError, match="does not list files by name"):
        checkpoints.load(run, 1)
