"""Pruning: it drops what was asked, and never what a trainer or a reader still needs."""

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store import checkpoints
from store.errors import CheckpointError
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.replay.walk import list_segments
from store.replay.window import Window
from store.upkeep.holds import Hold, read_holds
from store.upkeep.retention import Retention, plan_pruning, prune
from tests.store.small_runs import SCHEMA, A, B, SmallRun, contents, resumed

WINDOW = Window(4, of="row_ply")


@pytest.fixture
def small(tmp_path):
    """Ten segments of two rows; checkpoints 1 to 5, one after every second segment."""
    small = SmallRun(tmp_path)
    for step in range(1, 6):
        small.segment()
        small.segment()
        small.checkpoint(step)
    return small


def seqs(run, writer=A):
    return [name.seq for owner, name in list_segments(run.files) if owner == writer]


def pruned(run, holds=(), **retention):
    plan = plan_pruning(run, Retention(window=WINDOW, **retention), holds)
    prune(run, plan)
    return plan


def test_a_plan_changes_nothing_and_tells_what_will_go(small, tmp_path):
    before = contents(tmp_path)
    plan = plan_pruning(small.run, Retention(keep_last=2, keep_rows=4, window=WINDOW))
    assert contents(tmp_path) == before
    assert (plan.drop_steps, plan.kept_steps) == ([1, 2, 3], [4, 5])
    assert (len(plan.drop_segments), plan.kept_segments) == (6, 4)
    prune(small.run, plan)
    gone = before.keys() - contents(tmp_path).keys()
    assert {key.split("/", 1)[1] for key in gone if "replay" in key} == {*plan.drop_segments}
    assert plan.bytes_freed == sum(len(before[key]) for key in gone)
    assert checkpoints.steps(small.run) == [4, 5]
    assert not (tmp_path / "r/checkpoints/000000003").exists()


def test_nothing_goes_that_was_not_asked(small):
    assert pruned(small.run).drop_steps == []
    plan = pruned(small.run, keep_rows=0)  # every checkpoint stays, and so what they need
    assert (plan.drop_steps, plan.pinned_by) == ([], 1)
    assert seqs(small.run) == list(range(10))
    plan = pruned(small.run, keep_last=1)  # of segments nothing was said
    assert (plan.drop_segments, seqs(small.run)) == ([], list(range(10)))
    with pytest.raises(ValueError, match="keep_last >= 1"):
        pruned(small.run, keep_last=0)
    with pytest.raises(ValueError, match="keep_rows >= 0; got -1"):
        pruned(small.run, keep_rows=-1)


def test_rows_beyond_the_needs_of_resuming_are_kept_as_asked(small):
    plan = pruned(small.run, keep_last=1, keep_rows=13)
    assert seqs(small.run) == [3, 4, 5, 6, 7, 8, 9]
    assert plan.pinned_by is None
    plan = pruned(small.run, keep_last=1, keep_rows=1)
    assert (seqs(small.run), plan.pinned_by) == ([8, 9], 5)  # the window: four rows


def test_milestones_and_the_best_stay_without_the_replay_that_they_began_with(small):
    plan = pruned(small.run, keep_last=1, keep_every=4, best=3, keep_rows=1)
    assert (plan.kept_steps, plan.pinned_by) == ([3, 4, 5], 5)
    assert seqs(small.run) == [8, 9]
    for _ in range(2):  # though they are among the newest that are left
        plan = pruned(small.run, keep_last=1, keep_every=4, best=3, keep_rows=1)
    assert (plan.kept_steps, seqs(small.run)) == ([3, 4, 5], [8, 9])


def test_each_of_the_newest_that_are_kept_can_be_resumed_from(small):
    plan = pruned(small.run, keep_last=3, keep_rows=1)
    assert (plan.kept_steps, plan.pinned_by) == ([3, 4, 5], 3)
    assert seqs(small.run) == [4, 5, 6, 7, 8, 9]
    assert resumed(small.run, 3, WINDOW.rows) == ([5, 6], [7, 8, 9, 10])


