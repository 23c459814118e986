"""Journals of trainings that never were, for those who read them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from agents.progress import Progress
from arena.match.records import Batch, MatchKey, MatchLog
from arena.monitor.solver_errors import SolverErrors
from selfplay.journal import stand_in, to_record
from store.progress.log import ProgressWriter
from store.run import Run, create_run

BEGUN = 1.7e9  # seconds since 1970


def make_run(store: str, name: str = "r", game: str = "tic_tac_toe", **config: Any) -> Run:
    return create_run(store, name, game=game, config=config, seed=3, versions={"python": "3.11"})


def stage(elapsed_s: float, **changes: Any) -> Progress:
    """A training after so many seconds of a day: 10 games and a learner's step each second."""
    steps = int(elapsed_s)
    falling = math.exp(-elapsed_s / 20_000)
    made = Progress(
        event="learned",
        evaluator=cast(Any, None),
        elapsed_s=elapsed_s,
        budget_s=86_400.0,
        games=10 * steps,
        games_goal=0,
        positions=200 * steps,
        moves=300 * steps,
        simulations=30_000 * steps,
        evaluations=9000 * steps,
        cache_hits=2000 * steps,
        proven_leaves=1000 * steps,
        proven_roots=steps,
        simulations_per_s=30_000.0,
        evaluations_per_s=9000.0,
        learner_steps=steps,
        policy_loss=1.0 + falling,
        value_loss=0.5 + 0.3 * falling,
        learning_rate=2e-3,
        network_version=steps,
        games_in_flight=256,
        mean_plies=30.0,
        resign_false_positive=None,
        first_game_s=5.0,
    )
    return dataclasses.replace(made, **changes)


def truth(elapsed_s: float) -> SolverErrors:
    """What was measured of it, in the last minute."""
    at = elapsed_s - elapsed_s % 60
    rate = 0.6 * math.exp(-at / 20_000)
    names = ("begin_easy", "middle_easy", "end_easy")
    return SolverErrors(dict.fromkeys(names, rate), at, dict.fromkeys(names, rate / 3), at)


def record_match(run: Run, agents: tuple[str, str], points: list[list[int]]) -> None:
    """A match by the half points of each pair of games, the first agent moving first and second."""
    key = MatchKey(run.info.game, agents, 0, "none")
    pairs = np.array(points)
    MatchLog(run.files, key).write(Batch(0, pairs, np.full_like(pairs, 9)))


def write_session(
    run: Run, stages: Iterable[Progress], begun: float = BEGUN, **about: Any
) -> ProgressWriter:
    """A session of these stages, each recorded at its second after `begun`; it is left open."""
    writer = ProgressWriter(run.files, about, stand_in, now=lambda: begun)
    for made in stages:
        time = begun + made.elapsed_s
        writer.append(to_record(made, truth(made.elapsed_s), made.notices, time))
        writer.flush()
    return writer
