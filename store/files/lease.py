"""Lock a run on an object store by a lease that needs only exclusive creation of files.

Nothing is overwritten, and no clock is compared with another machine's. In the lock's folder lie

    <generation>.json        the claim: who holds the lease; the highest generation counts
    <generation>-<beat>      a heartbeat; only the newest is kept
    <generation>-released    the holder has given it back

The holder writes a beat every `beat_s` and then looks for a higher generation. A look that finds
none is a confirmation, valid for `confirmed_s`. A contender takes the next generation at once when
the highest is released; else only after watching it for `lease_s` of its own time without a new
beat, and then it waits another `confirmed_s`, until the former holder's last confirmation has
expired. So two processes never hold it together, however wrong their clocks are, as long as these
run at about the same speed (leases: Gray and Cheriton, SOSP 1989). A request may still arrive after
its sender lost the lease; it can replace nothing, since nothing in a store is ever replaced.
"""

import contextlib
import json
import logging
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from store.errors import (
    UNREADABLE,
    AlreadyStoredError,
    RunLockedError,
    RunLostError,
    StoreError,
    StoreWriteError,
)
from store.files.protocol import Files

LEASE_SECONDS = 30.0
"""How long a holder must be silent before its lease may be taken."""

BEAT_SECONDS = 5.0
"""Time between two heartbeats."""

CONFIRMED_SECONDS = 15.0
"""How long the holder relies on a look that found no higher generation."""

POLL_SECONDS = 1.0
"""How often a contender looks for a new beat."""

_CLAIM = re.compile(r"(\d{8})\.json")
_BEAT = re.compile(r"(\d{8})-(\d{8})")
_NO_BEAT = -1
MOST_CLAIM_BYTES = 2**16
_logger = logging.getLogger("ludens.store")


def _start_thread(beat: Callable[[], None], interval_s: float) -> Callable[[], None]:
    """Call `beat` every interval on a daemon thread; the returned function stops and joins it."""
    stopped = threading.Event()

    def loop() -> None:
        while not stopped.wait(interval_s):
            beat()

    def stop() -> None:
        stopped.set()
        if threading.current_thread() is not thread:
            thread.join()

    thread = threading.Thread(target=loop, name="trainer-lease", daemon=True)
    thread.start()
    return stop


def _clock_through_suspension() -> int:
    """Return the system's clock that counts while the machine is suspended.

    That is CLOCK_BOOTTIME on Linux. On macOS it is CLOCK_MONOTONIC_RAW (`mach_continuous_time`),
    while `time.monotonic` stops there, as it does on Linux.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.CLOCK_BOOTTIME
    return time.CLOCK_MONOTONIC_RAW


def _awake_or_not() -> float:
    """Return seconds that count while the machine is suspended, when the lease may be taken."""
    return time.clock_gettime(_clock_through_suspension())


@dataclass(frozen=True)
class Timing:
    """The lease's durations in seconds, its clocks and its thread, so that tests need not wait.

    Attributes:
        lease_s: silence after which a lease may be taken.
        beat_s: time between heartbeats.
        confirmed_s: how long a confirmation holds; at least `beat_s`, below `lease_s`.
        poll_s: time between a contender's looks.
        holder_clock: counts while the machine is suspended: the holder may have been forgotten.
        contender_clock: stops then, because a suspended contender watches no lease.
        sleep: waits a number of seconds.
        start: calls a function at an interval in seconds until the returned function is called.
    """

    lease_s: float = LEASE_SECONDS
    beat_s: float = BEAT_SECONDS
    confirmed_s: float = CONFIRMED_SECONDS
    poll_s: float = POLL_SECONDS
    holder_clock: Callable[[], float] = _awake_or_not
    contender_clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    start: Callable[[Callable[[], None], float], Callable[[], None]] = _start_thread


@dataclass(frozen=True)
class _Seen:
    """The state of the lock's highest generation in one listing; 0 is none at all."""

    generation: int = 0
    beat: int = _NO_BEAT
    released: bool = False


