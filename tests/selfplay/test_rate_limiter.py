"""Samples per insert: what a learner may train on."""

from selfplay.rate_limiter import RateLimiter


def test_it_admits_passes_rows_a_new_row():
    limiter = RateLimiter(passes=40.0, batch_size=16)
    assert limiter.steps_allowed() == 0
    limiter.earn(4)
    assert limiter.steps_allowed() == 10
    assert limiter.rows_owed() == 4
    limiter.spend(10)
    assert limiter.steps_allowed() == 0
    assert limiter.rows_owed() == 0


def test_a_part_of_a_batch_is_kept_for_later():
    limiter = RateLimiter(passes=0.5, batch_size=4)
    limiter.earn(7)
    assert limiter.steps_allowed() == 0
    limiter.earn(1)
    assert limiter.steps_allowed() == 1


def test_rows_of_a_version_are_some_steps_and_at_least_one():
    limiter = RateLimiter(passes=8.0, batch_size=512)
    assert limiter.steps_of(4096) == 64
    assert limiter.steps_of(1) == 1
