"""Compare perft from the start, one core, last ply counted, with other packages doing the same.

Chess beside the package `chess`, shogi beside cshogi and python-shogi. The peers run in processes
of their own; ours counts as often as it takes to fill SECONDS. Each side's counts must agree.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.machine import PACKAGES, machine_facts, write_result
from envs.checks.perft import perft
from envs.registry import find_game

ROUNDS = 5
SECONDS = 0.5  # of a turn of ours, at least
SCRIPT = Path(__file__).parent / "perft_peers.py"


class Peer(NamedTuple):
    """Another package that counts a game's lines."""

    name: str
    module: str


PEERS = {
    "chess": (5, (Peer("chess", "chess"),)),
    "shogi": (4, (Peer("cshogi", "cshogi"), Peer("python-shogi", "shogi"))),
}


def count_ours(game: str, depth: int) -> tuple[int, float]:
    """Return the nodes of one count, and nodes a core second over several."""
    found = find_game(game)
    counts, used = 0, time.process_time()
    while counts == 0 or time.process_time() - used < SECONDS:
        nodes = perft(found, depth)
        counts += 1
    return nodes, counts * nodes / (time.process_time() - used)


def count_theirs(peer: Peer, depth: int, python: str) -> tuple[int, float]:
    """Return the nodes of a peer's count, and nodes a core second. Raises RuntimeError."""
    command = [python, str(SCRIPT), peer.name, str(depth)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return int(found["nodes"]), found["nodes"] / found["core_seconds"]


def measure(game: str, rounds: int = ROUNDS, python: str | None = None) -> dict[str, Any]:
    """Measure nodes a core second of one game, and the median ratio to each peer.

    Ours and the peers take turns; a ratio is of one round. A peer that is not installed is left
    out. Raises RuntimeError where two counts differ.
    """
    depth, peers = PEERS[game]
    perft(find_game(game), 2)  # compiles
    present = [peer for peer in peers if python or importlib.util.find_spec(peer.module)]
    for peer in set(peers) - set(present):
        print(f"perft: {peer.name} is not installed, so it is not compared")
    rates: dict[str, list[float]] = {"ours": [], **{peer.name: [] for peer in present}}
    for _ in range(rounds):
        nodes, rate = count_ours(game, depth)
        rates["ours"].append(rate)
        for peer in present:
            theirs, rate = count_theirs(peer, depth, python or sys.executable)
            if theirs != nodes:
                raise RuntimeError(f"{game} to {depth}: {nodes} lines, {peer.name} has {theirs}")
            rates[peer.name].append(rate)
    ratios = {
        peer.name: [ours / other for ours, other in zip(rates["ours"], rates[peer.name])]
        for peer in present
    }
    return {
        "depth": depth,
        "nodes": nodes,
        "rounds": rounds,
        "nodes_per_core_second": {n: round(statistics.median(r)) for n, r in rates.items()},
        "ratio": {name: round(statistics.median(each), 1) for name, each in ratios.items()},
        "ratio_each": {name: [round(r, 1) for r in each] for name, each in ratios.items()},
    }


def run(seconds: float, peer_python: str | None = None) -> None:
    """Measure both games, print and store; a round takes as long as the slowest peer's count."""
    result: dict[str, Any] = {"machine": machine_facts((*PACKAGES, "chess", "cshogi"))}
    rounds = ROUNDS if seconds >= 10 else 1
    for game in PEERS:
        result[game] = measure(game, rounds, peer_python)
        for name, rate in result[game]["nodes_per_core_second"].items():
            times = result[game]["ratio"].get(name)
            note = "" if times is None else f"  ours is {times:,} times as fast"
            print(f"{game} {name:<13} {rate:>13,} nodes a core second{note}")
    print(f"written to {write_result('perft', result)}")
