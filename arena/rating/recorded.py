"""Rate a run's checkpoints from its recorded matches."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from arena.evaluation.best import BestScore, best_score_of_run
from arena.match.evidence import distinct
from arena.match.records import ReadableFiles, read_matches
from arena.rating.elo import Results, fit_ratings
from store import checkpoints
from store.errors import StoreError
from store.files.protocol import Files
from store.progress.summary import RunSummary
from store.run import Run, open_run
from store.upkeep.keeps import NotedBest, note_best
from store.upkeep.ratings import NotedRatings, note_ratings
from store.upkeep.verify import MATCH_FOLDER

_AT_ONCE = 16  # runs looked at together
_logger = logging.getLogger("ludens.arena")


class Rated(NamedTuple):
    """An agent's rating: Elo about the mean, half its 95% interval, games, score 0 to 1."""

    agent: str
    elo: float
    error: float
    games: int
    score: float


@dataclass(frozen=True)
class Best:
    """The best checkpoint by the recorded matches.

    `elo` is about the mean of all who played, `error` half its 95% interval. Where no checkpoint
    has a recorded match (or a score) it is the newest: `games` is 0, the others are None.
    """

    step: int
    games: int = 0
    elo: float | None = None
    error: float | None = None


def rate_recorded_matches(files: ReadableFiles) -> list[Rated]:
    """Rate the agents of a run's recorded matches, strongest first; [] without matches.

    Games that were played again count once (`arena.match.evidence`).
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


class RatingsWatch:
    """Follows the recorded matches of a run: a look is one listing, and each file is read once.

    A record is never changed, so what was read of it stays true.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._names: list[str] | None = None
        self._read: dict[str, bytes] = {}
        self._ratings: list[Rated] = []

    def look(self) -> list[Rated]:
        """Return `rate_recorded_matches`, fitted again only when there is a new record."""
        listed = self._files.names(MATCH_FOLDER)
        if listed != self._names:
            self._names = listed
            self._ratings = rate_recorded_matches(self)
        return self._ratings

    def names(self, folder: str) -> list[str]:
        """Return the records of the last listing."""
        return (self._names or []) if folder == MATCH_FOLDER else self._files.names(folder)

    def read(self, key: str, most: int | None = None) -> bytes:
        """Read a file of at most `most` bytes."""
        if key not in self._read:
            self._read[key] = self._files.read(key, most)
        return self._read[key]


def elo_by_step(ratings: Sequence[Rated], run_name: str) -> list[tuple[int, Rated]]:
    """Select the run's checkpoints (RUN@STEP or RUN@STEP:OPTIONS), by step.

    Of a step that played with several options, the one with the most games.
    """
    found: dict[int, Rated] = {}
    for rated in ratings:
        name, _, rest = rated.agent.partition("@")
        step = rest.partition(":")[0]
        is_step = step.isascii() and step.isdigit() and len(step) <= checkpoints.MOST_STEP_DIGITS
        if name == run_name and is_step:
            other = found.get(int(step))
            if other is None or rated.games > other.games:
                found[int(step)] = rated
    return sorted(found.items())


def best_checkpoint(run: Run) -> Best | BestScore | None:
    """Return the stored checkpoint with the highest recorded Elo or score, else the newest.

    A run has recorded matches or, of an environment, scores. None when there is no checkpoint.
    """
    steps = checkpoints.steps(run)
    if rated := _best_rated(run, steps):
        return rated
    return best_score_of_run(run, steps) or (Best(steps[-1]) if steps else None)


def _best_rated(run: Run, steps: Collection[int]) -> Best | None:
    rated = _best_of(rate_recorded_matches(run.files), run.name, steps)
    return Best(rated[0], rated[1].games, rated[1].elo, rated[1].error) if rated else None


def _best_of(
    ratings: Sequence[Rated], run_name: str, steps: Collection[int]
) -> tuple[int, Rated] | None:
    there = [(rated.elo, step, rated) for step, rated in elo_by_step(ratings, run_name)]
    there = [found for found in there if found[1] in steps]
    return max(there)[1:] if there else None


def note_best_checkpoint(run: Run) -> None:
    """Note the best rated checkpoint in the store, so that pruning keeps it.

    Nothing is noted where no checkpoint has a recorded match. What fails is logged.
    """
    try:
        files = len(run.files.names(MATCH_FOLDER))  # before they are read: more may come meanwhile
        best = _best_rated(run, checkpoints.steps(run)) if files else None
        if best is None or best.elo is None or best.error is None:
            return
        if math.isfinite(best.elo) and math.isfinite(best.error):
            note_best(run.files, NotedBest(best.step, best.games, best.elo, best.error, files))
    except (OSError, StoreError) as error:
        _logger.warning("the best checkpoint of run %r is not noted: %s", run.name, error)


def note_rated(run: Run, noted: NotedRatings) -> None:
    """Note in the store how strong a run's checkpoints are. What fails is logged."""
    try:
        note_ratings(run.files, noted)
    except (OSError, StoreError) as error:
        _logger.warning("the ratings of run %r are not noted: %s", run.name, error)


def best_checkpoints(
    store_url: str | Path, summaries: Iterable[RunSummary]
) -> dict[str, Best | BestScore | None]:
    """Find `best_checkpoint` of each of these runs of a store; None for an unreadable run.

    Nothing is asked of a run whose best is noted, or that has no recorded match and no score.
    """

    def best(run: RunSummary) -> Best | BestScore | None:
        if run.best is not None:
            return Best(run.best.step, run.best.games, run.best.elo, run.best.error)
        if run.best_score is not None and not run.matches:
            return BestScore.noted(run.best_score)
        if not (run.matches or run.evaluations):
            return Best(run.step) if run.step is not None and not run.problem else None
        try:
            return best_checkpoint(open_run(store_url, run.name))
        except (OSError, StoreError):  # `store.progress.summary` says why
            return None

    summaries = list(summaries)
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # requests to a remote store overlap
        found = pool.map(best, summaries)
        return {run.name: best for run, best in zip(summaries, found, strict=True)}