class Lease:
    """Holds the lease in a folder of `files` from construction until `release`, or until lost.

    Construction takes a moment when the lease is free, up to about `beat_s` when its holder lives,
    and `lease_s` + `confirmed_s` when the holder died without releasing it.

    A forked child does not hold its parent's lease.

    Args:
        files: the run's files; their `create` is exclusive, and need not repeat what fails.
        folder: the lock's folder in them.
        timing: durations, clocks and thread.

    Raises:
        RunLockedError: another process holds it; names host and process.
        RunLostError: it was taken away again before this process could begin.
        StoreWriteError: the store cannot be written, or does not create exclusively.
    """

    def __init__(self, files: Files, folder: str, timing: Timing | None = None) -> None:
        self._run = files
        self._files = files.within(folder)
        self._timing = timing or Timing()
        self._pid = os.getpid()
        self._mutex = threading.Lock()  # one beat at a time: the thread's or the caller's
        self._beats = 0
        self._released = False
        self._lost: str | None = None
        self._generation, was_silent = self._take()
        self._confirmed_at = self._timing.holder_clock()
        self._stop = self._timing.start(self._beat_quietly, self._timing.beat_s)
        try:
            self._begin(was_silent)
        except BaseException:
            self.release()
            raise

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lease, by a recent confirmation or a new request."""
        try:
            self.check()
        except RunLostError:
            return False
        return not self._released and self._pid == os.getpid()

    def check(self) -> None:
        """Return when the lease is held (or was released properly).

        Asks the store only when the last confirmation is older than `confirmed_s`.

        Raises:
            RunLostError: another process has taken the run, or may have.
        """
        if self._lost is None and not self._released and self._pid == os.getpid():
            if not self._is_confirmed():
                self._confirm_now()
        if self._lost is not None:
            raise RunLostError(self._lost)

    def release(self) -> None:
        """Stop the heartbeats and write a marker, so that the next trainer need not wait.

        Harmless when repeated. A marker that cannot be written is logged: the next trainer waits.
        """
        if self._released or self._pid != os.getpid():
            return
        self._stop()
        with self._mutex:
            self._released = True
            if self._lost is None:
                self._leave_marker()

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    # --- taking it ----------------------------------------------------------------------------

    def _take(self) -> tuple[int, bool]:
        """Claim the generation after the highest; return it and whether the old one was silent."""
        seen = self._look()
        if seen.generation and not seen.released:
            seen = self._watch(seen)
        generation = seen.generation + 1
        try:
            self._files.create(f"{generation:08d}.json", _claim())
        except AlreadyStoredError:  # another contender was faster
            raise self._locked_error(generation, "which has just taken it") from None
        try:
            # A suspended contender may claim a generation that others have taken and released.
            if (highest := self._look().generation) > generation:
                raise self._locked_error(highest, "which has just taken it")
            self._check_exclusive(generation)
        except BaseException:
            self._remove_quietly([f"{generation:08d}.json"])
            raise
        return generation, seen.generation > 0 and not seen.released

    def _watch(self, seen: _Seen) -> _Seen:
        """Wait until the holder released its lease or was silent for `lease_s`.

        Raises:
            RunLockedError: it is alive.
        """
        clock, began = self._timing.contender_clock, self._timing.contender_clock()
        _logger.info(
            "%s: looking for %.0f s whether its trainer lives",
            self._files.url,
            self._timing.lease_s,
        )
        looked = began
        while clock() - began < self._timing.lease_s:
            self._timing.sleep(self._timing.poll_s)
            now = self._look()
            if now.generation == seen.generation and now.released:
                return now
            if now != seen:
                age = f"its last heartbeat came within the last {clock() - looked:.1f} s"
                raise self._locked_error(now.generation, age)
            looked = clock()
        return seen

    def _check_exclusive(self, generation: int) -> None:
        """Refuse a server that ignores the condition of an exclusive creation."""
        try:
            self._files.create(f"{generation:08d}.json", _claim())
        except AlreadyStoredError:
            return
        raise StoreWriteError(
            f"{self._files.url!r}: the store's server lets a file be created twice, so two "
            "trainers could overwrite each other; use a server that honours If-None-Match, or a "
            "local path"
        )

    def _begin(self, was_silent: bool) -> None:
        """Write the first beat, and wait until a silent holder's last confirmation has expired."""
        with self._mutex:
            self._beat()
        until = self._timing.contender_clock() + self._timing.confirmed_s
        while was_silent and (left := until - self._timing.contender_clock()) > 0:
            self._timing.sleep(min(left, self._timing.poll_s))
        self.check()
        self._remove_quietly(self._older_names())

    def _older_names(self) -> list[str]:
        return [
            name
            for name in self._files.names("")
            if (match := re.match(r"(\d{8})[.-]", name)) and int(match[1]) < self._generation
        ]

    # --- holding it ---------------------------------------------------------------------------

    def _is_confirmed(self) -> bool:
        return self._timing.holder_clock() - self._confirmed_at < self._timing.confirmed_s

    def _beat_quietly(self) -> None:
        """Write a heartbeat from the thread; a failure is retried at the next one."""
        with self._mutex:
            if self._lost is None and not self._released:
                try:
                    self._beat()
                except (StoreError, OSError) as error:
                    _logger.warning("%s: a heartbeat failed: %s", self._files.url, error)

    def _confirm_now(self) -> None:
        """Write a heartbeat for the caller; a failure loses the lease."""
        with self._mutex:
            if self._lost is not None or self._is_confirmed():
                return  # the thread was faster
            try:
                self._beat()
            except (StoreError, OSError) as error:
                self._lose(f"its heartbeat fails ({error}), so another process may have taken it")

    def _beat(self) -> None:
        asked_at = self._timing.holder_clock()
        self._beats += 1  # a new name each time: one that failed may have arrived all the same
        self._files.create(f"{self._generation:08d}-{self._beats:08d}", b"")
        names = self._files.names("")
        highest = _seen(names).generation
        if highest > self._generation:
            self._lose(f"{self._holder(highest)[1]} has taken it")
            self._remove_quietly(self._own_beats(names))
            return
        self._confirmed_at = asked_at
        self._remove_quietly(self._own_beats(names)[:-1])

    def _own_beats(self, names: list[str]) -> list[str]:
        return [
            name
            for name in names
            if (match := _BEAT.fullmatch(name)) and int(match[1]) == self._generation
        ]

    def _lose(self, why: str) -> None:
        self._lost = (
            f"{_label(self._run)} is not trained by this process any more: {why}. What was saved "
            "is untouched; start again to go on from it."
        )

    def _leave_marker(self) -> None:
        try:
            self._files.create(f"{self._generation:08d}-released", b"")
            self._remove_quietly(self._own_beats(self._files.names("")))
        except (StoreError, OSError) as error:
            _logger.warning("%s: the lease was not released: %s", self._files.url, error)

    # --- looking ------------------------------------------------------------------------------

    def _look(self) -> _Seen:
        return _seen(self._files.names(""))

    def _holder(self, generation: int) -> tuple[int | None, str]:
        """Return the process id of a generation's holder and its description."""
        try:
            claim = json.loads(self._files.read(f"{generation:08d}.json", MOST_CLAIM_BYTES))
            pid = int(claim["pid"])
            return pid, f"process {pid} on host {claim['host']!r}"
        except UNREADABLE:
            return None, "a process of unknown id"

    def _locked_error(self, generation: int, sign_of_life: str) -> RunLockedError:
        pid, who = self._holder(generation)
        return RunLockedError(
            f"{_label(self._run)} is being trained by {who} (lease {self._files.url!r}; "
            f"{sign_of_life}). Wait for it or stop it, or choose another run name.",
            pid,
        )

    def _remove_quietly(self, names: list[str]) -> None:
        for name in names:
            with contextlib.suppress(OSError, StoreError):
                self._files.remove(name)


def _seen(names: list[str]) -> _Seen:
    claims = [int(match[1]) for name in names if (match := _CLAIM.fullmatch(name))]
    highest = max(claims, default=0)
    beats = [
        int(match[2])
        for name in names
        if (match := _BEAT.fullmatch(name)) and int(match[1]) == highest
    ]
    return _Seen(highest, max(beats, default=_NO_BEAT), f"{highest:08d}-released" in names)


def _claim() -> bytes:
    """Encode a claim of this process; the nonce tells two claims of one process apart."""
    claim: dict[str, Any] = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "nonce": uuid.uuid4().hex,
    }
    return json.dumps(claim).encode()


def _label(run: Files) -> str:
    return f"run {run.url.rstrip('/').rpartition('/')[2]!r}"
