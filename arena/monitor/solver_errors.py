"""The error rates of the network that plays, measured during training where a solver knows.

Measured without search on all positions and with a small search on a fixed part of them, as often
as costs two hundredths of the time together. No position of these sets is ever trained on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from agents.players import RawNetworkPlayer, SearchPlayer
from agents.progress import Progress
from arena.solvers.error_rates import Errors, error_rates
from arena.solvers.registry import solved_sets
from arena.solvers.solver import SolvedSet
from envs.game import Game
from mcts.config import SearchConfig
from mcts.search import Evaluator

SIMULATIONS = 64
SEARCHED_POSITIONS = 50  # of each set
RAW_INTERVAL_S, SEARCH_INTERVAL_S = 30.0, 60.0
MOST_RAW_COST, MOST_SEARCH_COST = 0.005, 0.015  # share of the time that each may take


@dataclass(frozen=True)
class SolverErrors:
    """The latest measurements, each with the seconds of training at which it was made."""

    raw: Errors = field(default_factory=dict)  # without search
    raw_at: float = -1.0
    searched: Errors = field(default_factory=dict)
    searched_at: float = -1.0
    simulations: int = SIMULATIONS


class SolverErrorMeter:
    """Measures whenever it is due, and remembers the latest result."""

    def __init__(
        self,
        game: Game,
        search: SearchConfig,
        *,
        sets: list[SolvedSet] | None = None,
        searched_positions: int = SEARCHED_POSITIONS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.game = game
        self.search = replace(search, simulations=SIMULATIONS, solve=True, tree_reuse=False)
        self._sets = sets
        self._searched_positions = searched_positions
        self._clock = clock
        self._raw_due = self._searched_due = 0.0
        self._compiled: set[Callable[[Evaluator], Errors]] = set()
        self._measured_version = 0  # of the network that both measurements have seen
        self.latest = SolverErrors()

    @property
    def sets(self) -> list[SolvedSet]:
        """The positions, loaded when first needed."""
        if self._sets is None:
            self._sets = solved_sets(self.game.name)
        return self._sets

    def __call__(self, progress: Progress) -> SolverErrors:
        """Measure what is due of the network that plays, and return the latest results."""
        now, version = progress.elapsed_s, progress.network_version
        if progress.event in ("compiling", "started") or not self.sets:
            self._measured_version = version
        if version == self._measured_version:  # at first a network that knows nothing
            return self.latest
        last = progress.event == "finished" and 0 < progress.budget_s <= now
        if last or now >= self._raw_due:
            raw, cost = self._timed(self._raw_errors, progress.evaluator)
            self._raw_due = now + max(RAW_INTERVAL_S, cost / MOST_RAW_COST)
            self.latest = replace(self.latest, raw=raw, raw_at=now)
        if last or now >= self._searched_due:
            searched, cost = self._timed(self._searched_errors, progress.evaluator)
            self._searched_due = now + max(SEARCH_INTERVAL_S, cost / MOST_SEARCH_COST)
            self.latest = replace(self.latest, searched=searched, searched_at=now)
            self._measured_version = version
        return self.latest

    def _timed(
        self, errors: Callable[[Evaluator], Errors], evaluator: Evaluator
    ) -> tuple[Errors, float]:
        """The error rates, and the seconds they took; 0 for the first, which compiles too."""
        began = self._clock()
        rates = errors(evaluator)
        cost = self._clock() - began if errors in self._compiled else 0.0
        self._compiled.add(errors)
        return rates, cost

    def _raw_errors(self, evaluator: Evaluator) -> Errors:
        return error_rates(RawNetworkPlayer(self.game, evaluator), self.sets)

    def _searched_errors(self, evaluator: Evaluator) -> Errors:
        parts = [s.first(self._searched_positions) for s in self.sets]
        return error_rates(SearchPlayer(self.game, [evaluator], self.search), parts)
