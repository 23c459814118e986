"""Whose time an iteration is: a clock of exclusive parts, and a profile of calls."""

import time

import pytest

from benchmarks.teams import shares
from benchmarks.teams.shares import PartClock, profiled_share

SPIN = 0.02


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


def _spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_what_many_call_is_whose_the_callers_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the spinning is for a function of RLlib's, the rest for one of ours."""
    names = {"rllib": "/x/ray/rllib/it.py", "ours": "/x/agents/it.py"}
    made = {}
    for name, file in names.items():
        scope = {"spin": _spin}
        exec(compile("def work(seconds):\n    spin(seconds)", file, "exec"), scope)
        made[name] = scope["work"]

    def both() -> None:
        made["rllib"](SPIN)
        made["ours"](3 * SPIN)

    assert profiled_share(both) == pytest.approx(0.25, abs=0.08)
