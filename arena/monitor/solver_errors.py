"""Truth during a training: how often the network that plays errs where the best move is known.

Measured without search on all positions and with a small search on a fixed part of them, as often
as costs two hundredths of the time together. No position of these sets is ever trained on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.players import Player, RawNetworkPlayer, SearchPlayer
from agents.progress import Progress
from envs.game import Game
from mcts.config import SearchConfig
from mcts.search import Evaluator

SIMULATIONS = 64
SEARCHED_POSITIONS = 50  # of each set
RAW_INTERVAL_S, SEARCH_INTERVAL_S = 30.0, 60.0
MOST_RAW_COST, MOST_SEARCH_COST = 0.005, 0.015  # share of the time that each may take

Errors = dict[str, float]  # error rate 0 to 1 by set


@dataclass(frozen=True)
class SolvedSet:
    """N positions and the moves that keep their game-theoretic result."""

    name: str
    states: NDArray[Any]  # records [N]
    good: NDArray[np.bool_]  # [N, A]

    def first(self, count: int) -> SolvedSet:
        """`count` of its positions, spread evenly over the set."""
        chosen = np.unique(np.linspace(0, len(self.states) - 1, count).astype(np.int64))
        return SolvedSet(self.name, self.states[chosen], self.good[chosen])


@dataclass(frozen=True)
class Truth:
    """The latest measurements, each with the seconds of training at which it was made."""

    raw: Errors = field(default_factory=dict)  # without search
    raw_at: float = -1.0
    searched: Errors = field(default_factory=dict)
    searched_at: float = -1.0
    simulations: int = SIMULATIONS


def solved_sets(game_name: str) -> list[SolvedSet]:
    """The positions with known best moves; none for a game without a solver."""
    makers = {"connect_four": _connect_four_sets, "tic_tac_toe": _tic_tac_toe_set}
    return makers[game_name]() if game_name in makers else []


def _connect_four_sets() -> list[SolvedSet]:
    from arena.solvers.connect_four.test_set import load_truth, move_errors
    from envs.connect_four import COLUMNS, GAME

    sets = []
    for name, truth in load_truth().items():
        states = np.concatenate([np.atleast_1d(GAME.position(m)) for m in truth.moves])
        wrong = [move_errors(np.full(len(truth), c), truth.scores) for c in range(COLUMNS)]
        sets.append(SolvedSet(name, states, ~np.stack(wrong, axis=1)))
    return sets


def _tic_tac_toe_set() -> list[SolvedSet]:
    from arena.solvers.tic_tac_toe import solve_tic_tac_toe
    from envs.tic_tac_toe import GAME

    solved = [p for p in solve_tic_tac_toe().values() if not p.is_terminal]
    good = np.zeros((len(solved), GAME.num_actions), np.bool_)
    for row, position in enumerate(solved):
        good[row, list(position.optimal_moves)] = True
    states = np.concatenate([np.atleast_1d(GAME.position(p.moves)) for p in solved])
    return [SolvedSet("all positions", states, good)]


def error_rates(player: Player, sets: list[SolvedSet]) -> Errors:
    """Share of the positions of each set where the player's move worsens the result."""
    chosen = player.analyze(np.concatenate([s.states for s in sets])).best_action
    rates, first = {}, 0
    for part in sets:
        count = len(part.states)
        kept = part.good[np.arange(count), chosen[first : first + count]]
        rates[part.name] = 1.0 - float(kept.mean())
        first += count
    return rates


class TruthMeter:
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
        self.latest = Truth()

    @property
    def sets(self) -> list[SolvedSet]:
        """The positions, loaded when first needed."""
        if self._sets is None:
            self._sets = solved_sets(self.game.name)
        return self._sets

    def __call__(self, progress: Progress) -> Truth:
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
