"""A run that is trained for long: it stays small, and goes on as if nothing had been dropped."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store import checkpoints
from store.errors import RunLostError
from store.replay.episodes import Episode
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.replay.walk import list_segments
from store.replay.window import WINDOW_FILE, SavedWindow, Window
from store.run import Run, RunInfo
from store.upkeep.holds import Hold
from store.upkeep.keeps import NotedBest, NotedScore, keep, note_best, note_best_score, release
from store.upkeep.milestones import EACH, milestones
from store.upkeep.retention import LAST_SEGMENTS, RESUMABLE
from store.upkeep.tidy import KEEP_LAST, Upkeep
from tests.store.counting_files import CountingFiles
from tests.store.memory_files import MemoryFiles
from tests.store.small_runs import SCHEMA, resumed

WINDOW = 12  # rows


class LongRun:
    """A run that is trained without learning anything; a segment holds two rows."""

    def __init__(self, files: MemoryFiles | None = None) -> None:
        self.memory = files or MemoryFiles()
        self.files = CountingFiles(self.memory)
        self.run = Run("long", self.files, RunInfo("tic_tac_toe", {}, 0))
        self.writers: dict[str, SegmentWriter] = {}
        self.count = 0
        self.start()

    def start(self) -> None:
        """Begin, or go on from the newest intact checkpoint, as a trainer does."""
        window = Window(WINDOW, "row_ply")
        self.upkeep = Upkeep(self.run, window)
        note = self.upkeep.note_segment
        self.log = ReplayLog(self.run, SCHEMA, on_segment=note, window=window)
        found = checkpoints.latest_valid(self.run)
        if found is not None:
            cursor = found.metadata["cursor"]
            saved = SavedWindow.from_bytes(found.files[WINDOW_FILE])
            list(self.log.load_window(saved, cursor))
            self.upkeep.note_checkpoint(found.step, cursor, saved)

    def segment(self, writer: int = 0) -> None:
        name = f"{writer:032x}"
        if name not in self.writers:
            self.writers[name] = SegmentWriter(self.run, SCHEMA, writer=name)
        self.count += 1
        arrays = {"number": np.array([self.count], "<i8"), "row_ply": np.zeros(2, "<u2")}
        self.writers[name].append(Episode(self.count.to_bytes(16, "big"), arrays))
        self.writers[name].commit()

    def save(self, step: int, *, tidy: bool = True) -> None:
        """Read what is new, save a checkpoint, and drop what nobody needs; the last two cost."""
        self.log.poll()
        self.files.reset()
        window = self.log.saved_window
        files = {"model.safetensors": b"weights", WINDOW_FILE: window.to_bytes()}
        checkpoints.save(self.run, step, files, {"cursor": self.log.cursor})
        self.upkeep.note_checkpoint(step, self.log.cursor, window)
        if tidy:
            self.upkeep.tidy()

    def steps(self) -> list[int]:
        return checkpoints.steps(self.run)

    def segments(self) -> int:
        return len(list_segments(self.run.files))


# --- milestones -----------------------------------------------------------------------------------


def most_milestones(newest: int, each: int = EACH) -> int:
    return each * (newest.bit_length() + 1) + 1


STEPS = st.lists(st.integers(1, 3000), min_size=1, max_size=80).map(np.cumsum)


@given(STEPS, st.integers(1, 5))
def test_pruning_after_each_checkpoint_leaves_the_milestones_of_pruning_once(steps, each):
    kept: list[int] = []
    for step in steps.tolist():
        kept = milestones([*kept, step], each)
    assert kept == milestones(steps.tolist(), each)
    assert {int(steps[0]), int(steps[-1])} <= {*kept}
    assert len(kept) <= most_milestones(int(steps[-1]), each)


def test_milestones_thin_out_with_age():
    kept = milestones(range(0, 1_000_000, 100))
    ages = [1_000_000 - step for step in kept]
    for young, old in ((100, 1_000), (1_000, 10_000), (10_000, 100_000), (100_000, 1_000_000)):
        assert 4 <= sum(young < age <= old for age in ages) <= 4 * EACH
    assert len(kept) < 60
    assert milestones([]) == []


# --- cost and size --------------------------------------------------------------------------------


def test_a_save_costs_the_same_at_the_first_and_the_thousandth_checkpoint():
    """Without the dropping: every checkpoint is still there."""
    long, costs = LongRun(), {}
    for number in range(1, 1001):
        long.files.reset()
        checkpoints.save(long.run, 7 * number, {"model.safetensors": b"w"}, {"cursor": {}})
        costs[number] = dict(long.files.calls)
    assert costs[1] == costs[1000] == {"tree": 1, "create": 2, "remove_leftovers": 1}
    assert len(long.steps()) == 1000


def test_the_newest_checkpoint_is_found_without_a_look_at_each():
    long = LongRun()
    for step in range(1, 301):
        checkpoints.save(long.run, step, {"model.safetensors": b"w"}, {"cursor": {}})
    long.files.reset()
    assert checkpoints.latest_valid(long.run).step == 300
    assert long.files.calls == {"tree": 1, "read": 2}
    long.files.reset()
    assert checkpoints.latest(long.run) == 300
    assert long.files.calls == {"tree": 1}


def live(long: LongRun, checkpoints_: int, step_of=lambda number: 37 * number) -> Iterator[int]:
    """Three writers, one of which is replaced now and then, and a checkpoint after each round."""
    for number in range(1, checkpoints_ + 1):
        for writer in (1, 2, 1000 + number // 20):
            long.segment(writer)
        long.save(step_of(number))
        yield number


def most_segments(rounds_kept: int, replaced: int) -> int:
    """Of a window, of the rounds after it that the resumable checkpoints reach back, and lasts."""
    return math.ceil(WINDOW / 2) + 3 * (rounds_kept + 1) + min(replaced, LAST_SEGMENTS)


def test_a_long_run_stays_small_and_each_round_costs_the_same():
    long, costs = LongRun(), []
    for number in live(long, 600):
        costs.append(long.files.requests)
        assert len(long.steps()) <= KEEP_LAST + most_milestones(37 * number)
        assert long.segments() <= most_segments(RESUMABLE, 3 + number // 20)
    assert max(costs[300:]) <= max(costs[20:100]) <= 14


@pytest.mark.slow
def test_a_week_at_a_checkpoint_every_four_minutes_is_bounded(monkeypatch):
    monkeypatch.setattr("store.upkeep.retention.LAST_SEGMENTS", 50)
    long = LongRun()
    sizes = []
    a_day = 24 * 15
    for number in live(long, 7 * a_day, lambda number: 2400 * number):
        if number % a_day == 0:
            sizes.append((len(long.steps()), long.segments(), len(long.memory.content)))
    newest = 2400 * 7 * a_day
    assert max(steps for steps, _, _ in sizes) <= KEEP_LAST + most_milestones(newest)
    assert max(segments for _, segments, _ in sizes) <= most_segments(RESUMABLE, 50)
    assert sizes[-1][2] < 1.1 * sizes[2][2]  # objects after a week and after three days


# --- nothing that is needed goes ------------------------------------------------------------------


def pairs(events, *, tidy):
    """Live through these events with and without dropping."""
    long, step = LongRun(), 0
    for event in events:
        if event == "checkpoint":
            step += 1
            long.save(step, tidy=tidy)
        elif event == "restart":
            long.start()
        else:
            long.segment(event)
    return long


EVENTS = st.lists(
    st.one_of(st.integers(0, 3), st.just("checkpoint"), st.just("checkpoint"), st.just("restart")),
    min_size=10,
    max_size=60,
)


@settings(deadline=None, max_examples=40)
@given(EVENTS)
def test_resuming_reads_the_same_as_if_nothing_had_been_dropped(events):
    pruned, whole = pairs(events, tidy=True), pairs(events, tidy=False)
    assert pruned.steps()[-RESUMABLE:] == whole.steps()[-RESUMABLE:]
    for step in pruned.steps()[-RESUMABLE:]:
        assert resumed(pruned.run, step, WINDOW) == resumed(whole.run, step, WINDOW)


@pytest.mark.slow
def test_killed_anywhere_in_dropping_the_run_goes_on_as_before(monkeypatch):
    def prepared() -> LongRun:
        long = LongRun()
        for number in range(1, 15):
            for writer in (1, 2):
                long.segment(writer)
            long.save(number, tidy=False)
        long.start()
        for number in range(15, 21):
            long.segment(1)
            long.save(number, tidy=False)
        return long

    expected = resumed(prepared().run, 20, WINDOW)
    for killed_at in range(100):
        long, removed = prepared(), 0
        remove = long.memory.content.pop

        def dying(keys, killed_at=killed_at, remove=remove, prefix=long.memory._prefix):
            nonlocal removed
            for key in keys:
                if removed == killed_at:
                    raise KeyboardInterrupt
                removed += 1
                remove(prefix + key, None)

        long.memory.remove_many = dying
        try:
            long.upkeep.tidy()
        except KeyboardInterrupt:
            del long.memory.remove_many
            assert checkpoints.latest_valid(long.run).step == 20
            assert resumed(long.run, 20, WINDOW) == expected
            long.start()
            long.segment(1)
            long.save(21)
            assert long.steps()[-KEEP_LAST:] == [17, 18, 19, 20, 21]
        else:
            assert killed_at > 20
            assert resumed(long.run, 20, WINDOW) == expected
            return
    pytest.fail("it never came to its end")


def test_damaged_checkpoints_that_are_newer_do_not_push_out_the_intact_ones():
    long = LongRun()
    for number in range(1, 101):
        long.segment()
        long.save(number)
    damaged = [step for step in long.steps() if step >= 90]
    assert len(damaged) >= 2 * KEEP_LAST - 3
    for step in damaged:
        long.memory.content[f"checkpoints/{step:09d}/model.safetensors"] = b"damaged", 1
    long.start()
    first = checkpoints.latest_valid(long.run).step
    assert first < 90
    assert first + 2 not in milestones([*long.steps(), first + 1, first + 2])
    for step in (first + 1, first + 2):
        long.segment()
        long.save(step)
        assert checkpoints.latest_valid(long.run).step == step
        assert first in long.steps()


def test_named_and_best_checkpoints_and_what_readers_hold_stay():
    long = LongRun()
    for number in range(1, 8):
        long.segment()
        long.save(100 * number)
    keep(long.run, 300, "before-the-change")
    note_best(long.run.files, NotedBest(400, 200, 55.0, 12.0, 3))
    note_best_score(long.run.files, NotedScore(600, 30, 55.0, None, "nature", 0.05, 3))
    with Hold(long.run, segments={f"{0:032x}": 6}, checkpoints=[500]):
        for number in range(8, 400):
            long.segment()
            long.save(100 * number)
        assert {300, 400, 500, 600} <= {*long.steps()}
        assert min(name.seq for _, name in list_segments(long.run.files)) == 6
    release(long.run, "before-the-change")
    note_best(long.run.files, NotedBest(39_900, 200, 75.0, 12.0, 4))
    note_best_score(long.run.files, NotedScore(39_800, 30, 75.0, 12.0, "nature", 0.05, 4))
    long.save(40_000)
    assert not {300, 400, 500, 600} & {*long.steps()}
    assert {39_800, 39_900} <= {*long.steps()}
    assert long.segments() < 20


def test_the_replay_of_old_milestones_goes():
    long = LongRun()
    for number in range(1, 101):
        long.segment()
        long.save(number)
    assert long.steps()[0] == 1
    assert long.segments() == WINDOW // 2 + RESUMABLE - 1


def test_an_old_run_is_tidied_without_reading_its_segments(monkeypatch):
    long = LongRun()
    for number in range(1, 41):
        long.segment()
        long.save(number, tidy=False)
    long.start()
    monkeypatch.setattr(
        "store.upkeep.retention.decode_segment", lambda *_: pytest.fail("read again")
    )
    for number in range(41, 47):
        long.segment()
        long.save(number)
    assert long.segments() == WINDOW // 2 + RESUMABLE - 1


def test_what_cannot_be_dropped_is_said_once_and_stops_nothing(monkeypatch, caplog):
    long = LongRun()

    def refused(keys):
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr(long.memory, "remove_many", refused)
    for number in range(1, 30):
        long.segment()
        long.save(number)
    assert len([r for r in caplog.records if "could not be dropped" in r.message]) == 1

    def lost(keys):
        raise RunLostError("another process has it")

    monkeypatch.setattr(long.memory, "remove_many", lost)
    with pytest.raises(RunLostError):
        long.upkeep.tidy()
