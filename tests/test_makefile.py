"""Which Python `make setup` takes, told from what it would run (`make -n`)."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("make", "sh", "grep", "cat", "head")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that `make setup` reads, and a folder `bin` with the programs of its recipe."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for name in PROGRAMS:
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def _add_python(checkout: Path, name: str, *, is_fit: bool) -> None:
    program = checkout / "bin" / name
    program.write_text(f"#!/bin/sh\necho {name}; exit {0 if is_fit else 1}\n")
    program.chmod(0o755)


def _make(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(checkout / "bin")}
    return subprocess.run(
        ["make", *words], cwd=checkout, env=environment, capture_output=True, text=True
    )


def _taken(checkout: Path, *words: str) -> str:
    found = re.search(r"python='(.*?)'", _make(checkout, "-n", "setup", *words).stdout)
    assert found
    return found[1]


def test_the_newest_python_that_is_fit_is_taken(checkout: Path) -> None:
    _add_python(checkout, "python3.11", is_fit=True)
    assert _taken(checkout) == "python3.11"
    _add_python(checkout, "python3.12", is_fit=True)
    _add_python(checkout, "python3.13", is_fit=False)
    assert _taken(checkout) == "python3.12"
    _add_python(checkout, "python3.13", is_fit=True)
    assert _taken(checkout) == "python3.13"
    assert _taken(checkout, "PYTHON=python3.11") == "python3.11"


def test_without_a_python_make_says_what_to_install(checkout: Path) -> None:
    _add_python(checkout, "python3.12", is_fit=False)
    found = _make(checkout, "train")
    assert found.returncode != 0
    assert "found no Python 3.11, 3.12 or 3.13 that runs" in found.stderr
    assert "make PYTHON=/path/to/python3.13 train" in found.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_named_and_not_fit_is_refused(checkout: Path) -> None:
    _add_python(checkout, "python3.10", is_fit=False)
    found = _make(checkout, "setup", "PYTHON=python3.10")
    assert found.returncode != 0
    assert "PYTHON=python3.10: expected a Python 3.11, 3.12 or 3.13" in found.stderr
    assert "got: python3.10" in found.stderr


def test_the_environment_that_is_there_needs_no_other_python(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    _add_python(checkout, "../.venv/bin/python", is_fit=True)
    (checkout / "bin" / "touch").symlink_to(str(shutil.which("touch")))
    found = _make(checkout, "setup")
    assert found.returncode == 0, found.stderr
    pins = (checkout / ".venv" / "constraints.txt").read_text()
    assert pins == (ROOT / "constraints.txt").read_text()


def test_an_environment_over_its_own_pytorch_pins_all_but_what_that_decides(checkout: Path) -> None:
    assert (
        "-m venv --system-site-packages .venv"
        in _make(checkout, "-n", "setup", "OWN_TORCH=1", "PYTHON=python3.12").stdout
    )
    (checkout / ".venv" / "bin").mkdir(parents=True)
    _add_python(checkout, "../.venv/bin/python", is_fit=True)
    (checkout / ".venv" / "pyvenv.cfg").write_text("include-system-site-packages = true\n")
    (checkout / "bin" / "touch").symlink_to(str(shutil.which("touch")))
    assert _make(checkout, "setup").returncode == 0
    kept = (checkout / ".venv" / "constraints.txt").read_text().splitlines()
    left_out = set((ROOT / "constraints.txt").read_text().splitlines()) - set(kept)
    assert {line.partition("==")[0] for line in left_out} == {"setuptools", "torch"}
