"""Load a user's own game from a file named on the command line or in Python.

The file is run, so its path must come from the user of this machine. It is therefore a `Path` and
never a string: stores hold strings, and no stored string becomes a path.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import NamedTuple

from envs.game import Game, GameError
from envs.registry import find_game

SUFFIX = ".py"


class GameFile(NamedTuple):
    """A user's game file: its path, and the SHA-256 of what was run, hexadecimal."""

    path: Path
    sha256: str


_LOADED: dict[Game, GameFile] = {}


def file_of(game: Game) -> GameFile | None:
    """Return the file that a game was loaded from; None for a built-in game."""
    return _LOADED.get(game)


def find_or_load(named: str | Path) -> Game:
    """Return a built-in game by name, or load a user's file. Raises GameError as those do."""
    return load_game_file(named) if isinstance(named, Path) else find_game(named)


def typed_game(word: str) -> str | Path:
    """Parse a typed game: a name, or the path of a file (`*.py`).

    For words of the command line and of a preset named there, never for stored strings.
    """
    return Path(word) if word.endswith(SUFFIX) else word


def load_game_file(path: Path) -> Game:
    """Run a user's game file, once per process, and return its `GAME`.

    Raises GameError when the file is missing, fails to run, or defines no `GAME`.
    """
    path = path.resolve()
    if not path.is_file():
        raise GameError(f"no game file at {path}")
    module_name = f"ludens_game_{path.stem}"
    loaded = sys.modules.get(module_name)
    if loaded is None or getattr(loaded, "__file__", None) != str(path):
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise GameError(f"{path} cannot be imported as Python")
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = loaded
        try:
            spec.loader.exec_module(loaded)
        except Exception as error:
            del sys.modules[module_name]
            raise GameError(f"{path} failed to load: {type(error).__name__}: {error}") from error
    game = getattr(loaded, "GAME", None)
    if not isinstance(game, Game):
        raise GameError(f"{path} must define GAME = Game(...); found {type(game).__name__}")
    if game not in _LOADED:
        _LOADED[game] = GameFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
    return game
