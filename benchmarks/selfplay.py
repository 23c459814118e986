"""Self-play against the raw speed of its own network, as JSON with the machine's facts."""

from __future__ import annotations

from typing import Any

from benchmarks.machine import machine_facts
from selfplay import bench
from selfplay.config import TrainConfig


def measure(config: TrainConfig, seconds: float = 20.0) -> dict[str, Any]:
    """Simulations/s of self-play and evaluations/s of the network at its best batch, in one run.

    See `selfplay.bench.measure`; the measurement takes about `seconds`, compilation not included.
    """
    facts = machine_facts()
    found = bench.measure(config, seconds)
    figures = {
        name: round(figure, 3 if "ratio" in name else 0) if isinstance(figure, float) else figure
        for name, figure in found.items()
    }
    return {**figures, "machine": facts}
