"""Whether a game at hand is the one that a run learned, when a store only names it."""

import hashlib

import pytest

from agents.running.run_game import (
    how_to_name_it,
    is_game_of,
    registered_game,
    source_change,
    source_of,
)
from envs.game_file import load_game_file
from envs.registry import find_game
from store.run import create_run, open_run
from store.upgrades import UNKNOWN_SOURCE

CODE = """
from dataclasses import replace
from envs import tic_tac_toe
GAME = replace(tic_tac_toe.GAME, name="{name}")
"""


@pytest.fixture
def own(tmp_path):
    """Loads a user's game, of a name and in a file of another name."""

    def load(name, file, more=""):
        path = tmp_path / f"{file}.py"
        path.write_text(CODE.format(name=name) + more)
        return load_game_file(path)

    return load


def run_of(store, game, source, name="r"):
    return create_run(store, name, game=game, game_source=source, config={}, seed=0, versions={})


def test_a_run_of_a_game_of_the_program_is_of_that_game_alone(tmp_path, own):
    info = run_of(tmp_path, "tic_tac_toe", "").info
    assert registered_game(info) is find_game("tic_tac_toe")
    assert is_game_of(info, find_game("tic_tac_toe"))
    assert not is_game_of(info, find_game("othello"))
    assert not is_game_of(info, own("tic_tac_toe", "namesake"))  # somebody's own, of that name


def test_a_run_of_a_users_game_is_known_by_its_name(tmp_path, own):
    game = own("mine_run", "anything")
    info = run_of(tmp_path, game.name, source_of(game)).info
    assert registered_game(info) is None
    assert is_game_of(info, game)
    assert not is_game_of(info, own("yours", "mine_run"))
    namesake = run_of(tmp_path, "othello", "0" * 64, "namesake").info
    assert registered_game(namesake) is None
    assert not is_game_of(namesake, find_game("othello"))


def test_an_older_run_may_know_a_users_game_by_its_file(tmp_path, own):
    info = run_of(tmp_path, "older_file", UNKNOWN_SOURCE).info
    assert registered_game(info) is None
    assert is_game_of(info, own("any_name", "older_file"))
    assert is_game_of(info, own("older_file", "any_file"))
    assert not is_game_of(info, own("any_name", "any_file_2"))
    builtin = run_of(tmp_path, "othello", UNKNOWN_SOURCE, "b").info  # was .../othello.py
    assert registered_game(builtin) is None
    assert not is_game_of(builtin, find_game("othello"))


def test_a_change_of_the_source_is_said(tmp_path, own):
    game = own("edited", "edited")
    run = run_of(tmp_path, game.name, source_of(game))
    assert source_change(run, game) is None
    edited = own("edited", "edited_2", "# another drawing\n")
    assert is_game_of(run.info, edited)
    told = source_change(run, edited)
    assert told is not None
    assert "edited_2.py has changed since run 'r' began" in told
    assert source_of(game)[:12] in told
    assert source_change(run_of(tmp_path, "edited", UNKNOWN_SOURCE, "old"), edited) is None
    assert source_change(run_of(tmp_path, "othello", "", "o"), find_game("othello")) is None


def test_the_hash_is_that_of_the_file(own, tmp_path):
    game = own("hashed", "hashed")
    found = hashlib.sha256((tmp_path / "hashed.py").read_bytes()).hexdigest()
    assert source_of(game) == found
    assert source_of(find_game("othello")) == ""


def test_what_to_type_is_spelled_out(tmp_path):
    run = run_of(tmp_path, "gomoku", "0" * 64, "long")
    assert how_to_name_it(open_run(tmp_path, "long"), "ludens rate long --game FILE") == (
        "run 'long' learned 'gomoku', a game of its own; a store never says where its file is, so "
        "name it: ludens rate long --game gomoku.py"
    )
    assert run.info.game_source == "0" * 64
