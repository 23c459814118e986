"""Compare thinking in batches of virtual loss with one leaf at a time, in a single game.

A network of 4 blocks of 64 filters learns Connect Four for two minutes. An engine then thinks about
random positions of that game, each on a new tree: leaf by leaf on one thread, in batches that only
count the visits in flight, as Leela Chess Zero's do, and in batches of virtual loss, on one thread
and on two. They take turns, so that other work on the machine slows all of them. A match of the
same network at equal nodes shows what the batches cost in strength: both sides search alone in
their trees, and the match itself batches its games.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from agents.alphazero.inference import NetworkEvaluator, load_evaluator
from agents.cores import use_threads
from agents.players import SearchPlayer
from arena.engine.engine import Engine
from arena.engine.limits import Limit
from arena.engine.position import position_after
from arena.engine.searching import LEAVES, VISITS_PER_LEAF, batched
from arena.engine.thinking import Request
from arena.match.match import play_match
from benchmarks.machine import machine_facts, write_result
from benchmarks.selfplay.search import random_games
from benchmarks.turns import Rate, medians, take_turns
from envs.game import Game
from envs.registry import find_game
from mcts.config import SearchConfig
from store.run import open_run

ROOT = Path(__file__).resolve().parents[2]
GAME = "connect_four"
BLOCKS, FILTERS = 4, 64
MINUTES = 2  # of training
# Few games at once, of few simulations: a slow machine learns something in these minutes too.
QUICKLY = ("--publish_rows", "1024", "--selfplay.games", "64", "--search.simulations", "48")
NODES = 800  # a position
POSITIONS = 64
ROUNDS = 7
MATCH_NODES, MATCH_GAMES = 200, 300
WAYS = {
    "one_leaf": (1, 1, 1.0),
    "without_virtual_loss": (LEAVES, 1, 0.0),
    "batches": (LEAVES, 1, 1.0),
    "batches_two_threads": (LEAVES, 2, 1.0),
}
"""Leaves in flight, threads, virtual loss."""


def trained_network(game: Game, minutes: float, device: str = "auto") -> NetworkEvaluator:
    """Train a network from nothing and return it. Raises CalledProcessError if that fails."""
    with tempfile.TemporaryDirectory(prefix="ludens-single-game-") as store:
        words = ["train", game.name, "--run", "net", "--store", store, "--minutes", str(minutes)]
        words += ["--network.blocks", str(BLOCKS), "--network.filters", str(FILTERS), *QUICKLY]
        command = [sys.executable, "ludens.py", *words]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return load_evaluator(game, open_run(store, "net"), None, device)


def thinking_rate(
    game: Game,
    games: Sequence[list[int]],
    evaluators: Sequence[NetworkEvaluator],
    leaves: int,
    threads: int,
    virtual_loss: float,
) -> Rate:
    """Prepare to measure new visits a second, and a core second, of an engine."""
    config = SearchConfig(simulations=NODES, tree_reuse=False, virtual_loss=virtual_loss)
    player = SearchPlayer(game, evaluators, config)
    positions = cycle([position_after(game, moves) for moves in games])

    def rate(seconds: float) -> tuple[float, float]:
        nodes, used, begun = 0, time.process_time(), time.perf_counter()
        while (elapsed := time.perf_counter() - begun) < seconds or not nodes:
            with Engine(game, player, room=NODES, leaves=leaves, threads=threads) as engine:
                thinking = engine.think(Request(next(positions), Limit(NODES, early=False)))
                thinking.run()
                found = thinking.wait().snapshot
                nodes += 0 if found is None else found.nodes
        return nodes / elapsed, nodes / max(time.process_time() - used, 1e-9)

    rate(0.0)  # compiles
    return rate


def strength(game: Game, evaluators: list[NetworkEvaluator], games: int) -> dict[str, Any]:
    """Play batches against one leaf at a time at equal nodes; return the result of the batches."""
    one = SearchConfig(simulations=MATCH_NODES, tree_reuse=False)
    players = [
        SearchPlayer(game, evaluators, config, name=name)
        for name, config in (("batches", batched(one)), ("one leaf", one))
    ]
    return play_match(game, players[0], players[1], games).to_json()


def measure(
    seconds: float = 30.0, minutes: float = MINUTES, games: int = MATCH_GAMES, device: str = "auto"
) -> dict[str, Any]:
    """Train for some minutes, measure each way for about `seconds`, then play a match."""
    facts = machine_facts()
    game = find_game(GAME)
    evaluator = trained_network(game, minutes, device)
    evaluators = [evaluator, evaluator.replica()]
    use_threads(1)  # each thread of the search runs a network of its own
    played = random_games(game, POSITIONS)
    rates = {way: thinking_rate(game, played, evaluators, *how) for way, how in WAYS.items()}
    taken = take_turns(rates, seconds / ROUNDS, ROUNDS)
    wall, core = medians(taken)
    return {
        "game": GAME,
        "network": {"blocks": BLOCKS, "filters": FILTERS, "minutes": minutes},
        "device": str(evaluator.device),
        "nodes": NODES,
        "leaves": LEAVES,
        "visits_per_leaf": VISITS_PER_LEAF,
        "rounds": ROUNDS,
        "nodes_per_s": {way: round(rate) for way, rate in wall.items()},
        "nodes_per_core_s": {way: round(rate) for way, rate in core.items()},
        "ratio": {way: round(wall[way] / wall["one_leaf"], 2) for way in WAYS},
        "match": {"nodes": MATCH_NODES, **strength(game, evaluators, games)},
        "machine": facts,
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Measure, print a line for each way and write results/single_game.json."""
    result = measure(seconds)
    path = write_result("single_game", result)
    for way, rate in result["nodes_per_s"].items():
        print(f"single_game {way:20} {rate:>8,} nodes/s  {result['ratio'][way]:.2f}x")
    match = result["match"]
    total, (low, high) = match["total"], match["interval"]
    print(
        f"single_game match at {MATCH_NODES} nodes: batches won {total['wins']}, drew "
        f"{total['draws']}, lost {total['losses']}: {match['score']:.1%} ({low:.1%} to {high:.1%})"
    )
    print(f"  -> {path}")
