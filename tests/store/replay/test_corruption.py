"""No damage to any file of a run crashes a reader, and none is ever read as something else.

Whatever a bad disk, another program or another version may leave in place of a file: it is put
aside or refused by name, what is returned is what was written, and training goes on where it can.
"""

from __future__ import annotations

import io
import json
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.alphazero.episodes import SCHEMA
from store import checkpoints
from store.errors import (
    CheckpointError,
    RunLockedError,
    RunMismatchError,
    StoreError,
    StoreWriteError,
)
from store.replay.log import ReplayLog
from store.replay.segments import SegmentName
from store.run import RunInfo, open_run
from store.seals import seal_of
from tests.selfplay.killed_run import CONFIG, RUN, assert_readable, contents, finish

# --- reading everything ---------------------------------------------------------------------


@dataclass
class Everything:
    """All that a reader can get from a run; what is damaged is missing."""

    info: RunInfo | None
    episodes: dict[bytes, list[bytes]]
    checkpoints: dict[int, checkpoints.Checkpoint]
    metadata: dict[int, Any]

    def only_from(self, other: Everything) -> bool:
        """Whether each thing that is here is the same there."""
        return (
            self.info in (None, other.info)
            and self.episodes.items() <= {**other.episodes}.items()
            and all(other.checkpoints[step] == found for step, found in self.checkpoints.items())
            and all(other.metadata[step] == found for step, found in self.metadata.items())
        )


def read(store: Path) -> Everything:
    """Read all that can be read; any error but the store's own is a failure."""
    try:
        run = open_run(store, RUN)
    except StoreError:
        return Everything(None, {}, {}, {})
    episodes = {}
    for batch in ReplayLog(run, SCHEMA).poll():
        for i in range(len(batch)):
            episode = batch.episode(i)
            episodes[episode.uuid] = [array.tobytes() for array in episode.arrays.values()]
    loaded, metadata = {}, {}
    for step in checkpoints.steps(run):
        try:
            metadata[step] = checkpoints.read_metadata(run, step)
            loaded[step] = checkpoints.load(run, step)
        except StoreError:
            continue
    try:
        newest = checkpoints.latest_valid(run)
    except CheckpointError:
        newest = None
    assert (newest.step if newest else None) == max(loaded, default=None)
    return Everything(run.info, episodes, loaded, metadata)


@dataclass
class Original:
    """A finished training, its files, and what they say."""

    store: Path
    files: dict[str, bytes]
    everything: Everything
    contents: dict[str, str]

    def copy_to(self, store: Path) -> Path:
        """A copy of the store to damage; its run's folder."""
        shutil.copytree(self.store, store)
        return store / RUN


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    store = tmp_path_factory.mktemp("original") / "store"
    finish(store)
    root = store / RUN
    files = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return Original(store, dict(sorted(files.items())), read(store), contents(store))


# --- random damage --------------------------------------------------------------------------

Damage = Callable[[bytes], bytes]


def flipped(places: list[tuple[int, int]]) -> Damage:
    def damage(data: bytes) -> bytes:
        changed = bytearray(data)
        for place, bit in places if data else []:
            changed[place % len(data)] ^= 1 << bit
        return bytes(changed)

    return damage


def overwritten(place: int, patch: bytes) -> Damage:
    """Bytes in the middle replaced: a torn or misdirected write."""

    def damage(data: bytes) -> bytes:
        start = place % (len(data) + 1)
        return data[:start] + patch + data[start + len(patch) :]

    return damage


def inserted(place: int, patch: bytes) -> Damage:
    return lambda data: data[: place % (len(data) + 1)] + patch + data[place % (len(data) + 1) :]


def cut(start: int, length: int) -> Damage:
    """A piece lost; from the start on, the rest lost where the length is large."""
    return lambda data: data[: start % (len(data) + 1)] + data[start % (len(data) + 1) + length :]


def same(content: bytes) -> Damage:
    return lambda data: content


PLACES = st.integers(0, 2**20)
PATCHES = st.binary(min_size=1, max_size=40) | st.integers(1, 5000).map(bytes)


def damages(original: Original) -> st.SearchStrategy[Damage]:
    others = list(original.files.values())
    return st.one_of(
        st.lists(st.tuples(PLACES, st.integers(0, 7)), min_size=1, max_size=8).map(flipped),
        st.builds(overwritten, PLACES, PATCHES),
        st.builds(inserted, PLACES, PATCHES),
        st.builds(cut, PLACES, st.integers(1, 50) | st.just(2**30)),
        st.binary(max_size=60).map(same),
        st.sampled_from(others).map(same),  # another file of the run in its place
    )


