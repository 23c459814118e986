"""Against cases computed by hand, against plain loops, and by the coverage of its intervals."""

import itertools

import numpy as np
import pytest

from arena.evaluation import statistics
from arena.evaluation.statistics import (
    estimate,
    interquartile_mean,
    mean_error,
    mean_of_tasks,
    median_of_tasks,
)


def tasks(*rows):
    return [np.array(row, np.float64) for row in rows]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[3]], 3.0),
        ([[1, 2, 9]], 4.0),  # fewer than four: nothing is left out
        ([[9, 1, 2, 4]], 3.0),  # of 1 2 4 9 the middle two
        ([[0, 100], [7, 5]], 6.0),  # of both tasks together: 0 5 7 100
        ([[1, 2, 3, 4, 90, 100, -50]], 20.0),  # seven: one is left out at each end
        ([[8, 7, 6, 5], [4, 3, 2, 1]], 4.5),  # 3 4 5 6
        ([[-1000, 1, 2, 3, 4, 5, 6, 1000], [0]], 3.0),  # nine: 1 2 3 4 5 after two at each end
    ],
)
def test_the_interquartile_mean_is_that_of_the_middle_half(scores, expected):
    assert interquartile_mean(tasks(*scores)) == pytest.approx(expected)


def test_median_and_mean_are_over_the_means_of_tasks():
    found = tasks([1, 3], [10, 30, 50], [100])  # means 2, 30, 100
    assert median_of_tasks(found) == 30.0
    assert mean_of_tasks(found) == pytest.approx(44.0)
    assert median_of_tasks(tasks([1, 3], [10])) == 6.0


def plain_iqm(scores):
    """Another way: each quarter's share is weighed by position, where it divides evenly."""
    rising = sorted(scores)
    quarter = len(rising) // 4
    kept = [score for i, score in enumerate(rising) if quarter <= i < len(rising) - quarter]
    return sum(kept) / len(kept)


@pytest.mark.parametrize("statistic", [interquartile_mean, median_of_tasks, mean_of_tasks])
def test_a_statistic_of_many_resamples_is_that_of_each(statistic):
    rng = np.random.default_rng(1)
    many = [rng.normal(size=(5, 3)), rng.normal(size=(5, 4))]
    together = statistic(many)
    for i in range(5):
        assert together[i] == pytest.approx(float(statistic([scores[i] for scores in many])))
    joined = np.concatenate([scores[0] for scores in many]).tolist()
    assert interquartile_mean([scores[0] for scores in many]) == pytest.approx(plain_iqm(joined))


def test_the_interval_has_the_percentiles_of_all_possible_resamples():
    """Two runs a task, two tasks: 16 equally likely resamples, listed by hand."""
    first, second = [0.0, 4.0], [10.0, 30.0]
    means = sorted(
        (sum(a) / 2 + sum(b) / 2) / 2
        for a in itertools.product(first, repeat=2)
        for b in itertools.product(second, repeat=2)
    )
    assert (means[0], means[-1]) == (5.0, 17.0)
    found = estimate(tasks(first, second), mean_of_tasks, confidence=0.4, resamples=20_000)
    assert found.value == 11.0
    # 30% from each end; of the 16, 5 to 7 are a quarter and the two of 10 an eighth.
    assert (found.low, found.high) == (means[4], means[-5]) == (10.0, 12.0)


def test_runs_are_drawn_within_their_tasks_alone():
    """Tasks whose runs agree have no uncertainty, however far they are apart."""
    found = estimate(tasks([1, 1, 1], [100, 100, 100]), mean_of_tasks)
    assert found == (50.5, 50.5, 50.5)


def test_one_run_has_no_interval():
    assert estimate(tasks([1, 2], [3]), mean_of_tasks) == (2.25, None, None)


@pytest.mark.parametrize("empty", [[], tasks([1.0], [])])
def test_no_runs_are_refused(empty):
    with pytest.raises(ValueError, match="expected one or more"):
        estimate(empty, mean_of_tasks)


def test_resamples_in_parts_are_as_good(monkeypatch):
    scores = tasks(np.arange(10.0), np.arange(10.0) ** 2)
    whole = estimate(scores, interquartile_mean, resamples=4000)
    monkeypatch.setattr(statistics, "AT_ONCE", 20 * 300)
    parts = estimate(scores, interquartile_mean, resamples=4000)
    assert parts.low == pytest.approx(whole.low, rel=0.05)
    assert parts.high == pytest.approx(whole.high, rel=0.05)
    assert estimate(scores, interquartile_mean, seed=1) != whole


@pytest.mark.parametrize("statistic", [interquartile_mean, mean_of_tasks])
def test_intervals_cover_the_truth_about_as_often_as_they_say(statistic):
    """Ten tasks of ten runs, symmetric about their means, so that the truth is known: 0."""
    rng = np.random.default_rng(5)
    covered = {0.95: 0, 0.5: 0}
    trials = 150
    for seed in range(trials):
        scores = [rng.normal(size=10) for _ in range(10)]
        for confidence in covered:
            found = estimate(scores, statistic, resamples=200, seed=seed, confidence=confidence)
            covered[confidence] += found.low <= 0.0 <= found.high
    assert 0.87 <= covered[0.95] / trials <= 0.99
    assert 0.38 <= covered[0.5] / trials <= 0.6


def test_the_error_of_a_mean_is_students():
    """Four games 1 2 3 4: deviation 1.29099, t of 3 degrees 3.18245; by hand 2.0542."""
    assert mean_error(np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(2.0542, abs=1e-4)
    assert mean_error(np.array([1.0])) is None
