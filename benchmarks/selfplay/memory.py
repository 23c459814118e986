"""Measure the memory of self-play in wide games, each in a process of its own.

`python -m benchmarks memory`. The great games have the preset's network and GAMES games of
SIMULATIONS simulations, played by the actor that training uses. Its networks evaluate one batch
each; the games are played with even policies, which fill the trees as fast as they can. They begin
after up to MOST_OPENING_PLIES random moves, as positions of the middle have more legal moves than
the first. The wide game of the tests is trained by `ludens train` for some minutes. A figure is the
largest resident size of the process, in bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.machine import machine_facts, write_result

HERE = Path(__file__).resolve().parent.parent.parent
PRESETS = ("chess", "shogi", "go19")
GAMES, SIMULATIONS = 256, 400
MOST_OPENING_PLIES = 200
WIDE = HERE / "tests" / "wide_game.py"  # 12,000 actions, up to 600 of them legal, 500 plies
WIDE_SETTINGS = {
    "selfplay.games": 128,
    "search.simulations": 128,
    "learner.window-rows": 200_000,
}


def play(preset: str, seconds: float) -> dict[str, Any]:
    """Play a preset's game in this process; return its peak in bytes, and how far it came."""
    from agents.alphazero.actor import AlphaZeroActor
    from agents.alphazero.bench import leaves_like
    from agents.alphazero.config import AlphaZeroConfig
    from agents.alphazero.game import game_of
    from agents.alphazero.network import build_network
    from agents.alphazero.warm_up import warm_up_playing
    from agents.torch_state import dump_state
    from configs.loader import load_config_of
    from mcts.search import evaluate_uniformly

    config = load_config_of(AlphaZeroConfig, preset)
    search = replace(config.search, simulations=SIMULATIONS)
    played = replace(
        config.selfplay, games=GAMES, opening_share=1.0, opening_plies=MOST_OPENING_PLIES
    )
    config = replace(config, search=search, selfplay=played)
    game = game_of(config)
    warm_up_playing(game, search)
    weights = dump_state(build_network(game, config.network, config.seed).state_dict())
    actor = AlphaZeroActor(game, config, 0)
    actor.load_weights(weights, 0)
    del weights
    for evaluator in actor.evaluators:
        evaluator(leaves_like(game, GAMES // config.selfplay.shards))
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for shard in actor.shards:
            shard.advance(evaluate_uniformly)
    simulated = sum(shard.search.counters()["simulations"] for shard in actor.shards)
    return {"peak_bytes": _peak(of_children=False), "simulations": simulated}


def train(minutes: float) -> dict[str, Any]:
    """Train on the wide game by the command line; return the peak of its process in bytes."""
    with tempfile.TemporaryDirectory() as store:
        command = [sys.executable, "ludens.py", "train", "connect_four", "--game", str(WIDE)]
        command += ["--run", "wide", "--minutes", str(minutes), "--store", store]
        for name, value in WIDE_SETTINGS.items():
            command += [f"--{name}", str(value)]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    return {"peak_bytes": _peak(of_children=True), "minutes": minutes, **WIDE_SETTINGS}


def _peak(*, of_children: bool) -> int:
    import resource  # which Windows lacks

    whose = resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
    return 1024 * resource.getrusage(whose).ru_maxrss  # Linux counts in KiB


def _alone(*words: str) -> dict[str, Any]:
    """Measure in a new process. Raises RuntimeError if it fails."""
    command = [sys.executable, "-m", "benchmarks.selfplay.memory", *words]
    done = subprocess.run(
        command, cwd=HERE, env=os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(seconds: float, peer_python: str | None = None) -> None:
    """Measure all, print and store; the wide game trains four times `seconds`."""
    result: dict[str, Any] = {
        "machine": machine_facts(),
        "games": GAMES,
        "simulations": SIMULATIONS,
        **{preset: _alone(preset, str(seconds)) for preset in PRESETS},
        "wide_game": _alone("wide", str(4.0 * seconds / 60.0)),
    }
    for name in (*PRESETS, "wide_game"):
        print(f"{name:<10} {result[name]['peak_bytes'] / 2**30:.2f} GiB")
    print(f"written to {write_result('memory', result)}")


if __name__ == "__main__":
    _name, _length = sys.argv[1], float(sys.argv[2])
    print(json.dumps(train(_length) if _name == "wide" else play(_name, _length)))
