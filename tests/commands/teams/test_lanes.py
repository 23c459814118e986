"""`ludens play` and `ludens record` in Lanes, by the front door."""

import json

import pytest

import ludens
from arena.play.lanes import app
from arena.play.lanes.replay import read_replay, record_match, write_replay
from arena.play.screen import web
from commands.teams.lanes import VIEWS, is_lanes
from tests.arena.play.lanes.matches import random_actions


def run(capsys, *words):
    status = ludens.main(list(words))
    out, err = capsys.readouterr()
    return status, out, err


def replay_at(path, decisions=20):
    write_replay(
        path, record_match("lanes_1v1", 5, ("a", "b"), random_actions("lanes_1v1", decisions))
    )
    return str(path)


def test_a_word_is_a_mode_a_replay_or_something_else():
    assert [is_lanes(word) for word in ("lanes_1v1", "x/a.replay", "othello", "breakout")] == [
        *(True, True),
        *(False, False),
    ]


def test_the_views_are_those_of_a_scene():
    from arena.play.lanes import scene

    assert scene.VIEWS == VIEWS


def test_plain_prints_a_match_and_a_replay(capsys, tmp_path):
    words = ["play", "lanes_1v1", "--agent", "fighter", "--agent2", "pusher", "--plain"]
    status, out, _ = run(capsys, *words, "--seed", "3")
    assert status == 0
    assert out.startswith("lanes_1v1, seed 3: fighter (left) against pusher (right)\n")
    path = replay_at(tmp_path / "a.replay")
    status, out, _ = run(capsys, "play", path, "--plain")
    assert status == 0
    assert out.splitlines()[0] == "lanes_1v1, seed 5: a (left) against b (right)"
    assert "the replay ends here" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ("you", "fighter")),
        (["--agent", "pusher"], ("you", "pusher")),
        (["--agent", "pusher", "--second"], ("pusher", "you")),
        (["--agent", "human", "--agent2", "wanderer"], ("you", "wanderer")),
        (["--agent", "pusher", "--agent2", "fighter"], ("pusher", "fighter")),
    ],
)
def test_who_sits_where(capsys, monkeypatch, words, expected):
    shown = []
    monkeypatch.setattr("arena.play.terminal.shows_a_screen", lambda: True)
    monkeypatch.setattr(app, "show", lambda session, notice: shown.append((session, notice)) or 0)
    turns = ["--turns"] if "you" in expected else []
    assert run(capsys, "play", "lanes_1v1", *words, *turns)[0] == 0
    ((session, notice),) = shown
    assert session.names == expected
    assert session.by_turns == bool(turns)
    assert ("fighter plays" in notice) == (not words)


def test_a_person_chooses_hero_and_allies(capsys, monkeypatch):
    shown = []
    monkeypatch.setattr("arena.play.terminal.shows_a_screen", lambda: True)
    monkeypatch.setattr(app, "show", lambda session, notice: shown.append(session) or 0)
    words = ["play", "lanes_5v5", "--hero", "4", "--allies", "pusher"]
    assert run(capsys, *words)[0] == 0
    assert shown[0].person.number == 3
    assert shown[0].names == ("you and pusher", "fighter")


def test_a_browser_gets_the_same_command(monkeypatch):
    served = []
    monkeypatch.setattr(web, "serve", lambda words, title, port: served.append(words[2:]))
    assert ludens.main(["play", "lanes_3v3", "--hero", "2", "--turns", "--web"]) == 0
    ((play, game, *rest),) = served
    assert (play, game) == ("play", "lanes_3v3")
    assert rest[rest.index("--hero") + 1] == "2"
    assert "--turns" in rest


def test_a_match_is_recorded_as_a_replay_and_a_film(capsys, tmp_path):
    path = tmp_path / "a.replay"
    words = ["record", "lanes_1v1", "--agents", "wanderer,pusher", "--seed", "2"]
    status, out, err = run(capsys, *words, "--out", str(path), "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    found = read_replay(path)
    assert told["decisions"] == len(found.actions)
    assert found.names == ("wanderer", "pusher") == tuple(told["agents"])
    film = tmp_path / "a.gif"
    words = ["record", str(path), "--out", str(film), "--seconds", "2", "--view", "right"]
    status, out, _ = run(capsys, *words)
    assert status == 0
    assert film.read_bytes()[:3] == b"GIF"
    assert "lanes_1v1, wanderer against pusher" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["play", "lanes_1v1"], "a person needs a screen"),
        (["play", "lanes_1v1", "--agent", "figter"], "did you mean 'fighter'"),
        (["play", "lanes_2v2"], "did you mean 'lanes_"),
        (["play", "no.replay"], "no.replay"),
        (["record", "lanes_1v1", "--agents", "fighter"], "expected two agents"),
        (["record", "lanes_1v1", "--agents", "human,fighter"], "expected two agents"),
        (["record", "lanes_1v1", "--out", "a.avi"], "ends in .mp4 or .gif"),
        (["record", "lanes_1v1", "--strip"], "--strip: expected an environment of one player"),
        (["record", "lanes_1v1", "--speed", "0"], "speed = 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(capsys, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *words)
    assert status in (1, 2)
    assert expected in err
    assert err.count("\n") == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_forged_replay_is_refused(capsys, tmp_path):
    path = tmp_path / "a.replay"
    path.write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    status, _, err = run(capsys, "play", str(path))
    assert status == 1
    assert "is no replay of Lanes" in err
