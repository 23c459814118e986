"""Compare the speed of self-play with the raw speed of its network."""

from __future__ import annotations

from typing import Any

from agents.alphazero import bench
from agents.alphazero.config import AlphaZeroConfig
from benchmarks.machine import machine_facts, write_result
from configs.loader import load_config_of

PRESETS = ("connect_four", "go9", "chess_small")


def measure(config: AlphaZeroConfig, seconds: float = 20.0) -> dict[str, Any]:
    """Measure simulations/s of self-play and evaluations/s of the network at its best batch.

    See `agents.alphazero.bench.measure`; it takes about `seconds`, compilation not included.
    """
    facts = machine_facts()
    return {**rounded(bench.measure(config, seconds)), "machine": facts}


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """Round rates to whole numbers, and ratios ("ratio", "..._over_raw") to three decimals."""
    rounded: dict[str, Any] = {}
    for name, figure in figures.items():
        if isinstance(figure, list):
            rounded[name] = [round(part, 3) for part in figure]
        elif isinstance(figure, float):
            is_ratio = name.startswith("ratio") or name.endswith("_over_raw")
            rounded[name] = round(figure, 3) if is_ratio else round(figure)
        else:
            rounded[name] = figure
    return rounded


def run(seconds: float, peer_python: str | None) -> None:
    """Measure each preset, print two lines and write results/selfplay_<preset>.json."""
    for preset in PRESETS:
        result = measure(load_config_of(AlphaZeroConfig, preset), seconds)
        path = write_result(f"selfplay_{preset}", result)
        for what in ("simulations", "evaluations"):
            rate = f"{result[f'{what}_per_s']:,} {what}/s"
            raw = f"{result['raw_evaluations_per_s']:,} raw evaluations/s"
            print(f"selfplay {preset:14} {rate} over {raw}: {result[f'{what}_over_raw']}")
        print(f"  -> {path}")
