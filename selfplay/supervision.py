"""When an actor that failed is started again, and when there is no sense in trying any more."""

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
FAILURES_OF_A_LOOP = 5  # in a row, without a success between them

Kind = Literal["died", "preempted", "unavailable", "raised", "refused", "silent"]


class CrashLoopError(RuntimeError):
    """Actors of a kind fail again and again; the message holds the last reason."""


@dataclass(frozen=True)
class Failure:
    """Why a call of an actor did not answer.

    `died`: its process or node is gone; `preempted`: the node was taken back, nobody's fault;
    `unavailable`: it may come back by itself; `raised`: our code raised in it; `refused`: our code
    raised because the store cannot be written now, and the actor keeps what it has; `silent`: it
    has not answered for too long.
    """

    kind: Kind
    reason: str
    error: BaseException | None = None

    @property
    def keeps_actor(self) -> bool:
        """Whether the same actor is asked again."""
        return self.kind in ("unavailable", "refused")

    @property
    def counts(self) -> bool:
        """Whether it is a sign of a crash loop."""
        return self.kind not in ("preempted", "unavailable")


def diagnose(error: RayError) -> Failure:
    """What an error of `ray.get` means."""
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
    """What an error says, shortly: Ray explains itself at length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = next((line for line in lines if line.startswith("The actor died because")), "")
    return detail or (lines[0] if lines else type(error).__name__)


def is_hopeless(failure: Failure) -> bool:
    """Whether to fail at once: another trainer has the run, or the run is of another kind."""
    return isinstance(failure.error, (RunLockedError, RunMismatchError))


@dataclass(frozen=True)
class Ready:
    """The answer of an actor that is there and has done nothing yet.

    It is no sign that its work will succeed: neither the delay after a failure nor the count of a
    crash loop ends with it.

    Attributes:
        host: where it runs.
    """

    host: str


class Backoff:
    """Delay before the next attempt: doubled by each failure, begun anew by a success."""

    def __init__(self) -> None:
        self.failures = 0  # in a row

    def failed(self) -> float:
        """Seconds to wait after one more failure."""
        self.failures += 1
        return float(min(FIRST_DELAY_S * 2.0 ** (self.failures - 1), LONGEST_DELAY_S))

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures = 0


class Member:
    """One supervised actor: its handle, the call it is busy with, its failures.

    Args:
        name: as people read it: "worker 3".
        start: makes the actor; returns its handle at once, as Ray does.
        timeout_s: without an answer for so long, it is given up.
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
        self._told = False  # that it has no place
        self.late = False
        self._ready: Any = None  # what Ray answers once the actor has a place
        self.not_before = 0.0

    def is_free(self) -> bool:
        """Whether it can be asked something now; it is started first where it is not there."""
        if self.call is not None or self._clock() < self.not_before:
            return False
        if self.handle is None:
            self.handle, self.host = self._start(), ""
            self.answered = self.late = self._told = False
            self._ready = self.handle.__ray_ready__.remote()
        return True

    def is_placed(self) -> bool:
        """Whether it was started, and Ray has found a place for it."""
        if self.handle is None:
            return False
        return self.answered or bool(ray.wait([self._ready], timeout=0)[0])

    def ask(self, method: str, *arguments: Any) -> None:
        """Call a method of the actor; the answer comes through `receive`."""
        self.call = getattr(self.handle, method).remote(*arguments)
        self._asked_at, self.late = self._clock(), False

    def is_silent(self) -> bool:
        """Whether a call is out for too long; starting takes its time and is not counted."""
        waited = self._clock() - self._asked_at
        return self.call is not None and self.answered and waited > self._timeout_s

    def is_unplaced(self, after_s: float) -> bool:
        """True once, when it was started so long ago and has no place yet."""
        waits = self.call is not None and not self.answered
        if self._told or not waits or self._clock() - self._asked_at < after_s:
            return False
        self._told = not self.is_placed()  # with a place, it may take its time to begin
        return self._told

    def is_late(self, after_s: float) -> bool:
        """True once a call, when it has not answered for so long though it did before."""
        waits = self.call is not None and self.answered
        if self.late or not waits or self._clock() - self._asked_at < after_s:
            return False
        self.late, self.works = True, False
        return True

    def receive(self) -> Any:
        """The answer of the finished call, or a Failure, after which the actor may be gone."""
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
        """Take note of a failure; the actor is dropped unless it can be asked again."""
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
    """Recognises a crash loop of some members together: failures in a row, whoever fails."""

    def __init__(self, what: str, members: int) -> None:
        self.what = what
        self.limit = max(FAILURES_OF_A_LOOP, 3 * members)
        self.failures = 0

    def succeeded(self) -> None:
        """One of them did its work."""
        self.failures = 0

    def failed(self, failure: Failure) -> None:
        """One of them failed; raises CrashLoopError when there have been too many."""
        self.failures += failure.counts
        if self.failures >= self.limit:
            raise CrashLoopError(
                f"{self.what} failed {self.failures} times in a row and never worked between; "
                f"the last time: {failure.reason}"
            ) from failure.error
