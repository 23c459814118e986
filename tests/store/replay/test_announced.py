"""Reading what writers announce: a request a segment, several at a time, nothing twice or lost."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import StoreError
from store.files.protocol import Files
from store.replay.dedupe import RecentUuids
from store.replay.episodes import Episode, EpisodeSchema
from store.replay.fetch import AT_ONCE
from store.replay.known_segments import REMEMBERED, KnownSegments
from store.replay.log import ReplayLog, parse_segment_key
from store.replay.segments import SegmentName, SegmentWriter
from store.run import Run, create_run
from tests.store.counting_files import CountingFiles

SCHEMA = EpisodeSchema("test/1", {"number": ("<i8", ())})


@pytest.fixture
def run() -> Run:
    """A run in memory whose requests are counted."""
    made = create_run(
        f"memory://announced-{np.random.default_rng().integers(1 << 62)}",
        "r",
        game="g",
        config={},
        seed=0,
        versions={},
    )
    return replace(made, files=CountingFiles(made.files))


def counts(run: Run) -> Counter[str]:
    """The requests since the last call."""
    assert isinstance(run.files, CountingFiles)
    found = Counter(run.files.calls)
    run.files.reset()
    return found


def commit(writer: SegmentWriter, *numbers: int) -> str:
    for number in numbers:
        writer.append(Episode(number.to_bytes(16, "big"), {"number": np.array([number], "<i8")}))
    key = writer.commit()
    assert key is not None
    return key


def numbers(batches: Any) -> list[int]:
    return [n for batch in batches for n in batch.values["number"].tolist()]


def test_a_thousand_writers_cost_a_request_a_segment_and_none_when_there_is_nothing(
    run: Run,
) -> None:
    log = ReplayLog(run, SCHEMA)
    keys = [commit(SegmentWriter(run, SCHEMA, next_seq=0), n) for n in range(1000)]
    counts(run)
    log.announce(keys)
    assert counts(run) == {}
    assert numbers(log.take()) == list(range(1000))
    assert counts(run) == {"read": 1000}
    for _ in range(10):
        log.announce([])
        assert log.take() == []
    assert counts(run) == {}


def test_segments_come_in_the_order_of_their_announcement(run: Run) -> None:
    first, second = SegmentWriter(run, SCHEMA), SegmentWriter(run, SCHEMA)
    keys = [commit(first, 1), commit(second, 2), commit(first, 3), commit(second, 4)]
    log = ReplayLog(run, SCHEMA)
    log.announce(keys)
    assert [numbers([batch]) for batch in log.take(3)] == [[1], [2], [3]]
    assert numbers(log.take()) == [4]


class SlowFiles:
    """Files whose reads wait until `together` of them are under way, or one is let go.

    Attributes:
        most: reads that were under way together, at most.
    """

    def __init__(self, files: Files, together: int) -> None:
        self.files = files
        self.most = 0
        self._barrier = threading.Barrier(together)
        self._under_way = 0
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.files, name)

    def read(self, key: str) -> bytes:
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        self._barrier.wait(timeout=60)
        with self._lock:
            self._under_way -= 1
        return self.files.read(key)


def test_several_are_fetched_at_a_time_and_no_more(run: Run) -> None:
    writer = SegmentWriter(run, SCHEMA)
    keys = [commit(writer, n) for n in range(4 * AT_ONCE)]
    slow = SlowFiles(run.files, AT_ONCE)
    log = ReplayLog(replace(run, files=slow), SCHEMA)
    log.announce(keys)
    assert numbers(log.take()) == list(range(4 * AT_ONCE))  # one at a time would wait for ever
    assert slow.most == AT_ONCE


def test_what_has_not_arrived_is_not_waited_for(run: Run) -> None:
    writer = SegmentWriter(run, SCHEMA)
    keys = [commit(writer, n) for n in range(3)]
    slow = SlowFiles(run.files, 4)
    log = ReplayLog(replace(run, files=slow), SCHEMA)
    log.announce(keys)
    assert log.take(wait=False) == []
    assert log.segments_to_take == 3
    log.announce([commit(writer, 3)])  # the fourth, for which the others wait
    found: list[int] = []
    while len(found) < 4:
        found += numbers(log.take(wait=False))
    assert found == [0, 1, 2, 3]


def test_what_is_announced_again_or_found_as_well_is_read_once(run: Run) -> None:
    writer, log = SegmentWriter(run, SCHEMA), ReplayLog(run, SCHEMA)
    keys = [commit(writer, 1), commit(writer, 2)]
    log.announce(keys)
    log.announce(keys)
    log.find()
    log.sweep()
    assert numbers(log.take()) == [1, 2]
    log.announce(keys)
    log.sweep()
    assert log.take() == []
    assert log.duplicates_dropped == 0


def test_a_sweep_finds_what_was_committed_and_not_announced(run: Run) -> None:
    writer, log = SegmentWriter(run, SCHEMA), ReplayLog(run, SCHEMA)
    keys = [commit(writer, n) for n in range(3)]
    log.announce([keys[0], keys[2]])
    assert numbers(log.take()) == [0, 2]
    commit(SegmentWriter(run, SCHEMA), 7)  # its writer died before it could answer
    log.sweep()
    assert sorted(numbers(log.take())) == [1, 7]


def test_writers_that_fell_silent_are_not_listed_until_they_are_heard_of_again(run: Run) -> None:
    log = ReplayLog(run, SCHEMA)
    writers = [SegmentWriter(run, SCHEMA) for _ in range(20)]
    log.announce([commit(writer, n) for n, writer in enumerate(writers)])
    assert len(log.take()) == 20
    found = []
    for again in range(4):
        counts(run)
        log.sweep()
        found.append(counts(run)["names"])
        log.announce([commit(writers[0], 100 + again)])  # the one that lives
    assert found == [20, 20, 1, 1]
    log.announce([commit(writers[5], 200)])
    commit(writers[5], 201)
    counts(run)
    log.sweep()
    assert counts(run)["names"] == 2
    assert sorted(numbers(log.take())) == [100, 101, 102, 103, 200, 201]
    assert log.duplicates_dropped == 0


def test_a_cursor_is_before_what_is_known_and_not_read(run: Run) -> None:
    first, second = SegmentWriter(run, SCHEMA), SegmentWriter(run, SCHEMA)
    log = ReplayLog(run, SCHEMA)
    log.announce([commit(first, 1), commit(second, 2), commit(first, 3)])
    assert numbers(log.take(1)) == [1]
    assert log.unread_episodes == 2
    assert log.cursor == {first.writer: 1}
    resumed = ReplayLog(run, SCHEMA, start=log.cursor)
    assert sorted(numbers(resumed.poll())) == [2, 3]
    assert numbers(log.take()) == [2, 3]
    assert log.cursor == {first.writer: 2, second.writer: 1}


def test_a_segment_that_cannot_be_read_now_is_read_later_and_the_cursor_waits(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, log = SegmentWriter(run, SCHEMA), ReplayLog(run, SCHEMA)
    keys = [commit(writer, n) for n in range(3)]
    log.announce(keys)
    with monkeypatch.context() as patch:
        read = run.files.read

        def failing(key: str) -> bytes:
            if key == keys[1]:
                raise OSError(5, "Input/output error")
            return read(key)

        patch.setattr(run.files, "read", failing, raising=False)
        assert numbers(log.take()) == [0, 2]
    assert log.take() == []  # not again and again in one stretch
    assert log.cursor == {writer.writer: 1}
    log.announce([])
    assert numbers(log.take()) == [1]
    assert log.cursor == {writer.writer: 3}


def test_a_strange_key_is_refused(run: Run) -> None:
    for key in ("replay/x/000000000-1-00000000.arrow", f"replay/{'a' * 32}/x", "../../etc/passwd"):
        with pytest.raises(StoreError, match="no segment's key"):
            ReplayLog(run, SCHEMA).announce([key])
    name = SegmentName(3, 1, 255)
    assert parse_segment_key(f"replay/{'a' * 32}/{name}") == ("a" * 32, name)


def test_a_silent_writer_is_kept_as_one_number() -> None:
    known = KnownSegments(0)
    for seq in range(3 * REMEMBERED):
        known.add(SegmentName(seq, 1, seq))
    assert len(known._newest) <= 2 * REMEMBERED
    known.listed(found=False)  # it was heard of since the last listing: there was none
    assert not known.settled
    known.listed(found=False)
    assert known.settled
    assert known._newest == set()
    assert known.is_known(SegmentName(3 * REMEMBERED - 1, 1, 0))
    known.add(SegmentName(3 * REMEMBERED, 1, 0))
    assert not known.settled


@given(
    least=st.integers(1, 12),
    batches=st.lists(st.lists(st.integers(0, 60), max_size=6), max_size=40),
)
def test_recent_uuids_are_those_added_last(least: int, batches: list[list[int]]) -> None:
    recent = RecentUuids(least)
    added: list[int] = []  # in the order of their last addition
    for batch in batches:
        keys = np.array([list(n.to_bytes(16, "big")) for n in batch], np.uint8).reshape(-1, 16)
        is_new = recent.add_new(keys).tolist()
        newest = set(added[-least:])
        for number, new in zip(batch, is_new, strict=True):
            assert new is False or number not in newest
            assert new is True or number in [*added, *batch]
            if number in added:
                added.remove(number)
            added.append(number)
            newest.add(number)
        assert len(recent) <= 2 * (least + max(map(len, batches)))
