"""What `ludens train` says at its end of a run in an environment."""

from pathlib import Path

import pytest

import ludens

TINY = ["--minutes", "0", "--rows", "16", "--environment.environments", "2", "--publish-rows", "16"]


def test_a_run_without_a_finished_game_was_trained_and_then_already(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "dqn", "--run", "few", "--store", str(tmp_path), *TINY]
    assert ludens.main(words) == 0
    out = capsys.readouterr().out
    assert "  0 games  16 of 16 positions" in out  # no game of CartPole ends in 8 steps
    assert "run 'few' trained, to step 0: the same command with more --rows trains on" in out
    assert "rows = 16: the run ends before it learns; expected more than 1,000" in out
    assert f"score it:  ludens evaluate few --store {tmp_path}\n" in out
    assert f"watch it:  ludens play CartPole-v1 --agent few --store {tmp_path}\n" in out
    assert ludens.main(words) == 0
    assert "run 'few' was trained already, to step 0" in capsys.readouterr().out


def test_no_run_begins_with_a_network_that_cannot_see_its_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "breakout", "--env", "CartPole-v1", "--store", str(tmp_path), *TINY]
    assert ludens.main(words) == 1
    assert "for vectors use 'mlp'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())  # it would have kept the encoder
