"""Choose the default opponent."""

from __future__ import annotations

from arena.names import AgentNameError, find_run
from envs.game import Game
from store import checkpoints
from store.errors import StoreError
from store.run import Run, list_runs

WITHOUT_RUNS = "mcts:1000"


def default_agent(game: Game, store_url: str) -> tuple[str, str]:
    """Choose the game's newest run with a checkpoint, else tree search; say which.

    Unreadable runs are skipped.
    """
    runs = [run for name in list_runs(store_url) if (run := _playable(name, game, store_url))]
    if not runs:
        there = f"no run of {game.title} in {store_url!r}"
        return WITHOUT_RUNS, f"{there}: you play {WITHOUT_RUNS} (--agent names another)"
    newest = max(runs, key=lambda run: (run.info.created, run.name)).name
    return newest, f"you play {newest!r}, the newest run in {store_url!r} (--agent names another)"


def _playable(name: str, game: Game, store_url: str) -> Run | None:
    try:
        run = find_run(name, game, store_url)
        return run if checkpoints.steps(run) else None
    except (AgentNameError, StoreError, OSError):
        return None
