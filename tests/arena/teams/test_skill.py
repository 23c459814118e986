"""Skills: OpenSkill's update against its formula, frozen references, and results without order."""

import math
from itertools import permutations

import numpy as np
import pytest

from arena.match.records import Batch, MatchKey
from arena.teams.playing import SEEDS
from arena.teams.skill import Skill, TeamResults, cross_play, fit_skills, superiority

MU, SIGMA, BETA = 25.0, 25.0 / 3.0, 25.0 / 6.0
BOTH, EACH_ONE, NEITHER = (2, 2), (2, 0), (0, 0)

Played = tuple[str, str, int, tuple[int, int]]  # agents, number of the pair, half points


def results_of(*played: Played) -> TeamResults:
    results = TeamResults()
    for one, other, number, points in played:
        batch = Batch(number, np.array([points]), np.array([[9, 9]]), (f"{number:03d}",))
        results.add(MatchKey("toy", (one, other), 0, SEEDS), batch)
    return results


def updated(winner: tuple[float, float], loser: tuple[float, float]) -> list[tuple[float, float]]:
    """Weng & Lin (2011), algorithm 4 for two who play: means and deviations after a win."""
    (m, s), (n, t) = winner, loser
    c = math.sqrt(s**2 + t**2 + 2 * BETA**2)
    p = 1 / (1 + math.exp((n - m) / c))

    def deviation(of: float) -> float:
        return of * math.sqrt(1 - (of / c) * (of / c) ** 2 * p * (1 - p))

    return [(m + s**2 / c * (1 - p), deviation(s)), (n - t**2 / c * (1 - p), deviation(t))]


def test_a_pair_updates_by_the_formula() -> None:
    found = fit_skills(results_of(("a", "b", 0, BOTH), ("a", "b", 1, BOTH)), ["a", "b"], [])
    one, other = updated(*updated((MU, SIGMA), (MU, SIGMA)))
    middle = (one[0] + other[0]) / 2
    assert found["a"] == pytest.approx((one[0] - middle, one[1]))
    assert found["b"] == pytest.approx((other[0] - middle, other[1]))


def test_one_match_each_is_a_draw_and_a_draw_beside_it_a_win() -> None:
    even = fit_skills(results_of(("a", "b", 0, EACH_ONE)), ["a", "b"], [])
    assert even["a"].mean == even["b"].mean == 0
    assert even["a"].deviation < SIGMA
    won = fit_skills(results_of(("a", "b", 0, (1, 2))), ["a", "b"], [])
    assert won == fit_skills(results_of(("a", "b", 0, BOTH)), ["a", "b"], [])


def test_references_stay_as_they_are() -> None:
    among = [("weak", "strong", number, NEITHER) for number in range(9)]
    alone = fit_skills(results_of(*among), [], ["weak", "strong"])
    assert alone["weak"].mean == 0
    assert alone["strong"].mean > 5
    upsets = [(name, "new", n, NEITHER) for name in ("weak", "strong") for n in range(20)]
    beside = fit_skills(results_of(*among, *upsets), ["new"], ["weak", "strong"])
    assert {name: beside[name] for name in alone} == alone
    assert beside["new"].mean > alone["strong"].mean


def test_references_that_have_not_played_each_other_are_rated_as_all() -> None:
    played = [("weak", "new", number, NEITHER) for number in range(9)]
    found = fit_skills(results_of(*played), ["new"], ["weak", "strong"])
    assert found["weak"].deviation < SIGMA
    assert {*found} == {"weak", "new"}


def test_results_have_no_order() -> None:
    played: list[Played] = [
        ("a", "b", 0, BOTH),
        ("b", "c", 0, BOTH),
        ("a", "b", 1, NEITHER),
        ("c", "a", 2, BOTH),
    ]
    found = [fit_skills(results_of(*some), ["a", "b", "c"], ["a"]) for some in permutations(played)]
    assert all(skills == found[0] for skills in found)
    turned = [(other, one, n, (2 - p, 2 - q)) for one, other, n, (p, q) in played]
    assert fit_skills(results_of(*turned), ["a", "b", "c"], ["a"]) == found[0]


def test_agents_who_are_not_asked_for_change_nothing() -> None:
    some = [("a", "b", 0, BOTH), ("a", "b", 1, EACH_ONE)]
    more = [*some, ("a", "gone", 0, NEITHER)]
    assert fit_skills(results_of(*more), ["a", "b"], []) == fit_skills(
        results_of(*some), ["a", "b"], []
    )
    assert fit_skills(results_of(), ["a"], ["b"]) == {}


def test_an_agent_against_itself_tells_nothing() -> None:
    assert results_of(("a", "a", 0, BOTH)).agents() == []


def test_the_matrix_has_both_views() -> None:
    results = results_of(("b", "a", 0, BOTH), ("b", "a", 1, (2, 1)), ("a", "c", 0, EACH_ONE))
    matrix = cross_play(results, ["a", "b", "c"])
    assert matrix.scores == [[None, 0.125, 0.5], [0.875, None, None], [0.5, None, None]]
    assert matrix.games == [[0, 4, 2], [4, 0, 0], [2, 0, 0]]
    assert results.games_and_score("a") == (6, pytest.approx((0.5 + 0.0 + 1.0) / 6))
    assert results.games_and_score("d") == (0, None)


def test_superiority_is_the_normal_distribution() -> None:
    assert superiority(Skill(3, 1), Skill(3, 2)) == 0.5
    assert superiority(Skill(5, 3), Skill(0, 4)) == pytest.approx(0.8413, abs=1e-4)
