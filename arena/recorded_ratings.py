"""Ratings of a run's checkpoints from the matches that the store has recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from arena.match_records import read_matches
from arena.ratings import Results, fit_ratings
from store.files import Files


class Rated(NamedTuple):
    """One agent's place: Elo about the mean of all, half its 95% interval, games, score 0 to 1."""

    agent: str
    elo: float
    error: float
    games: int
    score: float


def recorded_ratings(files: Files) -> list[Rated]:
    """All agents of a run's recorded matches, the strongest first; [] where there are none."""
    results = Results()
    for key, batch in read_matches(files):
        if key.agents[0] != key.agents[1]:
            results.add(*key.agents, batch.outcomes())
    if not results.agents():
        return []
    ratings = fit_ratings(results)
    rows = [
        Rated(agent, float(elo), float(error), *results.games_and_score(agent))
        for agent, elo, error in zip(ratings.agents, ratings.elo, ratings.error_bars(), strict=True)
    ]
    return sorted(rows, key=lambda rated: -rated.elo)


def elo_by_step(ratings: Sequence[Rated], run_name: str) -> list[tuple[int, Rated]]:
    """Those of them that are checkpoints of the run, RUN@STEP or RUN@STEP:OPTIONS, by their step.

    Of a step that played with several options, the one with the most games.
    """
    found: dict[int, Rated] = {}
    for rated in ratings:
        name, _, rest = rated.agent.partition("@")
        step = rest.partition(":")[0]
        if name == run_name and step.isascii() and step.isdigit():
            other = found.get(int(step))
            if other is None or rated.games > other.games:
                found[int(step)] = rated
    return sorted(found.items())
