"""Measure how fast a game of teams advances, with random actions that are allowed."""

from __future__ import annotations

import time
from typing import Any

from agents.cores import allowed_cores
from benchmarks.machine import machine_facts, write_result
from benchmarks.selfplay.throughput import rounded
from envs.registry import find_team_game
from envs.teams.random_actions import RandomActions

GAMES = ("lanes_1v1", "lanes_3v3", "lanes_5v5")
MATCHES = 512  # at once
WARM_STEPS = 20


def measure(
    name: str, seconds: float = 20.0, matches: int = MATCHES, threads: int | None = None
) -> dict[str, Any]:
    """Measure the agent steps a second of a game of teams, by threads on all cores.

    An agent step is a decision of one player, with its observation, masks, state and reward. The
    actions are chosen by compiled code too, on as many threads; that takes time of its own, which
    is left out of `agent_steps_per_second` and included in `with_choosing`. It takes about
    `seconds` after compilation. Raises GameError for another name.
    """
    game, facts = find_team_game(name), machine_facts()
    threads = allowed_cores() if threads is None else threads
    vector = game.make_vector(matches, threads)
    actions = RandomActions(game.spec, matches, threads=threads)
    try:
        steps = vector.reset(0)
        for _ in range(WARM_STEPS):
            steps = vector.step(actions.choose(steps.masks))
        made, stepping, choosing, ended = 0, 0.0, 0.0, 0
        begin = time.perf_counter()
        while made == 0 or time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            chosen = actions.choose(steps.masks)
            middle = time.perf_counter()
            steps = vector.step(chosen)
            stepping += time.perf_counter() - middle
            choosing += middle - start
            made += 1
            ended += int(steps.terminated.sum())
    finally:
        vector.close()
        actions.close()
    agent_steps = made * matches * game.spec.players
    figures = {
        "game": name,
        "matches": matches,
        "threads": threads,
        "agent_steps_per_second": agent_steps / stepping,
        "with_choosing": agent_steps / (stepping + choosing),
        "ratio_choosing": choosing / (stepping + choosing),
        "match_steps_per_second": made * matches / stepping,
        "matches_ended": ended,
    }
    return {**rounded(figures), "machine": facts}


def run(seconds: float, peer_python: str | None) -> None:
    """Measure each game, print a line and write results/environment_<game>.json."""
    for game in GAMES:
        result = measure(game, seconds)
        path = write_result(f"environment_{game}", result)
        rate = f"{result['agent_steps_per_second']:,} agent steps/s"
        print(f"environment {game:10} {rate}, {result['threads']} threads\n  -> {path}")
