"""What `ludens play` hands to those who show the game."""

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
