"""The game of a run: from its configuration into the processes and the store.

The game of a configuration comes from the command line, or from a preset named there, and goes to
every process of the run. It may be the path of a user's file; the run stores the game's name and
the hash of that file instead, and a stored run never sets a configuration's game.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from agents.registry import method_of
from agents.running.run_game import is_game_of, source_change, source_of
from agents.training import TrainConfig
from store.errors import RunMismatchError
from store.run import Run


def game_of(config: TrainConfig) -> Any:
    """Return the game or environment to learn, which has a `name`. Raises GameError."""
    return method_of(config).environment(config)


def stored_settings(config: TrainConfig, game: Any) -> dict[str, Any]:
    """Return the configuration as a run stores it: the game by its name."""
    return {**asdict(config), "game": game.name}


def check_same_game(run: Run, game: Any, *, may_have_changed: bool) -> None:
    """Raise RunMismatchError unless the run learned this game, from this same source.

    Games are stored as moves and replayed by the present rules, so under other rules a run would
    learn from different games.

    Args:
        run: the run to resume.
        game: the given game.
        may_have_changed: the user states that the rules are the same although the source is not.
    """
    if not is_game_of(run.info, game):
        raise RunMismatchError(
            f"run {run.name!r} is of {_described(run.info.game, bool(run.info.game_source))}, and "
            f"not of {_described(game.name, bool(source_of(game)))}; choose another run name"
        )
    changed = source_change(run, game)
    if changed and not may_have_changed:
        raise RunMismatchError(
            f"{changed}. With other rules its games would mean something else: choose another run "
            "name, or add --changed-game if the rules and the planes are the same as before"
        )


def _described(name: str, is_own: bool) -> str:
    return f"{name!r}, " + ("defined by a file" if is_own else "which comes with the program")
