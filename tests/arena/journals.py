"""Journals of trainings that never were, for those who read them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from agents.progress import Measured, Progress
from arena.match.records import Batch, MatchKey, MatchLog
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
        policy=None,
        elapsed_s=elapsed_s,
        budget_s=86_400.0,
        games=10 * steps,
        games_goal=0,
        positions=200 * steps,
        learner_steps=steps,
        network_version=steps,
        games_in_flight=256,
        first_game_s=5.0,
        metrics={
            "simulations_per_s": 30_000.0,
            "evaluations_per_s": 9000.0,
            "cache_hit_share": 0.1667,
            "proven_leaf_share": 0.0833,
            "policy_loss": 1.0 + falling,
            "value_loss": 0.5 + 0.3 * falling,
            "learning_rate": 2e-3,
            "mean_plies": 30.0,
            "resign_false_positive": None,
            "simulations": 30_000 * steps,
        },
        measured=measured(elapsed_s),
    )
    return dataclasses.replace(made, **changes)


def measured(elapsed_s: float) -> tuple[Measured, ...]:
    """The measurements of such a training, in the last minute."""
    at = elapsed_s - elapsed_s % 60
    rate = 0.6 * math.exp(-at / 20_000)
    names = ("begin_easy", "middle_easy", "end_easy")
    return (
        Measured("no search", at, dict.fromkeys(names, rate)),
        Measured("64 simulations", at, dict.fromkeys(names, rate / 3)),
    )


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
        writer.append(to_record(made, made.notices, time))
        writer.flush()
    return writer
