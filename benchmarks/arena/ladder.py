"""Simulated ladders: the games saved by choosing pairs adaptively, and the bars' coverage.

Results are drawn from the ratings' model, for agents whose ratings are known. The ratings rise as
those of a run, or are close together while openings favour one side. `ludens rate` itself measures
how long a real ladder takes.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.match.openings import Opening, Openings
from arena.match.pool import PlannedBatch
from arena.match.records import Batch
from arena.match.workers import LocalPool
from arena.rating.elo import ELO, Ratings, Results, fit_ratings
from arena.rating.ladder import PAIRS_AT_ONCE, Ladder, LadderSettings
from benchmarks.machine import machine_facts, write_result
from envs.registry import find_game
from store import checkpoints
from store.run import create_run

FIRST_PLAYER_ELO, DRAWS = 60.0, 0.1  # what moving first is worth; nu of Davidson (1970)
MOST_GAMES = 200_000
TOURNAMENTS = 5  # ladders that are compared with a round-robin
LADDERS = 300  # for the bars' coverage
GAME = find_game("tic_tac_toe")  # never played: results are drawn at random


@dataclass(frozen=True)
class Scene:
    """Agents with random true ratings, and the required precision.

    Attributes:
        agents: number of checkpoints.
        width: bars in Elo at which the ladder ends.
        gain: Elo from the first to the last checkpoint, most of it early.
        scatter: standard deviation in Elo of a checkpoint around that curve.
        openings: standard deviation in Elo of an opening's value to the first player.
    """

    agents: int = 20
    width: float = 25.0
    gain: float = 1500.0
    scatter: float = 15.0
    openings: float = 0.0


TRAINING = Scene()
SCENES = {
    "a training run": TRAINING,
    "few checkpoints": Scene(agents=6, width=40.0, gain=500.0),
    # Equal agents: openings that favour a side flatten all other scores, so that no Elo is true.
    "openings that favour a side": Scene(8, 30.0, gain=0.0, scatter=0.0, openings=250.0),
}


class Found(NamedTuple):
    """The result of a tournament: games, widest bar in Elo, share of bars that cover the truth."""

    games: int
    widest: float
    covered: float


def true_ratings(scene: Scene, seed: int) -> NDArray[np.float64]:
    """Return the Elo of the checkpoints by step: steep at first, then flatter."""
    rng = np.random.default_rng(seed)
    curve = 1.0 - np.exp(-4.0 * np.arange(scene.agents) / (scene.agents - 1))
    return scene.gain * curve + rng.normal(0.0, scene.scatter, scene.agents)


class DrawnGames(LocalPool):
    """A `MatchPool` that draws results from the model, for agents with these ratings in Elo."""

    def __init__(
        self, store: str, elo: Mapping[str, float], rng: np.random.Generator, openings: float
    ) -> None:
        super().__init__(GAME, store)
        self.elo = elo
        self.rng = rng
        self.openings = openings

    def play(self, planned: PlannedBatch) -> Batch:
        """Draw the results of a batch; each pair has its own opening."""
        points = self.draw(*planned.key.agents, len(planned.openings))
        numbers = range(planned.first_pair, planned.end)
        ids = tuple(f"{planned.key.id} {number}" for number in numbers)
        return Batch(planned.first_pair, points, np.ones_like(points), ids)

    def draw(self, one: str, other: str, pairs: int) -> NDArray[np.int64]:
        """Draw half points [pairs, 2] of agent `one`, moving first and moving second."""
        difference = (self.elo[one] - self.elo[other]) / ELO
        favour = (FIRST_PLAYER_ELO + self.rng.normal(0.0, self.openings, pairs)) / ELO
        columns = []
        for x in (difference + favour, difference - favour):
            odds = np.stack([np.exp(-x / 2), np.full(pairs, DRAWS), np.exp(x / 2)], axis=1)
            reached = np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)
            columns.append((self.rng.random((pairs, 1)) > reached[:, :2]).sum(axis=1))
        return np.stack(columns, axis=1)


def adaptive(scene: Scene, seed: int, store: str) -> Found:
    """Play a ladder until its bars are narrow enough."""
    run = create_run(store, f"r{seed}", game=GAME.name, config={}, seed=0, versions={})
    for step in range(scene.agents):
        checkpoints.save(run, step, {checkpoints.MODEL_FILE: b""}, {})
    names = [f"r{seed}@{step}:sims=64" for step in range(scene.agents)]
    elo = dict(zip(names, true_ratings(scene, seed).tolist(), strict=True))
    pool = DrawnGames(store, elo, np.random.default_rng([seed, 1]), scene.openings)
    settings = LadderSettings(scene.width, most=2 * scene.agents, games=MOST_GAMES)
    ladder = Ladder(GAME, store, [run], {}, Openings("drawn", _boards), settings, pool)
    *_, last = ladder.play()
    return Found(last.new_games, last.widest, _covered(elo, last.ratings))


def _boards(seed: int) -> Iterator[Opening]:
    state = GAME.new_states(1)
    while True:
        yield Opening(state, 0)


def round_robin(scene: Scene, seed: int) -> Found:
    """Play a round-robin of pairs until its bars are as narrow as the ladder's."""
    names = [f"c{step}" for step in range(scene.agents)]
    elo = dict(zip(names, true_ratings(scene, seed).tolist(), strict=True))
    pool = DrawnGames("memory://", elo, np.random.default_rng([seed, 2]), scene.openings)
    results, rounds, more = Results(), 0, 1
    while more:
        for one, other in combinations(names, 2):
            points = pool.draw(one, other, more)
            results.add(one, other, Batch(0, points, points).outcomes())
        rounds += more
        ratings = fit_ratings(results)
        is_wide = ratings.error_bars().max() > scene.width
        more = max(1, rounds // 20) if is_wide else 0  # 5% steps: close enough, with few fits
    games = rounds * scene.agents * (scene.agents - 1)
    return Found(games, float(ratings.error_bars().max()), _covered(elo, ratings))


def _covered(elo: Mapping[str, float], ratings: Ratings) -> float:
    """Return the share of agents whose bar covers the true rating; both relative to their mean."""
    truth = np.array([elo[name] for name in ratings.agents])
    off = np.abs(ratings.elo - (truth - truth.mean()))
    return float((off <= ratings.error_bars()).mean())


def coverage(scene: Scene, seeds: Sequence[int]) -> tuple[float, float]:
    """Return (share of bars that cover the true rating, its standard error) over these seeds.

    The bars of one ladder are not independent, so the sample is the ladders.
    """
    with tempfile.TemporaryDirectory() as store:
        covered = [adaptive(scene, seed, store).covered for seed in seeds]
    return statistics.mean(covered), statistics.stdev(covered) / math.sqrt(len(covered))


def measure(tournaments: int = TOURNAMENTS, ladders: int = LADDERS) -> dict[str, Any]:
    """Measure ladder and round-robin on several simulated runs, then the bars' coverage."""
    facts = machine_facts()
    with tempfile.TemporaryDirectory() as store:
        climbed = [adaptive(TRAINING, seed, store) for seed in range(tournaments)]
    tables = [round_robin(TRAINING, seed) for seed in range(tournaments)]
    pairs = zip(climbed, tables, strict=True)
    return {
        "checkpoints": TRAINING.agents,
        "width": TRAINING.width,
        "pairs_at_once": PAIRS_AT_ONCE,
        "ladder_games": [found.games for found in climbed],
        "round_robin_games": [found.games for found in tables],
        "ratio": round(statistics.median(one.games / other.games for one, other in pairs), 3),
        "coverage": {name: _measured(scene, ladders) for name, scene in SCENES.items()},
        "machine": facts,
    }


def _measured(scene: Scene, ladders: int) -> dict[str, Any]:
    share, error = coverage(scene, range(ladders))
    found = {"covered": round(share, 4), "standard_error": round(error, 4)}
    return {**asdict(scene), "ladders": ladders, **found}


def run(seconds: float, peer_python: str | None) -> None:
    """Measure, print the figures and write results/ladder.json."""
    result = measure()
    path = write_result("ladder", result)
    print(
        f"ladder: {TRAINING.agents} checkpoints to +-{TRAINING.width:g} Elo: "
        f"{statistics.median(result['ladder_games']):,.0f} games, round-robin "
        f"{statistics.median(result['round_robin_games']):,.0f}: {result['ratio']}"
    )
    for name, found in result["coverage"].items():
        print(
            f"  {name}: 95% bars cover {100 * found['covered']:.1f}% "
            f"+- {196 * found['standard_error']:.1f}% of {found['ladders']} ladders' ratings"
        )
    print(f"  -> {path}")
