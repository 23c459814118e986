"""What `ludens play` hands to those who show the game, and what `ludens analyze` answers."""

import json
import sys
from pathlib import Path

import pytest

import ludens
from arena.play.screen import web
from configs.command_line import read_words


def test_a_browser_gets_the_same_command_by_the_front_doors_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served = []
    monkeypatch.setattr(web, "serve", lambda words, title, port: served.append((words, port)))
    options = f"--agent mcts:50 --agent2 random --second --seed 7 --store {tmp_path}".split()
    words = ["play", "tic_tac_toe", *options]
    assert ludens.main([*words, "--web", "--port", "8123"]) == 0
    (((python, script, *again), port),) = served
    assert (python, Path(script), port) == (sys.executable, Path(ludens.__file__), 8123)
    play = ludens.COMMANDS["play"]
    assert read_words("play", play, again[1:]) == read_words("play", play, words[1:])


def analyzed(words: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert ludens.main(["analyze", "tic_tac_toe", *words.split(), "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_an_analysis_of_so_many_nodes_has_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    found = analyzed("--agent mcts --nodes 300 --lines 2 --moves b2", capsys)
    assert sum(found["visits"].values()) == 300  # and not the agent's thousand
    lines = found["lines"]
    assert len(lines) == 2
    assert lines[0]["moves"][0] == found["move"]
    assert lines[0]["visits"] == max(found["visits"].values()) >= lines[1]["visits"] > 0
    assert lines[1]["value"] == pytest.approx(found["move_values"][lines[1]["moves"][0]], abs=1e-5)


def test_an_analysis_without_a_limit_is_the_agents_own(capsys: pytest.CaptureFixture[str]) -> None:
    found = analyzed("--agent mcts:70", capsys)
    assert sum(found["visits"].values()) == 70
    assert [line["moves"][0] for line in found["lines"]] == [found["move"]]


@pytest.mark.parametrize("agent", ["random", "solver"])
def test_agents_without_search_answer_within_any_limit(
    agent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = analyzed(f"--agent {agent} --seconds 0.01 --moves b2", capsys)
    assert (found["visits"], found["lines"]) == ({}, [])
    assert found["move"] in found["policy"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--seconds -1", "--seconds -1.0: expected a time above 0"),
        ("--seconds nan", "--seconds nan: expected a time above 0"),
        ("--nodes 0", "--nodes 0: expected 1 or more"),
        ("--lines 0", "--lines 0: expected 1 or more"),
        ("--nodes 5 --simulations 9", "--simulations: expected no --nodes or --seconds beside it"),
    ],
)
def test_limits_that_mean_nothing_are_refused(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ludens.main(["analyze", "tic_tac_toe", "--agent", "random", *words.split()]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("play tic_tac_toe --games 3", "--games: is for environments and games of teams"),
        ("play tic_tac_toe --epsilon 0.1", "--epsilon: is for environments and games of teams"),
        ("play tic_tac_toe --hero 2", "--hero: is for environments and games of teams"),
        ("play breakout --turns", "--turns: is for games of teams, and breakout has one player"),
        ("play lanes_1v1 --games 2", "--games: expected an environment of one player"),
        ("play old.replay --agent fighter", "--agent: a replay's players and moves are known"),
        ("play lanes_1v1 --agent fighter --agent2 pusher --hero 2", "--hero: is for a person"),
        ("play lanes_1v1 --agent fighter --agent2 pusher --second", "--second: is for a person"),
        ("record lanes_1v1 --out m.replay --view left", "--view: is for films, and a replay is"),
        ("record old.replay --seed 3", "--seed: a replay's players and moves are known"),
        ("record breakout --seconds 60", "--seconds: is for games of teams, not for 'breakout'"),
        ("record lanes_1v1 --epsilon 0.1", "--epsilon: expected an environment of one player"),
        ("match tic_tac_toe random random --alpha 0.1", "--alpha: expected --sprt ELO0 ELO1"),
        ("train connect_four --turn 2", "--turn: expected several runs (--seeds N, --env A,B)"),
        ("train connect_four --cores 2", "--cores: expected several runs"),
        ("train dqn --seeds 2 --cores 1 --turn 3", "--turn: with --cores the runs train at once"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ludens.main(words.split()) == 2
    assert told in capsys.readouterr().err


def test_a_sequential_test_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = "match tic_tac_toe solver random --sprt 0 100 --seed 1 --json"
    assert ludens.main(words.split()) == 0
    assert json.loads(capsys.readouterr().out)["sprt"]["decision"] == "elo1"
