"""Give each rated agent one exact name, and find the run that stores its matches.

A result is useful only if it says exactly who played. So RUN becomes RUN@STEP with the newest
step, and options are written in a fixed form.
"""

from __future__ import annotations

from arena.names import (
    RESERVED,
    ROLLOUT_SIMULATIONS,
    find_run,
    parse_agent_name,
)
from arena.opponents.names import PROGRAM, PROTOCOLS, format_opponent
from envs.game import Game
from store import checkpoints
from store.errors import StoreError
from store.run import Run


def exact_name(text: str, game: Game, store_url: str) -> str:
    """Return an agent's name with its checkpoint's step and its options in order.

    Raises AgentNameError for an unknown name, StoreError for a run without checkpoints.
    """
    name, step, options = parse_agent_name(text)
    if name == "mcts":
        options = {"simulations": str(ROLLOUT_SIMULATIONS), **options}
    if name not in RESERVED and step is None:
        step = newest_step(find_run(name, game, store_url))
    return written(name, step, options)


def written(name: str, step: int | None, options: dict[str, str]) -> str:
    """Format an agent's parts as a name: mcts:1000, RUN@12000:root=gumbel,sims=64."""
    if name in PROTOCOLS:
        own = {key: value for key, value in options.items() if key != PROGRAM}
        return format_opponent(name, options[PROGRAM], own)
    if name == "mcts" and list(options) == ["simulations"]:
        return f"mcts:{options['simulations']}"
    words = [f"{'sims' if key == 'simulations' else key}={options[key]}" for key in sorted(options)]
    place = "" if step is None else f"@{step}"
    return f"{name}{place}{':' if words else ''}{','.join(words)}"


def newest_step(run: Run) -> int:
    """Return the step of the newest intact checkpoint; raises StoreError if there is none."""
    newest = checkpoints.latest_valid(run, names=[checkpoints.MODEL_FILE])
    if newest is None:
        raise StoreError(f"run {run.name!r} has no checkpoint yet")
    return newest.step


def home_of(agents: list[str], game: Game, store_url: str) -> Run | None:
    """Return the run that stores a match's record: the first agent's that is a run, or None."""
    for agent in agents:
        name = parse_agent_name(agent).name
        if name not in RESERVED:
            return find_run(name, game, store_url)
    return None
