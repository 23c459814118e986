"""Completion in the shell: what a shell gets for a line, by the protocol of argcomplete."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ludens
from commands.completion import SHELLS
from tests.store.small_runs import SmallRun

ROOT = Path(ludens.__file__).parent


def completions(line: str, folder: Path) -> list[str]:
    """Return what the shell offers after `line`, whose last word is being typed."""
    offered = folder / "offered"
    environment = os.environ | {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(offered),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    subprocess.run(
        [sys.executable, ROOT / "ludens.py"], env=environment, cwd=folder, check=True, timeout=60
    )
    return [word.strip() for word in offered.read_text().splitlines()]


def test_commands_are_completed(tmp_path: Path) -> None:
    assert completions("ludens re", tmp_path) == ["report", "record"]
    assert {"train", "play", "rate"} <= set(completions("ludens ", tmp_path))


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ludens train tic", ["tic_tac_toe"]),
        ("ludens train connect_four --learner.batch", ["--learner.batch-size"]),
        ("ludens train connect_four --search.root g", ["gumbel"]),
        ("ludens play oth", ["othello", "othello6"]),
        ("ludens completion z", ["zsh"]),
        ("ludens bench lea", ["learning"]),
        ("ludens bench learning dqn_", ["dqn_nature"]),
    ],
)
def test_values_are_completed(line: str, offered: list[str], tmp_path: Path) -> None:
    assert completions(line, tmp_path) == offered


def test_runs_of_the_store_are_completed(tmp_path: Path) -> None:
    SmallRun(tmp_path / "here", "wide")
    assert completions("ludens watch --store here w", tmp_path) == ["wide"]
    assert completions("ludens match connect_four --store here w", tmp_path) == ["wide"]
    assert completions("ludens watch --store nowhere w", tmp_path) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ludens.main(["completion", shell]) == 0
    assert "ludens" in capsys.readouterr().out
