"""Find the built-in games by name, board games and games of teams.

This is the only place where a string selects game code, so a stored string can do no more than name
one of these games. A user's own game is a file that the user names: see `envs.game_file`.
"""

from __future__ import annotations

import difflib
import importlib

from envs.game import Game, GameError
from envs.teams.game import TeamGame

# name -> (module, attribute): a game, and Numba with it, is imported on first use
BUILT_IN: dict[str, tuple[str, str]] = {
    "tic_tac_toe": ("envs.tic_tac_toe", "GAME"),
    "connect_four": ("envs.connect_four", "GAME"),
    "othello": ("envs.othello", "GAME"),
    "othello6": ("envs.othello", "GAME_6"),
    "chess": ("envs.chess.game", "GAME"),
    "chess5": ("envs.chess.game", "GAME_5"),
    "shogi": ("envs.shogi.game", "GAME"),
    "minishogi": ("envs.shogi.game", "MINISHOGI_GAME"),
    "go7": ("envs.go.game", "GO_7"),
    "go9": ("envs.go.game", "GO_9"),
    "go9_from7": ("envs.go.game", "GO_9_FROM_7"),
    "go13": ("envs.go.game", "GO_13"),
    "go19": ("envs.go.game", "GO_19"),
    "hex7": ("envs.boards.hex", "HEX_7"),
    "hex11": ("envs.boards.hex", "HEX_11"),
    "gomoku9": ("envs.boards.gomoku", "GOMOKU_9"),
    "gomoku15": ("envs.boards.gomoku", "GOMOKU_15"),
    "gomoku9_standard": ("envs.boards.gomoku", "GOMOKU_9_STANDARD"),
    "gomoku15_standard": ("envs.boards.gomoku", "GOMOKU_15_STANDARD"),
}

TEAM_GAMES: dict[str, tuple[str, str]] = {
    "lanes_1v1": ("envs.lanes.game", "LANES_1V1"),
    "lanes_3v3": ("envs.lanes.game", "LANES_3V3"),
    "lanes_5v5": ("envs.lanes.game", "LANES_5V5"),
}
"""Games of two teams, in the same way."""


def find_game(name: str) -> Game:
    """Return the built-in game of that name.

    Raises GameError for any other string, paths included, and suggests the nearest name.
    """
    if name not in BUILT_IN:
        from envs.atari.games import find_atari

        near = difflib.get_close_matches(name, [*BUILT_IN, *TEAM_GAMES], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        if find_atari(name):
            hint = "it is a game of Atari, for `ludens train`, `play`, `evaluate` and `record`; "
        if name in TEAM_GAMES:
            hint = (
                "it is a game of teams, for `ludens train`, `play`, `match`, `rate` and `record`; "
            )
        raise GameError(
            f"unknown game {name!r}: {hint}known games are {', '.join(BUILT_IN)}; a game of your "
            "own is named on the command line by the file that defines it, such as my_game.py"
        )
    module, attribute = BUILT_IN[name]
    game: Game = getattr(importlib.import_module(module), attribute)
    return game


def find_team_game(name: str) -> TeamGame:
    """Return the game of teams of that name; raises GameError for any other, with the nearest."""
    if name not in TEAM_GAMES:
        near = difflib.get_close_matches(name, TEAM_GAMES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        if name in BUILT_IN:
            hint = "it is a board game; "
        raise GameError(
            f"unknown game of teams {name!r}: {hint}known ones are {', '.join(TEAM_GAMES)}"
        )
    module, attribute = TEAM_GAMES[name]
    game: TeamGame = getattr(importlib.import_module(module), attribute)
    return game
