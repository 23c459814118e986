"""Fit Elo ratings by maximum likelihood, with error bars that account for paired games.

The model is Bradley & Terry's (1952) with the draws of Davidson (1970) and an advantage for the
player who moves first. With `x` the difference of two ratings, that advantage added to the first
player's, in units of 400 / ln 10 Elo, the odds of win, draw and loss are exp(x/2) : nu : exp(-x/2).

A weak prior keeps the rating of an agent that won every game finite: each rating is normal with
standard deviation `PRIOR_ELO` around the zero of the scale, which weighs as much as an eighth of a
game against an equal; so are the advantage, and log nu with `PRIOR_LOG_DRAW`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, ndtr

NORMAL_95 = 1.959964
ELO = 400.0 / math.log(10.0)  # Elo points in a unit of log odds
PRIOR_ELO = 1000.0
PRIOR_LOG_DRAW = 3.0
# The variance of a pairing's own pairs is unreliable when they are few. So this many pairs
# of equals are added: with the variance of independent games, and with that of all pairings.
VARIANCE_PAIRS, POOLED_PAIRS, EQUAL_PAIR_VARIANCE = 8, 32, 0.5

Floats = NDArray[np.float64]
Outcomes = NDArray[np.int64]  # [3, 3] pairs by result (loss, draw, win) as first, then as second


def pentanomial(outcomes: Outcomes) -> NDArray[np.int64]:
    """Count the pairs of 0, 1/2, 1, 3/2 and 2 points, [5], in an agent's outcomes [3, 3]."""
    flipped = np.fliplr(outcomes)
    return np.array([flipped.trace(2 - points) for points in range(5)], np.int64)


def score_interval(pair_scores: Floats) -> tuple[float, float]:
    """Compute the 95% confidence interval of the score from pairs' scores [n], each 0 to 1.

    The games of a pair share their opening, so the pairs are the sample. One pair lost and one won
    are added, as Agresti & Coull (1998) add to a proportion: a clean sweep stays uncertain.
    """
    padded = np.concatenate([pair_scores, [0.0, 1.0]])
    margin = NORMAL_95 * padded.std(ddof=1) / math.sqrt(len(padded))
    score, middle = float(pair_scores.mean()), float(padded.mean())
    return max(0.0, min(score, middle - margin)), min(1.0, max(score, middle + margin))


class Results:
    """Outcomes of pairs of games: a position once with each of two agents as first player."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, str], Outcomes] = {}
        self._totals: dict[str, NDArray[np.int64]] = {}  # pairs and half points of each agent

    def add(self, first: str, second: str, outcomes: Outcomes) -> None:
        """Add pairs, counted by the first-named agent's results [3, 3] (see `Outcomes`).

        Raises ValueError for an agent against itself.
        """
        if first == second:
            raise ValueError(f"{first!r} against itself: expected two different agents")
        if first > second:  # the other agent won what this one lost, and was second when it was not
            first, second, outcomes = second, first, outcomes[::-1, ::-1].T
        known = self._outcomes.setdefault((first, second), np.zeros((3, 3), np.int64))
        known += outcomes
        counts = pentanomial(outcomes)
        pairs, half_points = int(counts.sum()), int(counts @ np.arange(5))
        for name, mine in ((first, half_points), (second, 4 * pairs - half_points)):
            self._totals.setdefault(name, np.zeros(2, np.int64))[:] += pairs, mine

    def agents(self) -> list[str]:
        """List the agents that played, sorted by name."""
        return sorted({name for pairing in self._outcomes for name in pairing})

    def of(self, first: str, second: str) -> Outcomes:
        """Return the outcomes [3, 3] between two agents, from the first-named agent's view."""
        if first < second:
            return self._outcomes.get((first, second), np.zeros((3, 3), np.int64)).copy()
        return self.of(second, first)[::-1, ::-1].T if first != second else np.zeros((3, 3), int)

    def items(self) -> Iterable[tuple[tuple[str, str], Outcomes]]:
        """Yield ((agent, agent), outcomes) of each pairing that was played."""
        return sorted(self._outcomes.items())

    def games_and_score(self, agent: str) -> tuple[int, float]:
        """Return an agent's number of games and its share of the points (NaN without games)."""
        pairs, half_points = self._totals.get(agent, np.zeros(2, np.int64)).tolist()
        return 2 * pairs, half_points / (4 * pairs) if pairs else math.nan


