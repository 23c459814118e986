"""`ludens bench` of environments: what it prints, and what it refuses."""

import json
from collections.abc import Iterator

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
