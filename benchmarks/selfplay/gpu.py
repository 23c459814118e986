"""AlphaZero on a graphics card: inference, self-play, the learner, and Connect Four learned.

The time to AlphaZero.jl's errors is that of the first checkpoint whose errors, on each of six sets
of solved positions, are not above those that AlphaZero.jl publishes, at their printed precision.
The checkpoints are measured when the training is over, so that it runs undisturbed. Without `sets`
the positions are the project's own; AlphaZero.jl's figures are of Pascal Pons' public ones.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from agents.alphazero.bench import leaves_like, measure, raw_speed
from agents.alphazero.config import AlphaZeroConfig, NetworkConfig
from agents.alphazero.inference import NetworkEvaluator, load_evaluator
from agents.alphazero.network import build_network
from agents.alphazero.player import playing_config
from agents.alphazero.speed import learner_speeds
from agents.players import SearchPlayer
from agents.progress import Progress
from arena.solvers.connect_four.adapter import ConnectFour
from arena.solvers.error_rates import error_rates
from arena.solvers.solver import SolvedSet
from benchmarks.machine import machine_facts, write_result
from benchmarks.selfplay.throughput import rounded
from configs.loader import load_config_of
from envs.connect_four import GAME
from envs.registry import find_game
from selfplay.loop import train
from store import checkpoints
from store.run import Run, open_run

PRESET = "connect_four_gpu"
# A game and its network: this preset's, AlphaZero.jl's, and AlphaZero's.
NETWORKS = {
    "connect_four 5x64": ("connect_four", NetworkConfig(5, 64, 16, 128)),
    "connect_four 5x128": ("connect_four", NetworkConfig(5, 128, 16, 128)),
    "chess 19x256": ("chess", NetworkConfig(19, 256, 16, 256)),
}
BATCHES = (64, 256, 1024)
# AlphaZero.jl's errors in percent and half of their last printed digit (its documentation).
PUBLISHED = {
    "begin_easy": (0.0, 0.5),
    "middle_easy": (0.0, 0.5),
    "end_easy": (0.0, 0.5),
    "begin_medium": (2.0, 0.5),
    "middle_medium": (2.8, 0.05),
    "begin_hard": (7.5, 0.05),
}
EVALUATORS = 8  # threads that measure a checkpoint


def inference_rates(seconds: float, ways: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Measure evaluations/s by network, way of computing and batch; each for `seconds`."""
    found: dict[str, dict[str, Any]] = {}
    for name, (game_name, config) in NETWORKS.items():
        game = find_game(game_name)
        state = build_network(game, config, 0).state_dict()
        evaluator = NetworkEvaluator(game, config, state, device="cuda")
        found[name] = {"fuses": evaluator.fuses}
        for way in ways:
            if way == "compiled" and config.filters > 64:  # minutes of compiling
                continue
            changed = _computed(evaluator, way)
            rates = {str(batch): raw_speed(changed, batch, seconds) for batch in BATCHES}
            found[name][way] = rounded(rates)
            listed = ", ".join(f"{rate:,.0f} at {batch}" for batch, rate in rates.items())
            print(f"  {name:20} {way:8} {listed} evaluations/s", flush=True)
    return found


def _computed(evaluator: NetworkEvaluator, way: str) -> NetworkEvaluator:
    """Return the network computed "eager", kernel by kernel, as a "graph", or "compiled" too."""
    if way == "graph":
        return evaluator
    return evaluator.without_graphs() if way == "eager" else evaluator.compiled()


def thread_rates(config: AlphaZeroConfig, seconds: float) -> dict[str, float]:
    """Measure evaluations/s of the preset's network by threads, each with a shard's batch."""
    game, state = GAME, build_network(GAME, config.network, 0).state_dict()
    evaluator = NetworkEvaluator(game, config.network, state, device="cuda")
    most, batch = config.selfplay.shards, config.selfplay.games // config.selfplay.shards
    evaluators = [evaluator, *(evaluator.replica() for _ in range(most - 1))]
    rates = {}
    for count in sorted({1, most // 4, most // 2, most} - {0}):
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda e: e(leaves_like(game, batch)), evaluators[:count]))
            each = pool.map(lambda e: raw_speed(e, batch, seconds), evaluators[:count])
            rates[str(count)] = float(sum(each))
            print(f"  {count} threads: {rates[str(count)]:,.0f} evaluations/s", flush=True)
    return rates


