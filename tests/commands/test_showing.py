"""`ludens play` and `ludens record` in environments, by the front door."""

import json
from pathlib import Path

import pytest

import ludens
from arena.play.pictures import app
from arena.play.screen import web
from commands.showing import is_environment
from configs.command_line import UsageError
from store import checkpoints
from store.run import open_run

OWN = "tests.envs.pictures.own_environments:Corridor"


def run(capsys, *words):
    status = ludens.main(list(words))
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("tic_tac_toe", False),
        ("my_game.py", False),
        ("breakout", True),
        ("ALE/Pong-v5", True),
        ("CartPole-v1", True),
        (OWN, True),
    ],
)
def test_a_word_is_a_board_game_or_an_environment(word, expected):
    assert is_environment(word) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("conect_four", "did you mean 'connect_four'"),
        ("breakoot", "did you mean 'breakout'"),
        ("CartPole-v7", "did you mean 'CartPole-v"),
        ("warlords", "for two players"),
        ("xyzzy", "such as 'breakout'.*board games are tic_tac_toe"),
    ],
)
def test_an_unknown_word_is_refused_with_the_nearest(word, expected):
    with pytest.raises(UsageError, match=expected):
        is_environment(word)


def test_plain_prints_the_score_line_by_line(capsys, tmp_path):
    words = ["play", OWN, "--agent", "random", "--plain", "--games", "2", "--store", str(tmp_path)]
    status, out, _ = run(capsys, *words)
    lines = out.splitlines()
    assert status == 0
    assert lines[0] == f"{OWN}: random plays"
    assert lines[-1] == "2 games: mean score 1.00"
    assert sum(line.startswith("game ") for line in lines) == 2
    assert run(capsys, *words)[1] == out  # the same seed, the same games


def test_a_person_without_a_screen_is_told_so(capsys, tmp_path):
    for words in ([], ["--agent", "human"]):
        status, _, err = run(capsys, "play", "breakout", *words, "--store", str(tmp_path))
        assert status == 2
        assert "a person needs a screen" in err


def test_two_agents_do_not_play_an_environment(capsys):
    status, _, err = run(capsys, "play", "breakout", "--agent2", "random")
    assert (status, "one plays there" in err) == (2, True)


def test_the_screen_shows_the_session_with_a_notice(capsys, monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr("arena.play.terminal.shows_a_screen", lambda: True)
    monkeypatch.setattr(app, "show", lambda session, notice: shown.append((session, notice)) or 0)
    assert run(capsys, "play", OWN, "--store", str(tmp_path))[0] == 0
    ((session, notice),) = shown
    assert session.by_hand
    assert "you play alone" in notice


def test_a_browser_gets_the_same_command(monkeypatch, tmp_path):
    served = []
    monkeypatch.setattr(web, "serve", lambda words, title, port: served.append(words[2:]))
    words = ["play", OWN, "--agent", "random", "--seed", "7", "--store", str(tmp_path)]
    assert ludens.main([*words, "--web", "--epsilon", "0.5"]) == 0
    assert served == [[*words[:2], *words[2:], "--epsilon", "0.5"]]


def test_a_film_of_random_play_is_recorded(capsys, tmp_path):
    path = tmp_path / "corridor.gif"
    words = ["record", "random", "--env", OWN, "--out", str(path), "--seed", "2"]
    status, out, err = run(capsys, *words, "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert told["mean"] == told["games"][0]["score"] == 1.0
    assert (told["agent"], told["path"]) == ("random", str(path))
    assert path.read_bytes()[:3] == b"GIF"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["random"], "--env"),
        (["human", "--env", OWN], "a film is of an agent"),
        (["random", "--env", OWN, "--out", "a.avi"], "ends in .mp4 or .gif"),
        (["random", "--env", OWN, "--strip", "a.jpg"], "ends in .png"),
        (["random", "--env", OWN, "--strip", "a.png"], "expected RUN"),
        (["random", "--env", OWN, "--strip", "a.png", "--out", "a.mp4"], "one picture"),
        (["random", "--env", "breakoot"], "did you mean 'breakout'"),
        (["nobody"], "no agent 'nobody'"),
    ],
)
def test_a_film_that_cannot_be_is_refused_in_one_line(
    capsys, tmp_path, monkeypatch, words, expected
):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, "record", *words)
    assert status in (1, 2)
    assert expected in err
    assert err.count("\n") == 1
    assert out == ""
    assert list(Path().iterdir()) == []


def test_a_strip_shows_the_checkpoints_of_a_run_and_holds_none_of_them_afterwards(capsys, tmp_path):
    store, path = str(tmp_path / "store"), tmp_path / "strip.png"
    settings = {
        "minutes": "0",
        "rows": "400",
        "checkpoint-rows": "150",
        "learner.start-rows": "50",
        "environment.environments": "2",
        "replay.rows": "1000",
        "network.hidden": "8",
        "device": "cpu",
    }
    options = [word for name, value in settings.items() for word in (f"--{name}", value)]
    assert (
        run(capsys, "train", "dqn", "--env", OWN, "--run", "r", "--store", store, *options)[0] == 0
    )
    words = ["record", "r", "--env", OWN, "--strip", str(path), "--store", store, "--json"]
    status, out, err = run(capsys, *words)
    assert status == 0, err
    found = json.loads(out)
    steps = checkpoints.steps(open_run(store, "r"))
    assert len(found["strips"]) == min(3, len(steps)) >= 2
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert open_run(store, "r").files.names("holds") == []