@dataclass(frozen=True)
class Ratings:
    """N agents' ratings in Elo.

    Attributes:
        agents: their names.
        elo: [N].
        covariance: [N, N] in Elo squared, about the zero of the scale.
        first_player_elo: what moving first is worth.
        log_draw: log nu; -inf where no game was drawn.
        variance_ratio: variance of a pair's score over that of two independent games; the mean.
    """

    agents: tuple[str, ...]
    elo: Floats
    covariance: Floats
    first_player_elo: float
    log_draw: float
    variance_ratio: float

    def error_bars(self) -> Floats:
        """Compute half the width of each rating's 95% confidence interval, [N]."""
        return NORMAL_95 * np.sqrt(np.diag(self.covariance).clip(0.0))

    def superiority(self, one: str, other: str) -> float:
        """Compute the likelihood that one agent is stronger than another, 0 to 1."""
        i, j = self.agents.index(one), self.agents.index(other)
        difference = self.elo[i] - self.elo[j]
        variance = self.covariance[i, i] + self.covariance[j, j] - 2 * self.covariance[i, j]
        if variance <= 0.0:
            return 0.5 + 0.5 * float(np.sign(difference))
        return float(ndtr(difference / math.sqrt(variance)))

    def pair_information(self) -> Floats:
        """Compute one pair's expected information on each difference, [N, N] per Elo squared."""
        difference = (self.elo[:, None] - self.elo[None, :]) / ELO
        advantage = self.first_player_elo / ELO
        each = [_game_moments(difference + a, self.log_draw)[1] for a in (advantage, -advantage)]
        return (each[0] + each[1]) / (ELO**2 * max(self.variance_ratio, 1e-3))


class Objective(NamedTuple):
    """The negative log posterior of the free parameters in log odds, with its derivatives."""

    value: Callable[[Floats], float]
    gradient: Callable[[Floats], Floats]
    hessian: Callable[[Floats], Floats]


def fit_ratings(
    results: Results,
    *,
    agents: Iterable[str] = (),
    anchors: Mapping[str, float] | None = None,
    zero: Iterable[str] = (),
    prior_elo: float = PRIOR_ELO,
    near: Ratings | None = None,
) -> Ratings:
    """Fit the most likely ratings, and their covariance from the inverse Hessian.

    That covariance takes games as independent. Games of a pair are not (they share an opening), so
    each pairing's part of it is scaled by its pairs' observed variance over the model's, from the
    pentanomial counts and partly shared by all pairings: pairs that repeat each other widen the
    bars, openings that favour one side narrow them.

    Args:
        results: what was played.
        agents: further agents to rate, with or without games.
        anchors: fixed ratings in Elo; they have no error.
        zero: without anchors, the agents whose mean is 0 (default: all).
        prior_elo: standard deviation of the prior; inf is none, and needs games that connect all.
        near: ratings to begin the search at, as of fewer games; they only make it shorter.

    Raises:
        ValueError: there is no agent to rate.
    """
    fixed = dict(anchors or {})
    names = tuple(sorted({*results.agents(), *agents, *fixed}))
    if not names:
        raise ValueError("no results and no agents: nothing to rate")
    model = _Model(names, fixed, results, prior_elo)
    objective = model.objective()
    found = minimize(
        objective.value,
        model.start(near),
        jac=objective.gradient,
        hess=objective.hessian,
        method="trust-exact",
        options={"gtol": 1e-7 * max(1.0, model.games.sum()), "max_trust_radius": 100.0},
    )
    return model.ratings(found.x, frozenset(zero or names))


