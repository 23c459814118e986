"""The lease: one holder at a time, however the clocks jump, and nobody waits who need not."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from store.errors import (
    AlreadyStoredError,
    RunLockedError,
    RunLostError,
    StoreUnreachableError,
    StoreWriteError,
)
from store.files import lease as lease_module
from store.files.lease import Lease, Timing
from store.files.opening import open_files
from tests.store.s3_server import BUCKET, running_s3

ROOT = Path(__file__).parents[3]
LEASE, BEAT, CONFIRMED, POLL = 30.0, 5.0, 15.0, 1.0


@dataclass
class World:
    """A store and a time that passes only while somebody sleeps."""

    files: object
    now: float = 1000.0
    beating: list = field(default_factory=list)  # the heartbeats of those that are awake
    slept: float = 0.0
    on_sleep: list = field(default_factory=list)  # called once, at the next sleep

    def sleep(self, seconds):
        self.now += seconds
        self.slept += seconds
        while self.on_sleep:
            self.on_sleep.pop()()
        if self.slept % BEAT < seconds:
            for beat in list(self.beating):
                beat()

    def start(self, beat, interval_s):
        self.beating.append(beat)
        return lambda: beat in self.beating and self.beating.remove(beat)

    def take(self, files=None, **timing):
        clocks = {"holder_clock": lambda: self.now, "contender_clock": lambda: self.now}
        hooks = {**clocks, "sleep": self.sleep, "start": self.start, **timing}
        return Lease(
            files or self.files, "trainer.lock", Timing(LEASE, BEAT, CONFIRMED, POLL, **hooks)
        )

    def stall(self):
        """Everybody stops beating, as after kill -9 or in a long pause."""
        self.beating.clear()

    @property
    def names(self):
        return self.files.names("trainer.lock")


@pytest.fixture(params=["local", "memory"])
def world(request, tmp_path):
    place = tmp_path / "first" if request.param == "local" else f"memory://{tmp_path.name}/first"
    return World(open_files(place))


def test_a_free_or_released_lease_is_taken_at_once(world):
    for generation in (1, 2, 3):
        with world.take() as lease:
            assert lease.is_held
            assert world.names == [f"{generation:08d}-00000001", f"{generation:08d}.json"]
        assert not lease.is_held
        assert world.names == [f"{generation:08d}-released", f"{generation:08d}.json"]
        lease.release()
        lease.check()
    assert world.slept == 0


def test_a_living_holder_is_named_after_its_next_beat(world):
    with world.take() as lease:
        words = rf"'first' is being trained by process {os.getpid()} on host '.*last heartbeat"
        with pytest.raises(RunLockedError, match=words) as caught:
            world.take()
        assert caught.value.holder_pid == os.getpid()
        assert world.slept <= BEAT + POLL
        assert lease.is_held


def test_the_holder_keeps_its_newest_beat_alone(world):
    with world.take():
        for _ in range(7):
            world.sleep(BEAT)
        assert world.names == ["00000001-00000008", "00000001.json"]


def test_a_silent_holder_is_waited_for_and_then_replaced(world):
    silent = world.take()
    world.stall()
    with world.take() as taker:
        assert world.slept >= LEASE + CONFIRMED  # its silence, and what it had confirmed before
        assert taker.is_held
        assert not silent.is_held
        with pytest.raises(RunLostError, match=f"process {os.getpid()} on host '.*has taken it"):
            silent.check()
        silent.release()
        assert taker.is_held
        assert [name for name in world.names if name.startswith("00000001")] == []


def test_the_taker_does_not_begin_while_the_former_holder_may_rely_on_its_last_look(world):
    """A beat that comes just too late to be seen is confirmed, and must run out first."""
    silent = world.take()
    world.stall()
    claimed = []
    create = type(world.files.within("x")).create

    class LateBeat(type(world.files.within("x"))):
        def create(self, key, data):
            if key == "00000002.json" and not claimed:
                silent._beat_quietly()  # between the contender's last look and its claim
                claimed.append(world.now)
                assert silent._is_confirmed()
            create(self, key, data)

    files = open_files(world.files.url)
    files.within = lambda folder: _of_class(world.files.within(folder), LateBeat)
    with world.take(files) as taker:
        assert world.now >= claimed[0] + CONFIRMED
        assert not silent.is_held
        assert taker.is_held


def _of_class(files, kind):
    files.__class__ = kind
    return files


def test_a_holder_that_wakes_up_while_it_is_watched_keeps_its_lease(world):
    holder = world.take()
    beats = list(world.beating)
    world.stall()
    world.on_sleep.append(lambda: world.on_sleep.append(lambda: world.beating.extend(beats)))
    with pytest.raises(RunLockedError):
        world.take()
    assert holder.is_held


def test_a_release_that_is_watched_ends_the_wait(world):
    holder = world.take()
    world.stall()
    world.on_sleep.append(holder.release)
    with world.take() as taker:
        assert taker.is_held
    assert world.slept == POLL


def test_of_two_contenders_for_a_dead_lease_one_gets_it(world):
    world.take()
    world.stall()
    taken = []
    watching = [False]

    def faster_one():
        if not watching[0]:
            watching[0] = True
            taken.append(world.take())

    world.on_sleep.append(faster_one)
    with pytest.raises(RunLockedError, match=f"process {os.getpid()}"):
        world.take()
    assert [lease.is_held for lease in taken] == [True]


def test_a_claim_of_a_generation_that_was_cleared_meanwhile_is_withdrawn(world):
    """A contender sleeps after it looked; meanwhile others take, release and clear generations."""
    asleep = World(world.files)

    class Sleeper(type(world.files)):
        def names(self, folder):
            found = super().names(folder)
            if not asleep.on_sleep:
                asleep.on_sleep.append(None)
                for _ in range(3):
                    lease = world.take()
                    lease.release()
                asleep.on_sleep.append(world.take())
            return found

    files = open_files(world.files.url)
    inner = files.within
    files.within = lambda folder: _of_class(inner(folder), Sleeper)
    with pytest.raises(RunLockedError, match="has just taken it"):
        world.take(files)
    assert asleep.on_sleep[1].is_held
    assert "00000001.json" not in world.names


def test_failing_heartbeats_lose_the_lease_when_the_last_confirmation_is_too_old(
    world, monkeypatch
):
    holder = world.take()

    def fails(self, key, data):
        raise StoreWriteError("no connection")

    with monkeypatch.context() as patch:
        patch.setattr(type(world.files), "create", fails)
        world.sleep(BEAT)
        assert holder.is_held  # what it knows is recent enough
    world.sleep(BEAT)
    assert holder.is_held
    monkeypatch.setattr(type(world.files), "create", fails)
    world.now += CONFIRMED
    with pytest.raises(RunLostError, match=r"heartbeat fails \(no connection\)"):
        holder.check()
    monkeypatch.undo()
    assert not holder.is_held  # for good: nobody can tell what happened meanwhile


def test_a_machine_that_was_suspended_asks_before_it_goes_on(world):
    holder = world.take()
    world.now += 10 * LEASE  # suspended, and nobody wanted it
    assert holder.is_held
    assert "00000001-00000002" in world.names
    world.stall()
    with world.take():
        world.now += 10 * LEASE
        with pytest.raises(RunLostError):
            holder.check()


def test_the_wall_clock_does_not_matter(world, monkeypatch):
    def forbidden(*_):
        raise AssertionError("the wall clock was read")

    monkeypatch.setattr(lease_module.time, "time", forbidden)
    monkeypatch.setattr(lease_module.time, "time_ns", forbidden)
    with world.take(), pytest.raises(RunLockedError):
        world.take()


def test_a_server_that_ignores_exclusive_creation_is_refused(world, monkeypatch):
    kind = type(world.files)
    create = kind.create

    def overwrites(self, key, data):
        try:
            create(self, key, data)
        except AlreadyStoredError:
            self.remove(key)
            create(self, key, data)

    monkeypatch.setattr(kind, "create", overwrites)
    with pytest.raises(StoreWriteError, match="If-None-Match"):
        world.take()
    assert world.names == []


def test_a_store_that_cannot_be_written_says_so(world, monkeypatch):
    def refused(self, key, data):
        raise StoreWriteError("cannot write: access is refused")

    monkeypatch.setattr(type(world.files), "create", refused)
    with pytest.raises(StoreWriteError, match="access is refused"):
        world.take()


def test_a_release_without_a_connection_is_logged_not_raised(world, monkeypatch, caplog):
    holder = world.take()

    def lost(self, key, data):
        raise StoreUnreachableError("no connection")

    monkeypatch.setattr(type(world.files), "create", lost)
    holder.release()
    assert "was not released: no connection" in caplog.text
    assert not holder.is_held


def test_a_forked_child_neither_holds_nor_releases(tmp_path):
    world = World(open_files(tmp_path / "first"))
    holder = world.take()
    child = os.fork()
    if child == 0:
        answer = holder.is_held
        holder.release()
        os._exit(int(answer))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert holder.is_held
    assert "00000001-released" not in world.names


def test_the_heartbeat_thread_beats_and_ends_with_the_release(tmp_path):
    files = open_files(tmp_path / "first")
    with Lease(files, "trainer.lock", Timing(beat_s=0.01)):
        (thread,) = [t for t in threading.enumerate() if t.name == "trainer-lease"]
        assert thread.daemon
        while files.names("trainer.lock")[0] < "00000001-00000005":
            time.sleep(0.01)
    assert not thread.is_alive()


HOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
from store.files.opening import open_files
from store.files.lease import Lease, Timing
lease = Lease(open_files(sys.argv[2]), "trainer.lock", Timing(beat_s=0.05))
print("held", flush=True)
sys.stdin.read()  # until it is killed, or the tests are gone
"""


@pytest.mark.slow
def test_a_killed_holder_on_s3_is_seen_alive_and_then_replaced():
    with running_s3():
        address = f"s3://{BUCKET}/first"
        timing = Timing(lease_s=1.0, beat_s=0.1, confirmed_s=0.3, poll_s=0.05)
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(ROOT), address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as holder:
            try:
                assert holder.stdout.readline() == "held\n"
                files = open_files(address)
                patient = Timing(lease_s=30.0, poll_s=0.05)  # the machine may be slow, not dead
                with pytest.raises(RunLockedError) as caught:
                    Lease(files, "trainer.lock", patient)
                assert caught.value.holder_pid == holder.pid
            finally:
                holder.send_signal(signal.SIGKILL)
        with Lease(files, "trainer.lock", timing) as lease:
            assert lease.is_held
