"""Analysis and time in GTP's words."""

from dataclasses import replace

import pytest

from arena.engine.protocols.gtp.grammar import GtpError, read_analysis
from arena.engine.protocols.gtp.info import info_line
from arena.engine.protocols.gtp.settings import (
    GameTime,
    TimeLeft,
    TimeSettings,
    read_time_settings,
    read_time_system,
)
from arena.engine.snapshot import Candidate, Line, Snapshot

MOVES = (Candidate(3, 0.8, 80, 0.25, 0.5, None), Candidate(4, 0.2, 20, 0.5, -0.5, None))
LINES = (Line((3, 4), 80, 0.5, None, 0), Line((4,), 20, -0.5, None, 0))
SNAPSHOT = Snapshot(MOVES, LINES, 100, 0, 0.4, None, 0)


def words(actions: object) -> list[str]:
    return [f"A{action}" for action in actions]  # type: ignore[attr-defined]


def test_both_forms_of_an_analysis() -> None:
    assert info_line(SNAPSHOT, "lz", words) == (
        "info move A3 visits 80 winrate 7500 prior 2500 order 0 pv A3 A4 "
        "info move A4 visits 20 winrate 2500 prior 5000 order 1 pv A4"
    )
    assert info_line(SNAPSHOT, "kata", words).startswith(
        "info move A3 visits 80 utility 0.500000 winrate 0.750000 prior 0.250000 order 0 pv A3 A4"
    )
    assert info_line(replace(SNAPSHOT, value_to_play=None), "lz", words) == ""


def test_what_an_analysis_is_asked_for() -> None:
    found = read_analysis(("W", "50", "maxmoves", "3", "avoid", "b", "D4,pass", "1"))
    assert (found.colour, found.seconds, found.moves) == (1, 0.5, 3)
    assert found.avoid == ((0, ("D4", "pass")),)
    assert read_analysis(("interval", "7", "ownership", "true")).seconds == 0.07
    for wrong in (("x",), ("maxmoves",), ("allow", "b", "D4"), ("z", "1")):
        with pytest.raises(GtpError, match="syntax error"):
            read_analysis(wrong)


def test_the_systems_of_time() -> None:
    assert read_time_settings(("60", "10", "3")) == TimeSettings(True, 60, period=10, stones=3)
    assert not read_time_settings(("60", "10", "0")).is_limited  # GTP: no limit
    assert read_time_system(("fischer", "60", "2")).increment == 2
    with pytest.raises(GtpError, match="unknown time system"):
        read_time_system(("hourglass", "1"))


def test_a_clock_counts_down_until_it_is_told() -> None:
    clock = GameTime()
    clock.set(TimeSettings(True, 60, increment=2))
    clock.spend(0, 10)
    assert clock.left == [TimeLeft(52), TimeLeft(60)]
    clock.tell(("b", "5", "3"))
    clock.spend(0, 2)
    assert clock.left[0] == TimeLeft(3, 2)
