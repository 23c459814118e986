"""Holds: they count until released, or until an observer has seen them silent for long enough."""

import json
import time

import pytest

from store.errors import StoreWriteError
from store.run import create_run
from store.upkeep import holds
from store.upkeep.holds import HOLD_SECONDS, Hold, HoldWatch, read_holds

WRITER = "a" * 32


@pytest.fixture
def run(tmp_path):
    return create_run(tmp_path, "r", game="g", config={}, seed=0, versions={})


class Clock:
    """A clock that is set by hand; sleeping moves it, after which `then` is called."""

    def __init__(self, then=lambda: None):
        self.now = 1000.0
        self.then = then

    def sleep(self, seconds):
        self.now += seconds
        self.then()

    def watch(self, run):
        return HoldWatch(run.files, lambda: self.now, self.sleep)


def forever(run, **what):
    return Hold(run, renew_seconds=1e6, **what)


def names(run):
    return run.files.names("holds")


def test_a_hold_says_what_it_needs_until_it_is_released(run):
    with forever(run, segments={WRITER: 4}, checkpoints=[20, 10]) as hold:
        (read,) = read_holds(run.files)
        assert (read.segments, read.checkpoints) == ({WRITER: 4}, {10, 20})
        assert read.owner.startswith("process ")
        assert not read.holds_all
    assert read_holds(run.files) == []
    hold.release()


def test_renewing_leaves_two_files_and_the_same_hold(run):
    """The older is there before, while and after the newer one comes."""
    with forever(run) as hold:
        (before,) = read_holds(run.files)
        for renewal in range(1, 4):
            hold.renew()
            (after,) = read_holds(run.files)
            assert (after.name, after.renewal) == (before.name, renewal)
            assert len(names(run)) == 2


def test_a_thread_renews_it(run):
    with Hold(run, renew_seconds=0.01):
        while read_holds(run.files)[0].renewal < 2:
            time.sleep(0.005)
    assert names(run) == []


def test_a_renewal_that_fails_is_tried_again(run, caplog, monkeypatch):
    hold = forever(run)
    with monkeypatch.context() as patch:

        def full(key, data):
            raise StoreWriteError("disk full")

        patch.setattr(hold, "_files", type("Full", (), {"create": staticmethod(full)})())
        with pytest.raises(StoreWriteError):
            hold.renew()
    assert read_holds(run.files)[0].renewal == 0
    hold.renew()
    assert read_holds(run.files)[0].renewal == 1
    hold.release()
    assert names(run) == []


def test_it_counts_until_seen_silent_by_the_observers_own_clock(run):
    clock = Clock()
    watch = clock.watch(run)
    hold = forever(run)
    clock.now += 10 * HOLD_SECONDS  # how old it is says nothing
    assert len(watch.living()) == 1
    clock.now += HOLD_SECONDS - 1
    assert len(watch.living()) == 1
    hold.renew()
    clock.now += HOLD_SECONDS - 1
    assert len(watch.living()) == 1  # first seen renewed just now
    clock.now += HOLD_SECONDS
    assert watch.living() == []
    assert len(clock.watch(run).living()) == 1  # another observer has to see for itself
    hold.release()


def test_waiting_ends_when_every_hold_was_renewed_released_or_found_dead(run):
    renewed, released, dead = forever(run), forever(run), forever(run)

    def later():
        if clock.now > 1010 and read_holds(run.files)[0].renewal == 0:
            renewed.renew()
            released.release()

    clock = Clock(later)
    (alive,) = clock.watch(run).wait()
    assert alive.name == renewed._name
    assert HOLD_SECONDS <= clock.now - 1000 < HOLD_SECONDS + 10
    assert {name.split("-")[0] for name in names(run)} == {renewed._name}
    for hold in (renewed, dead):
        hold.release()


def test_waiting_for_nobody_takes_no_time(run):
    clock = Clock()
    assert clock.watch(run).wait() == []
    assert clock.now == 1000


def test_a_hold_that_cannot_be_read_holds_everything(run):
    run.files.create(f"holds/{'b' * 32}-000000000.json", b"{")
    forged = b'{"format": "ludens-hold/2", "owner": "", "segments": {}, "checkpoints": [1e999]}'
    run.files.create(f"holds/{'d' * 32}-000000000.json", forged)
    run.files.create(f"holds/{'c' * 32}-000000000.json", json.dumps({"segments": 1}).encode())
    run.files.create("holds/notes.txt", b"")
    found = read_holds(run.files)
    assert [hold.holds_all for hold in found] == [True, True, True]


def test_a_hold_renewed_while_it_is_read_is_found(run, monkeypatch):
    hold = forever(run, checkpoints=[7])
    stale = run.files.tree("holds")
    for _ in range(2):
        hold.renew()
    monkeypatch.setattr(run.files, "tree", lambda folder: stale)
    (read,) = read_holds(run.files)
    assert (read.checkpoints, read.renewal) == ({7}, 2)
    hold.release()


def test_renewals_come_well_before_the_end():
    assert holds.RENEW_SECONDS * 3 < HOLD_SECONDS
