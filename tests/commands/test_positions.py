"""`--position`, `--openings` and `--records` on the command line."""

import json
from pathlib import Path

import pytest

import ludens

Captured = pytest.CaptureFixture[str]


def test_a_match_begins_at_a_position_and_its_games_are_written(
    capsys: Captured, tmp_path: Path
) -> None:
    path = tmp_path / "games.txt"
    words = ["match", "tic_tac_toe", "random", "random", "--games", "4", "--json"]
    assert ludens.main([*words, "--position", "b2 a1", "--records", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["openings"].startswith("position:")
    games = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
    assert len(games) == 4
    assert all(game.startswith("b2 a1 ") for game in games)


def test_an_analysis_takes_positions_and_records(capsys: Captured, tmp_path: Path) -> None:
    words = ["analyze", "tic_tac_toe", "--agent", "solver", "--json"]
    assert ludens.main([*words, "--position", "b2 moves a1"]) == 0
    assert json.loads(capsys.readouterr().out)["position"] == "b2 a1"
    (tmp_path / "game.txt").write_text("b2 a1 c3\n")
    assert ludens.main([*words, "--record", str(tmp_path / "game.txt")]) == 0
    rows = [json.loads(line)["position"] for line in capsys.readouterr().out.splitlines()]
    assert rows == ["", "b2", "b2 a1", "b2 a1 c3"]


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("match tic_tac_toe nobody nobody --position b9", 2, "'b9', is not legal"),
        ("match tic_tac_toe nobody x --position a1_b1_a2_b2_a3", 2, "the game is over there"),
        ("match tic_tac_toe nobody nobody --records a.pgn", 2, "end in .txt (text)"),
        ("match tic_tac_toe nobody nobody --records no/a.txt", 1, "no such folder"),
        ("match tic_tac_toe a b --position b2 --opening-plies 2", 2, "--opening-plies: games"),
        ("match lanes_1v1 fighter pusher --position b2", 2, "--position: lanes_1v1 is played"),
        ("play tic_tac_toe --agent nobody --position b9", 2, "'b9', is not legal"),
        ("play breakout --position b2", 2, "--position: expected a board game, not 'breakout'"),
        ("analyze tic_tac_toe --agent nobody --position b9", 2, "'b9', is not legal"),
        ("analyze chess --agent nobody --position 8/8_w", 2, "'8/8 w' is not a position"),
        ("analyze tic_tac_toe --agent nobody --record no.txt", 1, "no.txt: No such file"),
    ],
)
def test_a_mistake_is_told_before_an_agent_is_looked_for(
    line: str, status: int, told: str, capsys: Captured, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word.replace("_b1_", " b1 ").replace("_w", " w") for word in line.split()]
    words = [word.replace("a1 b1 a2_b2_a3", "a1 b1 a2 b2 a3") for word in words]
    assert ludens.main(words) == status
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
