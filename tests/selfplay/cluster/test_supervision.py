"""When actors are asked again, replaced, or given up."""

import pytest
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayTaskError

from selfplay.cluster import supervision
from selfplay.cluster.supervision import (
    Backoff,
    CrashLoopError,
    Failure,
    Member,
    Ready,
    Watchdog,
    diagnose,
    is_hopeless,
)
from store.errors import RunLockedError, StoreWriteError


def _raised(cause):
    return RayTaskError("play_round", "a traceback", cause).as_instanceof_cause()


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Handle:
    """Answers `ask` with its number, as the reference."""

    def __init__(self, number):
        self.number = number
        self.work = self.__ray_ready__ = self

    def remote(self, *_):
        return self.number


@pytest.fixture
def member(monkeypatch):
    """A member whose actors are numbered; `answers` says what the next `ray.get` does.

    Actors have a place from the beginning, but for those whose numbers are in `unplaced`.
    """
    killed, answers, unplaced, clock = [], [], set(), Clock()

    def get(_):
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def wait(calls, timeout):
        return [call for call in calls if call not in unplaced], []

    monkeypatch.setattr(supervision.ray, "get", get)
    monkeypatch.setattr(supervision.ray, "kill", lambda handle: killed.append(handle.number))
    monkeypatch.setattr(supervision.ray, "wait", wait)
    started = []

    def start():
        started.append(Handle(len(started)))
        return started[-1]

    made = Member("worker 7", start, timeout_s=50.0, clock=clock)
    made.answers, made.killed, made.unplaced, made.clock = answers, killed, unplaced, clock
    return made


def _once(member, answer):
    assert member.is_free()
    member.ask("work")
    member.answers.append(answer)
    return member.receive()


def test_what_an_error_means():
    assert diagnose(_raised(ValueError("x"))).kind == "raised"
    assert "ValueError: x" in diagnose(_raised(ValueError("x"))).reason
    assert diagnose(_raised(StoreWriteError("disk full"))).kind == "refused"
    assert diagnose(ActorUnavailableError("gone for now", None)).kind == "unavailable"
    assert diagnose(GetTimeoutError("too long")).kind == "silent"
    assert is_hopeless(diagnose(_raised(RunLockedError("taken", 5))))
    assert not is_hopeless(diagnose(_raised(StoreWriteError("disk full"))))


def test_the_delay_doubles_up_to_a_minute_and_begins_anew():
    backoff = Backoff()
    assert [backoff.failed() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.succeeded()
    assert backoff.failed() == 1


def test_an_actor_that_raised_is_replaced_after_a_while(member):
    assert isinstance(_once(member, _raised(ValueError("x"))), Failure)
    assert member.killed == [0]
    assert not member.is_free()
    member.clock.now += 1.0
    assert _once(member, "done") == "done"
    assert member.handle.number == 1


def test_an_actor_that_only_comes_up_does_not_end_the_delays(member):
    for delay in (1.0, 2.0, 4.0):
        assert _once(member, Ready("host")) == Ready("host")
        assert member.answered
        assert not member.works
        _once(member, _raised(ValueError("x")))
        member.clock.now += delay - 0.1
        assert not member.is_free()
        member.clock.now += 0.1
    assert _once(member, "done") == "done"
    assert member.works
    assert member.backoff.failures == 0


def test_one_that_cannot_write_or_be_reached_is_asked_again(member):
    for error in (_raised(StoreWriteError("disk full")), ActorUnavailableError("wait", None)):
        _once(member, error)
        member.clock.now += 60.0
    assert _once(member, "done") == "done"
    assert member.handle.number == 0
    assert member.killed == []


def test_one_that_stays_unreachable_is_replaced_in_the_end(member):
    for _ in range(supervision.FAILURES_OF_A_LOOP + 1):
        _once(member, ActorUnavailableError("wait", None))
        member.clock.now += 100.0
    assert member.killed == [0]


def test_silence_counts_only_after_a_first_answer(member):
    assert member.is_free()
    member.ask("work")
    member.clock.now += 1000.0
    assert not member.is_silent()  # it is still being started
    member.answers.append("done")
    member.receive()
    assert member.is_free()
    member.ask("work")
    member.clock.now += 49.0
    assert not member.is_silent()
    member.clock.now += 2.0
    assert member.is_silent()


def test_an_actor_without_a_place_is_told_from_one_that_takes_its_time(member):
    member.unplaced.add(1)
    assert not member.is_placed()
    assert member.is_free()
    member.ask("work")
    member.clock.now += 61.0
    assert member.is_placed()
    assert not member.is_unplaced(60.0)  # it opens its run, or compiles
    member.fail(Failure("died", "killed"))
    member.clock.now += 1.0
    assert member.is_free()
    member.ask("work")
    assert not member.is_unplaced(60.0)
    member.clock.now += 61.0
    assert not member.is_placed()
    assert member.is_unplaced(60.0)
    assert not member.is_unplaced(60.0)  # said once


def test_one_that_answers_late_does_not_work_until_it_does(member):
    assert not member.works
    _once(member, "done")
    assert member.works
    assert member.is_free()
    member.ask("work")
    member.clock.now += 39.0
    assert not member.is_late(40.0)
    member.clock.now += 1.0
    assert member.is_late(40.0)
    assert not member.works
    assert not member.is_late(40.0)  # said once
    member.answers.append("done")
    member.receive()
    assert member.late  # it was
    assert member.works
    _once(member, "done")
    assert not member.late


def test_one_that_fails_does_not_work_until_it_answers(member):
    _once(member, "done")
    _once(member, ActorUnavailableError("wait", None))
    assert member.handle is not None
    assert not member.works
    member.clock.now += 1.0
    _once(member, "done")
    assert member.works


def test_a_crash_loop_is_stopped_with_its_reason():
    dog = Watchdog("the workers", 2)
    for _ in range(5):
        dog.failed(Failure("raised", "KeyError: 'x'"))
    with pytest.raises(CrashLoopError, match=r"the workers failed 6 times in a row.*KeyError: 'x'"):
        dog.failed(Failure("died", "KeyError: 'x'"))


def test_success_and_preemption_are_no_crash_loop():
    dog = Watchdog("the workers", 1)
    for _ in range(30):
        dog.failed(Failure("preempted", "the node was taken back"))
        dog.failed(Failure("died", "killed"))
        dog.succeeded()
    for _ in range(30):
        dog.failed(Failure("unavailable", "network"))
    assert dog.failures == 0


def test_the_delay_stays_at_its_longest_however_often_one_fails():
    """A worker may fail for days beside others that work."""
    backoff = Backoff()
    delays = [backoff.failed() for _ in range(2000)]
    assert delays[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert set(delays[8:]) == {60.0}
