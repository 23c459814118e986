"""Whose time an iteration is: a clock of exclusive parts, and a profile of calls."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.teams import shares
from benchmarks.teams.shares import PartClock, profiled_share


def test_each_moment_counts_for_the_innermost_part(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0])
    monkeypatch.setattr(shares.time, "perf_counter", lambda: next(moments))
    clock = PartClock()
    with clock.part("outer"), clock.part("inner"), clock.part("outer"):
        pass
    assert clock.seconds == {"outer": 1.0 + 3.0 + 5.0, "inner": 2.0 + 4.0}
    assert clock.share("inner") == 6.0 / 15.0


def test_time_between_the_steps_of_an_iterator_is_not_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = iter(range(100))
    monkeypatch.setattr(shares.time, "perf_counter", lambda: next(moments))
    clock = PartClock()
    with clock.part("all"):
        assert list(clock.around_each("steps", lambda count: iter(range(count)))(3)) == [0, 1, 2]
    assert clock.seconds == {"all": 5, "steps": 4}  # the fourth finds the end


def test_what_many_call_is_whose_the_callers_are() -> None:
    """A quarter of the waiting is for a function of RLlib's, the rest for one of ours."""
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    def work_in(file: str) -> Callable[[float], None]:
        scope: dict[str, Any] = {"wait": wait}
        exec(compile("def work(seconds):\n    wait(seconds)", file, "exec"), scope)
        work: Callable[[float], None] = scope["work"]
        return work

    rllibs, ours = work_in("/x/ray/rllib/it.py"), work_in("/x/agents/it.py")

    def both() -> None:
        rllibs(1.0)
        ours(3.0)

    assert profiled_share(both, lambda: now[0]) == pytest.approx(0.25)
