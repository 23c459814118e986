"""Rate agents of a game of teams by OpenSkill, against frozen references.

The model is Plackett and Luce's with the Bayesian updates of Weng & Lin (2011, algorithm 4), which
for two who play is Bradley and Terry's. The scripted players of the game are the references, as in
OpenAI Five (Berner et al. 2019, section 3.2): they are rated by their matches against each other
alone, and then stay as they are, so that the skills of different runs compare. Zero is the weakest.

A pair of matches from one seed is one result, won by who has more points of it: two deterministic
agents of a mirrored game play one match twice.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from openskill.models import PlackettLuce, PlackettLuceRating

from arena.match.evidence import distinct, opening_ids
from arena.match.records import Batch, MatchKey, ReadableFiles, read_matches
from arena.rating.elo import NORMAL_95

EVEN = 2  # half points of a pair of which neither agent has more


class Skill(NamedTuple):
    """What is known of an agent: a normal distribution."""

    mean: float
    deviation: float

    @property
    def error(self) -> float:
        """Return half of the 95% interval."""
        return NORMAL_95 * self.deviation


def superiority(one: Skill, other: Skill) -> float:
    """Compute the likelihood that one agent is stronger than another, 0 to 1."""
    spread = math.hypot(one.deviation, other.deviation)
    return 0.5 * (1.0 + math.erf((one.mean - other.mean) / (spread * math.sqrt(2.0))))


class TeamResults:
    """Results of pairs of matches, by pairing and by the pair's seed; they have no order."""

    def __init__(self) -> None:
        self._points: dict[tuple[str, str], dict[str, int]] = {}  # half points of the first, 0 to 4

    def add(self, key: MatchKey, batch: Batch) -> None:
        """Add pairs that count (`arena.match.evidence`); an agent against itself tells nothing."""
        first, second = sorted(key.agents)
        if first == second:
            return
        known = self._points.setdefault((first, second), {})
        for name, points in zip(opening_ids(key, batch), batch.points.sum(axis=1), strict=True):
            known[name] = int(points if key.agents[0] == first else 4 - points)

    def agents(self) -> list[str]:
        """List the agents that played, sorted by name."""
        return sorted({name for pairing in self._points for name in pairing})

    def pairs(self, one: str, other: str) -> int:
        """Count the pairs that two agents played."""
        return len(self._of(one, other))

    def score(self, one: str, other: str) -> float | None:
        """Return the share of the points that one agent has against another; None if unplayed."""
        points = self._of(one, other)
        if not points:
            return None
        share = sum(points.values()) / (4 * len(points))
        return share if one < other else 1.0 - share

    def games_and_score(self, agent: str) -> tuple[int, float | None]:
        """Return an agent's number of matches and its share of all their points."""
        others = [other for other in self.agents() if self.pairs(agent, other)]
        pairs = [self.pairs(agent, other) for other in others]
        if not pairs:
            return 0, None
        scores = [self.score(agent, other) or 0.0 for other in others]
        return 2 * sum(pairs), float(np.average(scores, weights=pairs))

    def rounds(self, among: Collection[str]) -> Iterator[tuple[str, str, int]]:
        """Yield (agent, other, half points of the agent), a pair of each pairing in turn."""
        columns = [
            [(*pairing, points) for _, points in sorted(self._points[pairing].items())]
            for pairing in sorted(self._points)
            if {*pairing} <= {*among}
        ]
        for row in zip_longest(*columns):
            yield from (found for found in row if found is not None)

    def _of(self, one: str, other: str) -> dict[str, int]:
        return self._points.get((min(one, other), max(one, other)), {})


def recorded_results(files: ReadableFiles, game: str) -> TeamResults:
    """Read the recorded matches of a run in a game; repeated ones count once."""
    results = TeamResults()
    for key, batch in distinct(read_matches(files)):
        if key.game == game:
            results.add(key, batch)
    return results


def fit_skills(
    results: TeamResults, agents: Iterable[str], references: Sequence[str]
) -> dict[str, Skill]:
    """Rate agents by the results among them; those without one are not known.

    The same results give the same skills, in whatever order they came.

    Args:
        results: of pairs of matches.
        agents: who is rated.
        references: those of them that stay as their results against each other say; where there are
            none of these they are rated as all others. The first is zero, or the mean of all
            where it has not played.
    """
    agents = [*dict.fromkeys([*references, *agents])]
    played = {name for one, other, _ in results.rounds(agents) for name in (one, other)}
    model = PlackettLuce(tau=0.0)  # of the model: `rate(tau=0)` would leave its default in force
    ratings = {name: model.rating() for name in agents if name in played}
    frozen: set[str] = set()
    for found in results.rounds(references):
        _take(model, ratings, *found)
        frozen |= {*found[:2]}
    for one, other, points in results.rounds(agents):
        if not {one, other} <= {*references}:
            kept = {name: ratings[name] for name in frozen & {one, other}}
            _take(model, ratings, one, other, points)
            ratings |= kept
    known = {name: float(rating.mu) for name, rating in ratings.items()}
    zero = known.get(references[0] if references else "", np.mean([*known.values()] or [0.0]))
    return {
        name: Skill(known[name] - float(zero), float(rating.sigma))
        for name, rating in ratings.items()
    }


def _take(
    model: PlackettLuce,
    ratings: dict[str, PlackettLuceRating],
    one: str,
    other: str,
    points: int,
) -> None:
    """Update two ratings by a pair of matches; equal ranks are a draw."""
    ranks = [float(points < EVEN), float(points > EVEN)]
    (ratings[one],), (ratings[other],) = model.rate([[ratings[one]], [ratings[other]]], ranks=ranks)


@dataclass(frozen=True)
class CrossPlay:
    """Who has which share of the points against whom.

    Attributes:
        agents: n names.
        scores: [n][n] of the row's agent against the column's; None where they did not play.
        games: [n][n] matches.
    """

    agents: list[str]
    scores: list[list[float | None]]
    games: list[list[int]]


def cross_play(results: TeamResults, agents: Sequence[str]) -> CrossPlay:
    """Make the matrix of these agents, in this order."""
    return CrossPlay(
        [*agents],
        [[results.score(one, other) for other in agents] for one in agents],
        [[2 * results.pairs(one, other) for other in agents] for one in agents],
    )
