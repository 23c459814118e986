"""Archives: what goes in comes out; nothing truncated, altered or tricky gets in."""

import hashlib
import io
import json
import os
import shutil
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store import checkpoints
from store.errors import (
    AlreadyStoredError,
    RunExistsError,
    RunLockedError,
    RunNameError,
    StoreWriteError,
)
from store.files.local import LocalFiles
from store.files.opening import open_files
from store.progress.log import FAN_IN, ProgressReader, ProgressWriter
from store.replay.log import ReplayLog
from store.replay.walk import walk
from store.run import list_runs, open_run
from store.seals import seal_of
from store.upgrades import ARCHIVE
from store.upkeep import archive, archive_files
from store.upkeep.archive import export_run, import_run
from store.upkeep.archive_files import ArchiveError
from store.upkeep.verify import verify
from tests.store.small_runs import SCHEMA, B, ReadOnlyFiles, SmallRun, contents, resumed

RUN_FILES = ("run.json", "matches", "tensorboard", "checkpoints", "replay")


MATCH, EMPTY_MATCH, BAD_MATCH, UNLISTED_MATCH = (
    f"matches/{'0123456789abcdef'}-{number:07d}-2.jsonl" for number in range(4)
)


def fill(small, tmp_path):
    for step in (1, 2):
        small.segment()
        small.segment(B)
        small.checkpoint(step)
    small.segment()
    for key in (MATCH, "tensorboard/events.out.tfevents.1.host.2.0"):
        small.run.files.create(key, b'{"a": 1}\n')
    small.run.files.create(EMPTY_MATCH, b"")
    return small


@pytest.fixture
def small(tmp_path):
    return fill(SmallRun(tmp_path / "store"), tmp_path)


@pytest.fixture
def packed(small, tmp_path):
    path = tmp_path / "r.tar"
    export_run(small.run, path)
    return path


def files_of(folder):
    kept = contents(folder)
    return {key: data for key, data in kept.items() if key.split("/")[0] in RUN_FILES}


def test_round_trip_under_the_same_and_another_name(small, packed, tmp_path):
    original = files_of(tmp_path / "store/r")
    done = import_run(tmp_path / "elsewhere", packed)
    assert (done.run, done.files) == ("r", len(original))
    assert done.size == sum(map(len, original.values()))
    assert import_run(tmp_path / "store", packed, "copy").run == "copy"
    for folder in ("elsewhere/r", "store/copy"):
        assert files_of(tmp_path / folder) == original
    copy = open_run(tmp_path / "store", "copy")
    assert copy.info == small.run.info
    assert resumed(copy, 2, 2)[1] == resumed(small.run, 2, 2)[1]
    assert verify(tmp_path / "store", "copy").ok


def test_the_lock_the_quarantine_and_holds_stay_behind(small, packed, tmp_path):
    (segment,) = (tmp_path / "store/r").glob(f"replay/{B}/000000001*")
    segment.write_bytes(b"")
    ReplayLog(small.run, SCHEMA).poll()
    with small.run.lock_trainer():
        export_run(small.run, tmp_path / "again.tar")
    with tarfile.open(tmp_path / "again.tar") as tar:
        names = tar.getnames()
    assert {name.split("/")[0] for name in names} == {*RUN_FILES, "INDEX.json"}
    assert names[0] == "run.json"
    assert names[-1] == "INDEX.json"
    assert small.run.files.names("holds") == []


def test_equal_runs_make_equal_archives(small, packed, tmp_path):
    shutil.copytree(tmp_path / "store/r", tmp_path / "twin/r")
    for path in (tmp_path / "twin").rglob("*.arrow"):
        before = (tmp_path / "store/r" / path.relative_to(tmp_path / "twin/r")).stat().st_mtime_ns
        os.utime(path, ns=(before + 10**15, before + 10**15))
    export_run(open_run(tmp_path / "twin", "r"), tmp_path / "twin.tar")
    assert (tmp_path / "twin.tar").read_bytes() == packed.read_bytes()
    with tarfile.open(packed) as tar:
        facts = {(e.mtime, e.uid, e.gid, e.uname, e.gname, e.mode) for e in tar}
    assert facts == {(0, 0, 0, "", "", 0o644)}