class Bench:
    """One store that is damaged, read, and mended again, case after case."""

    def __init__(self, original: Original, store: Path) -> None:
        self.original = original
        self.store = store
        self.root = original.copy_to(store)

    def check(self, changes: dict[str, bytes]) -> None:
        """Read with these files changed: nothing may be altered, what is untouched is there."""
        for name, data in changes.items():
            (self.root / name).write_bytes(data)
        try:
            found = read(self.store)
            assert found.only_from(self.original.everything)
            if not any(name == "run.json" for name in changes):
                self.check_untouched(found, set(changes))
        finally:
            self.mend(changes)

    def check_untouched(self, found: Everything, changed: set[str]) -> None:
        steps = {int(Path(n).parts[1]) for n in changed if n.startswith("checkpoints/")}
        assert self.original.everything.checkpoints.keys() - found.checkpoints.keys() <= steps
        lost = len(self.original.everything.episodes) - len(found.episodes)
        damaged = [n for n in map(SegmentName.parse, (Path(c).name for c in changed)) if n]
        assert lost <= sum(name.episodes for name in damaged)

    def mend(self, changes: dict[str, bytes]) -> None:
        shutil.rmtree(self.root / "quarantine", ignore_errors=True)
        for name in changes:
            (self.root / name).write_bytes(self.original.files[name])


def check_random_damage(original: Original, store: Path, cases: int) -> None:
    bench = Bench(original, store)
    one = st.tuples(st.sampled_from(list(original.files)), damages(original))

    @settings(max_examples=cases, deadline=None, database=None)
    @given(st.lists(one, min_size=1, max_size=3))
    def check(chosen: list[tuple[str, Damage]]) -> None:
        bench.check({name: damage(original.files[name]) for name, damage in chosen})

    check()


def test_random_damage_is_never_returned(original: Original, tmp_path: Path) -> None:
    check_random_damage(original, tmp_path / "store", 150)


@pytest.mark.slow
def test_much_random_damage_is_never_returned(original: Original, tmp_path: Path) -> None:
    check_random_damage(original, tmp_path / "store", 2_000)


def check_hostile_segments(original: Original, store: Path, cases: int) -> None:
    """Damage that its name's checksum agrees with, as another program might write it."""
    root = original.copy_to(store)
    key = next(name for name in original.files if name.startswith("replay/"))
    folder, _, name = key.rpartition("/")
    parsed = SegmentName.parse(name)
    assert parsed is not None
    (root / key).unlink()

    @settings(max_examples=cases, deadline=None, database=None)
    @given(damages(original))
    def check(damage: Damage) -> None:
        data = damage(original.files[key])
        path = root / folder / str(replace(parsed, crc=zlib.crc32(data)))
        path.write_bytes(data)
        try:
            ReplayLog(open_run(store, RUN), SCHEMA).poll()
        finally:
            path.unlink(missing_ok=True)
            shutil.rmtree(root / "quarantine", ignore_errors=True)

    check()


def test_damage_under_a_right_checksum_is_no_crash(original: Original, tmp_path: Path) -> None:
    check_hostile_segments(original, tmp_path / "store", 100)


@pytest.mark.slow
def test_much_damage_under_a_right_checksum_is_no_crash(original: Original, tmp_path: Path) -> None:
    check_hostile_segments(original, tmp_path / "store", 1_500)


# --- each kind of file, each kind of damage -------------------------------------------------


def foreign_arrow() -> bytes:
    """An intact Arrow file of another program."""
    table = pa.table({"price": [1.5, 2.5]})
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


