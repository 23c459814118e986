"""Ratings of a run's checkpoints from the matches that the store has recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.ratings import Results, fit_ratings
from store.files import Files
from store.verify import MATCH_FOLDER
from store.walk import walk


class Rated(NamedTuple):
    """One agent's place: Elo about the mean of all, half its 95% interval, games, score 0 to 1."""

    agent: str
    elo: float
    error: float
    games: int
    score: float


def recorded_ratings(files: Files) -> list[Rated]:
    """All agents of a run's recorded matches, the strongest first; [] where there are none.

    Of a match that is recorded by its totals, and not game by game, nobody knows which games were
    a pair: its ratings are exact, and its error bars those of the pairing that makes them widest.
    """
    results = Results()
    for first, second, outcomes in _recorded(files):
        results.add(first, second, outcomes)
    if not results.agents():
        return []
    ratings = fit_ratings(results)
    rows = [
        Rated(agent, float(elo), float(error), *results.games_and_score(agent))
        for agent, elo, error in zip(ratings.agents, ratings.elo, ratings.error_bars(), strict=True)
    ]
    return sorted(rows, key=lambda rated: -rated.elo)


def elo_by_step(ratings: list[Rated], run_name: str) -> list[tuple[int, Rated]]:
    """Those of them that are plain checkpoints of the run, RUN@STEP, by their step."""
    steps = []
    for rated in ratings:
        name, _, step = rated.agent.partition("@")
        if name == run_name and step.isascii() and step.isdigit():
            steps.append((int(step), rated))
    return sorted(steps)


def _recorded(files: Files) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
    for key in walk(files, MATCH_FOLDER):
        try:
            lines = files.read(key).decode().splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            try:
                yield _match(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue  # `ludens runs verify` names it


def _match(match: Mapping[str, Any]) -> tuple[str, str, NDArray[np.int64]]:
    """A match's agents, and its pairs by the first agent's results [3, 3].

    The results are `points`, game by game, or the tallies of `ludens match --json`.
    """
    first, second = map(str, match["agents"])
    if first == second:
        raise ValueError("an agent against itself")
    if "points" in match:
        pairs = np.array(match["points"])
    else:
        sides = [_results(match[f"as_{side}_player"]) for side in ("first", "second")]
        pairs = np.array(list(zip(*sides, strict=True)))
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not set(pairs.flat) <= {0, 1, 2}:
        raise ValueError(f"expected pairs of 0, 1 or 2; got an array of shape {pairs.shape}")
    outcomes = np.zeros((3, 3), np.int64)
    np.add.at(outcomes, (pairs[:, 0], pairs[:, 1]), 1)
    return first, second, outcomes


def _results(tally: Mapping[str, Any]) -> list[int]:
    """Each game's result, 0 a loss, 1 a draw, 2 a win, in that order."""
    counts = [int(tally[name]) for name in ("losses", "draws", "wins")]
    return [result for result, count in enumerate(counts) for _ in range(count)]
