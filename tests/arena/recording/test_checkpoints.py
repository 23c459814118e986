import pytest

from arena.recording.checkpoints import shown_checkpoints
from store import checkpoints
from store.errors import StoreError
from store.upkeep.keeps import keep
from tests.store.small_runs import SmallRun


def run_with(tmp_path, steps):
    small = SmallRun(tmp_path)
    for step in steps:
        small.checkpoint(step, elapsed_s=60.0 * step)
    return small.run


def test_those_kept_at_minutes_are_shown_in_order(tmp_path):
    run = run_with(tmp_path, [10, 121, 130, 241])
    for step, name in ((121, "120-minutes"), (10, "10-minutes"), (241, "240-minutes")):
        keep(run, step, name)
    assert shown_checkpoints(run) == [
        (10, "after 10 minutes"),
        (121, "after 120 minutes"),
        (241, "after 240 minutes"),
    ]


def test_the_newest_follows_unless_it_is_as_old(tmp_path):
    run = run_with(tmp_path, [10, 60])
    keep(run, 10, "10-minutes")
    assert shown_checkpoints(run) == [(10, "after 10 minutes"), (60, "after 60 minutes")]
    keep(run, 60, "60-minutes")
    assert len(shown_checkpoints(run)) == 2


def test_without_any_the_first_the_middle_and_the_newest_are(tmp_path):
    run = run_with(tmp_path, [0, 2, 5, 9, 30])
    assert shown_checkpoints(run) == [
        (0, "after 0.0 minutes"),
        (5, "after 5 minutes"),
        (30, "after 30 minutes"),
    ]


def test_one_checkpoint_is_shown_once(tmp_path):
    assert len(shown_checkpoints(run_with(tmp_path, [3]))) == 1


def test_a_run_without_checkpoints_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no checkpoint yet"):
        shown_checkpoints(run_with(tmp_path, []))


def test_a_checkpoint_of_unknown_age_is_titled_by_its_step(tmp_path):
    run = run_with(tmp_path, [])
    checkpoints.save(run, 7000, {checkpoints.MODEL_FILE: b""}, {"cursor": {}})
    assert shown_checkpoints(run) == [(7000, "step 7,000")]
