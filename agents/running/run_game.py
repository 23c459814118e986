"""The game that a run learned, compared with a given game.

A store has the game's name and the hash of its source, never a path to code. So the game of a run
is either one that comes with the program, or one in a file named by the user.
"""

from __future__ import annotations

from envs.game import Game
from envs.game_file import file_of
from envs.registry import BUILT_IN, find_game
from store.run import Run, RunInfo
from store.upgrades import UNKNOWN_SOURCE


def registered_game(info: RunInfo) -> Game | None:
    """Return the run's game if it comes with the program; None if its file must be named."""
    return find_game(info.game) if not info.game_source and info.game in BUILT_IN else None


def source_of(game: Game) -> str:
    """Return the hash of a game's source as runs store it: SHA-256 of a user's file, else empty."""
    found = file_of(game)
    return found.sha256 if found else ""


def is_game_of(info: RunInfo, game: Game) -> bool:
    """Return whether the run learned this game, whatever the present state of its source.

    A run from before hashes were kept may know the game by the name of its file.
    """
    found = file_of(game)
    if info.game_source == UNKNOWN_SOURCE:
        return found is not None and info.game in (game.name, found.path.stem)
    return info.game == game.name and bool(info.game_source) == (found is not None)


def source_change(run: Run, game: Game) -> str | None:
    """Describe in one sentence that the source of the run's game has changed; else None."""
    found, before = file_of(game), run.info.game_source
    if found is None or before in ("", UNKNOWN_SOURCE, found.sha256):
        return None
    return (
        f"{found.path} has changed since run {run.name!r} began: its SHA-256 was {before[:12]}... "
        f"and is {found.sha256[:12]}..."
    )


def how_to_name_it(run: Run, command: str) -> str:
    """Say what to type for a run of a user's own game; `command` shows where FILE goes."""
    return (
        f"run {run.name!r} learned {run.info.game!r}, a game of its own; a store never says where "
        f"its file is, so name it: {command.replace('FILE', f'{run.info.game}.py')}"
    )
