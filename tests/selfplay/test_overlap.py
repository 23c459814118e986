"""Playing beside training: the same rows, the same limits, and acting is a round behind."""

import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from selfplay import loop
from selfplay.loop import Training, train
from store import checkpoints
from store.run import open_run
from tests import tabular
from tests.counting_frames import CountingActor, CountingLearner
from tests.selfplay import test_dqn
from tests.selfplay.test_writing_through import CONFIG, assert_all_is_counted_once

RUN = "run"
OVERLAP = replace(CONFIG, overlap=True)
LAKE = tabular.QConfig(minutes=0, games=300, seed=5, checkpoint_rows=400, overlap=True)


def reports(store, config, **options):
    return list(train(config, store_url=str(store), run_name=RUN, **options))


def watch(monkeypatch, owner, name, before):
    """Call `before(object, *arguments)` before a method."""
    original = getattr(owner, name)

    def watched(self, *arguments):
        before(self, *arguments)
        return original(self, *arguments)

    monkeypatch.setattr(owner, name, watched)


class Log:
    """What an actor and a learner did, in which thread, and that no one acts when it must not."""

    def __init__(self, monkeypatch):
        self.trained, self.versions, self.threads, self.closed = [], [], set(), 0
        self.learner = None
        watch(monkeypatch, CountingLearner, "train", self.note_training)
        watch(monkeypatch, CountingActor, "load_weights", self.note_version)
        watch(monkeypatch, CountingActor, "play", self.note_playing)
        watch(monkeypatch, CountingActor, "close", self.note_closing)

    def note_training(self, learner, steps, progress):
        assert threading.current_thread() is threading.main_thread()
        self.learner = learner
        self.trained.append((learner.rows_added, steps, progress))

    def note_version(self, actor, data, step):
        self.versions.append(step)

    def note_playing(self, actor, pause):
        self.threads.add(threading.current_thread() is threading.main_thread())

    def note_closing(self, actor):
        self.closed += 1


def test_the_learner_trains_on_the_same_rows_and_acting_is_a_round_behind(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        turns = Log(patch)
        reports(tmp_path / "turns", CONFIG)
    overlap = Log(monkeypatch)
    last = reports(tmp_path / "overlap", OVERLAP)[-1]
    assert len(turns.trained) > 20
    assert overlap.trained == turns.trained
    assert overlap.learner.digest() == turns.learner.digest()
    assert overlap.learner.steps == last.learner_steps == last.network_version
    assert (turns.threads, overlap.threads) == ({True}, {False})
    # at the end nothing is played any more, and all is published
    rounds = len(turns.versions)
    assert overlap.versions[: rounds - 1] == turns.versions[:1] + turns.versions[: rounds - 2]
    assert overlap.versions[-1] == turns.versions[-1]


def test_a_round_is_played_while_the_one_before_is_trained_on(tmp_path, monkeypatch):
    """Each waits for the other in the middle of its work."""
    meeting = threading.Barrier(2, timeout=20)
    played, trained = [], []

    def in_play(*_):
        played.append(len(trained))
        if 2 <= len(played) <= 7:
            meeting.wait()

    def in_train(*_):
        trained.append(len(played))
        if len(trained) <= 6:
            meeting.wait()

    watch(monkeypatch, CountingLearner, "train", in_train)
    watch(monkeypatch, CountingActor, "play", in_play)
    monkeypatch.setattr(loop, "REPORT_SECONDS", 60)  # one call of `play` a round
    assert reports(tmp_path, OVERLAP)[-1].games >= CONFIG.games
    assert len(played) == len(trained) > 7


def test_reports_come_while_a_round_is_played_and_nothing_acts_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.001)
    playing, pieces = [], []
    play, piece = CountingActor.play, CountingActor.piece

    def slow_play(actor, pause):
        playing.append(actor)
        try:
            return play(actor, pause)
        finally:
            playing.pop()

    def slow_piece(actor, i):
        time.sleep(0.002)
        pieces.append(i)
        return piece(actor, i)

    monkeypatch.setattr(CountingActor, "play", slow_play)
    monkeypatch.setattr(CountingActor, "piece", slow_piece)
    events = []
    for progress in train(replace(OVERLAP, games=8), store_url=str(tmp_path), run_name=RUN):
        events.append(progress.event)
        assert not playing
        before = len(pieces)
        time.sleep(0.005)
        assert len(pieces) == before
    assert events.count("games") > 2 * events.count("learned")  # several a round, however slow


