from __future__ import annotations

import json
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import ludens
from agents.alphazero.metrics import METRICS
from arena.monitor.history import History
from arena.monitor.panel import PlainLines
from arena.monitor.watch import STALE_S, WatchPanel, follow, show_once, state_of
from tests.arena.journals import BEGUN, make_run, record_match, stage, write_session


class LeaveError(Exception):
    """Ctrl-C."""


class Clock:
    """Seconds since 1970 that pass in pauses alone; `then` does something at each."""

    def __init__(self, now: float, pauses: int, then: Any = lambda number: None) -> None:
        self.now, self.left, self.then, self.number = now, pauses, then, 0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        if self.number == self.left:
            raise LeaveError
        self.then(self.number)
        self.number += 1
        self.now += seconds


def watched(run: Any, clock: Clock, display: Any) -> None:
    with pytest.raises(LeaveError):
        follow(History(run), display, pause=clock.pause, now=clock)


def panel() -> WatchPanel:
    console = Console(width=110, height=60, record=True, force_terminal=True, file=StringIO())
    return WatchPanel("tic_tac_toe", "run 'r'", METRICS, console, clock=lambda: 0.0)


def drawn(shown: WatchPanel) -> str:
    shown._console.print(shown.render())
    return shown._console.export_text()


def test_the_state_is_what_was_heard_last(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    cases = [
        (stage(100.0), 5.0, "training"),
        (stage(100.0), STALE_S + 1, "lost"),
        (stage(100.0, event="finished"), 5.0, "stopped"),
        (stage(86_400.0, event="finished"), 5.0, "finished"),
        (stage(100.0, event="finished", budget_s=0.0, games_goal=1000), 5.0, "finished"),
        (stage(100.0, event="finished", budget_s=0.0, rows_goal=20_000), 5.0, "finished"),
        (stage(100.0, event="finished", budget_s=0.0, rows_goal=20_001), 5.0, "stopped"),
    ]
    for number, (made, ago, state) in enumerate(cases):
        write_session(run, [made], BEGUN + 86_400 * number)
        newest = History(run).timeline().moments[-1]
        assert state_of(newest, newest.time + ago) == state


def test_the_panel_has_the_past_and_goes_on(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    write_session(run, [stage(s) for s in range(100, 1000, 100)])
    shown = panel()
    watched(run, Clock(BEGUN + 905, 1), shown)
    text = drawn(shown)
    assert "9,000" in text  # games
    assert "█" in text  # the course of a loss
    assert "begin easy" in text
    assert "training goes on" in text


def test_a_silent_training_is_told_so_and_its_clock_stands_still(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    write_session(run, [stage(100.0)])
    shown = panel()
    watched(run, Clock(BEGUN + 100 + 3725, 1), shown)
    assert "not being trained now (it ended unexpectedly), last seen 1:02:07 ago" in drawn(shown)
    assert shown._progress is not None
    assert shown._progress.event == "finished"


def test_plain_lines_tell_the_newest_the_new_and_the_end(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    writer = write_session(run, [stage(s) for s in range(0, 100, 10)])
    said: list[str] = []
    clock = Clock(BEGUN + 95, 60)

    def then(number: int) -> None:
        if number == 10:
            write_session(run, [stage(120.0, notices=("worker 1 died",))], BEGUN + 1)

    clock.then = then
    watched(run, clock, PlainLines(said.append, METRICS, clock=clock))
    assert writer.session
    told = [text for text in said if "games" in text]
    assert told[0].startswith("1:30/24:00:00  900 games")
    assert told[1].startswith("2:00/24:00:00  1,200 games")
    assert "2:00  worker 1 died" in said
    assert [t for t in said if "not being trained now" in t] == [said[-1]]


def test_ratings_stand_under_the_panel(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    write_session(run, [stage(100.0)])
    record_match(run, ("r@100", "r@50"), [[2, 2], [2, 1]])
    shown = panel()
    watched(run, Clock(BEGUN + 100, 1), shown)
    assert "at step 100" in drawn(shown)
    assert "Elo +" in drawn(shown)


def test_once_draws_the_panel_on_a_terminal(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    write_session(run, [stage(100.0)])
    console = Console(width=110, height=60, record=True, force_terminal=True, file=StringIO())
    show_once(History(run), "tic_tac_toe", "run 'r'", console)
    text = console.export_text()
    assert "1,000" in text
    assert "not being trained now" in text


def test_the_command_prints_lines_json_and_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path)
    run = make_run(store, "good")
    make_run(store, "empty")
    write_session(run, [stage(100.0)], time.time() - 100)
    assert ludens.main(["watch", "good", "--store", store, "--once"]) == 0
    out = capsys.readouterr().out
    assert "1,000 games" in out
    assert out.endswith("being trained\n")
    assert ludens.main(["watch", "good", "--store", store, "--once", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["progress"]["games"]) == ("training", 1000)
    assert found["measured"][0]["shares"]["begin_easy"] == pytest.approx(0.599, abs=1e-3)
    assert found["progress"]["metrics"]["policy_loss"] == pytest.approx(1.995, abs=1e-3)
    assert ludens.main(["watch", "goood", "--store", store]) == 1
    assert "did you mean 'good'?" in capsys.readouterr().err
    assert ludens.main(["watch", "empty", "--store", store]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_an_interrupted_watcher_leaves_cleanly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(str(tmp_path))
    write_session(run, [stage(100.0)])

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    monkeypatch.setattr(follow, "__kwdefaults__", {"pause": interrupt, "now": time.time})
    assert ludens.main(["watch", "r", "--store", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
