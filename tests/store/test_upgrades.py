"""Older versions are upgraded as they are read, newer ones refused by name.

Each test registers a made-up step to today's version (from 0 to 1, as long as that is 1), writes a
file as the version before would have been, and reads it with the readers of today.
"""

import json
import zlib

import numpy as np
import pyarrow as pa
import pytest

from store import checkpoints, upgrades
from store.errors import CheckpointError, ForeignSegmentError, RunMismatchError, SchemaError
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.log import ReplayLog
from store.replay.segments import SegmentName, SegmentWriter, decode_segment, encode_segment
from store.run import create_run, open_run
from store.seals import seal_of
from store.upgrades import VersionChain, VersionError, upgrade_episodes

OLD_RUN, OLD_MANIFEST, OLD_SEGMENT = (
    chain.current - 1 for chain in (upgrades.RUN, upgrades.MANIFEST, upgrades.SEGMENT)
)
SCHEMA = EpisodeSchema("test/1", {"number": ("<i8", ())})


@pytest.fixture
def run(tmp_path):
    return create_run(tmp_path, "r", game="g", config={"a": 1}, seed=3, versions={})


@pytest.fixture
def steps(monkeypatch):
    """Takes the real steps away, and lets a test register others that are forgotten after it."""
    for chain in (upgrades.RUN, upgrades.MANIFEST, upgrades.SEGMENT):
        monkeypatch.setattr(chain, "_first", chain.current)
        monkeypatch.setattr(chain, "_steps", {})
    monkeypatch.setattr(upgrades, "_EPISODES", {})


def episode(number):
    return Episode(number.to_bytes(16, "big"), {"number": np.array([number], "<i8")})


def test_steps_are_climbed_one_after_another():
    chain = VersionChain("layout")

    @chain.step(1)
    def _(thing):
        return [*thing, "one"]

    @chain.step(2)
    def _(thing):
        return [*thing, "two"]

    assert chain.current == 3
    assert chain.upgrade([], 1) == ["one", "two"]
    assert chain.upgrade([], 2) == ["two"]
    assert chain.upgrade(["now"], 3) == ["now"]
    assert chain.upgrade([], 1, to=2) == ["one"]


@pytest.mark.parametrize(
    ("version", "told", "is_newer"),
    [
        (3, "layout 3, .*reads 1 to 2; a newer version of the program", True),
        (0, "layout 0, .*reads 1 to 2$", False),
        ("1", "layout '1'", False),
        (None, "layout None", False),
        (True, "layout True", False),
    ],
)
def test_other_versions_are_refused_by_name(version, told, is_newer):
    chain = VersionChain("layout")
    chain.step(1)(lambda thing: thing)
    with pytest.raises(VersionError, match=told) as caught:
        chain.upgrade([], version)
    assert caught.value.is_newer == is_newer


def test_a_step_is_registered_once():
    chain = VersionChain("layout")
    chain.step(1)(lambda thing: thing)
    with pytest.raises(ValueError, match="from layout 1 already"):
        chain.step(1)(lambda thing: thing)


def test_an_old_run_file_is_upgraded_and_not_rewritten(run, steps, tmp_path):
    path = tmp_path / "r" / "run.json"
    document = json.loads(path.read_text())
    document["schema_version"] = OLD_RUN
    document["environment"] = document.pop("game")
    del document["seal"]
    path.write_text(json.dumps({**document, "seal": seal_of(document)}))
    before = path.read_bytes()
    with pytest.raises(RunMismatchError, match=rf"'r' has schema version {OLD_RUN}, .*reads \d"):
        open_run(tmp_path, "r")

    @upgrades.RUN.step(OLD_RUN)
    def _(document):
        document["game"] = document.pop("environment")
        return document

    assert open_run(tmp_path, "r", game="g").info == run.info
    assert path.read_bytes() == before


def test_an_upgrade_that_fails_is_named(run, steps, tmp_path):
    (tmp_path / "r" / "run.json").write_text(json.dumps({"schema_version": OLD_RUN}))

    @upgrades.RUN.step(OLD_RUN)
    def _(document):
        document["game"] = document.pop("environment")
        return document

    with pytest.raises(
        RunMismatchError,
        match=rf"'r' has schema version {OLD_RUN}: its upgrade failed \(KeyError: 'environment'",
    ):
        open_run(tmp_path, "r")


