import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime

from arena.rating.elo import (
    Ratings,
    Results,
    _Model,
    fit_ratings,
    intransitive_triples,
    pentanomial,
    score_interval,
    trend,
)


def pairs(score: float, count: int) -> NDArray[np.int64]:
    """`count` pairs without draws, of that score with each colour, the games independent."""
    chances = np.array([1 - score, 0.0, score])
    return np.rint(count * np.outer(chances, chances)).astype(np.int64)


def games(*results: tuple[str, str, NDArray[np.int64]]) -> Results:
    found = Results()
    for first, second, outcomes in results:
        found.add(first, second, outcomes)
    return found


def elo_of(ratings: Ratings) -> dict[str, float]:
    return dict(zip(ratings.agents, ratings.elo.tolist()))


def test_three_players_at_75_75_and_90_percent() -> None:
    played = games(("a", "b", pairs(0.75, 1600)), ("b", "c", pairs(0.75, 1600)))
    played.add("c", "a", pairs(0.1, 1600))
    without_prior = elo_of(fit_ratings(played, prior_elo=math.inf, anchors={"b": 0.0}))
    assert without_prior["a"] == pytest.approx(190.85, abs=0.01)
    assert without_prior["c"] == pytest.approx(-190.85, abs=0.01)
    with_prior = elo_of(fit_ratings(played))  # mean zero, and hardly moved
    assert with_prior["a"] == pytest.approx(190.85, abs=0.1)
    assert sum(with_prior.values()) == pytest.approx(0.0, abs=1e-9)


def test_two_players_have_a_closed_form() -> None:
    """The rating is the logit of the score, its variance that of a logit (the delta method)."""
    score, count = 0.7, 10_000
    ratings = fit_ratings(games(("a", "b", pairs(score, count))), anchors={"b": 100.0})
    assert elo_of(ratings)["a"] == pytest.approx(100 + 400 * math.log10(score / (1 - score)), 1e-3)
    error = 400 / math.log(10) / math.sqrt(2 * count * score * (1 - score))
    assert ratings.error_bars() == pytest.approx([1.959964 * error, 0.0], rel=0.01)
    mean_zero = fit_ratings(games(("a", "b", pairs(score, count))))
    assert mean_zero.error_bars() == pytest.approx([0.98 * error] * 2, rel=0.01)
    assert mean_zero.superiority("a", "b") > 0.999
    assert mean_zero.superiority("b", "a") == pytest.approx(0.0, abs=1e-3)


def test_the_advantage_of_the_first_player_and_the_draws_are_found() -> None:
    """Equal players; the first one wins 50%, draws 30% and loses 20%."""
    chances = np.array([0.2, 0.3, 0.5])
    outcomes = np.rint(10_000 * np.outer(chances, chances[::-1])).astype(np.int64)
    ratings = fit_ratings(games(("a", "b", outcomes)))
    assert ratings.elo == pytest.approx([0.0, 0.0], abs=0.1)
    assert ratings.first_player_elo == pytest.approx(400 * math.log10(0.5 / 0.2), rel=1e-3)
    assert math.exp(ratings.log_draw) == pytest.approx(0.3 / math.sqrt(0.5 * 0.2), rel=1e-3)


def test_an_agent_that_won_everything_has_a_finite_rating_and_a_wide_bar() -> None:
    ratings = fit_ratings(games(("a", "b", pairs(1.0, 50))))
    assert 500 < ratings.elo[0] - ratings.elo[1] < 1500
    assert ratings.error_bars()[0] > 100


def test_agents_without_games_are_rated_by_the_prior_alone() -> None:
    ratings = fit_ratings(games(("a", "b", pairs(0.5, 100))), agents=["new"], zero=["a", "b"])
    bars = dict(zip(ratings.agents, ratings.error_bars()))
    assert bars["new"] > 1900
    assert bars["a"] < 60
    with pytest.raises(ValueError, match="nothing to rate"):
        fit_ratings(Results())


