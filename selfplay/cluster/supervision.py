"""Restarts of failed actors, and when to give up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import ray
from ray.exceptions import (
    ActorUnavailableError,
    GetTimeoutError,
    RayActorError,
    RayError,
    RayTaskError,
)

from store.errors import RunLockedError, RunMismatchError, StoreWriteError

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 60.0
MOST_DOUBLINGS = 16  # a worker may fail for days beside others: 2 to the 1,024th is no float
FAILURES_OF_A_LOOP = 5  # in a row, without a success between them

Kind = Literal["died", "preempted", "unavailable", "raised", "refused", "silent"]


class CrashLoopError(RuntimeError):
    """Actors of a kind fail repeatedly; the message gives the last reason."""


@dataclass(frozen=True)
class Failure:
    """Why a call to an actor failed.

    `died`: its process or node is gone; `preempted`: the node was preempted, which is no error;
    `unavailable`: it may come back by itself; `raised`: our code raised in it; `refused`: our code
    raised because the store cannot be written now, and the actor keeps its unwritten data;
    `silent`: it has not answered for too long.
    """

    kind: Kind
    reason: str
    error: BaseException | None = None

    @property
    def keeps_actor(self) -> bool:
        """Return whether the same actor is called again."""
        return self.kind in ("unavailable", "refused")

    @property
    def counts(self) -> bool:
        """Return whether it counts towards a crash loop."""
        return self.kind not in ("preempted", "unavailable")


def diagnose(error: RayError) -> Failure:
    """Classify an error of `ray.get`."""
    cause = getattr(error, "cause", None)
    if isinstance(error, RayTaskError):
        root = cause if isinstance(cause, BaseException) else error
        kind: Kind = "refused" if isinstance(root, StoreWriteError) else "raised"
        return Failure(kind, f"{type(root).__name__}: {root}", root)
    if isinstance(error, ActorUnavailableError):
        return Failure("unavailable", first_line(error), error)
    if isinstance(error, RayActorError):
        return Failure("preempted" if error.preempted else "died", first_line(error), error)
    if isinstance(error, GetTimeoutError):
        return Failure("silent", first_line(error), error)
    return Failure("died", f"{type(error).__name__}: {first_line(error)}", error)


def first_line(error: BaseException) -> str:
    """Return the essential line of an error; Ray's own messages are long."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = next((line for line in lines if line.startswith("The actor died because")), "")
    return detail or (lines[0] if lines else type(error).__name__)


def is_hopeless(failure: Failure) -> bool:
    """Return whether to fail at once: another trainer has the run, or its kind differs."""
    return isinstance(failure.error, (RunLockedError, RunMismatchError))


@dataclass(frozen=True)
class Ready:
    """The answer of an actor that is up and has done nothing yet.

    It does not show that work will succeed, so it resets neither the delay after a failure nor the
    count of a crash loop.

    Attributes:
        host: where it runs.
    """

    host: str


class Backoff:
    """Delay before the next attempt: doubled by each failure, reset by a success."""

    def __init__(self) -> None:
        self.failures = 0  # in a row

    def failed(self) -> float:
        """Record a failure and return the seconds to wait."""
        self.failures += 1
        doublings = min(self.failures - 1, MOST_DOUBLINGS)
        return float(min(FIRST_DELAY_S * 2.0**doublings, LONGEST_DELAY_S))

    def succeeded(self) -> None:
        """Reset the delay."""
        self.failures = 0


class Member:
    """One supervised actor: its handle, the call in progress, its failures.

    Args:
        name: for messages: "worker 3".
        start: creates the actor; returns its handle at once, as Ray does.
        timeout_s: a call without an answer for longer has failed.
        clock: monotonic seconds.

    Attributes:
        answered: whether it has answered since it was started.
        works: whether its last call was answered and the present one is not late.
        late: whether its present or last call was found late.
        host: where it answered from; empty before.
    """

    def __init__(
        self, name: str, start: Callable[[], Any], timeout_s: float, clock: Callable[[], float]
    ) -> None:
        self.name = name
        self.handle: Any = None
        self.call: Any = None
        self.answered = False
        self.works = False
        self.host = ""
        self.backoff = Backoff()
        self._start = start
        self._timeout_s = timeout_s
        self._clock = clock
        self._asked_at = 0.0
        self._told = False  # reported as not placed
        self.late = False
        self._ready: Any = None  # resolves once the actor is placed
        self.not_before = 0.0

    def is_free(self) -> bool:
        """Return whether the actor can be called now; starts it first if it is down."""
        if self.call is not None or self._clock() < self.not_before:
            return False
        if self.handle is None:
            self.handle, self.host = self._start(), ""
            self.answered = self.late = self._told = False
            self._ready = self.handle.__ray_ready__.remote()
        return True

    def is_placed(self) -> bool:
        """Return whether it was started and Ray has placed it."""
        if self.handle is None:
            return False
        return self.answered or bool(ray.wait([self._ready], timeout=0)[0])

    def ask(self, method: str, *arguments: Any) -> None:
        """Call a method of the actor; `receive` returns the answer."""
        self.call = getattr(self.handle, method).remote(*arguments)
        self._asked_at, self.late = self._clock(), False

    def is_silent(self) -> bool:
        """Return whether a call exceeds the timeout; starting is not counted."""
        waited = self._clock() - self._asked_at
        return self.call is not None and self.answered and waited > self._timeout_s

    def is_unplaced(self, after_s: float) -> bool:
        """Return True once, if it was started `after_s` ago and is not placed yet."""
        waits = self.call is not None and not self.answered
        if self._told or not waits or self._clock() - self._asked_at < after_s:
            return False
        self._told = not self.is_placed()  # once placed, it may start slowly
        return self._told

    def is_late(self, after_s: float) -> bool:
        """Return True once a call, if it has not answered for `after_s` though it did before."""
        waits = self.call is not None and self.answered
        if self.late or not waits or self._clock() - self._asked_at < after_s:
            return False
        self.late, self.works = True, False
        return True

    def receive(self) -> Any:
        """Return the answer of the finished call, or a Failure that may drop the actor."""
        call, self.call = self.call, None
        try:
            answer = ray.get(call)
        except RayError as error:
            return self.fail(diagnose(error))
        self.answered, self._ready = True, None
        if not isinstance(answer, Ready):
            self.works = True
            self.backoff.succeeded()
        return answer

    def fail(self, failure: Failure) -> Failure:
        """Record a failure; drops the actor unless it can be called again."""
        delay = self.backoff.failed()
        if not failure.keeps_actor or self.backoff.failures > FAILURES_OF_A_LOOP:
            self.drop()
        self.call, self.works = None, False
        self.not_before = self._clock() + delay
        return failure

    def drop(self) -> None:
        """Kill the actor, if there is one."""
        if self.handle is not None:
            with suppress(RayError):  # it may be gone, and Ray with it
                ray.kill(self.handle)
        self.handle = self.call = self._ready = None
        self.works = False


class Watchdog:
    """Detects a crash loop of a group of members by their consecutive failures."""

    def __init__(self, what: str, members: int) -> None:
        self.what = what
        self.limit = max(FAILURES_OF_A_LOOP, 3 * members)
        self.failures = 0

    def succeeded(self) -> None:
        """Record a success of any member."""
        self.failures = 0

    def failed(self, failure: Failure) -> None:
        """Record a failure of any member; raises CrashLoopError after too many."""
        self.failures += failure.counts
        if self.failures >= self.limit:
            raise CrashLoopError(
                f"{self.what} failed {self.failures} times in a row and never worked between; "
                f"the last time: {failure.reason}"
            ) from failure.error
