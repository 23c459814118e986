"""Estimates from few runs: interquartile mean, median and mean, with bootstrap intervals.

After Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (2021).
A task (a game) has the scores of its runs, one a seed. A statistic takes the tasks' scores with any
number of leading axes, so that it is computed for all resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Sequence[Floats]], Floats]
"""Scores of the tasks, [..., runs] each, to numbers [...]."""

CONFIDENCE = 0.95
RESAMPLES = 10_000
AT_ONCE = 1 << 21  # resampled scores in memory


class Estimate(NamedTuple):
    """A number and its 95% interval; `low` and `high` are None where it cannot be estimated."""

    value: float
    low: float | None
    high: float | None


def interquartile_mean(tasks: Sequence[Floats]) -> Floats:
    """Compute the mean of the middle half of all runs of all tasks (Agarwal et al., section 4.3).

    Of n scores the lowest and the highest n // 4 are left out, so with fewer than four it is their
    mean.
    """
    scores = np.sort(np.concatenate(list(tasks), axis=-1), axis=-1)
    cut = scores.shape[-1] // 4
    middle: Floats = scores[..., cut : scores.shape[-1] - cut].mean(axis=-1)
    return middle


def median_of_tasks(tasks: Sequence[Floats]) -> Floats:
    """Compute the median over tasks of their runs' means, as Mnih et al. (2015) and others do."""
    return np.asarray(np.median(_means(tasks), axis=-1))


def mean_of_tasks(tasks: Sequence[Floats]) -> Floats:
    """Compute the mean over tasks of their runs' means."""
    return np.asarray(_means(tasks).mean(axis=-1))


def _means(tasks: Sequence[Floats]) -> Floats:
    """Return the mean of each task's runs, [..., tasks]."""
    return np.stack([scores.mean(axis=-1) for scores in tasks], axis=-1)


def estimate(
    tasks: Sequence[Floats],
    statistic: Statistic,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Compute a statistic and its stratified bootstrap interval (Agarwal et al., section 4.1).

    A resample draws from each task as many runs as it has, with replacement; the interval lies
    between percentiles of the statistic over the resamples. Where some task has a single run, there
    is nothing to draw from, and no interval. With three runs a task and few tasks it is too narrow.

    Args:
        tasks: the scores of each task's runs, [runs].
        statistic: what is estimated.
        resamples: how many.
        seed: of the draws.
        confidence: share of the resamples within the interval.

    Raises:
        ValueError: there is no task, or one without runs.
    """
    if not tasks or not all(len(scores) for scores in tasks):
        raise ValueError(f"runs of each task: {[len(s) for s in tasks]}: expected one or more")
    value = float(statistic(tasks))
    if any(len(scores) < 2 for scores in tasks):
        return Estimate(value, None, None)
    rng = np.random.default_rng(seed)
    at_once = max(1, AT_ONCE // sum(len(scores) for scores in tasks))
    found = [
        statistic([_resampled(scores, min(at_once, resamples - first), rng) for scores in tasks])
        for first in range(0, resamples, at_once)
    ]
    outside = (1.0 - confidence) / 2.0
    low, high = np.quantile(np.concatenate(found), [outside, 1.0 - outside]).tolist()
    return Estimate(value, low, high)


def _resampled(scores: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Draw `count` resamples of a task's runs, [count, runs]."""
    drawn: Floats = scores[rng.integers(len(scores), size=(count, len(scores)))]
    return drawn


def mean_error(scores: Floats) -> float | None:
    """Return half of the 95% interval of the mean of n games, by Student's t; None for one game."""
    from scipy.special import stdtrit  # Student's quantiles; scipy.stats takes seconds to import

    if len(scores) < 2:
        return None
    deviation = float(scores.std(ddof=1))
    return (
        float(stdtrit(len(scores) - 1, (1.0 + CONFIDENCE) / 2.0)) * deviation / len(scores) ** 0.5
    )
