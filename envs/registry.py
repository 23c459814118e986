"""Games by name, and a user's own game from its file."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from pathlib import Path

from envs.game import Game, GameError

# name -> (module, attribute): a game is imported, and Numba with it, when it is asked for
BUILT_IN: dict[str, tuple[str, str]] = {
    "tic_tac_toe": ("envs.tic_tac_toe", "GAME"),
    "connect_four": ("envs.connect_four", "GAME"),
    "othello": ("envs.othello", "GAME"),
    "othello6": ("envs.othello", "GAME_6"),
}


def find_game(name: str) -> Game:
    """The game of that name, or the game defined in the file of that path (`*.py`).

    Raises GameError for an unknown name (suggesting the nearest), a missing file, or a file that
    does not define `GAME`.
    """
    if name.endswith(".py"):
        return load_game(Path(name))
    if name not in BUILT_IN:
        near = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise GameError(
            f"unknown game {name!r}: {hint}known games are {', '.join(BUILT_IN)}, "
            "or the path of a file that defines GAME"
        )
    module, attribute = BUILT_IN[name]
    game: Game = getattr(importlib.import_module(module), attribute)
    return game


def load_game(path: Path) -> Game:
    """Import a user's game file and return its `GAME`.

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
    return game
