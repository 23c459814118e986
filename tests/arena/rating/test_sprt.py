import math

import numpy as np
import pytest

from arena.rating.sprt import PAIR_SCORES, Sprt, _likeliest, log_likelihood_ratio, score_of


def pair_chances(score: float) -> np.ndarray:
    """Chances of the five results of a pair, of this mean score."""
    chances = np.array([0.1, 0.15, 0.5, 0.15, 0.1])
    return chances + (score - 0.5) * np.array([-0.8, -0.4, 0.0, 0.4, 0.8])


def test_bounds_are_walds() -> None:
    test = Sprt(0, 20, alpha=0.05, beta=0.1)
    assert test.bounds == pytest.approx((math.log(0.1 / 0.95), math.log(0.9 / 0.05)))


def test_elo_becomes_a_score() -> None:
    assert score_of(0.0) == 0.5
    assert score_of(190.85) == pytest.approx(0.75, abs=1e-5)


def test_the_likeliest_distribution_has_the_mean_and_no_rival() -> None:
    """It beats every other distribution of that mean that lies near."""
    counts, mean = np.array([7.0, 11.0, 40.0, 20.0, 22.0]), 0.45
    best = _likeliest(counts, mean)
    assert best.sum() == pytest.approx(1.0)
    assert best @ PAIR_SCORES == pytest.approx(mean)
    rng = np.random.default_rng(0)
    constraints = np.stack([np.ones(5), PAIR_SCORES])
    for _ in range(50):
        step = rng.normal(size=5)
        step -= np.linalg.pinv(constraints) @ (constraints @ step)  # keeps the sum and the mean
        assert counts @ np.log(best + 1e-3 * step) < counts @ np.log(best)


def test_evidence_adds_up_and_has_a_sign() -> None:
    counts = np.array([5, 10, 40, 30, 15])
    once, twice = (log_likelihood_ratio(n * counts, 0, 20) for n in (1, 2))
    assert once > 0
    assert twice == pytest.approx(2 * once, rel=1e-3)
    assert log_likelihood_ratio(counts[::-1], -20, 0) == pytest.approx(-once, rel=1e-6)
    assert log_likelihood_ratio([0] * 5, 0, 20) == 0.0


def test_one_kind_of_pair_alone_is_no_error() -> None:
    assert Sprt(0, 20).state([0, 0, 0, 0, 100]).decision == "elo1"
    assert Sprt(0, 20).state([100, 0, 0, 0, 0]).decision == "elo0"
    assert Sprt(0, 20).state([0, 0, 2, 0, 0]).decision == "undecided"


def accepted_elo1(elo: float, test: Sprt, trials: int) -> float:
    """How often it accepts elo1, after batches of 16 pairs, when the truth is `elo`."""
    rng = np.random.default_rng(0)
    accepted = 0
    for _ in range(trials):
        counts = np.zeros(5, np.int64)
        while (decision := test.state(counts).decision) == "undecided":
            counts += rng.multinomial(16, pair_chances(score_of(elo)))
        accepted += decision == "elo1"
    return accepted / trials


def test_it_errs_as_often_as_it_says() -> None:
    """Overshoot of the bounds makes it err a little less; 300 trials tell to 3%."""
    test = Sprt(0, 80, alpha=0.1, beta=0.05)
    assert 0.03 < accepted_elo1(0.0, test, 300) < 0.13
    assert 0.92 < accepted_elo1(80.0, test, 300) < 0.995


@pytest.mark.parametrize(
    ("elo0", "elo1", "alpha", "beta", "told"),
    [
        (20, 0, 0.05, 0.05, "elo0 = 20, elo1 = 0"),
        (0, math.nan, 0.05, 0.05, "elo0 < elo1"),
        (0, 7000, 0.05, 0.05, "elo0 < elo1, -4000 to 4000"),
        (-200_000, 0, 0.05, 0.05, "elo0 < elo1, -4000 to 4000"),
        (0, 20, 0.0, 0.05, "alpha = 0: expected"),
        (0, 20, 0.05, 0.7, "beta = 0.7: expected"),
    ],
)
def test_impossible_tests_are_refused(
    elo0: float, elo1: float, alpha: float, beta: float, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        Sprt(elo0, elo1, alpha, beta)
