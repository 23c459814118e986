"""Verifying: every kind of damage is named by its file, nothing is changed, duplicates counted."""

import json

import numpy as np
import pytest

from store.errors import RunNameError, RunNotFoundError
from store.files.local import LocalFiles
from store.replay import segments
from store.replay.episodes import Episode, EpisodeSchema
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.upkeep.verify import verify, verify_files
from tests.store.small_runs import SCHEMA, A, B, ReadOnlyFiles, SmallRun, contents


@pytest.fixture
def small(tmp_path):
    small = SmallRun(tmp_path)
    for _ in range(3):
        small.segment()
    small.checkpoint(1)
    small.segment(B)
    small.checkpoint(2)
    return small


def put(tmp_path, key, data):
    path = tmp_path / "r" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_sound_run_has_no_problem_and_is_not_changed(small, tmp_path):
    put(tmp_path, "matches/x.jsonl", b'{"score": 1}\n\n{}\n')
    before = contents(tmp_path)
    found = verify(tmp_path, "r")
    assert (found.ok, found.problems, found.notes, found.quarantine) == (True, {}, {}, {})
    assert (found.segments, found.episodes, found.duplicates) == (4, 4, 0)
    assert (found.kinds, found.checkpoints) == (["test/1"], [1, 2])
    assert contents(tmp_path) == before


def test_a_read_only_store_is_verified(small, tmp_path):
    assert verify_files(ReadOnlyFiles(tmp_path / "r"), "r").ok


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("pattern", "key", "why"),
    [
        ("replay/*/000000001*", f"replay/{A}/000000001-1-", "checksum"),
        ("checkpoints/000000001/model*", "checkpoints/000000001", "SHA-256"),
        ("checkpoints/000000002/MANIFEST.json", "checkpoints/000000002", "MANIFEST.json"),
        ("run.json", "run.json", "'r'"),
    ],
)
def test_damage_is_named_and_left_where_it_is(small, tmp_path, pattern, key, why):
    (path,) = (tmp_path / "r").glob(pattern)
    flip(path) if path.name != "run.json" else path.write_text("{")
    before = contents(tmp_path)
    found = verify(tmp_path, "r")
    ((named, reason),) = found.problems.items()
    assert named.startswith(key)
    assert why in reason
    assert contents(tmp_path) == before


def test_every_problem_is_told_at_once(small, tmp_path):
    for path in (tmp_path / "r").rglob("*"):
        if path.is_file():
            path.write_bytes(b"\0")
    found = verify(tmp_path, "r")
    assert len(found.problems) == 1 + 2 + 4
    assert (found.segments, found.checkpoints) == (0, [])


@pytest.mark.parametrize(
    ("key", "data", "why"),
    [
        (f"replay/{A}/notes.txt", b"", "not a segment's name"),
        ("replay/stranger/x", b"", "not a writer's folder"),
        ("replay/x", b"", "not a writer's folder"),
        ("checkpoints/000000001/extra.bin", b"", "the manifest does not list"),
        ("checkpoints/newest/x", b"", "not a checkpoint's folder"),
        ("matches/x.jsonl", b"{}\n[1]\n", "line 2 is not a JSON object"),
        ("matches/x.jsonl", b"{}\n{\n", "line 2 is not JSON"),
        ("matches/x.jsonl", b"\xff\n", "line 1 is not JSON"),
    ],
)
def test_strange_files_are_named(small, tmp_path, key, data, why):
    put(tmp_path, key, data)
    ((named, reason),) = verify(tmp_path, "r").problems.items()
    assert key.startswith(named)
    assert why in reason


def test_duplicates_are_counted_and_no_problem(small, tmp_path):
    again = SegmentWriter(small.run, SCHEMA, writer="c" * 32)
    for number in (1, 2, 99, 99):
        again.append(Episode(number.to_bytes(16, "big"), {
            "number": np.array([number], "<i8"), "row_ply": np.zeros(0, "<u2")
        }))  # fmt: skip
    again.commit()
    found = verify(tmp_path, "r")
    assert (found.ok, found.episodes, found.duplicates) == (True, 8, 3)


def test_a_newer_segment_and_another_schema_of_a_kind_are_problems(small, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(segments, "SEGMENT_VERSION", 9)
        newer = small.segment(B)
    other = SegmentWriter(small.run, EpisodeSchema("test/1", {"x": ("u1", ())}), writer="c" * 32)
    other.append(Episode(b"o" * 16, {"x": np.zeros(1, "u1")}))
    key = other.commit()
    found = verify(tmp_path, "r")
    assert found.problems.keys() == {newer, key}
    assert "segment version 9" in found.problems[newer]
    assert "earlier segments of that kind" in found.problems[key]


def test_a_checkpoint_in_the_making_is_a_note(small, tmp_path):
    put(tmp_path, "checkpoints/000000003/model.safetensors", b"half")
    found = verify(tmp_path, "r")
    assert found.ok
    assert "being written" in found.notes["checkpoints/000000003"]


def test_quarantine_is_listed_with_its_reasons(small, tmp_path):
    (bad,) = (tmp_path / "r").glob(f"replay/{A}/000000001*")
    bad.write_bytes(b"")
    ReplayLog(small.run, SCHEMA).poll()
    put(tmp_path, "quarantine/checkpoint-000000007-0/model.safetensors", b"")
    found = verify(tmp_path, "r")
    assert found.ok
    assert "checksum" in found.quarantine[f"quarantine/{A}-{bad.name}"]
    lost = "quarantine/checkpoint-000000007-0/model.safetensors"
    assert found.quarantine[lost] == "no reason is noted"
    assert len(found.quarantine) == 2


def test_what_is_pruned_meanwhile_is_no_problem(small, tmp_path, monkeypatch):
    original = LocalFiles.read

    def vanishing(self, key, most=None):
        if key.endswith((".arrow", "MANIFEST.json")):
            (self.root / key).unlink(missing_ok=True)
        return original(self, key, most)

    monkeypatch.setattr(LocalFiles, "read", vanishing)
    found = verify(tmp_path, "r")
    assert (found.problems, found.segments, found.checkpoints) == ({}, 0, [])


def test_a_wrong_name_suggests_the_nearest(small, tmp_path):
    SmallRun(tmp_path, "connect_four")
    with pytest.raises(RunNotFoundError, match="did you mean 'connect_four'"):
        verify(tmp_path, "conect_four")
    with pytest.raises(RunNotFoundError, match="no runs yet"):
        verify(tmp_path / "none", "r")
    with pytest.raises(RunNameError):
        verify(tmp_path, "../r")
    assert json.loads((tmp_path / "r/run.json").read_text())["game"] == "tic_tac_toe"
