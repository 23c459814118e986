"""Frames that reach the learner at once: sealed in the background, and none is counted twice."""

import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from agents.torch_state import load_trainer
from selfplay.loop import Training, train
from selfplay.package_check import ROOT
from selfplay.trainer import TRAINER_FILE
from selfplay.writing_through import MOST_UNSEALED, Sealer
from store import checkpoints
from store.errors import StoreWriteError
from store.replay.episodes import EpisodeBatch
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.replay.walk import list_segments
from store.run import Run, RunInfo, open_run
from tests.counting_frames import SCHEMA, CountingActor, CountingConfig
from tests.store.memory_files import MemoryFiles

CONFIG = CountingConfig(minutes=0, games=80, seed=3, checkpoint_rows=700, keep_all=True)
RUN = "run"


def to_the_end(store, config=CONFIG):
    return list(train(config, store_url=str(store), run_name=RUN))[-1]


def stored(store):
    """All pieces in the store, each once."""
    log = ReplayLog(open_run(str(store), RUN), SCHEMA)
    batches = log.poll()
    assert log.duplicates_dropped == 0
    return batches


def assert_all_is_counted_once(store, last):
    batches = stored(store)
    rows = sum(batch.rows("frame") for batch in batches)
    games = sum(int((batch.values["ending"] != 0).sum()) for batch in batches)
    assert (last.positions, last.games) == (rows, games)
    run = open_run(str(store), RUN)
    with run.lock_trainer():  # without a step since the last kill, no checkpoint has its rows
        trainer = Training(run, CONFIG).trainer
    assert trainer.learner.rows_added == rows
    assert trainer.limiter.credit == CONFIG.passes * rows - 16 * trainer.learner.steps
    assert trainer.learner.ring.check_valid() == (True, "")
    keys = [
        (stream, episode, first)
        for batch in batches
        for stream, episode, first in zip(
            *(batch.values[name].tolist() for name in ("stream", "episode", "first_step"))
        )
    ]
    assert len(set(keys)) == len(keys)


def test_segments_hold_so_many_rows_and_nothing_is_read_back(tmp_path, monkeypatch):
    def reading(log, *segment):
        raise AssertionError(f"{segment} was read back")

    with monkeypatch.context() as patch:
        patch.setattr(ReplayLog, "_read", reading)
        last = to_the_end(tmp_path)
    assert_all_is_counted_once(tmp_path, last)
    rows = [batch.rows("frame") for batch in stored(tmp_path)]
    assert sum(200 <= count < 300 for count in rows) > len(rows) / 2
    assert max(rows) < 300
    assert last.learner_steps == CONFIG.passes * last.positions // 16  # the ratio is kept


KILLED = """
import os, sys, signal
import tests.counting_frames as counting
from selfplay import writing_through, trainer, loop
from tests.selfplay.test_writing_through import CONFIG
where, left = sys.argv[2], int(sys.argv[3])
owner, name = {
    "seal": (writing_through.Sealer, "_commit"),
    "learn": (counting.CountingLearner, "train"),
    "save": (trainer.Trainer, "save"),
    "mark": (trainer.Trainer, "mark_sealed"),
}[where]
original = getattr(owner, name)
def counted(*arguments, **options):
    global left
    left -= 1
    if left == 0 and where != "seal":
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments, **options)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, name, counted)
for _ in loop.train(CONFIG, store_url=sys.argv[1], run_name="run"):
    pass
"""


def kill(store, where, call):
    """Train until that call; return whether it came before the end."""
    command = [sys.executable, "-c", KILLED, str(store), where, str(call)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, cwd=ROOT, check=False, capture_output=True)
    assert ended.returncode in (-9, 0), ended.stderr.decode()
    return ended.returncode == -9


@pytest.mark.slow
def test_killed_and_resumed_what_was_sealed_is_counted_once(tmp_path):
    for where, call in (("seal", 2), ("seal", 7), ("learn", 9)):  # the first without a checkpoint
        assert kill(tmp_path, where, call)
        assert len(list_segments(open_run(str(tmp_path), RUN).files)) >= 2
    assert_all_is_counted_once(tmp_path, to_the_end(tmp_path))


@pytest.mark.slow
def test_killed_at_many_moments_what_was_sealed_is_counted_once(tmp_path):
    rng = np.random.default_rng(0)
    kills = 0
    while kill(tmp_path, rng.choice(["seal", "learn", "save", "mark"]), rng.integers(2, 7)):
        kills += 1
    assert kills >= 3
    assert_all_is_counted_once(tmp_path, to_the_end(tmp_path))


def test_a_resumed_learner_is_the_one_that_was_lost(tmp_path):
    """Its ring, priorities and generator, after stops that seal everything."""
    digests = []
    for games in (30, 60):
        config = replace(CONFIG, games=games)
        to_the_end(tmp_path, config)
        run = open_run(str(tmp_path), RUN)
        with run.lock_trainer():
            learner = Training(run, config).trainer.learner
            digests.append(learner.digest())
            assert learner.ring.check_valid() == (True, "")
            state = load_trainer(checkpoints.latest_valid(run).files[TRAINER_FILE])["ring"]
            found = learner.ring.state()
            for name in (n for n in found if not n.startswith("streams.")):
                np.testing.assert_array_equal(found[name], state[name].numpy())
    assert len(set(digests)) == 2


# --- the thread that seals ------------------------------------------------------------------------


def batches_of(count):
    actor = CountingActor(CONFIG, 0)
    return [EpisodeBatch.of(SCHEMA, [actor.piece(0)]) for _ in range(count)]


@pytest.fixture
def writer():
    return SegmentWriter(Run("r", MemoryFiles(), RunInfo("g", {}, 0)), SCHEMA)


def test_an_error_of_the_thread_surfaces_and_loses_nothing(writer, monkeypatch):
    sealer, (one, two, three, four) = Sealer(writer), batches_of(4)
    create = writer._create
    with monkeypatch.context() as patch:

        def full(key, data):
            if writer.next_seq:
                raise StoreWriteError("disk full")
            create(key, data)

        patch.setattr(writer, "_create", full)
        sealer.seal([one])
        sealer.seal([two])
        for _ in range(2):
            with pytest.raises(StoreWriteError, match="stay in memory"):
                sealer.take(wait=True)
        sealer.seal([three])
        with pytest.raises(StoreWriteError):
            sealer.take(wait=True)
    first, second = sealer.take(wait=True)  # tried again, and what was sealed before it
    assert first.batch.uuids.tolist() == one.uuids.tolist()
    assert second.batch.uuids.tolist() == [*two.uuids.tolist(), *three.uuids.tolist()]
    sealer.seal([four])
    assert [sealed.batch.uuids.tolist() for sealed in sealer.take(wait=True)] == [
        four.uuids.tolist()
    ]
    assert sealer.take(wait=True) == []
    assert writer.next_seq == 3
    sealer.close()


def test_a_learner_waits_only_when_too_much_is_unsealed(writer, monkeypatch):
    sealer, batches, goes = Sealer(writer), batches_of(MOST_UNSEALED + 1), threading.Event()
    commit = writer.commit
    monkeypatch.setattr(writer, "commit", lambda: goes.wait(10) and commit())
    for batch in batches[:-1]:
        sealer.seal([batch])
        assert sealer.take(wait=False) == []  # the thread stands still
    threading.Timer(0.1, goes.set).start()
    sealer.seal([batches[-1]])
    assert len(sealer.take(wait=False)) >= 1
    assert goes.is_set()
    sealer.take(wait=True)
    assert writer.next_seq == MOST_UNSEALED + 1
    sealer.close()
