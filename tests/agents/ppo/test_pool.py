"""The pool's qualities against the formula, and who plays whom."""

from collections import Counter

import numpy as np
import pytest

from agents.ppo.config import PoolConfig
from agents.ppo.pool import Opponents, Pool, Result, probabilities
from agents.torch_state import dump_trainer, load_trainer


def test_a_beaten_opponent_s_quality_falls_by_the_formula() -> None:
    pool = Pool(PoolConfig(rate=0.01))
    for _ in range(3):
        pool.add()
    pool.qualities = {0: 0.5, 1: -0.2, 2: 0.5}
    total = sum(np.exp([0.5, -0.2, 0.5]))
    pool.update([Result(1, 1.0)])
    chosen = np.exp(-0.2) / total
    assert pool.qualities[1] == pytest.approx(-0.2 - 0.01 / (3 * chosen))
    assert pool.qualities[0] == pool.qualities[2] == 0.5


@pytest.mark.parametrize(("size", "wins"), [(10, 130), (50, 110)])
def test_the_matches_of_an_iteration_have_the_chance_by_which_they_were_chosen(
    size: int, wins: int
) -> None:
    """Else each win would make the next one count for more, up to an infinite fall."""
    pool = Pool(PoolConfig(rate=0.01, size=size))
    for _ in range(size):
        pool.add()
    pool.update([Result(3, 1.0)] * wins)
    assert pool.qualities[3] == pytest.approx(-0.01 * wins)  # N p is 1
    pool.qualities[3] = -2000.0  # whose chance is no number above zero
    pool.update([Result(3, 1.0)] * 3)
    assert pool.qualities[3] == -2003.0


@pytest.mark.parametrize("score", [0.0, 0.5])
def test_one_that_won_or_drew_keeps_its_quality(score: float) -> None:
    pool = Pool(PoolConfig())
    pool.add()
    pool.update([Result(0, score)])
    assert pool.qualities == {0: 0.0}


def test_a_new_opponent_has_the_greatest_quality_and_the_worst_goes() -> None:
    pool = Pool(PoolConfig(size=3))
    assert [pool.add() for _ in range(3)] == [(0, None), (1, None), (2, None)]
    pool.qualities = {0: -1.0, 1: -3.0, 2: -0.5}
    assert pool.add() == (3, 1)
    assert pool.qualities == {0: -1.0, 2: -0.5, 3: -0.5}
    pool.update([Result(1, 1.0)])  # of one that is gone


def test_a_pool_goes_on_from_its_state() -> None:
    pool = Pool(PoolConfig(size=2))
    for _ in range(3):
        pool.add()
    pool.update([Result(2, 1.0)])
    other = Pool(PoolConfig(size=2))
    other.load_state(load_trainer(dump_trainer(pool.state())))
    assert other.add() == pool.add()
    assert other.qualities == pool.qualities


def begin_many(opponents: Opponents, rounds: int) -> Counter[int]:
    """Begin one match after another; return how often each opponent was chosen."""
    counts: Counter[int] = Counter()
    for number in range(rounds):
        match = number % len(opponents.opponents)
        opponents.begin([match])
        counts[int(opponents.opponents[match])] += 1
    return counts


def test_opponents_are_chosen_by_share_and_quality() -> None:
    opponents = Opponents(PoolConfig(latest=0.8, at_once=2), 50, np.random.default_rng(0))
    opponents.qualities = {4: 0.0, 7: 1.0}
    counts = begin_many(opponents, 20_000)
    assert counts[Opponents.LATEST] / 20_000 == pytest.approx(0.8, abs=0.02)
    share = counts[7] / (counts[4] + counts[7])
    assert share == pytest.approx(probabilities([0.0, 1.0])[1], abs=0.03)


def test_few_play_at_once_and_all_get_their_turn() -> None:
    opponents = Opponents(PoolConfig(latest=0.5, at_once=3), 40, np.random.default_rng(0))
    opponents.qualities = dict.fromkeys(range(20), 0.0)
    counts: Counter[int] = Counter()
    for _ in range(300):
        counts += begin_many(opponents, 40)
        assert len(opponents.playing()) <= 3
    assert set(counts) == {Opponents.LATEST, *range(20)}


def test_places_do_not_change_who_plays_how_often() -> None:
    """Two good opponents among fifty play as often as the softmax says."""
    opponents = Opponents(PoolConfig(latest=0.8, at_once=4), 256, np.random.default_rng(0))
    opponents.qualities = {number: 0.0 if number < 2 else -6.0 for number in range(50)}
    counts = begin_many(opponents, 40_000)
    past = 40_000 - counts[Opponents.LATEST]
    expected = probabilities([*opponents.qualities.values()])[:2].sum()
    assert (counts[0] + counts[1]) / past == pytest.approx(expected, abs=0.05)
    assert past / 40_000 == pytest.approx(0.2, abs=0.01)


def test_a_full_pool_of_equals_plays_its_share() -> None:
    opponents = Opponents(PoolConfig(latest=0.8, at_once=4), 256, np.random.default_rng(0))
    opponents.qualities = dict.fromkeys(range(50), 0.0)
    counts = begin_many(opponents, 60_000)
    assert 1 - counts[Opponents.LATEST] / 60_000 == pytest.approx(0.2, abs=0.01)
    assert len(counts) == 51


def test_without_past_opponents_the_newest_plays_itself() -> None:
    opponents = Opponents(PoolConfig(latest=0.0), 5, np.random.default_rng(0))
    assert begin_many(opponents, 50) == {Opponents.LATEST: 50}
