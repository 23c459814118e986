"""Checkpoints at minutes of training stay by name."""

import logging

import pytest

from store.errors import RunLostError, StoreWriteError
from store.upkeep import minutes
from store.upkeep.keeps import keep, kept_names, release
from store.upkeep.minutes import MinuteNames, at_minutes, minutes_name
from tests.store.small_runs import SmallRun


def named(small):
    return kept_names(small.run.files).named


def test_the_first_checkpoint_after_each_minute_is_named(tmp_path):
    small = SmallRun(tmp_path)
    names = MinuteNames(small.run, (120, 10), 0.0)
    for step, elapsed_s in ((1, 300.0), (2, 590.0), (3, 601.0), (4, 660.0), (5, 7300.0)):
        small.checkpoint(step)
        assert names.is_due(elapsed_s) == (step in (3, 5))
        names.name(step, elapsed_s)
    assert named(small) == {"10-minutes": 3, "120-minutes": 5}
    assert at_minutes(kept_names(small.run.files)) == {10.0: 3, 120.0: 5}


def test_a_later_session_names_what_is_still_to_come_alone(tmp_path):
    small = SmallRun(tmp_path)
    small.checkpoint(1)
    MinuteNames(small.run, (10, 120), 0.0).name(1, 700.0)
    small.checkpoint(2)
    later = MinuteNames(small.run, (5, 10, 120), 650.0)
    later.name(2, 700.0)
    assert named(small) == {"10-minutes": 1}
    later.name(2, 7200.0)
    assert named(small) == {"10-minutes": 1, "120-minutes": 2}


def test_a_session_that_goes_back_leaves_the_name_that_is_there(tmp_path):
    """The checkpoint was named, and the process killed: the run goes on from an earlier one."""
    small = SmallRun(tmp_path)
    for step in (1, 2):
        small.checkpoint(step)
    keep(small.run, 1, "10-minutes")
    again = MinuteNames(small.run, (10,), 590.0)
    again.name(2, 605.0)
    assert named(small) == {"10-minutes": 1}


def test_nothing_is_asked_of_the_store_where_no_minutes_are(tmp_path, monkeypatch):
    monkeypatch.setattr(minutes, "kept_names", lambda files: pytest.fail("a request"))
    assert not MinuteNames(SmallRun(tmp_path).run, (), 0.0).is_due(1e9)


def test_a_name_that_cannot_be_kept_is_logged_and_training_goes_on(tmp_path, monkeypatch, caplog):
    small = SmallRun(tmp_path)
    small.checkpoint(1)
    names = MinuteNames(small.run, (1, 2, 3), 0.0)

    def refuse(error):
        def full(run, step, name):
            raise error

        monkeypatch.setattr(minutes, "keep", full)

    refuse(StoreWriteError("the disk is full"))
    with caplog.at_level(logging.WARNING):
        names.name(1, 60.0)
    assert "'1-minutes': the disk is full" in caplog.text
    refuse(RunLostError("another trains it"))
    with pytest.raises(RunLostError):
        names.name(1, 120.0)


def test_other_names_are_not_minutes(tmp_path):
    small = SmallRun(tmp_path)
    small.checkpoint(1)
    for name in ("minutes", "x10-minutes", "10-minutes-later", "2.5-minutes", "best"):
        keep(small.run, 1, name)
    assert at_minutes(kept_names(small.run.files)) == {2.5: 1}
    release(small.run, minutes_name(2.5))
    assert at_minutes(kept_names(small.run.files)) == {}
