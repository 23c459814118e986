"""When a training ends."""

import math

import pytest

from agents.alphazero.config import AlphaZeroConfig
from agents.running.budget import Budget, limits_of, limits_text, start_notice
from configs.loader import load_config
from selfplay.trainer import rows_between

MANY = {"games": 10**9, "rows": 10**9}


@pytest.fixture
def clock():
    class Clock:
        now = 50.0

        def __call__(self):
            return self.now

    return Clock()


def test_minutes_count_over_all_sessions(clock):
    budget = Budget(AlphaZeroConfig(minutes=2), elapsed_before=90.0, clock=clock)
    budget.start()
    clock.now += 12.0
    assert (budget.session(), budget.elapsed()) == (12.0, 102.0)
    assert budget.share(MANY) == pytest.approx(0.85)
    assert not budget.is_used(MANY)
    clock.now += 18.0
    assert budget.time_is_up()
    assert budget.share({}) == 1.0


def test_games_end_it_too(clock):
    budget = Budget(AlphaZeroConfig(minutes=0, games=200), clock=clock)
    assert budget.share({"games": 50}) == 0.25
    assert not budget.is_used({"games": 199})
    assert budget.is_used({"games": 200})
    budget.start()
    clock.now += 1e6
    assert not budget.time_is_up()


def test_rows_end_it_too(clock):
    budget = Budget(AlphaZeroConfig(minutes=0, rows=200), clock=clock)
    assert budget.share({"games": 10**9, "rows": 50}) == 0.25
    assert not budget.counts_are_up({"games": 10**9, "rows": 199})
    assert budget.is_used({"games": 0, "rows": 200})
    assert budget.share({"games": 0, "rows": 300}) == 1.0


def test_of_several_limits_the_one_nearest_to_its_end_counts(clock):
    budget = Budget(AlphaZeroConfig(minutes=2, games=100, rows=1000), clock=clock)
    budget.start()
    clock.now += 60.0
    assert budget.share({"games": 10, "rows": 10}) == 0.5
    assert budget.share({"games": 60, "rows": 10}) == 0.6
    assert budget.share({"games": 60, "rows": 700}) == 0.7
    assert not budget.is_used({"games": 60, "rows": 700})
    assert budget.is_used({"games": 60, "rows": 1000})


def test_limits_are_told_in_words():
    config = AlphaZeroConfig(minutes=2.5, games=1000, rows=50_000)
    assert limits_text(limits_of(config), "none") == "2.5 minutes or 1,000 games or 50,000 rows"
    assert limits_text(limits_of(AlphaZeroConfig(minutes=0)), "none") == "none"


def test_checkpoints_of_a_run_without_a_clock_cut_no_segment_short():
    """A network of DQN is published every four rows; eight of them are no reason to save."""
    assert rows_between(load_config("dqn_nature", {"replay.segment_rows": "5000"})) == 5000
    assert rows_between(load_config("dqn_nature", {"minutes": "1"})) == 0
    assert rows_between(load_config("dqn_nature", {"checkpoint_rows": "40"})) == 40
    assert rows_between(load_config("dqn_nature", {"workers": "2"})) == 0
    alone = {"minutes": "0", "rows": "1000", "publish_rows": "64"}
    assert rows_between(load_config("connect_four", alone)) == 8 * 64


def test_without_limits_it_never_ends(clock):
    budget = Budget(AlphaZeroConfig(minutes=0), clock=clock)
    budget.start()
    clock.now += 1e9
    assert budget.share(MANY) == 0.0
    assert not budget.is_used(MANY)


def test_the_clock_stands_still_until_it_is_started(clock):
    budget = Budget(AlphaZeroConfig(minutes=2), elapsed_before=60.0, clock=clock)
    clock.now += 1000.0
    assert not budget.runs
    assert (budget.session(), budget.elapsed(), budget.share({})) == (0.0, 60.0, 0.5)
    budget.start()
    clock.now += 30.0
    budget.start()
    assert budget.runs
    assert budget.elapsed() == 90.0


@pytest.mark.parametrize(
    ("rows", "is_told"), [(0, False), (999, True), (1000, True), (1001, False)]
)
def test_a_run_that_ends_before_it_learns_is_told_so(rows: int, is_told: bool) -> None:
    told = start_notice(rows, 1000)
    assert len(told) == is_told
    assert all(
        notice.startswith(f"rows = {rows:,}: ") and "than 1,000" in notice for notice in told
    )


def test_whole_counters_are_stored_as_integers(clock):
    budget = Budget(AlphaZeroConfig(minutes=2), clock=clock)
    stored = budget.metadata({"games": 3.0, "rows": 7, "score": 1.5})["counters"]
    assert budget.metadata({"score": math.inf})["counters"] == {"score": math.inf}
    assert repr(stored) == "{'games': 3, 'rows': 7, 'score': 1.5}"
