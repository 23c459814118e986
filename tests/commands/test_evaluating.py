"""Scores on the command line: evaluate, rate, report of several runs, and a sweep of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ludens
from arena.evaluation.records import store_evaluation
from store.run import create_run, list_runs, open_run
from tests.arena.evaluation.scripted import CORRIDOR, evaluation, make_run

PRESET = """
algorithm = "q_learning"
game = "FrozenLake-v1"
minutes = 0
games = 40
checkpoint_rows = 100
"""


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a line on the store `runs`; answers standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LUDENS_DEBUG", raising=False)

    def run(line: str, status: int = 0) -> tuple[str, str]:
        found = ludens.main(line.split())
        out, err = capsys.readouterr()
        assert found == status, err
        return out, err

    return run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    make_run(tmp_path / "runs", "r", {60: 1, 120: 3})
    create_run(tmp_path / "runs", "b", game="othello", config={}, seed=0, versions={})
    return tmp_path / "runs"


def test_evaluate_plays_the_newest_checkpoint_or_the_one_of_a_step(said: Any, store: Path) -> None:
    found = json.loads(said("evaluate r --games 30 --json")[0])
    assert (found["agent"], found["games"], found["mean"]) == ("r@120:epsilon=0", 30, 9.0)
    assert (found["deviation"], found["protocol"], found["human_normalised"]) == (0.0, "", None)
    assert (found["environment"], found["step"], len(found["scores"])) == (CORRIDOR, 120, 30)
    out, _ = said("evaluate r@60 r@120:epsilon=1 --games 8")
    assert "r@60:epsilon=0, Corridor-v0, epsilon 0, seed 0:\n  mean 3.0" in out
    assert "r@120:epsilon=1, Corridor-v0, epsilon 1, seed 0:" in out
    assert len(open_run(str(store), "r").files.names("evaluations")) == 3


def test_the_same_evaluation_is_read_and_not_played(
    said: Any, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = said("evaluate r --epsilon 0.5 --json --seed 4")
    monkeypatch.setattr("arena.evaluation.evaluator.play_games", None)
    assert said("evaluate r --epsilon 0.5 --json --seed 4 --games 10") == first


def test_random_play_is_evaluated_by_its_environment(said: Any) -> None:
    found = json.loads(said(f"evaluate random --env {CORRIDOR} --games 40 --json")[0])
    assert (found["agent"], found["step"]) == ("random", None)
    assert 3.0 < found["mean"] < 6.0


def test_follow_ends_with_the_training(said: Any, store: Path) -> None:
    out, _ = said("evaluate r --follow --json --games 2")
    assert [json.loads(line)["step"] for line in out.splitlines()] == [120]


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("evaluate b", 2, "no scores: `ludens rate b` rates its checkpoints"),
        ("evaluate x", 1, "no run 'x'"),
        ("evaluate mcts:50 --env pong", 2, "agent 'mcts:50' plays no environment: expected a run"),
        ("report r --out none/r.html", 1, "'none/r.html': there is no folder 'none'"),
        ("evaluate r@7", 1, "no checkpoint 7 of run 'r'; it has 60, 120"),
        ("evaluate r:sims=4", 2, "expected no option but epsilon"),
        ("evaluate r:epsilon=much", 2, "epsilon 'much' is not a number"),
        ("evaluate r --epsilon 2", 1, "epsilon = 2: expected a share, 0 to 1"),
        ("evaluate r --games 0", 1, "games = 0: expected 1 or more"),
        ("evaluate r --protocol nature", 1, "'Corridor-v0' is no game of Atari"),
        ("evaluate r --env CartPole-v1", 2, "run 'r' learned 'Corridor-v0', not 'CartPole-v1'"),
        ("evaluate r r --follow", 2, "--follow: expected one run, got 2"),
        ("evaluate r@60 --follow", 2, "expected a run's name alone"),
        ("evaluate random", 2, "random: expected --env"),
        ("rate r --width 10", 2, "--width: run 'r' has scores, and plays no matches"),
        ("rate r --balanced", 2, "--balanced: run 'r' has scores"),
        ("rate b --epsilon 0", 2, "--epsilon: run 'b' plays matches, and has no scores"),
        ("rate r b", 2, "no scores: `ludens rate b`"),
        ("rate r r", 2, "run 'r' is named twice"),
        ("rate r --checkpoints 0", 2, "--checkpoints 0: expected 1 or more"),
        ("report", 2, "expected a RUN, several, or --sweep PREFIX"),
        ("report r b", 1, "no run is evaluated yet: `ludens evaluate r b` does it"),
        ("report --sweep x", 1, "no run x-ENV-SEED in 'runs'"),
        ("report r --sweep r", 2, "expected no RUN beside it"),
        ("report r b --game othello", 2, "the report of several has none"),
    ],
)
def test_a_mistake_is_one_clear_line(
    said: Any, store: Path, line: str, status: int, told: str
) -> None:
    out, err = said(line, status)
    assert (out, err.count("\n")) == ("", 1)
    assert told in err


def test_rate_gives_scores_over_the_checkpoints_as_table_and_plot(said: Any, store: Path) -> None:
    out, _ = said("rate r --games 4")
    lines = out.splitlines()
    assert lines[0] == "Corridor-v0, epsilon 0, seed 0"
    assert [line.split()[:6] for line in lines[2:4]] == [
        ["r", "60", "1.0", "600", "3.0", "0.000"],
        ["r", "120", "2.0", "1,200", "9.0", "0.000"],
    ]
    assert "r: best is step 120, 9.0 +- 0.000" in lines
    found = json.loads(said("rate r --games 4 --json")[0])
    assert [row["mean"] for row in found["rows"]] == [3.0, 9.0]
    assert {Path(path).name for path in found["plots"]} <= {"ratings.png", "ratings.svg"}


def test_a_report_has_the_scores_of_a_run(said: Any, store: Path) -> None:
    said("rate r --games 4")
    _, err = said("report r")
    assert err == ""  # no boards are missing
    page = Path("r.html").read_text()
    assert "<h2>Scores</h2>" in page
    assert "Mean score by the learner&#39;s step: Corridor-v0, epsilon 0, seed 0" in page


def test_a_report_has_what_a_game_measures(said: Any, store: Path) -> None:
    run = make_run(store, "wall", {7: 0}, game="breakout", protocol="nature")
    counts = {"tunnelling": np.array([0, 5])}
    for step, measured in ((7, counts), (8, {})):
        found = evaluation([1.0, 9.0], step=step)
        found = replace(found, lengths=np.array([10, 10]), counts=measured)
        store_evaluation(run.files, found)
    said("report wall")
    page = Path("wall.html").read_text()
    assert "ball above the wall" in page
    assert "25.0%" in page
    said("rate r --games 4")
    said("report r")
    assert "ball above the wall" not in Path("r.html").read_text()


def test_a_sweep_trains_evaluates_and_is_compared(said: Any, tmp_path: Path) -> None:
    Path("lake.toml").write_text(PRESET)
    line = "train lake.toml --env FrozenLake-v1,FrozenLake8x8-v1 --seeds 2 --turn 0.01"
    out, _ = said(line)
    names = [f"lake-FrozenLake{size}-v1-{seed}" for size in ("", "8x8") for seed in (0, 1)]
    assert list_runs("runs") == sorted(names)
    assert "compare them:  ludens report --sweep lake" in out
    assert out.count("deviation") == 4
    for name in names:
        run = open_run("runs", name)
        assert (run.info.seed, run.info.game) == (int(name[-1]), name[5:-2])
        assert len(run.files.names("evaluations")) == 1
    again, _ = said(line)  # all is there already
    assert again.count("deviation") == 4
    found = json.loads(said("report --sweep lake --json")[0])
    assert [game["game"] for game in found["games"]] == ["FrozenLake-v1", "FrozenLake8x8-v1"]
    assert all(len(game["runs"]) == 2 for game in found["games"])
    text, _ = said(f"report {names[0]} {names[1]} --out two.html")
    assert "2 runs of 1 games" in text
    assert "lake-FrozenLake-v1-1" in Path("two.html").read_text()


def test_an_environment_is_the_game_of_a_preset(said: Any) -> None:
    Path("lake.toml").write_text(PRESET)
    said("train lake.toml --env FrozenLake8x8-v1 --games 3")
    assert open_run("runs", "lake").info.game == "FrozenLake8x8-v1"
    assert "--env" in said("train --help")[0]
