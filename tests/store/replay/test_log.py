"""The replay log: everything once, in order, and no bad file stops it."""

import logging
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.errors import SchemaError, StoreError
from store.files.local import LocalFiles
from store.replay import segments
from store.replay.dedupe import UuidSet
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.known_segments import REMEMBERED
from store.replay.log import GIVE_UP_S, ReplayLog
from store.replay.segments import SegmentName, SegmentWriter
from store.run import create_run

SCHEMA = EpisodeSchema("test/1", {"number": ("<i8", ()), "moves": ("<u2", ())})


@pytest.fixture
def run(tmp_path):
    return create_run(tmp_path, "r", game="g", config={}, seed=0, versions={})


def episode(number, length=3):
    arrays = {"number": np.array([number], "<i8"), "moves": np.full(length, number, "<u2")}
    return Episode(number.to_bytes(16, "big"), arrays)


def write(writer, *numbers, length=3):
    for number in numbers:
        writer.append(episode(number, length))
    return writer.commit()


def numbers(batches):
    return [n for batch in batches for n in batch.values["number"].tolist()]


def path_of(run, key):
    return run.files.root / key


def test_polls_only_what_is_new(run):
    writer, log = SegmentWriter(run, SCHEMA), ReplayLog(run, SCHEMA)
    assert log.poll() == []
    write(writer, 1, 2)
    assert numbers(log.poll()) == [1, 2]
    assert log.poll() == []
    write(writer, 3)
    write(writer, 4)
    assert numbers(log.poll(max_segments=1)) == [3]
    assert numbers(log.poll()) == [4]
    assert log.cursor == writer.cursor == {writer.writer: 3}
    assert (log.episodes_read, log.duplicates_dropped) == (4, 0)


def test_commit_names_its_segment_and_needs_episodes(run):
    writer = SegmentWriter(run, SCHEMA)
    assert writer.commit() is None
    key = write(writer, 1, 2)
    name = SegmentName.parse(key.rpartition("/")[2])
    assert key == f"replay/{writer.writer}/{name}"
    assert (name.seq, name.episodes) == (0, 2)


def test_appending_copies(run):
    writer = SegmentWriter(run, SCHEMA)
    reused = episode(1)
    writer.append(reused)
    reused.arrays["number"][0] = 99
    writer.extend(EpisodeBatch.of(SCHEMA, [episode(2)]))
    writer.append(episode(3))
    assert writer.pending_episodes == 3
    writer.commit()
    assert numbers(ReplayLog(run, SCHEMA).poll()) == [1, 2, 3]


def test_several_writers_come_in_the_order_of_their_names(run):
    for writer_name in ("b" * 32, "a" * 32):
        writer = SegmentWriter(run, SCHEMA, writer=writer_name)
        base = int(writer_name[0], 16) * 10
        write(writer, base)
        write(writer, base + 1)
    assert numbers(ReplayLog(run, SCHEMA).poll()) == [100, 101, 110, 111]


def test_a_writer_goes_on_after_a_restart(run):
    first = SegmentWriter(run, SCHEMA)
    write(first, 1)
    leftover = path_of(run, first.folder) / ".writing-x"
    leftover.write_bytes(b"half")
    second = SegmentWriter(run, SCHEMA, writer=first.writer)
    assert not leftover.exists()
    write(second, 2)
    assert second.cursor == {first.writer: 2}
    assert numbers(ReplayLog(run, SCHEMA).poll()) == [1, 2]


def test_work_repeated_from_a_cursor_is_confirmed_not_doubled(run):
    writer = SegmentWriter(run, SCHEMA)
    keys = [write(writer, 1), write(writer, 2)]
    again = SegmentWriter(run, SCHEMA, writer=writer.writer, next_seq=1)
    assert write(again, 2) == keys[1]
    other = SegmentWriter(run, SCHEMA, writer=writer.writer, next_seq=1)
    write(other, 2, 7)  # this time with one more: both files stay, the episode counts once
    log = ReplayLog(run, SCHEMA)
    assert sorted(numbers(log.poll())) == [1, 2, 7]
    assert log.duplicates_dropped == 1