def test_results_are_the_same_seen_from_either_side() -> None:
    outcomes = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    one, other = games(("a", "b", outcomes)), games(("b", "a", outcomes[::-1, ::-1].T))
    assert (one.of("a", "b") == other.of("a", "b")).all()
    assert (one.of("b", "a") == other.of("b", "a")).all()
    assert pentanomial(one.of("a", "b")).tolist() == [1, 6, 15, 14, 9]
    assert pentanomial(one.of("b", "a")).tolist() == [9, 14, 15, 6, 1]
    assert one.games_and_score("a") == (90, pytest.approx((6 + 30 + 42 + 36) / 180))
    with pytest.raises(ValueError, match="itself"):
        one.add("a", "a", outcomes)


def test_totals_are_those_of_the_pairings() -> None:
    rng = np.random.default_rng(2)
    played = games(*((a, b, rng.integers(0, 9, (3, 3))) for a, b in ("ab", "cb", "ca", "ba", "dc")))
    for agent in "abcd":
        counts = sum(pentanomial(played.of(agent, other)) for other in "abcd")
        expected = 2 * counts.sum(), counts @ np.arange(5) / (4 * counts.sum())
        assert played.games_and_score(agent) == pytest.approx(expected)
    assert played.games_and_score("e") == (0, pytest.approx(math.nan, nan_ok=True))


def test_where_the_search_begins_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    first = games(*((a, b, rng.integers(0, 9, (3, 3))) for a, b in ("ab", "bc")))
    near = fit_ratings(first, agents=["gone"])
    for anchors in ({}, {"b": 300.0}):
        played = games(*((a, b, rng.integers(0, 9, (3, 3))) for a, b in ("ab", "bc", "cd")))
        one, other = (fit_ratings(played, anchors=anchors, near=at) for at in (None, near))
        assert other.elo == pytest.approx(one.elo, abs=1e-3)
        assert other.covariance == pytest.approx(one.covariance, rel=1e-4, abs=1e-4)
    drawless = games(("a", "b", pairs(0.7, 20)))
    assert fit_ratings(played, near=fit_ratings(drawless)).elo == pytest.approx(
        fit_ratings(played).elo, abs=1e-3
    )


def test_derivatives_agree_with_finite_differences() -> None:
    rng = np.random.default_rng(0)
    played = games(*((a, b, rng.integers(0, 9, (3, 3))) for a, b in ("ab", "bc", "ac", "cd")))
    model = _Model(("a", "b", "c", "d"), {"b": 50.0}, played, 1000.0)
    objective = model.objective()
    point = rng.normal(0.0, 1.0, len(model.free))
    assert objective.gradient(point) == pytest.approx(
        approx_fprime(point, objective.value, 1e-7), rel=1e-4, abs=1e-4
    )
    assert objective.hessian(point) == pytest.approx(
        approx_fprime(point, objective.gradient, 1e-7), rel=1e-4, abs=1e-4
    )


def simulate(truth: NDArray[np.float64], rng: np.random.Generator, opening_sd: float) -> Results:
    """All against all, 40 pairs each; an opening favours the first player by chance, in Elo."""
    played = Results()
    for i in range(len(truth)):
        for j in range(i + 1, len(truth)):
            favour = 60.0 + opening_sd * rng.normal(size=40)
            scores = []
            for sign in (1, -1):
                x = (truth[i] - truth[j] + sign * favour) * math.log(10) / 400
                odds = np.stack([np.exp(-x / 2), np.full(40, 0.5), np.exp(x / 2)], axis=1)
                cumulated = np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)
                scores.append((rng.random((40, 1)) > cumulated[:, :2]).sum(axis=1))
            outcomes = np.zeros((3, 3), np.int64)
            np.add.at(outcomes, tuple(scores), 1)
            played.add(f"agent{i}", f"agent{j}", outcomes)
    return played


def coverage(truth: list[float], opening_sd: float, tournaments: int) -> float:
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(tournaments):
        ratings = fit_ratings(simulate(np.array(truth), rng, opening_sd))
        covered.append(np.abs(ratings.elo - truth) <= ratings.error_bars())
    return float(np.mean(covered))


def test_error_bars_cover_the_truth_in_95_percent_of_500_tournaments() -> None:
    assert coverage([-150.0, -50.0, 30.0, 170.0], 0.0, 500) == pytest.approx(0.95, abs=0.02)


