"""Find the built-in games by name.

This is the only place where a string selects game code, so a stored string can do no more than name
one of these games. A user's own game is a file that the user names: see `envs.game_file`.
"""

from __future__ import annotations

import difflib
import importlib

from envs.game import Game, GameError

# name -> (module, attribute): a game, and Numba with it, is imported on first use
BUILT_IN: dict[str, tuple[str, str]] = {
    "tic_tac_toe": ("envs.tic_tac_toe", "GAME"),
    "connect_four": ("envs.connect_four", "GAME"),
    "othello": ("envs.othello", "GAME"),
    "othello6": ("envs.othello", "GAME_6"),
}


def find_game(name: str) -> Game:
    """Return the built-in game of that name.

    Raises GameError for any other string, paths included, and suggests the nearest name.
    """
    if name not in BUILT_IN:
        from envs.atari.games import find_atari

        near = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        if find_atari(name):
            hint = "it is a game of Atari, for `ludens train`, `play`, `evaluate` and `record`; "
        raise GameError(
            f"unknown game {name!r}: {hint}known games are {', '.join(BUILT_IN)}; a game of your "
            "own is named on the command line by the file that defines it, such as my_game.py"
        )
    module, attribute = BUILT_IN[name]
    game: Game = getattr(importlib.import_module(module), attribute)
    return game
