"""When a training ends."""

import pytest

from agents.alphazero.config import AlphaZeroConfig
from selfplay.budget import Budget


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
    assert budget.share(games=10**9) == pytest.approx(0.85)
    assert not budget.is_used(games=10**9)
    clock.now += 18.0
    assert budget.time_is_up()
    assert budget.share(0) == 1.0


def test_games_end_it_too(clock):
    budget = Budget(AlphaZeroConfig(minutes=0, games=200), clock=clock)
    assert budget.share(50) == 0.25
    assert not budget.is_used(199)
    assert budget.is_used(200)
    budget.start()
    clock.now += 1e6
    assert not budget.time_is_up()


def test_without_limits_it_never_ends(clock):
    budget = Budget(AlphaZeroConfig(minutes=0), clock=clock)
    budget.start()
    clock.now += 1e9
    assert budget.share(10**9) == 0.0
    assert not budget.is_used(10**9)


def test_the_clock_stands_still_until_it_is_started(clock):
    budget = Budget(AlphaZeroConfig(minutes=2), elapsed_before=60.0, clock=clock)
    clock.now += 1000.0
    assert not budget.runs
    assert (budget.session(), budget.elapsed(), budget.share(0)) == (0.0, 60.0, 0.5)
    budget.start()
    clock.now += 30.0
    budget.start()
    assert budget.runs
    assert budget.elapsed() == 90.0