def test_the_newest_valid_checkpoint_stays_when_newer_ones_are_damaged(small, tmp_path):
    for step in (4, 5):
        (tmp_path / f"r/checkpoints/{step:09d}/model.safetensors").write_bytes(b"")
    plan = pruned(small.run, keep_last=1, keep_rows=0)
    assert plan.kept_steps == [3, 5]
    assert seqs(small.run)[0] == 4
    (tmp_path / "r/checkpoints/000000003/model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="none of the 2"):
        pruned(small.run, keep_last=1)


def test_without_a_checkpoint_or_known_needs_no_segment_goes(tmp_path):
    small = SmallRun(tmp_path)
    small.segment()
    small.segment()
    plan = pruned(small.run, keep_last=1, keep_rows=0)
    assert "no checkpoint yet" in plan.all_segments_because
    small.checkpoint(1)
    plan = plan_pruning(small.run, Retention(keep_last=1, keep_rows=0))
    assert "do not tell" in plan.all_segments_because
    assert plan.drop_segments == []
    small.checkpoint(2, cursor=None)  # of another kind of trainer: who knows what it needs
    assert pruned(small.run, keep_last=1, keep_rows=0).drop_segments == []


def test_a_writers_last_segment_stays_so_that_it_never_counts_anew(tmp_path):
    small = SmallRun(tmp_path)
    for writer in (A, A, B, B, B, B):
        small.segment(writer)
    small.checkpoint(1)
    pruned(small.run, keep_last=1, keep_rows=0)
    assert (seqs(small.run, A), seqs(small.run, B)) == ([1], [2, 3])
    assert SegmentWriter(small.run, SCHEMA, writer=A).next_seq == 2


def test_what_a_killed_trainer_left_before_the_newest_checkpoint_goes(small, tmp_path):
    for step in (2, 5):
        (tmp_path / f"r/checkpoints/{step:09d}/MANIFEST.json").unlink()
    plan = pruned(small.run, keep_last=9)
    assert plan.drop_unfinished == [2]  # 5 may be in the making
    assert not (tmp_path / "r/checkpoints/000000002").exists()
    assert (tmp_path / "r/checkpoints/000000005/model.safetensors").exists()


def test_what_a_reader_holds_stays_until_it_lets_go(small):
    with Hold(small.run, segments={A: 6}, checkpoints=[2, 77]):
        held = read_holds(small.run.files)
        plan = pruned(small.run, held, keep_last=1, keep_rows=0)
        assert (plan.kept_steps, seqs(small.run)[0]) == ([2, 5], 6)
        assert plan.held_by == [held[0].owner]
    plan = pruned(small.run, read_holds(small.run.files), keep_last=1, keep_rows=0)
    assert (plan.kept_steps, seqs(small.run), plan.held_by) == ([5], [8, 9], [])


def test_held_segments_stay_without_any_checkpoint(small):
    with Hold(small.run, segments={A: 6}):
        plan = pruned(small.run, read_holds(small.run.files), keep_last=1, keep_rows=0)
    assert (plan.kept_steps, seqs(small.run)) == ([5], [6, 7, 8, 9])


def test_a_hold_that_costs_nothing_is_not_blamed(small):
    with Hold(small.run, segments={A: 9}, checkpoints=[5]):
        plan = pruned(small.run, read_holds(small.run.files), keep_last=1, keep_rows=0)
    assert (plan.held_by, seqs(small.run)) == ([], [8, 9])


def test_a_hold_that_cannot_be_read_stops_everything(small):
    small.run.files.create(f"holds/{'f' * 32}-000000000.json", b"?")
    plan = pruned(small.run, read_holds(small.run.files), keep_last=1, keep_rows=0)
    assert (plan.drop_steps, plan.drop_segments) == ([], [])
    assert plan.held_by == ["an unreadable hold"]


def test_two_pruners_do_not_mind_each_other(small):
    plans = [
        plan_pruning(small.run, Retention(keep_last=k, keep_rows=0, window=WINDOW)) for k in (1, 2)
    ]
    for plan in plans:
        prune(small.run, plan)
    assert checkpoints.steps(small.run) == [5]
    assert resumed(small.run, 5, WINDOW.rows) == ([9, 10], [])


def test_a_pruner_killed_anywhere_leaves_a_run_that_resumes(tmp_path, monkeypatch):
    for kill_at in range(1, 20):
        small = SmallRun(tmp_path, f"r{kill_at}")
        for step in (1, 2, 3):
            small.segment()
            small.segment()
            small.checkpoint(step)
        removed = 0
        original = Path.unlink

        def dying(self, missing_ok=False, original=original, kill_at=kill_at):
            nonlocal removed
            removed += 1
            if removed == kill_at:
                raise KeyboardInterrupt
            original(self, missing_ok=missing_ok)

        plan = plan_pruning(small.run, Retention(keep_last=1, keep_rows=0, window=WINDOW))
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", dying)
            try:
                prune(small.run, plan)
            except KeyboardInterrupt:
                assert checkpoints.latest_valid(small.run).step == 3
                assert resumed(small.run, 3, WINDOW.rows) == ([5, 6], [])
            else:
                assert kill_at > 8  # four files of checkpoints, four segments
                return
    pytest.fail("it never came to its end")


def test_readers_go_on_while_a_trainer_writes_and_a_pruner_drops(tmp_path, caplog):
    small = SmallRun(tmp_path)
    for _ in range(3):
        small.segment()
    small.checkpoint(1)
    over, failures = threading.Event(), []

    def repeat(work):
        def loop():
            try:
                while not over.is_set():
                    work()
            except BaseException as error:
                failures.append(error)

        return threading.Thread(target=loop)

    def read():
        assert checkpoints.latest_valid(small.run) is not None
        log = ReplayLog(small.run, SCHEMA)
        log.load_newest(4, of="row_ply")
        log.poll()

    threads = [repeat(read), repeat(lambda: pruned(small.run, keep_last=1, keep_rows=0))]
    for thread in threads:
        thread.start()
    for step in range(2, 40):
        small.segment()
        small.checkpoint(step)
    over.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert small.run.files.folders("quarantine") == small.run.files.names("quarantine") == []
    pruned(small.run, keep_last=1, keep_rows=0)
    assert resumed(small.run, 39, WINDOW.rows)[0] == [small.count - 1, small.count]


EVENTS = st.lists(
    st.one_of(st.tuples(st.sampled_from([A, B]), st.integers(0, 4)), st.just("checkpoint")),
    min_size=4,
    max_size=14,
)


@settings(deadline=None, max_examples=15)
@given(
    events=EVENTS,
    window=st.integers(0, 8),
    rows=st.integers(0, 12),
    keep_last=st.integers(1, 3),
    best=st.one_of(st.none(), st.integers(1, 5)),
)
def test_resuming_from_the_newest_kept_checkpoints_reads_the_same(
    tmp_path_factory, events, window, rows, keep_last, best
):
    small = SmallRun(tmp_path_factory.mktemp("store"))
    step = 0
    for event in events:
        if event == "checkpoint":
            step += 1
            small.checkpoint(step)
        else:
            small.segment(*event)
    run = small.run
    newest = [
        b.values["number"].tolist() for b in ReplayLog(run, SCHEMA).load_newest(rows, "row_ply")
    ]
    before = {step: resumed(run, step, window) for step in checkpoints.steps(run)}
    retention = Retention(keep_last, keep_rows=rows, best=best, window=Window(window, "row_ply"))
    plan = plan_pruning(run, retention)
    prune(run, plan)
    assert checkpoints.steps(run) == plan.kept_steps
    assert set(plan.kept_steps) >= {*list(before)[-keep_last:], *({best} & before.keys())}
    for step in plan.kept_steps:
        loaded, rest = resumed(run, step, window)
        if step in list(before)[-keep_last:]:
            assert (loaded, rest) == before[step]
        else:  # for playing and rating
            assert {*loaded, *rest} <= {*before[step][0], *before[step][1]}
    found = [
        b.values["number"].tolist() for b in ReplayLog(run, SCHEMA).load_newest(rows, "row_ply")
    ]
    assert found == newest