def learned(config: AlphaZeroConfig, sets: list[SolvedSet]) -> dict[str, Any]:
    """Train for `config.minutes`, then measure the checkpoints; see the module's text."""
    with TemporaryDirectory() as folder:
        for progress in train(config, store_url=folder, run_name="gpu"):
            if progress.event in ("checkpoint", "finished"):
                print(f"  {_line(progress)}", flush=True)
        curve = [_measured(open_run(folder, "gpu"), step, sets, config) for step in _steps(folder)]
    reached = [point for point in curve if point["reached"]]
    return {
        "games": progress.games,
        "training_rows": progress.positions,
        "learner_steps": progress.learner_steps,
        "seconds": round(progress.elapsed_s, 1),
        "seconds_to_the_published_errors": reached[0]["seconds"] if reached else None,
        "published": {name: bar for name, (bar, _) in PUBLISHED.items()},
        "curve": curve,
    }


def _line(progress: Progress) -> str:
    figures = ", ".join(f"{name} {value:,.4g}" for name, value in progress.metrics.items() if value)
    return f"{progress.elapsed_s:.0f} s: {progress.games:,} games, {figures}"


def _steps(folder: str) -> list[int]:
    """Return the steps of the checkpoints of the second half, where the rate falls."""
    steps = checkpoints.steps(open_run(folder, "gpu"))
    return steps[len(steps) // 2 :]


def _measured(
    run: Run, step: int, sets: list[SolvedSet], config: AlphaZeroConfig
) -> dict[str, Any]:
    evaluator = load_evaluator(GAME, run, step, config.device)
    evaluators = [evaluator, *(evaluator.replica() for _ in range(EVALUATORS - 1))]
    rates = error_rates(SearchPlayer(GAME, evaluators, playing_config(run)), sets)
    percent = {name: round(100.0 * rate, 2) for name, rate in rates.items()}
    seconds = round(float(checkpoints.read_metadata(run, step)["elapsed_s"]), 1)
    reached = all(percent[name] <= bar + margin for name, (bar, margin) in PUBLISHED.items())
    print(f"  {seconds:.0f} s: errors {' '.join(map(str, percent.values()))}%", flush=True)
    return {"step": step, "seconds": seconds, "errors_percent": percent, "reached": reached}


def sets_of(folder: Path) -> list[SolvedSet]:
    """Read `<set>.txt` for each of the six sets: columns, score, and the result of each move.

    Raises ValueError for a line of another form, OSError for a missing file.
    """
    return [_set_of(name, folder / f"{name}.txt") for name in PUBLISHED]


def _set_of(name: str, path: Path) -> SolvedSet:
    states, good = [], []
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
        fields = line.split()
        if len(fields) != 2 + GAME.num_actions:
            raise ValueError(f"{path}:{number}: expected columns, a score and 7 results: {line!r}")
        results = [-2 if each == "x" else int(each) for each in fields[2:]]
        states.append(np.atleast_1d(GAME.position([int(c) - 1 for c in fields[0]])))
        good.append([result == max(results) for result in results])
    return SolvedSet(name, np.concatenate(states), np.array(good))


def run(seconds: float, peer_python: str | None, sets: str | None = None) -> None:
    """Measure everything and write results/gpu.json; about six minutes at 30 seconds."""
    if not torch.cuda.is_available():
        print("gpu: skipped, as PyTorch finds no graphics card")
        return
    config = load_config_of(AlphaZeroConfig, PRESET)
    began = time.monotonic()
    facts = {**machine_facts(), "card": torch.cuda.get_device_name(0)}
    result: dict[str, Any] = {"machine": facts, "preset": PRESET}

    def keep(name: str, value: Any) -> None:
        """Write what is known by now: a machine may be taken back at any time."""
        result[name] = value
        write_result("gpu", result)
        print(f"gpu: {name} after {time.monotonic() - began:.0f} s", flush=True)

    keep("inference", inference_rates(seconds / 60.0, ("eager", "graph")))
    keep("evaluations_per_s_by_threads", rounded(thread_rates(config, seconds / 20.0)))
    played = rounded(measure(config, seconds, repetitions=2))
    made, evaluated = played["simulations_per_s"], played["evaluations_per_s"]
    print(f"  {made:,} simulations/s, {evaluated:,} evaluations/s", flush=True)
    keep("selfplay", played)
    positions = sets_of(Path(sets)) if sets else ConnectFour().solved_sets()
    trained = replace(config, minutes=config.minutes * seconds / 30.0, keep_all=True)
    keep("learned", {"sets": "Pons" if sets else "own", **learned(trained, positions)})
    rows = learner_speeds(GAME, config, seconds / 3)
    keep("learner_rows_per_s", rounded({str(batch): rate for batch, rate in rows.items()}))
    keep("inference_compiled", inference_rates(seconds / 60.0, ("compiled",)))