DAMAGES: dict[str, Damage] = {
    "torn": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    "truncated": lambda data: data[:-9],
    "flipped": lambda data: flipped([(len(data) // 2, 0)])(data),
    "empty": same(b""),
    "picture": same(b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "arrow": same(foreign_arrow()),
    "nested": same(b"[" * 100_000),
    "json": same(b'{"name": "somebody", "version": "1.0.0"}'),
}
KINDS = {
    "segment": "replay/*/000000003-*",
    "manifest": "checkpoints/*/MANIFEST.json",
    "model": "checkpoints/*/model.safetensors",
    "trainer": "checkpoints/*/trainer.pt",
    "actor": "checkpoints/*/actor.safetensors",
}
SOME = [("segment", "torn"), ("manifest", "nested"), ("trainer", "truncated"), ("actor", "empty")]


def newest(root: Path, pattern: str) -> Path:
    return max(root.glob(pattern))


def assert_trains_on(original: Original, store: Path, kind: str, damage: str) -> None:
    root = original.copy_to(store)
    path = newest(root, KINDS[kind])
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    more = replace(CONFIG, games=CONFIG.games + 10)
    if kind == "segment":  # lost for good: training goes on without it
        finish(store, more)
        lost = int(path.name.split("-")[1])
        kept = sum(len(batch) for batch in ReplayLog(open_run(store, RUN), SCHEMA).poll())
        assert kept >= more.games - lost > CONFIG.games - lost
    else:  # made again from the checkpoint before it, the same
        finish(store)
        assert contents(store) == original.contents
    assert_readable(store)
    aside = [p.name for p in (root / "quarantine").rglob("*")]
    assert path.name in "".join(aside)


@pytest.mark.parametrize(("kind", "damage"), SOME)
def test_training_goes_on_over_damage(
    original: Original, tmp_path: Path, kind: str, damage: str
) -> None:
    assert_trains_on(original, tmp_path / "store", kind, damage)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_over_all_damage(
    original: Original, tmp_path: Path, kind: str, damage: str
) -> None:
    assert_trains_on(original, tmp_path / "store", kind, damage)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_file_that_is_damaged_is_refused_by_name(
    original: Original, tmp_path: Path, damage: str
) -> None:
    root = original.copy_to(tmp_path / "store")
    path = root / "run.json"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(RunMismatchError, match=f"run '{RUN}'"):
        finish(tmp_path / "store")
    assert contents(tmp_path / "store") == original.contents


def test_a_setting_altered_in_the_run_file_is_noticed(original: Original, tmp_path: Path) -> None:
    root = original.copy_to(tmp_path / "store")
    text = (root / "run.json").read_text()
    assert '"filters": 8' in text
    (root / "run.json").write_text(text.replace('"filters": 8', '"filters": 9'))
    with pytest.raises(RunMismatchError, match=r"run\.json' .*altered"):
        open_run(tmp_path / "store", RUN)


def test_one_checkpoints_manifest_is_not_anothers(original: Original, tmp_path: Path) -> None:
    root = original.copy_to(tmp_path / "store")
    older, newer = sorted(root.glob(KINDS["manifest"]))[-2:]
    newer.write_bytes(older.read_bytes())
    run = open_run(tmp_path / "store", RUN)
    with pytest.raises(CheckpointError, match=r"MANIFEST\.json is that of checkpoint"):
        checkpoints.read_metadata(run, int(newer.parent.name))


def test_segments_that_no_checkpoint_knows_are_made_again(
    original: Original, tmp_path: Path
) -> None:
    """Damage to what was written after the newest checkpoint must not stop the run for ever."""
    store = tmp_path / "store"
    root = original.copy_to(store)
    for folder in sorted((root / "checkpoints").iterdir())[1:]:
        shutil.rmtree(folder)
    for path in sorted(root.glob("replay/*/*"))[-3:]:
        path.write_bytes(path.read_bytes()[:-1])
    finish(store)
    assert_readable(store)
    assert contents(store) == original.contents
    assert len(list((root / "quarantine").glob("*.arrow"))) == 3


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"999999999999\n", b"not a process\n" * 99])
def test_a_lock_holds_whatever_its_file_says(
    original: Original, tmp_path: Path, content: bytes
) -> None:
    root = original.copy_to(tmp_path / "store")
    (root / "trainer.lock").write_bytes(content)
    with open_run(tmp_path / "store", RUN).lock_trainer(), pytest.raises(RunLockedError):
        open_run(tmp_path / "store", RUN).lock_trainer()


def test_a_folder_in_the_place_of_the_lock_is_named(original: Original, tmp_path: Path) -> None:
    root = original.copy_to(tmp_path / "store")
    (root / "trainer.lock").unlink()
    (root / "trainer.lock").mkdir()
    with pytest.raises(StoreWriteError, match=r"trainer\.lock': is a directory"):
        finish(tmp_path / "store")


# --- other versions -------------------------------------------------------------------------


def newer_segment(data: bytes) -> bytes:
    reader = pa.ipc.open_file(pa.py_buffer(data))
    metadata = {**reader.schema.metadata, b"ludens.segment_version": b"99"}
    record = reader.get_batch(0).replace_schema_metadata(metadata)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, record.schema) as writer:
        writer.write_batch(record)
    return sink.getvalue()


def test_a_run_of_the_future_is_refused_by_name(original: Original, tmp_path: Path) -> None:
    path = original.copy_to(tmp_path / "store") / "run.json"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "schema_version": 99, "news": []}))
    with pytest.raises(RunMismatchError, match=rf"run '{RUN}' has schema version 99"):
        finish(tmp_path / "store")


def test_a_segment_of_the_future_stays_and_is_passed_over(
    original: Original, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "store"
    path = newest(original.copy_to(store), KINDS["segment"])
    name = SegmentName.parse(path.name)
    assert name is not None
    data = newer_segment(path.read_bytes())
    path.unlink()
    newer = path.with_name(str(replace(name, crc=zlib.crc32(data))))
    newer.write_bytes(data)
    found = read(store)
    assert found.only_from(original.everything)
    assert len(found.episodes) == len(original.everything.episodes) - name.episodes
    assert f"{newer.name} skipped: segment version 99" in caplog.text
    assert newer.read_bytes() == data


def test_a_checkpoint_of_the_future_is_passed_over_by_name(
    original: Original, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = newest(original.copy_to(tmp_path / "store"), KINDS["manifest"])
    document = json.loads(path.read_bytes()) | {"schema_version": 99}
    del document["seal"]
    path.write_text(json.dumps({**document, "seal": seal_of(document)}))
    found = checkpoints.latest_valid(open_run(tmp_path / "store", RUN))
    assert found is not None
    assert found.step < int(path.parent.name)
    assert f"checkpoint {int(path.parent.name)} of run '{RUN}' has schema version 99" in caplog.text