def test_duplicates_are_dropped_within_and_across_segments(run):
    writer, log = SegmentWriter(run, SCHEMA), ReplayLog(run, SCHEMA)
    write(writer, 1, 2, 1)
    write(writer, 2, 3)
    write(writer, 3, 1)
    assert [numbers([batch]) for batch in log.poll()] == [[1, 2], [3]]
    assert (log.episodes_read, log.duplicates_dropped) == (3, 4)
    assert log.cursor == {writer.writer: 3}


def test_a_resumed_reader_starts_and_stops_at_cursors(run):
    writer = SegmentWriter(run, SCHEMA)
    write(writer, 1)
    start = writer.cursor
    write(writer, 2)
    until = writer.cursor
    write(writer, 3)
    write(SegmentWriter(run, SCHEMA), 9)
    log = ReplayLog(run, SCHEMA, start=start)
    assert numbers(log.poll(until=until)) == [2]
    assert log.cursor == until
    assert sorted(numbers(log.poll())) == [3, 9]


def test_newest_loads_only_the_window_then_polls_on(run, monkeypatch):
    writer = SegmentWriter(run, SCHEMA)
    for number in range(10):
        write(writer, number, length=4)
    read = []
    monkeypatch.setattr(
        LocalFiles, "read", lambda self, key: read.append(key) or (self.root / key).read_bytes()
    )
    log = ReplayLog(run, SCHEMA)
    assert numbers(log.load_newest(2)) == [8, 9]
    assert len(read) == 2
    write(writer, 10)
    assert numbers(log.poll()) == [10]
    assert numbers(ReplayLog(run, SCHEMA).load_newest(9, of="moves")) == [8, 9, 10]
    assert numbers(ReplayLog(run, SCHEMA).load_newest(10**6)) == list(range(11))
    bounded = ReplayLog(run, SCHEMA)
    assert numbers(bounded.load_newest(2, until={writer.writer: 5})) == [3, 4]
    assert numbers(bounded.poll()) == [5, 6, 7, 8, 9, 10]
    with pytest.raises(StoreError, match="no array 'wrong'"):
        log.load_newest(1, of="wrong")


def write_at_times(run, writer_name, times):
    writer = SegmentWriter(run, SCHEMA, writer=writer_name * 32)
    for time in times:
        os.utime(path_of(run, write(writer, time)), (time, time))


def test_newest_of_several_writers_is_by_time(run):
    write_at_times(run, "a", (10, 40, 50))
    write_at_times(run, "b", (20, 30, 60))
    assert numbers(ReplayLog(run, SCHEMA).load_newest(4)) == [30, 40, 50, 60]
    assert numbers(ReplayLog(run, SCHEMA).load_newest(6)) == [10, 20, 30, 40, 50, 60]


def test_a_clock_that_jumps_never_reorders_one_writer(run):
    write_at_times(run, "a", (10, 40, 50))
    write_at_times(run, "b", (20, 30, 5))
    everything = numbers(ReplayLog(run, SCHEMA).load_newest(6))
    assert [n for n in everything if n in (20, 30, 5)] == [20, 30, 5]
    assert [n for n in everything if n in (10, 40, 50)] == [10, 40, 50]


DAMAGES = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[:-9],
    "longer": lambda data: data + b"\0",
    "flipped": lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
    "foreign": lambda data: b"\x89PNG" + data[4:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_segments_are_quarantined_with_their_reason(run, caplog, damage):
    writer = SegmentWriter(run, SCHEMA)
    keys = [write(writer, n) for n in (1, 2, 3)]
    path = path_of(run, keys[1])
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    log = ReplayLog(run, SCHEMA)
    assert numbers(log.poll()) == [1, 3]
    assert len(caplog.records) == 1
    assert keys[1] in caplog.text
    assert "is damaged" in caplog.text
    target = run.files.root / "quarantine" / f"{writer.writer}-{path.name}"
    assert target.exists()
    assert not path.exists()
    assert "checksum" in target.with_name(f"{target.name}.reason.txt").read_text()
    assert log.poll() == []
    assert len(caplog.records) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7), cut=st.booleans())
