"""Commands on a machine where packages are missing: each says what it needs, the others work."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from configs import missing_packages
from configs.command_line import FAILURE, explain

ROOT = Path(__file__).resolve().parent.parent

# Runs command lines in one process, in which the packages named with each cannot be found. What is
# loaded once stays: packages must be named with the first line that would load them.
RUNNER = """
import contextlib, io, json, sys

class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            return None
        return self.finder.find_spec(name, path, target)
    def find_distributions(self, context):
        found = getattr(self.finder, "find_distributions", lambda context: ())(context)
        return (one for one in found if one.name.replace("-", "_") not in missing)

missing = set()
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
import ludens

answers = []
for without, words in json.loads(sys.argv[1]):
    missing = set(without)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = ludens.main(words)
    answers.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""

PLAYING = ["textual", "textual_serve", "pettingzoo", "gymnasium", "ale_py"]
OPTIONAL = [*PLAYING, "ray", "tensorboard", "matplotlib"]


def _run(lines: list[tuple[list[str], str]], folder: Path, **environment: str) -> list[Any]:
    """Status, output and errors of each line; standard input is empty."""
    words = [(without, line.split()) for without, line in lines]
    found = subprocess.run(
        [sys.executable, "-c", RUNNER, json.dumps(words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    assert found.returncode == 0, found.stderr
    answers: list[Any] = json.loads(found.stdout.splitlines()[-1])
    return answers


@pytest.mark.slow
def test_commands_work_without_what_they_do_not_need(tmp_path: Path) -> None:
    lines = [
        ([*OPTIONAL, "scipy"], "train tic_tac_toe --games 100 --selfplay.shards 1"),
        ([*OPTIONAL, "scipy"], "play tic_tac_toe --plain --agent random --agent2 tic_tac_toe"),
        ([*OPTIONAL, "scipy"], "check-game tic_tac_toe --games 2"),
        (OPTIONAL, "doctor tic_tac_toe --seconds 0"),
        (OPTIONAL, "match tic_tac_toe random tic_tac_toe --games 4"),
        (OPTIONAL, "rate tic_tac_toe --anchors random --games 4 --checkpoints 1 --simulations 0"),
        (OPTIONAL, "runs"),
        (OPTIONAL, "watch tic_tac_toe --once"),
        (OPTIONAL, "report tic_tac_toe"),
    ]
    answers = _run(lines, tmp_path)
    for (_, line), (status, out, err) in zip(lines, answers, strict=True):
        assert status == 0, f"{line}: {out}{err}"
    said = {line.partition(" ")[0]: out + err for (_, line), (_, out, err) in zip(lines, answers)}
    assert "no curves for TensorBoard" in said["train"]
    assert "pip install tensorboard==" in said["train"]
    assert not (tmp_path / "runs" / "tic_tac_toe" / "tensorboard").exists()
    assert "textual (the screen of `play`)" in " ".join(said["doctor"].split())
    assert "pip install matplotlib==" in said["rate"]
    assert (tmp_path / "tic_tac_toe.html").is_file()


def test_a_command_says_what_it_needs_and_how_to_install_it(tmp_path: Path) -> None:
    game = "tic_tac_toe random random"
    lines = [
        (["scipy"], f"match {game} --games 2", "scipy=="),
        (["scipy"], "runs", "scipy=="),
        (["ray"], "train tic_tac_toe --workers 1", "'ray[default,rllib]==2.60.0'"),
        (["ray"], f"match {game} --games 2 --workers 2", "'ray[default,rllib]==2.60.0'"),
        (["textual"], "play tic_tac_toe --agent random", "textual=="),
        (["textual_serve"], "play tic_tac_toe --agent random --web", "textual-serve=="),
    ]
    answers = _run([(without, line) for without, line, _ in lines], tmp_path, TEXTUAL_DRIVER="none")
    for ((missing,), line, how), (status, _, err) in zip(lines, answers, strict=True):
        (told,) = [text for text in err.splitlines() if text.startswith("error: ")]
        start = f"error: the package {missing!r} is needed for this and is not installed: "
        assert told.startswith(f"{start}pip install {how}"), (line, told)
        assert status == FAILURE


def test_a_plot_that_is_asked_for_needs_matplotlib_before_any_game(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arena.rating.plot import check_path

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError):
        check_path(tmp_path / "elo.png")


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("ray.exceptions", "pip install 'ray[default,rllib]=="),
        ("textual_serve", "pip install textual-serve=="),
        ("open_spiel", "pip install open_spiel=="),
        ("ale_py.vector_env", "pip install ale-py=="),
        ("av.error", "pip install av=="),
        ("google.protobuf", "make setup"),
    ],
)
def test_the_line_that_installs_a_package(module: str, told: str) -> None:
    assert missing_packages.how_to_install(module).startswith(told)


@pytest.mark.parametrize("name", ["arena.no_such", "ludens", "tomllib.no_such", None])
def test_a_module_of_ours_or_of_python_is_no_missing_package(name: str | None) -> None:
    _, line = explain(ModuleNotFoundError("none", name=name))
    assert line.startswith("internal error, ModuleNotFoundError")
