import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arena.engine.deciding import budget_for
from arena.engine.limits import Budget, Clock, Clocks, Limit, budget_of, moves_ahead
from envs.registry import find_game

SECONDS = st.floats(0, 1e5)
CLOCKS = st.builds(
    Clock,
    remaining=st.floats(-10, 1e5),
    increment=st.floats(0, 60),
    moves_to_go=st.integers(0, 80),
    period=st.sampled_from([0.0, 0.5, 5.0, 60.0]),
    period_moves=st.integers(1, 25),
)


@settings(max_examples=400, deadline=None)
@given(clock=CLOCKS, overhead=st.floats(0, 5), moves=st.integers(1, 60))
@example(clock=Clock(0.01, increment=10), overhead=0.05, moves=30)
@example(clock=Clock(10, moves_to_go=1), overhead=0.0, moves=30)
def test_no_budget_exceeds_its_clock(clock: Clock, overhead: float, moves: int) -> None:
    found = budget_of(clock, overhead, moves)
    has = max(0.0, clock.remaining) + clock.period / clock.period_moves
    assert 0 <= found.optimum <= found.maximum <= max(0.0, has - overhead)


@settings(max_examples=150, deadline=None)
@given(
    main=st.floats(1, 3600),
    increment=st.floats(0, 30),
    overhead=st.floats(0, 0.2),
    late=st.lists(st.floats(0, 1), min_size=60, max_size=60),
)
def test_a_game_at_the_most_of_each_budget_is_never_lost_on_time(
    main: float, increment: float, overhead: float, late: list[float]
) -> None:
    left = main
    for share in late:  # of the overhead, that is really lost
        budget = budget_of(Clock(left, increment), overhead, 30)
        left -= budget.maximum
        if budget.maximum > 0:
            left -= share * overhead
        assert left >= 0
        left += increment


@given(moves=st.integers(1, 60), main=st.floats(30, 3600), overhead=st.floats(0, 0.1))
def test_a_time_control_leaves_each_of_its_moves_an_overhead(
    moves: int, main: float, overhead: float
) -> None:
    left = main
    for to_go in range(moves, 0, -1):
        left -= budget_of(Clock(left, moves_to_go=to_go), overhead, 30).maximum + overhead
        assert left >= -1e-9


@pytest.mark.parametrize(
    ("clock", "least", "most"),
    [
        (Clock(60, moves_to_go=1), 59.0, 60.0),  # all of it is for this move
        (Clock(300), 9.0, 11.0),  # a thirtieth
        (Clock(300, increment=5), 14.0, 16.0),  # and nearly the increment
        (Clock(0, period=10), 9.9, 10.0),  # byo-yomi alone
        (Clock(0, period=60, period_moves=20), 2.9, 3.0),  # Canadian
        (Clock(30, moves_to_go=10), 2.9, 3.1),  # in a running Canadian period
        (Clock(-0.2, increment=3), 0.0, 0.0),  # late: move at once
    ],
)
def test_what_a_clock_is_shared_out_into(clock: Clock, least: float, most: float) -> None:
    assert least <= budget_of(clock, 0.05, 30).optimum <= most


def test_each_side_has_its_own_clock_and_the_first_limit_counts() -> None:
    clocks = Clocks(Clock(30), Clock(300))
    budgets = [budget_for(Limit(clocks=clocks), side, 30) for side in (0, 1)]
    assert budgets[0].optimum < budgets[1].optimum / 5
    assert budget_for(Limit(seconds=0.5, clocks=clocks), 1, 30) == Budget(0.5, 0.5)
    assert budget_for(Limit(nodes=5), 0, 30) == Budget(math.inf, math.inf)


def test_a_game_near_its_end_shares_time_among_fewer_moves() -> None:
    game = find_game("connect_four")  # 42 plies at most
    ahead = [moves_ahead(game, ply) for ply in range(43)]
    assert ahead == sorted(ahead, reverse=True)
    assert moves_ahead(find_game("chess"), 0) == 30
    assert ahead[-1] >= 1


def test_limits_say_what_they_do_not_take() -> None:
    assert Limit().is_infinite
    assert not Limit(seconds=1).is_infinite
    for wrong, told in (
        (lambda: Limit(nodes=-1), r"nodes = -1: expected a whole number, 0 or more"),
        (lambda: Limit(seconds=-0.5), r"seconds = -0.5: expected a number, 0 or more"),
        (lambda: Limit(seconds=math.nan), "seconds = nan"),
        (lambda: Clock(1, increment=-1), "increment = -1"),
        (lambda: Clock(1, period_moves=0), "period_moves = 0: expected a whole number, 1 or more"),
        (lambda: Clocks(Clock(1), 5), "second = 5: expected a Clock"),
    ):
        with pytest.raises(ValueError, match=told):
            wrong()