def test_any_flip_or_cut_is_noticed(tmp_path_factory, place, bit, cut):
    run = create_run(
        tmp_path_factory.mktemp("store"), "r", game="g", config={}, seed=0, versions={}
    )
    writer = SegmentWriter(run, SCHEMA)
    bad, good = path_of(run, write(writer, 1)), write(writer, 2)
    data = bytearray(bad.read_bytes())
    if cut:
        del data[place % len(data) :]
    else:
        data[place % len(data)] ^= 1 << bit
    bad.write_bytes(data)
    assert numbers(ReplayLog(run, SCHEMA).poll()) == [2]
    assert not bad.exists()
    assert path_of(run, good).exists()


def test_newer_and_other_segments_stay_and_are_skipped_once(run, caplog, monkeypatch):
    writer = SegmentWriter(run, SCHEMA)
    write(writer, 1)
    monkeypatch.setattr(segments, "SEGMENT_VERSION", 99)
    newer = write(writer, 2)
    monkeypatch.undo()
    write(writer, 3)
    other = SegmentWriter(run, EpisodeSchema("other/1", {"x": ("u1", ())}), writer="f" * 32)
    other.append(Episode(b"o" * 16, {"x": np.zeros(1, "u1")}))
    other_key = other.commit()
    log = ReplayLog(run, SCHEMA)
    assert numbers(log.poll()) == [1, 3]
    assert log.poll() == []
    assert [r.levelno for r in caplog.records] == [logging.WARNING] * 2
    assert "segment version 99" in caplog.text
    assert "other/1" in caplog.text
    assert path_of(run, newer).exists()
    assert path_of(run, other_key).exists()


def test_strange_files_and_folders_are_passed_over(run, caplog):
    writer = SegmentWriter(run, SCHEMA)
    write(writer, 1)
    path_of(run, writer.folder).joinpath("notes.txt").write_text("hello")
    path_of(run, writer.folder).joinpath(".writing-000000001-1").write_text("half")
    path_of(run, "replay/not-a-writer").mkdir()
    log = ReplayLog(run, SCHEMA)
    assert numbers(log.poll()) == [1]
    assert log.poll() == []
    assert len(caplog.records) == 2  # one each, and none for the temporary file


def test_a_read_only_store_is_read_on_with_one_warning(run, caplog, monkeypatch):
    writer = SegmentWriter(run, SCHEMA)
    bad = path_of(run, write(writer, 1))
    write(writer, 2)
    bad.write_bytes(b"")

    def read_only(self, key, new_key):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(LocalFiles, "move", read_only)
    log = ReplayLog(run, SCHEMA)
    assert numbers(log.poll()) == [2]
    assert log.poll() == []
    assert len(caplog.records) == 1
    assert "left in place" in caplog.text
    assert bad.exists()


def test_a_read_error_is_tried_again(run, caplog, monkeypatch):
    writer = SegmentWriter(run, SCHEMA)
    key = write(writer, 1)
    write(writer, 2)
    with monkeypatch.context() as patch:
        original = LocalFiles.read

        def flaky(self, wanted):
            if wanted == key:
                raise OSError(5, "Input/output error")
            return original(self, wanted)

        patch.setattr(LocalFiles, "read", flaky)
        log = ReplayLog(run, SCHEMA)
        assert numbers(log.poll()) == [2]
        assert log.poll() == []
    assert len(caplog.records) == 1
    assert numbers(log.poll()) == [1]


