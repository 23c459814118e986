"""Games until all bars of a ladder are narrow: the adaptive choice of pairs against round-robin.

Games are drawn from the ratings' own model, with ratings that rise as those of a training do, so
that only the choice of who plays whom is measured. How long a real ladder takes is measured by
`ludens rate` itself.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.ladder import PAIRS_AT_ONCE, Ladder, LadderSettings
from arena.match_pool import PlannedBatch
from arena.match_records import Batch
from arena.match_workers import LocalPool
from arena.openings import random_openings
from arena.ratings import ELO, Results, fit_ratings
from benchmarks.machine import machine_facts, write_result
from envs.registry import find_game
from store import checkpoints
from store.run import create_run

CHECKPOINTS, WIDTH = 20, 25.0
GAIN_ELO, SCATTER_ELO = 1500.0, 15.0  # over a training, and of one checkpoint
FIRST_PLAYER_ELO, DRAWS = 60.0, 0.1  # what moving first is worth; nu of Davidson (1970)
MOST_GAMES = 200_000
TOURNAMENTS = 5
GAME = find_game("tic_tac_toe")  # for the openings that nobody plays


def true_ratings(seed: int, count: int = CHECKPOINTS) -> NDArray[np.float64]:
    """Elo of checkpoints in the order of their training: fast at first, then ever slower."""
    rng = np.random.default_rng(seed)
    course = 1.0 - np.exp(-4.0 * np.arange(count) / (count - 1))
    return GAIN_ELO * course + rng.normal(0.0, SCATTER_ELO, count)


class DrawnGames(LocalPool):
    """A `MatchPool` whose games are drawn from the model, of agents with these ratings in Elo."""

    def __init__(self, store: str, elo: Mapping[str, float], rng: np.random.Generator) -> None:
        super().__init__(GAME, store)
        self.elo = elo
        self.rng = rng

    def play(self, planned: PlannedBatch) -> Batch:
        """The batch, drawn."""
        points = self.draw(*planned.key.agents, len(planned.openings))
        return Batch(planned.first_pair, points, np.ones_like(points))

    def draw(self, one: str, other: str, pairs: int) -> NDArray[np.int64]:
        """Half points [pairs, 2] of the first-named agent, moving first and moving second."""
        difference = (self.elo[one] - self.elo[other]) / ELO
        columns = []
        for advantage in (FIRST_PLAYER_ELO / ELO, -FIRST_PLAYER_ELO / ELO):
            x = difference + advantage
            odds = np.array([math.exp(-x / 2), DRAWS, math.exp(x / 2)])
            columns.append(self.rng.choice(3, pairs, p=odds / odds.sum()))
        return np.stack(columns, axis=1)


def adaptive(seed: int, store: str) -> dict[str, float]:
    """Games that the ladder plays, and how far its ratings are from the truth."""
    run = create_run(store, f"r{seed}", game=GAME.name, config={}, seed=0, versions={})
    for step in range(CHECKPOINTS):
        checkpoints.save(run, step, {checkpoints.MODEL_FILE: b""}, {})
    names = [f"r{seed}@{step}:sims=64" for step in range(CHECKPOINTS)]
    elo = dict(zip(names, true_ratings(seed).tolist(), strict=True))
    pool = DrawnGames(store, elo, np.random.default_rng([seed, 1]))
    settings = LadderSettings(WIDTH, most=2 * CHECKPOINTS, games=MOST_GAMES)
    ladder = Ladder(GAME, store, [run], {}, random_openings(GAME), settings, pool)
    for position in ladder.climb():
        last = position
    truth = np.array([elo[name] for name in last.ratings.agents])
    off = np.abs(last.ratings.elo - (truth - truth.mean()))
    return {"games": last.new_games, "widest": last.widest, "covered": _covered(off, last.ratings)}


def round_robin(seed: int) -> dict[str, float]:
    """Games of a round-robin of pairs until its bars are as narrow."""
    names = [f"c{step}" for step in range(CHECKPOINTS)]
    elo = dict(zip(names, true_ratings(seed).tolist(), strict=True))
    pool = DrawnGames("memory://", elo, np.random.default_rng([seed, 2]))
    results, rounds, more = Results(), 0, 1
    while more:
        for one, other in combinations(names, 2):
            points = pool.draw(one, other, more)
            results.add(one, other, Batch(0, points, points).outcomes())
        rounds += more
        ratings = fit_ratings(results)
        is_wide = ratings.error_bars().max() > WIDTH
        more = max(1, rounds // 20) if is_wide else 0  # so exact, and no more fits than need be
    games = rounds * CHECKPOINTS * (CHECKPOINTS - 1)
    truth = np.array([elo[name] for name in ratings.agents])
    off = np.abs(ratings.elo - (truth - truth.mean()))
    widest = float(ratings.error_bars().max())
    return {"games": games, "widest": widest, "covered": _covered(off, ratings)}


def _covered(off: NDArray[np.float64], ratings: Any) -> float:
    """Share of the agents whose bar reaches the truth."""
    return float((off <= ratings.error_bars()).mean())


def measure(tournaments: int = TOURNAMENTS) -> dict[str, Any]:
    """Both ways of choosing, over several drawn trainings."""
    facts = machine_facts()
    with tempfile.TemporaryDirectory() as store:
        ladders = [adaptive(seed, store) for seed in range(tournaments)]
    tables = [round_robin(seed) for seed in range(tournaments)]
    return {
        "checkpoints": CHECKPOINTS,
        "width": WIDTH,
        "pairs_at_once": PAIRS_AT_ONCE,
        "ladder_games": [found["games"] for found in ladders],
        "round_robin_games": [found["games"] for found in tables],
        "ladder_covered": round(statistics.mean(found["covered"] for found in ladders), 3),
        "round_robin_covered": round(statistics.mean(found["covered"] for found in tables), 3),
        "ratio": round(
            statistics.median(
                one["games"] / other["games"] for one, other in zip(ladders, tables, strict=True)
            ),
            3,
        ),
        "machine": facts,
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Measure, print a line and write results/ladder.json."""
    result = measure()
    path = write_result("ladder", result)
    print(
        f"ladder: {CHECKPOINTS} checkpoints to +-{WIDTH:g} Elo: "
        f"{statistics.median(result['ladder_games']):,.0f} games, round-robin "
        f"{statistics.median(result['round_robin_games']):,.0f}: {result['ratio']}"
    )
    print(f"  -> {path}")
