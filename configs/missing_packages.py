"""Missing packages: the message for a command, and the line that installs them.

Packages for some commands are imported where they are used, so only those commands fail without
them.
"""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def is_installed(module: str) -> bool:
    """Return whether a package with this import name is found, without importing it."""
    return find_spec(module) is not None


def how_to_install(module: str) -> str:
    """Return the command that installs an import name's package, in the tested version.

    A package not in `pyproject.toml` is another's dependency, which `make setup` installs.
    """
    name = _distribution(module.partition(".")[0])
    requirement = _requirements().get(name)
    version = _versions().get(name)
    if requirement is None or version is None:
        return "make setup"
    return f"pip install {shlex.quote(f'{requirement}=={version}')}"


def what_is_missing(error: ModuleNotFoundError) -> str | None:
    """Return a message for a failed import; None if the module is ours or Python's own."""
    top = (error.name or "").partition(".")[0]
    is_ours = (ROOT / top).is_dir() or (ROOT / f"{top}.py").is_file()
    if not top or is_ours or top in sys.stdlib_module_names:
        return None
    return f"the package {top!r} is needed for this and is not installed: {how_to_install(top)}"


def _distribution(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _requirements() -> dict[str, str]:
    """Return the requirements of `pyproject.toml`: each name with its extra, without a version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    asked = [re.match(r"([A-Za-z0-9._-]+)(\[[^]]*\])?", line) for line in lines]
    return {_distribution(found[1]): found[0] for found in asked if found}


def _versions() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = (line.partition("==") for line in lines if "==" in line and line[0] != "#")
    return {_distribution(name): version.strip() for name, _, version in pins}
