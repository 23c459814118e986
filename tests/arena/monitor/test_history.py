from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from arena.monitor.history import History, NoHistoryError, continued, to_moment
from selfplay.journal import to_record
from store import checkpoints
from tests.arena.journals import BEGUN, make_run, stage, truth, write_session


def test_a_stage_comes_back_as_it_was() -> None:
    made = stage(61.0, policy_loss=math.nan, notices=("worker 3 died",))
    moment = to_moment(to_record(made, truth(61.0), made.notices, BEGUN))
    assert math.isnan(moment.progress.policy_loss)
    known = dataclasses.replace(moment.progress, policy_loss=1.0)
    assert known == dataclasses.replace(made, policy_loss=1.0, value_loss=known.value_loss)
    assert known.value_loss == pytest.approx(made.value_loss, rel=1e-5)
    assert moment.truth.raw == pytest.approx(truth(61.0).raw, rel=1e-5)
    assert moment.truth.searched_at == 60.0
    assert moment.time == BEGUN


def test_records_of_other_versions_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    writer = write_session(run, [stage(1.0)])
    record = dict(to_record(stage(2.0), truth(2.0), (), BEGUN + 2))
    del record["staleness"]  # it has a default
    writer.append({**record, "invented_later": 7, "truth": {**record["truth"], "more": 1}})
    writer.append({"notices": [], "something": "else"})
    writer.flush()
    moments = History(run).course().moments
    assert [m.progress.elapsed_s for m in moments] == [1.0, 2.0]


def test_what_was_lost_with_a_killed_session_is_left_out(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    write_session(run, map(stage, (0.0, 10.0, 20.0, 30.0)), BEGUN, cores=2)
    write_session(run, map(stage, (20.0, 25.0)), BEGUN + 3600, cores=8)
    course = History(run).course()
    assert [m.progress.elapsed_s for m in course.moments] == [0.0, 10.0, 20.0, 25.0]
    assert course.moments[2].time > BEGUN + 3600
    assert [session["cores"] for session in course.sessions] == [2, 8]


def test_a_session_that_does_not_know_yet_what_was_before_takes_nothing_away(
    tmp_path: Path,
) -> None:
    """On a cluster the first report comes before the learner has told where it goes on."""
    run = make_run(str(tmp_path))
    write_session(run, map(stage, (10.0, 20.0)))
    write_session(run, [stage(0.0), stage(21.0)], BEGUN + 60)
    assert [m.progress.elapsed_s for m in History(run).course().moments] == [10.0, 20.0, 21.0]
    assert continued([[], []]) == []


def test_it_follows_what_is_added(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    writer = write_session(run, [stage(1.0)])
    history = History(run)
    assert len(history.course().moments) == 1
    writer.append(to_record(stage(2.0), truth(2.0), (), BEGUN + 2))
    writer.flush()
    assert len(history.course().moments) == 2


def test_a_run_without_a_journal_says_what_it_has(tmp_path: Path) -> None:
    run = make_run(str(tmp_path), "old")
    with pytest.raises(NoHistoryError, match=r"run 'old'.*no journal.*of checkpoints, it has none"):
        History(run).course()
    checkpoints.save(run, 1200, {"model.safetensors": b"w"})
    with pytest.raises(NoHistoryError, match=r"the newest of its 1 is of step 1,200"):
        History(run).course()