def test_an_old_manifest_is_upgraded(run, steps, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SCHEMA_VERSION", OLD_MANIFEST)
    checkpoints.save(run, 5, {"model.safetensors": b"w"}, {"seconds": 2})
    with pytest.raises(CheckpointError, match=f"schema version {OLD_MANIFEST}, "):
        checkpoints.load(run, 5)

    @upgrades.MANIFEST.step(OLD_MANIFEST)
    def _(manifest):
        metadata = {"elapsed_s": manifest["metadata"]["seconds"]}
        return {**manifest, "metadata": metadata}

    assert checkpoints.load(run, 5).metadata == {"elapsed_s": 2}
    assert checkpoints.latest_valid(run).files == {"model.safetensors": b"w"}


def old_segment(*numbers):
    """As today's, but the column was called `id`."""
    data = encode_segment(EpisodeBatch.of(SCHEMA, [episode(n) for n in numbers]))
    record = pa.ipc.open_file(data).get_batch(0)
    metadata = {**record.schema.metadata, b"ludens.segment_version": b"%d" % OLD_SEGMENT}
    record = record.rename_columns(["id", "number"]).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, record.schema) as writer:
        writer.write_batch(record)
    made = sink.getvalue().to_pybytes()
    return SegmentName(0, len(numbers), zlib.crc32(made)), made


def test_an_old_layout_of_segments_is_upgraded(run, steps, caplog):
    name, data = old_segment(1, 2)
    run.files.create(f"replay/{'a' * 32}/{name}", data)
    with pytest.raises(ForeignSegmentError, match=rf"segment version {OLD_SEGMENT}, .*reads \d"):
        decode_segment(name, data)
    assert ReplayLog(run, SCHEMA).poll() == []
    assert f"segment version {OLD_SEGMENT}" in caplog.text

    @upgrades.SEGMENT.step(OLD_SEGMENT)
    def _(record):
        return record.rename_columns(["uuid", "number"])

    (batch,) = ReplayLog(run, SCHEMA).poll()
    assert batch.values["number"].tolist() == [1, 2]
    assert batch.uuids[:, -1].tolist() == [1, 2]


def test_a_segment_is_not_put_aside_for_a_mistake_in_a_step(run, steps, caplog):
    name, data = old_segment(1)
    key = f"replay/{'a' * 32}/{name}"
    run.files.create(key, data)
    upgrades.SEGMENT.step(OLD_SEGMENT)(lambda record: record.no_such_attribute)
    assert ReplayLog(run, SCHEMA).poll() == []
    assert f"segment version {OLD_SEGMENT}: its upgrade failed (AttributeError" in caplog.text
    assert run.files.exists(key)


def kind(version, name="number"):
    return EpisodeSchema(f"test/{version}", {name: ("<i8", ())})


def doubled(batch):
    """From `half` of version 0 to `number` of version 1."""
    values = {"number": batch.values["half"] * 2}
    return EpisodeBatch(SCHEMA, batch.uuids, {"number": batch.offsets["half"]}, values)


def test_an_old_kind_of_episode_is_upgraded_beside_new_ones(run, steps):
    old = SegmentWriter(run, kind(0, "half"), writer="a" * 32)
    old.append(Episode(b"o" * 16, {"half": np.array([4], "<i8")}))
    old.commit()
    new = SegmentWriter(run, SCHEMA, writer="b" * 32)
    new.append(episode(9))
    new.commit()
    assert [b.values["number"].tolist() for b in ReplayLog(run, SCHEMA).poll()] == [[9]]
    upgrades.episodes("test").step(0)(doubled)
    found = [b.values["number"].tolist() for b in ReplayLog(run, SCHEMA).load_newest(99, "number")]
    assert sorted(found) == [[8], [9]]


def test_a_newer_kind_stays_where_it_is(run, steps, caplog):
    newer = SegmentWriter(run, kind(2))
    newer.append(Episode(b"n" * 16, {"number": np.array([1], "<i8")}))
    key = newer.commit()
    assert ReplayLog(run, SCHEMA).poll() == []
    assert "episode kind test/2, this version of the program reads 1; a newer" in caplog.text
    assert run.files.exists(key)


def test_other_families_are_left_alone_and_a_wrong_step_is_named(steps):
    batch = EpisodeBatch.of(kind(0, "half"), [])
    assert upgrade_episodes(batch, "other/1") is batch
    assert upgrade_episodes(batch, "test/0") is batch
    assert upgrade_episodes(batch, "test") is batch
    upgrades.episodes("test").step(0)(lambda batch: batch)
    with pytest.raises(SchemaError, match="made 'test/0', expected 'test/1'"):
        upgrade_episodes(batch, "test/1")
