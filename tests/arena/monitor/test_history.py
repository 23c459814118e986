from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from agents.alphazero.metrics import METRICS
from agents.progress import Measured, Progress
from agents.registry import ALGORITHMS, find_metrics
from arena.monitor.figures import metric_text
from arena.monitor.history import NO_METRICS, History, NoHistoryError, continued, to_moment
from selfplay.journal import to_record
from store import checkpoints
from tests.arena.journals import BEGUN, make_run, measured, stage, write_session


def test_a_stage_comes_back_as_it_was() -> None:
    made = stage(61.0, notices=("worker 3 died",))
    made = dataclasses.replace(made, metrics={**made.metrics, "policy_loss": math.nan})
    moment = to_moment(to_record(made, made.notices, BEGUN))
    found = moment.progress
    assert found.metrics["policy_loss"] is None  # JSON has no NaN
    assert found.metrics["value_loss"] == pytest.approx(made.metrics["value_loss"], rel=1e-5)
    assert found.metrics.keys() == made.metrics.keys()
    assert [m.name for m in found.measured] == ["no search", "64 simulations"]
    assert found.measured[0].shares == pytest.approx(measured(61.0)[0].shares, rel=1e-5)
    assert found.measured[1].at_s == 60.0
    same = dataclasses.replace(made, metrics={}, measured=())
    assert dataclasses.replace(found, metrics={}, measured=()) == same
    assert moment.time == BEGUN


def test_stored_text_cannot_control_a_terminal() -> None:
    found = (Measured("no \x1b[31msearch", 3.0, {"ea\x07sy": 0.25}),)
    made = dataclasses.replace(stage(61.0), measured=found)
    moment = to_moment(to_record(made, ["\x1b]0;title\x07worker 3 died\n"], BEGUN))
    assert moment.progress.notices == (" ]0;title worker 3 died ",)
    assert moment.progress.measured == (Measured("no  [31msearch", 3.0, {"ea sy": 0.25}),)


def test_no_metric_has_the_name_of_a_field() -> None:
    """A record holds both side by side."""
    names = {f.name for f in dataclasses.fields(Progress)} | NO_METRICS
    for entry in ALGORITHMS:
        assert not names & {spec.name for spec in find_metrics(entry)}


def test_records_of_other_versions_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    writer = write_session(run, [stage(1.0)])
    record = dict(to_record(stage(2.0), (), BEGUN + 2))
    del record["staleness"]  # it has a default
    writer.append({**record, "invented_later": 7})
    writer.append({"notices": [], "something": "else"})
    for name, value in (("elapsed_s", "x"), ("games", None), ("games", [])):
        writer.append({**record, name: value})
    writer.flush()
    moments = History(run).timeline().moments
    assert [m.progress.elapsed_s for m in moments] == [1.0, 2.0]


def test_a_record_from_before_there_were_several_algorithms_is_read() -> None:
    """Its metrics were fields, its shares are counters, and its measurements had other names."""
    record = {
        "time": BEGUN, "event": "learned", "elapsed_s": 61.0, "budget_s": 600.0, "games": 5,
        "games_goal": 0, "positions": 60, "moves": 99, "simulations": 4000, "evaluations": 1000,
        "cache_hits": 600, "proven_leaves": 400, "proven_roots": 1, "simulations_per_s": 800.0,
        "evaluations_per_s": 200.0, "learner_steps": 7, "policy_loss": 1.5, "value_loss": None,
        "learning_rate": 0.002, "network_version": 7, "games_in_flight": 4, "mean_plies": 20.0,
        "resign_false_positive": None, "first_game_s": 3.0, "workers": 0, "workers_wanted": 0,
        "staleness": 0.0, "notices": [],
        "truth": {
            "raw": {"begin_easy": 0.25}, "raw_at": 60.0, "searched": {}, "searched_at": -1.0,
            "simulations": 64,
        },
    }  # fmt: skip
    progress = to_moment(record).progress
    texts = {spec.name: metric_text(spec, progress) for spec in METRICS}
    assert texts["cache_hit_share"] == "30.0%"
    assert (texts["policy_loss"], texts["value_loss"]) == ("1.500", "-")
    assert (texts["simulations_per_s"], texts["simulations"]) == ("800", "4,000")
    assert progress.measured == (Measured("raw", 60.0, {"begin_easy": 0.25}),)


def test_what_was_lost_with_a_killed_session_is_left_out(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    write_session(run, map(stage, (0.0, 10.0, 20.0, 30.0)), BEGUN, cores=2)
    write_session(run, map(stage, (20.0, 25.0)), BEGUN + 3600, cores=8)
    timeline = History(run).timeline()
    assert [m.progress.elapsed_s for m in timeline.moments] == [0.0, 10.0, 20.0, 25.0]
    assert timeline.moments[2].time > BEGUN + 3600
    assert [session["cores"] for session in timeline.sessions] == [2, 8]


def test_a_session_that_does_not_know_yet_what_was_before_takes_nothing_away(
    tmp_path: Path,
) -> None:
    """On a cluster the first report comes before the learner has told where it goes on."""
    run = make_run(str(tmp_path))
    write_session(run, map(stage, (10.0, 20.0)))
    write_session(run, [stage(0.0), stage(21.0)], BEGUN + 60)
    assert [m.progress.elapsed_s for m in History(run).timeline().moments] == [10.0, 20.0, 21.0]
    assert continued([[], []]) == []


def test_it_follows_what_is_added(tmp_path: Path) -> None:
    run = make_run(str(tmp_path))
    writer = write_session(run, [stage(1.0)])
    history = History(run)
    assert len(history.timeline().moments) == 1
    writer.append(to_record(stage(2.0), (), BEGUN + 2))
    writer.flush()
    assert len(history.timeline().moments) == 2


def test_a_run_without_a_journal_says_what_it_has(tmp_path: Path) -> None:
    run = make_run(str(tmp_path), "old")
    with pytest.raises(NoHistoryError, match=r"run 'old'.*no journal.*of checkpoints, it has none"):
        History(run).timeline()
    checkpoints.save(run, 1200, {"model.safetensors": b"w"})
    with pytest.raises(NoHistoryError, match=r"the newest of its 1 is of step 1,200"):
        History(run).timeline()