def lake_weights(store):
    return checkpoints.latest_valid(open_run(str(store), RUN)).files[checkpoints.MODEL_FILE]


def test_it_is_deterministic_and_resumes_bit_for_bit(tmp_path, monkeypatch):
    """Of an algorithm whose learner reads the store, with weights that decide what is played."""
    for name in ("a", "b"):
        reports(tmp_path / name, LAKE)
    reports(tmp_path / "turns", replace(LAKE, overlap=False))
    assert lake_weights(tmp_path / "a") == lake_weights(tmp_path / "b")
    assert lake_weights(tmp_path / "a") != lake_weights(tmp_path / "turns")
    for count in (29, 14):  # left as by a kill: what is in memory goes
        with monkeypatch.context() as patch:
            training = train(LAKE, store_url=str(tmp_path / "cut"), run_name=RUN)
            for _ in range(count):
                next(training)
            assert checkpoints.latest(open_run(str(tmp_path / "cut"), RUN)) is not None
            patch.setattr(Training, "save_checkpoint", lambda self: None)
            training.close()
    reports(tmp_path / "cut", LAKE)
    assert lake_weights(tmp_path / "cut") == lake_weights(tmp_path / "a")


def test_dqn_is_deterministic_beside_its_acting(tmp_path):
    config = replace(test_dqn.CONFIG, games=30, overlap=True)
    losses = [reports(tmp_path / name, config)[-1].metrics["loss"] for name in ("a", "b")]
    assert losses[0] == losses[1] > 0


class CrashError(Exception):
    pass


def fail(what):
    if what == "crash":
        raise CrashError
    os.kill(os.getpid(), signal.SIGINT)  # it arrives in the main thread, wherever that is


@pytest.mark.parametrize("what", ["crash", "interrupt"])
@pytest.mark.parametrize("where", ["train", "play", "piece"])
def test_it_can_fail_or_be_interrupted_anywhere_and_goes_on(tmp_path, monkeypatch, what, where):
    """The error surfaces, nothing acts any more, and the run goes on from what is stored."""
    owner = CountingLearner if where == "train" else CountingActor
    for moment in (1, 4, 20):
        with monkeypatch.context() as patch:
            log, left = Log(patch), moment

            def count_down(*_):
                nonlocal left
                left -= 1
                if left == 0:
                    fail(what)

            watch(patch, owner, where, count_down)
            with pytest.raises(CrashError if what == "crash" else KeyboardInterrupt):
                reports(tmp_path, OVERLAP)
            assert log.closed == 1
        assert not [t.name for t in threading.enumerate() if t.name.startswith(("act", "seal"))]
    assert_all_is_counted_once(tmp_path, reports(tmp_path, OVERLAP)[-1])


def test_a_stop_trains_on_what_was_played_and_saves_it(tmp_path):
    seen = []

    def stop():
        return len(seen) > 12

    for progress in train(OVERLAP, store_url=str(tmp_path), run_name=RUN, stop=stop):
        seen.append(progress)
    assert 0 < seen[-1].games < CONFIG.games
    assert seen[-1].learner_steps == CONFIG.passes * seen[-1].positions // 16
    assert checkpoints.latest(open_run(str(tmp_path), RUN)) is not None
    assert_all_is_counted_once(tmp_path, reports(tmp_path, OVERLAP)[-1])
