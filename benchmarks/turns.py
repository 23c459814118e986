"""Measurements in turns, so that changes of the machine's speed affect all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

Rate = Callable[[float], tuple[float, float]]
"""Measures for some seconds: units a second, and a core second, which other work on the machine
distorts less."""


def take_turns(
    rates: Mapping[str, Rate], seconds: float, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Measure each for `seconds`, one after the other, `rounds` times; return what each found."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in rates}
    for _ in range(rounds):
        for name, rate in rates.items():
            taken[name].append(rate(seconds))
    return taken


def medians(
    taken: Mapping[str, Sequence[tuple[float, float]]],
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the medians of rates a second, and of rates a core second."""
    wall = {name: statistics.median(pair[0] for pair in pairs) for name, pairs in taken.items()}
    core = {name: statistics.median(pair[1] for pair in pairs) for name, pairs in taken.items()}
    return wall, core