class _Model:
    """The likelihood over all kinds of game: G = two a pairing, one with each player first.

    Parameters [N + 2] are the ratings and the advantage in log odds, then log nu.
    """

    def __init__(
        self, names: tuple[str, ...], fixed: Mapping[str, float], results: Results, prior_elo: float
    ) -> None:
        self.names = names
        self.fixed = fixed
        pairings = list(results.items())
        self.outcomes = [outcomes for _, outcomes in pairings]
        counts = [o.sum(axis=axis) for o in self.outcomes for axis in (1, 0)]
        self.counts = np.array(counts, np.float64).reshape(-1, 3)  # loss, draw, win
        self.games = self.counts.sum(axis=1)
        self.design = np.zeros((len(counts), len(names) + 1))  # of x
        for row, ((one, other), _) in enumerate(pairings):
            self.design[2 * row : 2 * row + 2, names.index(one)] = 1.0
            self.design[2 * row : 2 * row + 2, names.index(other)] = -1.0
            self.design[2 * row : 2 * row + 2, -1] = 1.0, -1.0
        has_draws = bool(self.counts[:, 1].any())
        middle = float(np.mean([*fixed.values()])) if fixed else 0.0
        is_free = [name not in fixed for name in names] + [True, has_draws]
        self.free = np.flatnonzero(is_free)
        self.centre = np.array([fixed.get(n, middle) / ELO for n in names] + [0.0, 0.0])
        self.given = self.centre.copy()
        self.given[-1] = 0.0 if has_draws else -math.inf
        sd = [prior_elo / ELO] * len(names) + [PRIOR_ELO / ELO, PRIOR_LOG_DRAW]
        self.precision = 1.0 / np.square(sd)

    def start(self, near: Ratings | None) -> Floats:
        """Return the initial free parameters."""
        parameters = self.given.copy()
        if near is not None:
            elo = dict(zip(near.agents, near.elo.tolist(), strict=True))
            known = [
                elo[name] / ELO if name in elo else at for name, at in zip(self.names, self.given)
            ]
            parameters[:-2], parameters[-2] = known, near.first_player_elo / ELO
            parameters[-1] = near.log_draw if math.isfinite(near.log_draw) else 0.0
        return parameters[self.free]

    def full(self, free: Floats) -> Floats:
        """Return all parameters [N + 2]."""
        parameters = self.given.copy()
        parameters[self.free] = free
        return parameters

    def objective(self) -> Objective:
        return Objective(self._value, self._gradient, self._hessian)

    def _value(self, free: Floats) -> float:
        parameters = self.full(free)
        log_odds = _log_odds(self.design @ parameters[:-1], parameters[-1])
        log_chances = log_odds - logsumexp(log_odds, axis=1, keepdims=True)
        happened = self.counts > 0
        prior = self.precision[self.free] @ np.square(free - self.centre[self.free])
        return float(0.5 * prior - (self.counts[happened] * log_chances[happened]).sum())

    def _gradient(self, free: Floats) -> Floats:
        parameters = self.full(free)
        chances = _chances(self.design @ parameters[:-1], parameters[-1])
        excess = self.games[:, None] * chances - self.counts
        slope = np.append(self.design.T @ (excess[:, 2] - excess[:, 0]) / 2, excess[:, 1].sum())
        return slope[self.free] + (self.precision * (parameters - self.centre))[self.free]

    def _hessian(self, free: Floats, scale: Floats | None = None) -> Floats:
        """Compute the free parameters' Hessian, games of each kind weighted by `scale` [G]."""
        parameters = self.full(free)
        x = self.design @ parameters[:-1]
        weights = self.games * (1.0 if scale is None else scale)
        lead, curvature = _game_moments(x, parameters[-1])
        draw = _chances(x, parameters[-1])[:, 1]
        size = len(parameters)
        hessian = np.zeros((size, size))
        hessian[:-1, :-1] = self.design.T @ (self.design * (weights * curvature)[:, None])
        hessian[:-1, -1] = hessian[-1, :-1] = -self.design.T @ (weights * lead * draw)
        hessian[-1, -1] = (weights * draw * (1 - draw)).sum()
        hessian += np.diag(self.precision)
        return hessian[np.ix_(self.free, self.free)]

    def ratings(self, free: Floats, zero: frozenset[str]) -> Ratings:
        ratios = self._variance_ratios(free)
        inverse = np.linalg.inv(self._hessian(free))
        covariance = np.zeros((len(self.given), len(self.given)))
        middle = self._hessian(free, np.repeat(ratios, 2))
        covariance[np.ix_(self.free, self.free)] = inverse @ middle @ inverse
        count = len(self.names)
        parameters = self.full(free)
        elo, covariance = ELO * parameters[:count], ELO**2 * covariance[:count, :count]
        if not self.fixed:
            weights = np.array([name in zero for name in self.names], np.float64)
            shift = np.eye(count) - weights / weights.sum()  # every row takes the mean away
            elo, covariance = shift @ elo, shift @ covariance @ shift.T
        pairs = self.games[0::2]
        mean_ratio = float(ratios @ pairs / pairs.sum()) if pairs.sum() else 1.0
        advantage, log_draw = ELO * float(parameters[-2]), float(parameters[-1])
        return Ratings(self.names, elo, covariance, advantage, log_draw, mean_ratio)

    def _variance_ratios(self, free: Floats) -> Floats:
        """Compute each pairing's variance of the pair scores over the model's variance.

        Towards the ratio of all pairs together, by `POOLED_PAIRS`. A ladder ends when its bars are
        narrow: by the few pairs of each pairing alone, it would end where these seem to vary least.
        """
        parameters = self.full(free)
        lead, curvature = _game_moments(self.design @ parameters[:-1], parameters[-1])
        expected = (0.5 + lead).reshape(-1, 2).sum(axis=1)
        variance = curvature.reshape(-1, 2).sum(axis=1)
        counts = np.array([pentanomial(outcomes) for outcomes in self.outcomes]).reshape(-1, 5)
        observed = (counts * np.square(np.arange(5) / 2 - expected[:, None])).sum(axis=1)
        modelled = counts.sum(axis=1) * variance
        alone, pooled = VARIANCE_PAIRS * EQUAL_PAIR_VARIANCE, POOLED_PAIRS * EQUAL_PAIR_VARIANCE
        of_all = (observed.sum() + alone) / (modelled.sum() + alone)
        ratios: Floats = (observed + pooled * of_all + alone) / (modelled + pooled + alone)
        return ratios


