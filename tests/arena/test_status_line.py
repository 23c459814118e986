"""What is shown while a command runs: on a terminal, and in a log."""

import sys

import pytest

from arena.match.text import MatchProgress
from arena.status_line import StatusLine


class Clock:
    """A clock that stands still until a test moves it."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("arena.status_line.time", clock)
    return clock


def test_a_log_gets_a_line_each_half_minute(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with MatchProgress() as progress:
        for second in range(70):
            clock.now = 100.0 + second
            progress(second, 200)
    assert capsys.readouterr() == ("", "30 of 200 games\n60 of 200 games\n")


def test_a_terminal_has_one_line_that_changes(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with StatusLine() as line:
        for text in ("one", "soon after", "two"):
            line.show(text)
            clock.now += 0.15
        line.clear()
        line.show("at once")
    drawn = "".join(f"\r\x1b[K{text}" for text in ("one", "two", "", "at once", ""))
    assert capsys.readouterr() == ("", drawn)
