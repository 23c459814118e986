"""Measure the acting policy's error rates during training, for games with a solver.

Every probe of the algorithm (its network alone, say, and with a small search) is measured as often
as takes 2% of the time in total. The solvers' scores are never trained on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from agents.players import Probe
from agents.progress import Measured, Progress
from arena.solvers.error_rates import Errors, error_rates
from arena.solvers.registry import solved_sets
from arena.solvers.solver import SolvedSet

MOST_COST = 0.02  # share of the time that all measuring may take

MakeProbes = Callable[[Any], Iterable[Probe]]
"""The players to measure a policy by (`agents.learning_method.LearningMethod.probes`)."""


class SolverErrorMeter:
    """Measures each probe when it is due, and keeps the latest results.

    Args:
        game: the name of the game; without a solver nothing is measured.
        probes: makes the probes of a policy.
        sets: the positions with known best moves; by default those of the game's solver.
        clock: seconds, for what a measurement costs.
    """

    def __init__(
        self,
        game: str,
        probes: MakeProbes,
        *,
        sets: list[SolvedSet] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._game = game
        self._make_probes = probes
        self._sets = sets
        self._clock = clock
        self._due: dict[str, float] = {}
        self._measured_version: dict[str, int] = {}  # of the weights, by the probe's name
        self._ignored_version = 0  # weights from before this session's first stage
        self._latest: dict[str, Measured] = {}
        self._compiled: set[str] = set()

    @property
    def sets(self) -> list[SolvedSet]:
        """Return the positions, loaded on first use."""
        if self._sets is None:
            self._sets = solved_sets(self._game)
        return self._sets

    def __call__(self, progress: Progress) -> Progress:
        """Measure what is due, and return the stage with the latest measurements."""
        if progress.event in ("compiling", "started") or not self.sets:
            self._ignored_version = progress.network_version
        if progress.network_version != self._ignored_version:
            self._measure_what_is_due(progress)
        return replace(progress, measured=tuple(self._latest.values()))

    def _measure_what_is_due(self, progress: Progress) -> None:
        now, version = progress.elapsed_s, progress.network_version
        is_last = progress.event == "finished" and 0 < progress.budget_s <= now
        probes = list(self._make_probes(progress.policy))
        whole = sum(probe.cost for probe in probes)
        for probe in probes:
            is_new = self._measured_version.get(probe.name) != version
            if is_new and (is_last or now >= self._due.get(probe.name, 0.0)):
                shares, seconds = self._timed(probe)
                most = MOST_COST * probe.cost / whole
                self._due[probe.name] = now + max(probe.interval_s, seconds / most)
                self._measured_version[probe.name] = version
                self._latest[probe.name] = Measured(probe.name, now, shares)

    def _timed(self, probe: Probe) -> tuple[Errors, float]:
        """Measure error rates and the seconds taken; 0 for the first, which also compiles."""
        sets = self.sets
        if probe.positions:
            sets = [part.first(probe.positions) for part in sets]
        began = self._clock()
        rates = error_rates(probe.player, sets)
        seconds = self._clock() - began if probe.name in self._compiled else 0.0
        self._compiled.add(probe.name)
        return rates, seconds
