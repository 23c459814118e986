"""Compare the speed of acting with a network with that of the bare environments."""

from __future__ import annotations

from typing import Any

from agents.registry import method_of
from benchmarks.machine import machine_facts, write_result
from benchmarks.selfplay.throughput import rounded
from configs.loader import load_config

PRESETS = ("breakout",)


def measure(preset: str, seconds: float = 20.0) -> dict[str, Any]:
    """Measure how fast a preset's actor acts; see the `bench` of its algorithm.

    It takes about `seconds`. Raises ConfigError for an unknown preset.
    """
    config, facts = load_config(preset), machine_facts()
    return {**rounded(method_of(config).bench(config, seconds)), "machine": facts}


def run(seconds: float, peer_python: str | None) -> None:
    """Measure each preset, print a line and write results/acting_<preset>.json."""
    for preset in PRESETS:
        result = measure(preset, seconds)
        path = write_result(f"acting_{preset}", result)
        rate = f"{result['agent_steps_per_second']:,} agent steps/s"
        bare = f"{result['environment_steps_per_second']:,} steps/s of the bare environments"
        print(f"acting {preset:14} {rate} over {bare}: {result['ratio']}\n  -> {path}")
