"""Agents that are rated: under one name each, however they were called, and with a home in a store.

A result is worth something only if it is known who played. So RUN becomes RUN@STEP with the newest
step, and options are written in one way.
"""

from __future__ import annotations

from arena.agent_names import RESERVED, ROLLOUT_SIMULATIONS, find_run, parse_agent_name
from envs.game import Game
from store import checkpoints
from store.errors import StoreError
from store.run import Run


def exact_name(text: str, game: Game, store_url: str) -> str:
    """The agent's name with its checkpoint's step and its options in order.

    Raises AgentNameError for a name that nobody has, StoreError for a run without checkpoints.
    """
    name, step, options = parse_agent_name(text)
    if name == "mcts":
        options = {"simulations": str(ROLLOUT_SIMULATIONS), **options}
    if name not in RESERVED and step is None:
        step = newest_step(find_run(name, game, store_url))
    return written(name, step, options)


def written(name: str, step: int | None, options: dict[str, str]) -> str:
    """An agent's parts as its name: mcts:1000, RUN@12000:root=gumbel,sims=64."""
    if name == "mcts" and list(options) == ["simulations"]:
        return f"mcts:{options['simulations']}"
    words = [f"{'sims' if key == 'simulations' else key}={options[key]}" for key in sorted(options)]
    place = "" if step is None else f"@{step}"
    return f"{name}{place}{':' if words else ''}{','.join(words)}"


def newest_step(run: Run) -> int:
    """The step of the newest intact checkpoint; raises StoreError where there is none."""
    newest = checkpoints.latest_valid(run, names=[checkpoints.MODEL_FILE])
    if newest is None:
        raise StoreError(f"run {run.name!r} has no checkpoint yet")
    return newest.step


def home_of(agents: list[str], game: Game, store_url: str) -> Run | None:
    """The run that keeps the record of their match: the first that is a run's, if one is."""
    for agent in agents:
        name = parse_agent_name(agent).name
        if name not in RESERVED:
            return find_run(name, game, store_url)
    return None
