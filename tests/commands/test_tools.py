"""`ludens bench` of environments and `ludens perft`: what they print, and what they refuse."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import ludens

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def _own_threads() -> Iterator[None]:
    """A measurement of acting sets torch's threads."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_own_threads")
def test_acting_is_measured_beside_the_bare_environments(capsys: Captured) -> None:
    assert ludens.main(["bench", "acting", "dqn", "--seconds", "0.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rates = {"agent_steps_per_second", "environment_steps_per_second", "ratio", "ratio_divides"}
    assert rates <= set(found)


@pytest.mark.usefixtures("_own_threads")
def test_figures_are_lines_without_json(capsys: Captured) -> None:
    assert ludens.main(["bench", "acting", "dqn", "--seconds", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("environment_steps_per_second ") for line in lines)
    assert any(line.startswith("machine.cpu ") for line in lines)


def test_a_game_of_teams_is_measured_with_random_actions(capsys: Captured) -> None:
    assert ludens.main(["bench", "environment", "lanes_1v1", "--seconds", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["agent_steps_per_second"] > found["with_choosing"] > 0
    assert found["agent_steps_per_second"] == pytest.approx(
        2 * found["match_steps_per_second"], rel=0.01
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("environment lanes_5v6", "unknown game of teams 'lanes_5v6': did you mean 'lanes_5v5'?"),
        ("environment othello", "unknown game of teams 'othello': it is a board game"),
        ("learning dqn_natur", "no preset 'dqn_natur'; did you mean 'dqn_nature'?"),
        ("learning nonsense", "no preset 'nonsense'"),
        ("acting breakuot", "did you mean 'breakout'?"),
        ("learning connect_four", "of the algorithm 'alphazero', not 'dqn'"),
        ("acting breakout --peer-python python3", "--peer-python: there is no peer"),
        ("learnin breakout", "invalid choice: 'learnin'"),
    ],
)
def test_a_mistake_is_one_clear_line(line: str, told: str, capsys: Captured) -> None:
    assert ludens.main(["bench", *line.split()]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_perft_of_a_file_is_an_object_a_line(capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "positions.txt"
    file.write_text("\n4435 ;D1 7 ;D2 49\n# no position\n44 ; 3\n")
    assert ludens.main(["perft", "connect_four", "--positions", str(file), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        {"position": "4435", "depth": 1, "nodes": 7, "expected": 7},
        {"position": "4435", "depth": 2, "nodes": 49, "expected": 49},
        {"position": "44", "depth": 3, "nodes": 343},
    ]


def test_a_count_that_is_not_the_expected_one_fails(capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "positions.txt"
    file.write_text("4435 ;D1 7 ;D2 48\n")
    assert ludens.main(["perft", "connect_four", "--positions", str(file)]) == 1
    shown = capsys.readouterr()
    assert "49  depth 2  4435  expected 48" in shown.out
    assert "1 of 2 counts differ" in shown.err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("connect_four", "DEPTH is missing"),
        ("connect_four --positions FILE --divide", "--divide: expected one --position"),
        ("connect_four 3 --positions FILE --position 44", "not allowed with argument"),
        ("connect_four --positions FILE", "FILE, line 2: '44': no depth"),
        ("othello --positions FILE", "FILE, line 1: '4435 ;D1 7': move 1, '4435', is not legal"),
        ("othello 2 --position z9", "move 1, 'z9', is not legal"),
    ],
)
def test_perft_refuses_in_one_line(
    line: str, told: str, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("4435 ;D1 7\n44\n")
    assert ludens.main(["perft", *line.split()]) == 2
    shown = capsys.readouterr()
    assert told in shown.err
    assert shown.err.count("\n") == 1
    assert not shown.out
