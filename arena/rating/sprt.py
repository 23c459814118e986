"""Run the generalised sequential probability ratio test on pairs of games.

Wald's test (1945) compares two hypotheses, elo0 and elo1, while games come in. The distribution of
a pair's five results is not known, so its likelihood under each hypothesis is the greatest that a
distribution with that mean can have; asymptotically the test then errs as often as it says (Li, Liu
& Ying 2014).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from arena.rating.elo import ELO

PAIR_SCORES = np.arange(5) / 4  # of 0, 1/2, 1, 3/2 and 2 points
MOST_ELO = 4000.0  # of a hypothesis: a score of 1 - 1e-10
REGULAR = 1e-3  # pairs added to each of the five counts, so that none is impossible

Decision = Literal["elo0", "elo1", "undecided"]


class SprtState(NamedTuple):
    """State of a test: log likelihood ratio, its bounds, and the decision."""

    llr: float
    lower: float
    upper: float
    decision: Decision


@dataclass(frozen=True)
class Sprt:
    """A test of elo0 against elo1, in logistic Elo of the score.

    Attributes:
        elo0: the first agent is stronger by no more than this ...
        elo1: ... or by at least that.
        alpha: how often at most elo1 is accepted though elo0 is true.
        beta: how often at most elo0 is accepted though elo1 is true.

    Raises ValueError for hypotheses or error rates that make no test.
    """

    elo0: float
    elo1: float
    alpha: float = 0.05
    beta: float = 0.05

    def __post_init__(self) -> None:
        if not -MOST_ELO <= self.elo0 < self.elo1 <= MOST_ELO:
            raise ValueError(
                f"elo0 = {self.elo0:g}, elo1 = {self.elo1:g}: expected elo0 < elo1, "
                f"{-MOST_ELO:g} to {MOST_ELO:g}"
            )
        for name, rate in (("alpha", self.alpha), ("beta", self.beta)):
            if not 0.0 < rate < 0.5:
                raise ValueError(f"{name} = {rate:g}: expected a rate between 0 and 0.5")

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the log likelihood ratios at which elo0, or elo1, is accepted."""
        lower = math.log(self.beta / (1.0 - self.alpha))
        return lower, math.log((1.0 - self.beta) / self.alpha)

    def state(self, pairs: Sequence[int] | NDArray[np.int64]) -> SprtState:
        """Compute the state from counts [5] of pairs with 0, 1/2, 1, 3/2 and 2 points."""
        lower, upper = self.bounds
        llr = log_likelihood_ratio(pairs, self.elo0, self.elo1)
        decision: Decision = "elo0" if llr <= lower else "elo1" if llr >= upper else "undecided"
        return SprtState(llr, lower, upper, decision)


def score_of(elo: float) -> float:
    """Convert an Elo difference to the expected score."""
    return 1.0 / (1.0 + math.exp(-elo / ELO))


def log_likelihood_ratio(
    pairs: Sequence[int] | NDArray[np.int64], elo0: float, elo1: float
) -> float:
    """Compute the log likelihood ratio of elo1 to elo0 from pair counts [5]; 0 without pairs."""
    counts = np.asarray(pairs, np.float64)
    if not counts.sum():
        return 0.0
    counts = counts + REGULAR
    log0, log1 = (np.log(_likeliest(counts, score_of(elo))) for elo in (elo0, elo1))
    return float(counts @ (log1 - log0))


def _likeliest(counts: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Find the distribution [5] with this mean score that makes the counts most likely.

    By Lagrange it is p / (1 + t (score - mean)), p the observed one, with the t that fits the mean;
    t lies where every term is positive (Owen 1988).
    """
    observed = counts / counts.sum()
    offsets = PAIR_SCORES - mean

    def excess(t: float) -> float:
        return float((observed * offsets / (1.0 + t * offsets)).sum())

    low, high = -1.0 / offsets[-1], -1.0 / offsets[0]
    margin = 1e-9 * (high - low)
    return observed / (1.0 + brentq(excess, low + margin, high - margin) * offsets)
