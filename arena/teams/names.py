"""Find the agents of a game of teams by the names that every command uses.

wanderer, pusher, fighter    scripted players: the game says which it has
RUN                          the newest checkpoint of a run
RUN@12000                    the checkpoint of that step; options as its algorithm has them
"""

from __future__ import annotations

from collections.abc import Iterable

from agents.registry import method_of_run
from arena.match.contenders import newest_step, written
from arena.names import (
    RESERVED,
    AgentNameError,
    loading,
    open_agents_run,
    parse_agent_name,
)
from envs.registry import TEAM_GAMES, find_team_game
from envs.teams import TeamAgent, TeamGame
from store.run import Run, RunInfo


def team_game_of(info: RunInfo) -> TeamGame | None:
    """Return the game of teams that a run learned; None if it learned something else."""
    is_built_in = not info.game_source and info.game in TEAM_GAMES
    return find_team_game(info.game) if is_built_in else None


def find_team_agent(
    text: str, game: TeamGame, store_url: str, *, device: str = "auto"
) -> TeamAgent:
    """Load an agent that plays a team, by name.

    Each call makes one of its own: an agent may remember the matches that it plays.

    Raises AgentNameError for an unknown name, suggesting the nearest, or for an agent that does
    not play this game; the store's errors for a run that cannot be read.
    """
    name, step, options = parse_agent_name(text)
    if _is_script(text, name, game):
        return game.make_script(name)
    run = find_team_run(name, game, store_url)
    with loading(text, step, run):
        return method_of_run(run.info).team_agent(
            run, step, options, spec=game.spec, name=text, device=device
        )


def exact_team_name(text: str, game: TeamGame, store_url: str) -> str:
    """Return an agent's name with its checkpoint's step, and its options in order.

    Raises AgentNameError as `find_team_agent`, StoreError for a run without checkpoints.
    """
    name, step, options = parse_agent_name(text)
    if step is None and not _is_script(text, name, game):
        step = newest_step(find_team_run(name, game, store_url))
    return written(name, step, options)


def find_team_run(name: str, game: TeamGame, store_url: str) -> Run:
    """Open a run whose agents can play this game. Raises AgentNameError."""
    run = open_agents_run(name, game.scripts, store_url)
    learned = team_game_of(run.info)
    if learned is None or learned.name not in game.relatives:
        raise AgentNameError(
            f"run {run.name!r} learned {run.info.game!r}, it cannot play {game.name!r}"
        )
    return run


def home_of_match(agents: Iterable[str], game: TeamGame, store_url: str) -> Run | None:
    """Return the run that stores a match's record: the first one that learned this very game.

    None without one. A run's ratings are of one game, so one that learned a relative stores none.
    """
    for agent in agents:
        name = parse_agent_name(agent).name
        if name not in game.scripts:
            run = find_team_run(name, game, store_url)
            if run.info.game == game.name:
                return run
    return None


def _is_script(text: str, name: str, game: TeamGame) -> bool:
    """Whether a name is a scripted player's; raises AgentNameError for a board game's player."""
    if name in RESERVED and name not in game.scripts:
        raise AgentNameError(
            f"agent {text!r} does not play {game.name!r}: expected {', '.join(game.scripts)}, or a "
            "run"
        )
    return name in game.scripts
