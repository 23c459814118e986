"""Ratings of a run's checkpoints from the matches that the store has recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from arena.evidence import distinct
from arena.match_records import read_matches
from arena.ratings import Results, fit_ratings
from store import checkpoints
from store.errors import StoreError
from store.files import Files
from store.run import Run, open_run

_AT_ONCE = 16  # runs looked at together


class Rated(NamedTuple):
    """One agent's place: Elo about the mean of all, half its 95% interval, games, score 0 to 1."""

    agent: str
    elo: float
    error: float
    games: int
    score: float


@dataclass(frozen=True)
class Best:
    """The checkpoint that plays best, as far as the recorded matches tell.

    `elo` is about the mean of all who played, `error` half its 95% interval. Where no checkpoint
    has a recorded match it is the newest: `games` is 0, the others are None.
    """

    step: int
    games: int = 0
    elo: float | None = None
    error: float | None = None


def recorded_ratings(files: Files) -> list[Rated]:
    """All agents of a run's recorded matches, the strongest first; [] where there are none.

    Games that were played again count once (`arena.evidence`).
    """
    results = Results()
    for key, batch in distinct(read_matches(files)):
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


def best_checkpoint(run: Run) -> Best | None:
    """Of the checkpoints that are there, the one with the highest recorded Elo; else the newest.

    None when there is no checkpoint.
    """
    steps = checkpoints.steps(run)
    rated = [
        (rated.elo, step, rated)
        for step, rated in elo_by_step(recorded_ratings(run.files), run.name)
        if step in steps
    ]
    if rated:
        elo, step, found = max(rated)
        return Best(step, found.games, elo, found.error)
    return Best(steps[-1]) if steps else None


def best_checkpoints(store_url: str | Path, names: Iterable[str]) -> dict[str, Best | None]:
    """`best_checkpoint` of each of these runs of a store; None for one that cannot be read."""
    names = list(names)

    def best(name: str) -> Best | None:
        try:
            return best_checkpoint(open_run(store_url, name))
        except (OSError, StoreError):  # `store.summary` says why
            return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:  # a far store is worth waiting for
        return dict(zip(names, pool.map(best, names), strict=True))