def _log_odds(x: Floats, log_draw: float) -> Floats:
    """Compute log odds [G, 3] of loss, draw and win."""
    return np.stack([-x / 2, np.full_like(x, log_draw), x / 2], axis=-1)


def _chances(x: Floats, log_draw: float) -> Floats:
    """Compute probabilities [..., 3] of loss, draw and win."""
    log_odds = _log_odds(x, log_draw)
    odds = np.exp(log_odds - log_odds.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def _game_moments(x: Floats, log_draw: float) -> tuple[Floats, Floats]:
    """(expected score less 1/2, variance of the score): also what x is worth to the likelihood."""
    chances = _chances(x, log_draw)
    loss, win = chances[..., 0], chances[..., 2]
    lead = (win - loss) / 2
    return lead, (win + loss) / 4 - np.square(lead)


def intransitive_triples(results: Results) -> list[tuple[str, str, str]]:
    """List (A, B, C) where A beats B, B beats C and C beats A, each beyond 95% confidence."""
    beats: dict[str, list[str]] = {}
    for (one, other), outcomes in results.items():  # pairings that were played: few of all
        if _is_better(outcomes):
            beats.setdefault(one, []).append(other)
        elif _is_better(outcomes[::-1, ::-1].T):
            beats.setdefault(other, []).append(one)
    found = [
        (a, b, c)
        for a in beats
        for b in beats[a]
        for c in beats.get(b, ())
        if a < min(b, c) and a in beats.get(c, ())
    ]
    return sorted(found, key=lambda cycle: (sorted(cycle), cycle))


def _is_better(outcomes: Outcomes) -> bool:
    counts = pentanomial(outcomes)
    if not counts.sum():
        return False
    return score_interval(np.repeat(np.arange(5) / 4, counts))[0] > 0.5


def trend(elo: Floats, covariance: Floats, at: Any) -> tuple[float, float]:
    """Fit (slope, its standard error) of ratings over their places `at` [n], by least squares.

    Generalised: the ratings' errors and their correlations are accounted for (Aitken 1935).
    Raises ValueError for fewer than two places.
    """
    places = np.asarray(at, np.float64)
    if len(np.unique(places)) < 2:
        raise ValueError(f"a trend over {len(np.unique(places))} places: expected two or more")
    weights = np.linalg.pinv(covariance + 1e-6 * np.eye(len(places)))
    design = np.stack([np.ones_like(places), places - places.mean()], axis=1)
    inverse = np.linalg.inv(design.T @ weights @ design)
    return float((inverse @ design.T @ weights @ elo)[1]), math.sqrt(inverse[1, 1])