def test_a_segment_that_stays_unreadable_is_left_out_in_the_end(run, caplog, monkeypatch):
    """Else nothing after it could ever be pruned."""
    writer = SegmentWriter(run, SCHEMA)
    key = write(writer, 1)
    write(writer, 2)
    original, clock = LocalFiles.read, [100.0]

    def broken(self, wanted):
        if wanted == key:
            raise OSError(5, "Input/output error")
        return original(self, wanted)

    monkeypatch.setattr(LocalFiles, "read", broken)
    monkeypatch.setattr("store.replay.log.time.monotonic", lambda: clock[0])
    log = ReplayLog(run, SCHEMA)
    assert numbers(log.poll()) == [2]
    for clock[0] in (1000.0, 100.0 + GIVE_UP_S - 1.0):
        assert log.poll() == []
        assert log.cursor == {}
    clock[0] = 100.0 + GIVE_UP_S
    assert log.poll() == []
    assert log.cursor == {writer.writer: 2}
    assert "unreadable for too long" in caplog.text
    monkeypatch.setattr(LocalFiles, "read", original)
    assert log.poll() == []


def test_a_segment_pruned_while_reading_is_no_problem(run, caplog, monkeypatch):
    writer = SegmentWriter(run, SCHEMA)
    key = write(writer, 1)
    write(writer, 2)
    log = ReplayLog(run, SCHEMA)
    names = log._segment_names(writer.writer)
    path_of(run, key).unlink()
    monkeypatch.setattr(log, "_segment_names", lambda writer: names)
    assert numbers(log.poll()) == [2]
    assert caplog.records == []


def test_a_long_log_is_read_once_and_remembered_in_little(run):
    writer = SegmentWriter(run, SCHEMA)
    log = ReplayLog(run, SCHEMA)
    seen = []
    for number in range(3 * REMEMBERED):
        write(writer, number)
        if number % 7 == 0:
            seen += numbers(log.poll())
    assert seen + numbers(log.poll()) == list(range(3 * REMEMBERED))
    assert log.poll() == []
    assert log.cursor == {writer.writer: 3 * REMEMBERED}
    assert len(log._known[writer.writer]._newest) <= 2 * REMEMBERED
    again = ReplayLog(run, SCHEMA, log.cursor)
    write(writer, 1000)
    assert numbers(again.poll()) == [1000]


def test_a_wrong_writer_name_or_batch_is_refused(run):
    with pytest.raises(SchemaError, match="32 hexadecimal"):
        SegmentWriter(run, SCHEMA, writer="../x")
    other = EpisodeSchema("other/1", {"x": ("u1", ())})
    with pytest.raises(SchemaError):
        SegmentWriter(run, SCHEMA).extend(EpisodeBatch.of(other, []))
    with pytest.raises(SchemaError):
        SegmentWriter(run, other).append(episode(1))


def test_equal_runs_make_equal_files(tmp_path):
    files = []
    for name in ("x", "y"):
        run = create_run(tmp_path, name, game="g", config={}, seed=0, versions={})
        writer = SegmentWriter(run, SCHEMA, "zstd", writer="0" * 32)
        files.append([(key, path_of(run, key).read_bytes()) for key in [write(writer, 1, 2)]])
    assert files[0] == files[1]


@given(st.lists(st.lists(st.integers(0, 40), max_size=20), max_size=30))
def test_uuid_set_equals_a_set(batches):
    seen, uuids = set(), UuidSet()
    for batch in batches:
        # trailing zero bytes are part of a UUID, though NumPy's strings drop them when read
        keys = [
            bytes([number]) + bytes(number % 16) + b"\1" * (15 - number % 16) for number in batch
        ]
        found = uuids.add_new(np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16))
        expected = []
        for key in keys:
            expected.append(key not in seen)
            seen.add(key)
        assert found.tolist() == expected
        assert len(uuids) == len(seen)