def test_segments_are_packed_in_the_order_of_their_commits(small, packed, tmp_path):
    import_run(tmp_path / "new", packed)
    with tarfile.open(packed) as tar:
        writers = [name.split("/")[1][0] for name in tar.getnames() if name.startswith("replay")]
    assert writers == ["a", "b", "a", "b", "a"]


def test_an_export_never_replaces_a_file_and_leaves_nothing_behind(
    small, packed, tmp_path, monkeypatch
):
    before = packed.read_bytes()
    with pytest.raises(AlreadyStoredError, match=r"r\.tar' exists already"):
        export_run(small.run, packed)
    assert packed.read_bytes() == before
    with pytest.raises(StoreWriteError, match=r"no such file"):
        export_run(small.run, tmp_path / "missing/x.tar")

    def full(tar, key, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_add", full)
    with pytest.raises(StoreWriteError, match="no space left"):
        export_run(small.run, tmp_path / "other.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.tar", "store"]
    assert small.run.files.names("holds") == []


def test_what_is_damaged_is_left_out_and_named(small, tmp_path):
    store = tmp_path / "store/r"
    (segment,) = store.glob(f"replay/{B}/000000001*")
    segment.write_bytes(b"")
    (store / "checkpoints/000000001/model.safetensors").write_bytes(b"")
    (store / BAD_MATCH).write_text("{")
    (store / "tensorboard/a b").write_text("")
    done = export_run(small.run, tmp_path / "x.tar")
    assert done.left_out.keys() == {
        f"replay/{B}/{segment.name}",
        "checkpoints/000000001",
        BAD_MATCH,
        "tensorboard/a b",
    }
    import_run(tmp_path / "new", tmp_path / "x.tar")
    assert checkpoints.steps(open_run(tmp_path / "new", "r")) == [2]


def test_a_read_only_run_is_exported(small, packed, tmp_path):
    run = small.run.__class__("r", ReadOnlyFiles(tmp_path / "store/r"), small.run.info)
    export_run(run, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == packed.read_bytes()


def test_a_run_in_training_gives_a_snapshot_that_resumes(small, tmp_path, monkeypatch):
    """While it is read, more is played and saved, and the oldest is dropped."""
    original, reads = LocalFiles.read, []

    def read(self, key, most=None):
        reads.append(key)
        if len(reads) == 6:
            small.segment()
            small.checkpoint(3)
            checkpoints.delete(small.run, [2])
        return original(self, key, most)

    with monkeypatch.context() as patch:
        patch.setattr(LocalFiles, "read", read)
        done = export_run(small.run, tmp_path / "x.tar")
    assert done.left_out == {}
    import_run(tmp_path / "new", tmp_path / "x.tar")
    run = open_run(tmp_path / "new", "r")
    assert verify(tmp_path / "new", "r").ok
    step = checkpoints.latest(run)
    assert step == 1
    assert [sorted(part) for part in resumed(run, step, 99)] == [[1, 2], [3, 4, 5, 6]]


def test_records_that_are_merged_while_they_are_read_are_not_lost(small, tmp_path, monkeypatch):
    """The parts are gone after they were listed, and the whole was not there yet."""
    writer = ProgressWriter(small.run.files, {})
    for number in range(FAN_IN):
        if number == FAN_IN - 1:
            writer.append({"games": number})
            break
        writer.append({"games": number})
        writer.flush()
    original, is_merged = LocalFiles.read, []

    def read(self, key, most=None):
        if key.startswith("progress/") and not is_merged:
            is_merged.append(True)
            writer.flush()
        return original(self, key, most)

    with monkeypatch.context() as patch:
        patch.setattr(LocalFiles, "read", read)
        done = export_run(small.run, tmp_path / "x.tar")
    assert is_merged
    assert done.left_out == {}
    import_run(tmp_path / "new", tmp_path / "x.tar")
    reader = ProgressReader(open_run(tmp_path / "new", "r").files)
    reader.poll()
    (session,) = reader.sessions
    assert [record["games"] for record in session.records] == [*range(FAN_IN)]


# --- what is refused ------------------------------------------------------------------------------


def refused(tmp_path, path, match):
    with pytest.raises(ArchiveError, match=match) as caught:
        import_run(tmp_path / "new", path)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "new").exists()


def end_of(path, name):
    with tarfile.open(path) as tar:
        entry = tar.getmember(name)
        return entry.offset_data, entry.size


def test_a_truncated_archive_is_refused(packed, tmp_path):
    data = packed.read_bytes()
    start, size = end_of(packed, "INDEX.json")
    for length in [0, 1, 511, 512, 513, *range(600, start + size, 701), start, start + size - 1]:
        cut = tmp_path / "cut.tar"
        cut.write_bytes(data[:length])
        refused(tmp_path, cut, "truncated or not")


def test_an_altered_entry_is_named(packed, tmp_path):
    with tarfile.open(packed) as tar:
        entries = [entry for entry in tar if entry.size]
    for entry in entries:
        data = bytearray(packed.read_bytes())
        data[entry.offset_data + entry.size // 2] ^= 1
        bad = tmp_path / "bad.tar"
        bad.write_bytes(data)
        refused(tmp_path, bad, f"bad entry '{entry.name}'")


@settings(deadline=None, max_examples=12)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_refused_or_without_effect(tmp_path_factory, place, bit):
    folder = tmp_path_factory.mktemp("flip")
    small = SmallRun(folder / "store")
    small.segment()
    small.checkpoint(1)
    path = folder / "r.tar"
    export_run(small.run, path)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    try:
        import_run(folder / "new", path)
    except ArchiveError:
        assert not (folder / "new").exists()
    else:
        assert files_of(folder / "new/r") == files_of(folder / "store/r")


def rewritten(packed, path, change):
    """An archive of the same entries after `change({name: TarInfo and data})`."""
    with tarfile.open(packed) as tar:
        entries = [(entry, tar.extractfile(entry).read()) for entry in tar]
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for entry, data in change(entries):
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def plain(name, kind=tarfile.REGTYPE, target=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


TRICKS = [
    (plain("../outside"), "not the name of a file of a run"),
    (plain("/etc/outside"), "not the name"),
    (plain("checkpoints/../../outside"), "not the name"),
    (plain("replay/./x"), "not the name"),
    (plain("replay//x"), "not the name"),
    (plain("replay"), "not the name"),
    (plain("trainer.lock"), "not the name"),
    (plain("tensorboard/events.py"), "not the name of a file of a run"),
    (plain("checkpoints/000000001/__init__.py"), "not the name of a file of a run"),
    (plain("run.json/x"), "not the name"),
    (plain("matches/.writing-x"), "not the name"),
    (plain("matches/x", tarfile.SYMTYPE, "/etc/passwd"), "not a plain file"),
    (plain("matches/x", tarfile.LNKTYPE, "run.json"), "not a plain file"),
    (plain("matches", tarfile.DIRTYPE), "not a plain file"),
    (plain("matches/x", tarfile.FIFOTYPE), "not a plain file"),
    (plain("run.json"), "it is there twice"),
    (plain(UNLISTED_MATCH), "the index does not list it"),
]


@pytest.mark.parametrize(("entry", "why"), TRICKS, ids=lambda x: getattr(x, "name", None))
def test_tricks_are_refused_by_name(packed, tmp_path, entry, why):
    path = rewritten(packed, tmp_path / "x.tar", lambda old: [*old[:-1], (entry, b""), old[-1]])
    refused(tmp_path, path, f"bad entry '{entry.name}': {why}")
    assert not (tmp_path / "outside").exists()


def test_more_than_the_index_or_less_is_refused(packed, tmp_path):
    late = rewritten(packed, tmp_path / "a.tar", lambda old: [*old, (plain("matches/z"), b"")])
    refused(tmp_path, late, "'matches/z': it comes after the index")
    less = rewritten(packed, tmp_path / "b.tar", lambda old: old[1:])
    refused(tmp_path, less, "'run.json': the index lists it, and it is missing")
    none = rewritten(packed, tmp_path / "c.tar", lambda old: old[:-1])
    refused(tmp_path, none, "without its 'INDEX.json'")


def forged(path, files, **index):
    """An archive as somebody else might write it, its index and seal right."""
    with tarfile.open(path, "w") as tar:
        listed = []
        for name, data in files.items():
            archive._add(tar, name, data)
            digest = hashlib.sha256(data).hexdigest()
            listed.append({"name": name, "size": len(data), "sha256": digest})
        document = {"format": ARCHIVE.name, "run": "r", "entries": listed} | index
        document["seal"] = seal_of(document)
        archive._add(tar, "INDEX.json", json.dumps(document).encode())
    return path


def test_what_does_not_verify_is_refused_though_its_index_is_right(packed, tmp_path):
    with tarfile.open(packed) as tar:
        data = tar.extractfile("run.json").read()
    bad = forged(tmp_path / "a.tar", {"run.json": b"{}"})
    refused(tmp_path, bad, "bad entry 'run.json'")
    key = f"replay/{B}/000000000-1-00000000.arrow"
    bad = forged(tmp_path / "b.tar", {"run.json": data, key: b"no segment"})
    refused(tmp_path, bad, f"bad entry '{key}': checksum")
    bad = forged(tmp_path / "c.tar", {"run.json": data}, format="ludens-run/2")
    refused(tmp_path, bad, "format ludens-run/2, this version of the program reads 1; a newer")
    for entries in ([{}], [1], None, [{"name": "run.json", "size": "x", "sha256": 0}]):
        bad = forged(tmp_path / "d.tar", {"run.json": data}, entries=entries)
        refused(tmp_path, bad, "bad entry 'INDEX.json': it does not name a run and its entries")
    bad = forged(tmp_path / "e.tar", {"run.json": data}, run="../x")
    with pytest.raises(RunNameError):
        import_run(tmp_path / "new", bad)


SPARSE = ({"GNU.sparse.size": "10000000000000"}, {"size": "10000000000000"}, {"comment": "x"})


@pytest.mark.parametrize("claimed", SPARSE, ids=str)
@pytest.mark.parametrize("everywhere", [False, True])
def test_sizes_of_extended_headers_are_refused_and_not_believed(
    packed, tmp_path, claimed, everywhere
):
    with tarfile.open(packed) as tar:
        entries = [(entry.name, tar.extractfile(entry).read()) for entry in tar]
    path = tmp_path / "pax.tar"
    headers = claimed if everywhere else None
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            entry.size, entry.pax_headers = len(data), {} if everywhere else claimed
            tar.addfile(entry, io.BytesIO(data))
    refused(tmp_path, path, "bad entry '.*[Pp]ax.*': not a plain file")


def test_a_document_that_no_run_has_is_not_parsed(packed, tmp_path):
    long = rewritten(packed, tmp_path / "a.tar", lambda old: [*old[:-1], (old[-1][0], BIG)])
    refused(tmp_path, long, r"bad entry 'INDEX.json': 17,\d+,\d+ bytes, expected \d+,\d+ at most")
    with tarfile.open(packed) as tar:
        run = tar.extractfile("run.json").read()
    bad = forged(tmp_path / "b.tar", {"run.json": BIG})
    refused(tmp_path, bad, r"bad entry 'run.json': .*'run.json' has more than 16,777,216 bytes")
    bad = forged(tmp_path / "c.tar", {"run.json": run, MATCH: BIG})
    refused(tmp_path, bad, f"bad entry '{MATCH}': .* has more than 16,777,216 bytes")


BIG = b'"' + b"x" * (17 * 10**6) + b'"'


class CountedName(str):
    """A name that counts how often it is compared."""

    compared = 0

    def __eq__(self, other):
        CountedName.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_verifying_takes_as_many_steps_as_there_are_entries(tmp_path, monkeypatch):
    count = 400
    names = [f"replay/{n:032x}/000000000-1-00000000.arrow" for n in range(count)]
    path = forged(tmp_path / "x.tar", dict.fromkeys(names, b""))
    read = archive_files._read_index

    def counted(data, path):
        index = read(data, path)
        listed = [{**entry, "name": CountedName(entry["name"])} for entry in index["entries"]]
        return {**index, "entries": listed}

    monkeypatch.setattr(archive_files, "_read_index", counted)
    CountedName.compared = 0
    with archive_files.ArchiveFiles(path) as opened:
        assert CountedName.compared < 8 * count  # of a list it would be half of count x count
        scanned = []
        monkeypatch.setattr(opened, "_order", _Watched(opened._order, scanned))
        found = [opened.names(f"replay/{writer}") for writer in opened.folders("replay")]
        assert (len(found), found[0]) == (count, ["000000000-1-00000000.arrow"])
        assert scanned == []


class _Watched(dict):
    """A dict that notes when all of it is looked through."""

    def __init__(self, content, scanned):
        super().__init__(content)
        self.scanned = scanned

    def __iter__(self):
        self.scanned.append(len(self))
        return super().__iter__()


def test_a_run_is_never_overwritten(small, packed, tmp_path):
    before = contents(tmp_path / "store")
    with pytest.raises(RunExistsError, match=r"'r' exists already .*another name"):
        import_run(tmp_path / "store", packed)
    with pytest.raises(RunNameError):
        import_run(tmp_path / "store", packed, "../r")
    assert contents(tmp_path / "store") == before
    (tmp_path / "store/r/run.json").unlink()
    with small.run.lock_trainer(), pytest.raises(RunLockedError):
        import_run(tmp_path / "store", packed)


def test_files_of_another_run_are_not_mixed_in(packed, tmp_path):
    stray = tmp_path / "new/r/checkpoints/000000001/model.safetensors"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"somebody's")
    with pytest.raises(RunExistsError, match="files of another run 'r'"):
        import_run(tmp_path / "new", packed)
    assert files_of(tmp_path / "new/r").keys() == {"checkpoints/000000001/model.safetensors"}


def test_an_import_that_fails_is_taken_back_and_can_be_repeated(packed, tmp_path, monkeypatch):
    original, calls = LocalFiles.create_same, []

    def full(self, key, data):
        calls.append(key)
        if len(calls) == 5:
            raise StoreWriteError("disk full", 28)
        return original(self, key, data)

    with monkeypatch.context() as patch:
        patch.setattr(LocalFiles, "create_same", full)
        with pytest.raises(StoreWriteError):
            import_run(tmp_path / "new", packed)
    assert files_of(tmp_path / "new/r") == {}
    assert list_runs(tmp_path / "new") == []
    import_run(tmp_path / "new", packed)
    assert calls[-1] != "run.json"
    assert files_of(tmp_path / "new/r") == files_of(tmp_path / "store/r")


def test_the_run_appears_last(packed, tmp_path, monkeypatch):
    original, order = LocalFiles.create_same, []

    def noted(self, key, data):
        assert list_runs(tmp_path / "new") == []
        order.append(key)
        return original(self, key, data)

    monkeypatch.setattr(LocalFiles, "create_same", noted)
    import_run(tmp_path / "new", packed)
    assert order[-1] == "run.json"


def test_between_a_local_and_an_object_store(small, packed, tmp_path):
    url = f"memory://archive-test-{os.getpid()}"
    import_run(url, packed, "far")
    far = open_run(url, "far")
    assert set(walk(far.files)) >= files_of(tmp_path / "store/r").keys()
    export_run(far, tmp_path / "back.tar")
    import_run(tmp_path / "new", tmp_path / "back.tar")
    assert files_of(tmp_path / "new/far") == files_of(tmp_path / "store/r")
    files = open_files(url)
    for key in list(walk(files)):
        files.remove(key)
