from __future__ import annotations

import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import ludens
from arena.monitor.doctor_text import show_finding, verdict


@dataclass(frozen=True)
class Found:
    name: str
    status: str
    text: str
    advice: str = ""


def shown(found: Found, width: int = 80) -> str:
    console = Console(width=width, file=StringIO(), record=True)
    show_finding(found, console)
    return console.export_text()


def test_a_finding_is_its_state_its_name_what_and_what_to_do() -> None:
    text = shown(Found("disk", "problem", "0.1 GiB free", "prune"))
    assert text.splitlines() == [
        "problem  disk           0.1 GiB free",
        "                        -> prune",
    ]


def test_long_texts_stay_within_the_terminal_and_brackets_are_no_markup() -> None:
    text = shown(Found("packages", "warning", "[bold]numpy[/bold] is old; " * 20))
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("[bold]") == 20


def test_the_verdict_counts() -> None:
    ok, warning, problem = (Found("x", s, "") for s in ("ok", "warning", "problem"))
    assert verdict([ok]) == "everything is as it should be"
    assert verdict([ok, warning, warning, problem]) == "1 problem and 2 warnings"


def test_the_command_tells_and_its_status_says_whether_there_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = ["doctor", "tic_tac_toe", "--seconds", "0", "--store"]
    assert ludens.main([*looks, str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("cores", "memory", "kernel cache", "store", "disk"))
    (tmp_path / "file").write_text("")
    assert ludens.main([*looks, str(tmp_path / "file" / "x"), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert {f["name"]: f["status"] for f in found["findings"]}["store"] == "problem"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tic_tac_to"], "did you mean 'tic_tac_toe'?"),
        (["--seconds", "-1"], "--seconds -1: expected 0 to 3600"),
        (["--worker", "2"], "did you mean '--workers'?"),
    ],
)
def test_mistakes_are_one_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ludens.main(["doctor", *words]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
