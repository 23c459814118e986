"""AlphaZero on a graphics card: inference, self-play, the learner, and Connect Four learned.

The time to AlphaZero.jl's errors is that of the first checkpoint whose errors, on each of six sets
of solved positions, are not above those that AlphaZero.jl publishes, at their printed precision.
The checkpoints are measured when the training is over, so that it runs undisturbed. Without `sets`
the positions are the project's own; AlphaZero.jl's figures are of Pascal Pons' public ones.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from agents.alphazero.bench import measure, raw_speed
from agents.alphazero.config import AlphaZeroConfig, NetworkConfig
from agents.alphazero.graphed import GraphedInference
from agents.alphazero.inference import NetworkEvaluator, load_evaluator
from agents.alphazero.network import build_network
from agents.alphazero.player import PLAYING_SIMULATIONS
from agents.alphazero.speed import learner_speeds
from agents.players import SearchPlayer
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


def inference_rates(seconds: float) -> dict[str, dict[str, dict[str, float]]]:
    """Measure evaluations/s by network, way of computing and batch; each for `seconds`."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, (game_name, config) in NETWORKS.items():
        game = find_game(game_name)
        state = build_network(game, config, 0).state_dict()
        evaluator = NetworkEvaluator(game, config, state, device="cuda")
        found[name] = {}
        for way, changed in _ways(evaluator):
            rates = {str(batch): raw_speed(changed, batch, seconds) for batch in BATCHES}
            found[name][way] = rounded(rates)
            print(f"  {name:20} {way:16} {_listed(rates)} evaluations/s", flush=True)
    return found


def _ways(evaluator: NetworkEvaluator) -> Iterator[tuple[str, Any]]:
    """Yield a network computed kernel by kernel, as a graph, and compiled and as a graph."""
    yield "kernel by kernel", evaluator.without_graphs()
    yield "graph", evaluator
    if evaluator.config.filters == 64:  # the others take minutes to compile
        compiled = torch.compile(evaluator.module, dynamic=False)
        graphed = GraphedInference(compiled, evaluator.game, evaluator.device)
        yield "compiled, graph", _With(evaluator, graphed)


class _With:
    """An evaluator's game, and another way of computing it."""

    def __init__(self, evaluator: NetworkEvaluator, call: GraphedInference) -> None:
        self.game = evaluator.game
        self._call = call

    def __call__(self, leaves: Any) -> Any:
        return self._call(leaves)


def _listed(rates: dict[str, float]) -> str:
    return ", ".join(f"{rate:,.0f} at {batch}" for batch, rate in rates.items())


def learned(config: AlphaZeroConfig, sets: list[SolvedSet]) -> dict[str, Any]:
    """Train for `config.minutes`, then measure the checkpoints; see the module's text."""
    with TemporaryDirectory() as folder:
        for progress in train(config, store_url=folder, run_name="gpu"):
            if progress.event == "checkpoint":
                print(f"  {progress.elapsed_s:.0f} s: {progress.games:,} games", flush=True)
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


def _steps(folder: str) -> list[int]:
    """Return the steps of the checkpoints of the second half, where the rate falls."""
    steps = checkpoints.steps(open_run(folder, "gpu"))
    return steps[len(steps) // 2 :]


def _measured(
    run: Run, step: int, sets: list[SolvedSet], config: AlphaZeroConfig
) -> dict[str, Any]:
    evaluator = load_evaluator(GAME, run, step, config.device)
    evaluators = [evaluator, *(evaluator.replica() for _ in range(EVALUATORS - 1))]
    search = replace(config.search, simulations=PLAYING_SIMULATIONS, solve=True, tree_reuse=False)
    rates = error_rates(SearchPlayer(GAME, evaluators, search), sets)
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
        """Write what is known by now: a lent machine may be taken back."""
        result[name] = value
        write_result("gpu", result)
        print(f"gpu: {name} after {time.monotonic() - began:.0f} s", flush=True)

    played = rounded(measure(config, seconds, repetitions=2))
    print(
        f"  {played['simulations_per_s']:,} simulations/s, {played['evaluations_per_s']:,} of them"
    )
    keep("selfplay", played)
    positions = sets_of(Path(sets)) if sets else ConnectFour().solved_sets()
    trained = replace(config, minutes=config.minutes * seconds / 30.0, keep_all=True)
    keep("learned", {"sets": "Pons" if sets else "own", **learned(trained, positions)})
    rows = learner_speeds(GAME, config, seconds / 3)
    keep("learner_rows_per_s", rounded({str(batch): rate for batch, rate in rows.items()}))
    keep("inference", inference_rates(seconds / 60.0))