def test_error_bars_cover_the_truth_where_openings_favour_one_side() -> None:
    """Independent games would be more uncertain, and their bars cover the truth too often."""
    assert coverage([0.0, 0.0, 0.0], 300.0, 300) == pytest.approx(0.95, abs=0.025)


def test_pairs_that_repeat_each_other_do_not_shrink_the_bars() -> None:
    """Each pair is one game twice: 200 pairs know no more than 200 games, and the bars say so."""
    doubled = np.array([[60, 0, 0], [0, 0, 0], [0, 0, 140]])
    independent = pairs(0.7, 200)
    wide = fit_ratings(games(("a", "b", doubled)))
    narrow = fit_ratings(games(("a", "b", independent)))
    assert wide.elo == pytest.approx(narrow.elo, abs=0.1)
    assert wide.error_bars() / narrow.error_bars() == pytest.approx(math.sqrt(2), rel=0.04)
    assert wide.variance_ratio == pytest.approx(2.0, rel=0.06)


def test_a_few_pairs_that_vary_little_by_chance_do_not_narrow_the_bars_much() -> None:
    """16 even pairs among hundreds that vary as games do: more than half of their weight stays."""
    played = games(("a", "b", pairs(0.5, 400)), ("b", "c", pairs(0.5, 400)))
    model = _Model(("a", "b", "c", "d"), {}, played, 1000.0)
    assert model._variance_ratios(model.start(None)) == pytest.approx([1.0, 1.0], rel=0.02)
    played.add("a", "d", np.array([[0, 0, 8], [0, 0, 0], [8, 0, 0]]))
    model = _Model(("a", "b", "c", "d"), {}, played, 1000.0)
    of_d = model._variance_ratios(model.start(None))[1]
    assert 0.6 < of_d < 0.8


def test_decided_openings_narrow_the_bars() -> None:
    """Whom the opening favours wins both times: every pair is even, and so are the agents."""
    decided = np.array([[0, 0, 100], [0, 0, 0], [100, 0, 0]])
    mixed = pairs(0.5, 200)
    narrow, wide = (fit_ratings(games(("a", "b", o))).error_bars() for o in (decided, mixed))
    assert (narrow < wide / 3).all()


def test_a_first_player_that_always_wins_tells_nothing_of_strength() -> None:
    always = np.array([[0, 0, 0], [0, 0, 0], [200, 0, 0]])
    assert (fit_ratings(games(("a", "b", always))).error_bars() > 100).all()


def test_a_triple_is_intransitive_only_when_each_win_is_significant() -> None:
    played = games(("rock", "scissors", pairs(0.8, 50)), ("scissors", "paper", pairs(0.8, 50)))
    assert intransitive_triples(played) == []
    played.add("paper", "rock", pairs(0.5, 50))
    assert intransitive_triples(played) == []
    played.add("paper", "rock", pairs(0.8, 200))
    assert intransitive_triples(played) == [("paper", "rock", "scissors")]


def test_trend_weighs_ratings_by_their_errors() -> None:
    slope, error = trend(np.array([0.0, 10.0, 20.0]), np.eye(3), [1, 2, 3])
    assert slope == pytest.approx(10.0)
    assert error == pytest.approx(math.sqrt(0.5), rel=1e-3)
    slope, _ = trend(np.array([0.0, 10.0, 500.0]), np.diag([1.0, 1.0, 1e8]), [1, 2, 3])
    assert slope == pytest.approx(10.0, rel=0.01)
    with pytest.raises(ValueError, match="1 places"):
        trend(np.array([1.0]), np.eye(1), [1])


def test_interval_of_the_score_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    outcomes, odds = np.array([0.0, 0.25, 0.5, 0.75, 1.0]), [0.02, 0.03, 0.15, 0.2, 0.6]
    truth = float(outcomes @ odds)
    intervals = [score_interval(rng.choice(outcomes, 50, p=odds)) for _ in range(4000)]
    covered = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.935 < covered < 0.985


def test_a_clean_sweep_leaves_doubt() -> None:
    low, high = score_interval(np.ones(100))
    assert 0.95 < low < 0.99
    assert high == 1.0
