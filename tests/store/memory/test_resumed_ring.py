"""A learner that is killed and resumed, with three writers: its ring against a plain list of rows.

One writer hands its pieces over at once and seals them later, as in one process; two commit
segments, which the learner reads, not in the order of their commits. What the learner took, in the
order in which it took it, is the list; a kill cuts it back to the newest checkpoint, and what is in
the store beyond that is new.
"""

import numpy as np
import pytest

from store.memory.frame_ring import FrameRing
from store.memory.frames import (
    GOES_ON,
    TERMINATED,
    TRUNCATED,
    frames_schema,
    piece_uuid,
    stream_number,
)
from store.memory.priorities import Priorities
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.replay.window import SavedWindow, Window
from store.run import Run, RunInfo
from tests.store.memory_files import MemoryFiles

SCHEMA = frames_schema((1,), np.uint32, errors=True)
STACK, STEPS, GAMMA = 3, 2, 0.9
EXPONENT, EPSILON = 0.6, 1e-3


class Actor:
    """Plays three streams, of which each start has new ones; a frame's content is a number."""

    def __init__(self, number, start, rng):
        self.rng = rng
        self.at = {stream_number(number, start, i): (0, 0) for i in range(3)}

    def piece(self, length, first_content):
        stream = list(self.at)[self.rng.integers(3)]
        episode, first = self.at[stream]
        ending = self.rng.choice([GOES_ON, TERMINATED, TRUNCATED], p=[0.6, 0.3, 0.1])
        frames = length + (ending != GOES_ON)
        errors = self.rng.normal(size=length).astype(np.float32)
        errors[self.rng.random(length) < 0.2] = np.nan
        self.at[stream] = (episode, first + length) if ending == GOES_ON else (episode + 1, 0)
        arrays = {
            "frame": (first_content + np.arange(frames, dtype=np.uint32)).reshape(-1, 1),
            "action": self.rng.integers(9, size=length).astype(np.int32),
            "reward": self.rng.integers(-8, 9, size=length).astype(np.float32),
            "stream": np.array([stream]),
            "episode": np.array([episode]),
            "first_step": np.array([first]),
            "ending": np.array([ending], np.uint8),
            "error": errors,
        }
        return Episode(piece_uuid(stream, episode, first), arrays)


def rows_of(batch):
    """The rows of pieces: (stream, episode, step, content, action, reward, ending or None)."""
    rows = []
    for piece in map(batch.episode, range(len(batch))):
        names = ("stream", "episode", "first_step", "ending")
        stream, episode, first, ending = (int(piece.arrays[name][0]) for name in names)
        steps = len(piece.arrays["action"])
        for i, content in enumerate(piece.arrays["frame"][:, 0].tolist()):
            said = (0, 0.0, None)
            if i < steps:
                here = ending if i == steps - 1 else GOES_ON
                said = int(piece.arrays["action"][i]), float(piece.arrays["reward"][i]), here
            rows.append((stream, episode, first + i, content, *said))
    return rows


class Life:
    """A run, its writers, and the learner that is killed."""

    def __init__(self, capacity, seed):
        self.capacity, self.rng = capacity, np.random.default_rng(seed)
        self.run = Run("r", MemoryFiles(), RunInfo("g", {}, 0))
        self.contents = 1
        self.announced = []
        self.saved = None
        self.others = [
            (SegmentWriter(self.run, SCHEMA, "zstd", writer=name * 32), Actor(i, 0, self.rng))
            for i, name in enumerate("ef", start=1)
        ]
        self.begin()

    def begin(self):
        """Start, or go on from the newest checkpoint, and check that nothing differs."""
        priorities = Priorities(self.capacity, EXPONENT, EPSILON)
        self.ring = FrameRing(
            self.capacity, SCHEMA, stack=STACK, steps=STEPS, gamma=GAMMA, priorities=priorities
        )
        self.log = ReplayLog(self.run, SCHEMA, window=Window(self.capacity, "frame"))
        self.rows, scaled = [], None
        if self.saved is not None:
            cursor, window, state, self.rows = self.saved
            self.rows = list(self.rows)
            self.ring.fill(self.log.load_window(SavedWindow.from_bytes(window), cursor), state)
            scaled = state["priorities.scaled"]
        self.check(scaled)
        self.writer = SegmentWriter(self.run, SCHEMA, "zstd", writer="0" * 32)
        self.actor = Actor(0, self.writer.next_seq, self.rng)
        self.waiting = []
        self.log.find()
        self.take()

    def kill(self):
        if self.rng.random() < 0.5:  # segments were announced to nobody
            self.announced = []
        self.begin()

    # -- what happens --------------------------------------------------------------------------

    def piece(self, actor, longest):
        made = actor.piece(int(self.rng.integers(1, longest)), self.contents)
        self.contents += len(made.arrays["frame"])
        return made

    def play(self, longest):
        batch = EpisodeBatch.of(SCHEMA, [self.piece(self.actor, longest) for _ in range(4)])
        self.add(batch)
        self.waiting.append(batch)

    def play_elsewhere(self, longest):
        writer, actor = self.others[self.rng.integers(2)]
        for _ in range(int(self.rng.integers(1, 6))):
            writer.append(self.piece(actor, longest))
        self.announced.append(writer.commit())

    def seal(self):
        if self.waiting:
            batch = EpisodeBatch.concatenate(SCHEMA, self.waiting)
            self.writer.extend(batch)
            self.log.mark_taken(self.writer.commit(), batch)
            self.waiting = []

    def read(self):
        self.seal()
        later = self.rng.choice(["/eeee", "/ffff"])  # a writer's own come in their order
        self.log.announce(sorted(self.announced, key=lambda key: later in key))
        self.announced = []
        self.take()

    def take(self):
        for batch in self.log.take():
            self.add(batch)

    def add(self, batch):
        self.ring.extend(batch)
        self.rows += rows_of(batch)

    def learn(self):
        if self.ring.priorities.total:
            drawn = self.ring.sample(self.rng, 16, 0.5)
            self.ring.update(drawn.rows, self.rng.normal(size=16))

    def save(self):
        self.seal()
        window = self.log.saved_window.to_bytes()
        self.saved = (self.log.cursor, window, self.ring.state(), list(self.rows))

    # -- what should be ------------------------------------------------------------------------

    def check(self, scaled=None, missing=()):
        """Compare with the list; and the priorities with those of a state."""
        ring = self.ring
        assert ring.check_valid() == (True, "")
        assert ring.ring.total_added == len(self.rows)
        oldest = max(len(self.rows) - self.capacity, 0)
        held = {
            self.rows[row][:3]: row for row in range(oldest, len(self.rows)) if row not in missing
        }
        expected = {}
        for key, row in held.items():
            if (found := self.transition(held, key)) is not None:
                expected[row] = found
        rows = np.array(sorted(expected), np.int64)
        possible = np.arange(ring.ring.oldest, len(self.rows))
        assert possible[ring.can_sample(possible)].tolist() == rows.tolist()
        if not len(rows):
            return
        ours = ring.transitions(rows, np.ones(len(rows), np.float32))
        stacks, actions, returns, after, discounts = map(
            np.array, zip(*(expected[row] for row in rows.tolist()))
        )
        np.testing.assert_array_equal(ours.stacks[:, :, 0], stacks)
        np.testing.assert_array_equal(ours.actions, actions)
        np.testing.assert_allclose(ours.returns, returns, atol=1e-5)
        np.testing.assert_allclose(ours.discounts, discounts, rtol=1e-6)
        goes_on = discounts > 0
        np.testing.assert_array_equal(ours.next_stacks[goes_on, :, 0], after[goes_on])
        if scaled is not None:
            first = int(self.saved[2]["priorities.first"][0])
            given = ring.priorities.state()
            np.testing.assert_array_equal(
                given["scaled"][rows - given["first"][0]], scaled[rows - first]
            )

    def stack(self, held, stream, episode, step):
        rows = [held.get((stream, episode, step - back)) for back in reversed(range(STACK))]
        too_early = max(STACK - 1 - step, 0)
        if None in rows[too_early:]:
            return None
        return [0] * too_early + [self.rows[row][3] for row in rows[too_early:]]

    def transition(self, held, key):
        stream, episode, step = key
        stack = self.stack(held, *key)
        *_, action, _, ending = self.rows[held[key]]
        if stack is None or ending is None:
            return None
        total, discount = 0.0, 1.0
        for k in range(STEPS):
            row = held.get((stream, episode, step + k))
            if row is None or self.rows[row][6] is None:
                return None
            total += discount * self.rows[row][5]
            discount *= GAMMA
            if self.rows[row][6] == TERMINATED:
                return (
                    (stack, action, total, [0] * STACK, 0.0)
                    if ((stream, episode, step + k + 1) in held)
                    else None
                )
        after = (stream, episode, step + STEPS)
        return (stack, action, total, self.stack(held, *after), discount) if after in held else None


def live(life, events, longest):
    """So many random events, kills among them; return how often it was killed."""
    kinds = [life.play, life.play_elsewhere, life.read, life.seal, life.learn, life.save, life.kill]
    kills = 0
    for _ in range(events):
        kind = life.rng.choice(len(kinds), p=[0.3, 0.2, 0.15, 0.05, 0.15, 0.08, 0.07])
        kills += kinds[kind] == life.kill
        kinds[kind](longest) if kind < 2 else kinds[kind]()
    life.check()
    return kills


@pytest.mark.parametrize("seed", range(4))
def test_a_ring_is_the_one_that_was_lost_through_random_kills(seed):
    life = Life(capacity=120, seed=seed)
    assert live(life, events=150, longest=12) > 3
    assert len(life.rows) > 2 * life.capacity


@pytest.mark.slow
def test_a_ring_of_hundreds_of_thousands_is_the_one_that_was_lost():
    life = Life(capacity=200_000, seed=9)
    while len(life.rows) < 1.5 * life.capacity:
        live(life, events=12, longest=8000)


def test_an_actor_that_starts_again_is_not_bridged_to_what_it_left():
    ring = FrameRing(40, SCHEMA, stack=2)
    frame, action = np.zeros((1, 1), np.uint32), np.zeros(1, np.int32)
    step = (frame, action, np.ones(1, np.float32), np.zeros(1, np.uint8), frame[:0])
    for _ in range(3):
        ring.append([7], *step)
    again = FrameRing(40, SCHEMA, stack=2)
    again.streams.load(ring.streams.state())
    for one, restarts in ((ring, True), (again, False)):
        if restarts:
            one.restart()
            assert one.streams.next_episode(7) == 1
        one.append([7], *step)
        one.append([7], *step)
    # frames 2 and 3 are of two episodes: no transition from 2
    assert np.flatnonzero(ring.can_sample(np.arange(5))).tolist() == [0, 1, 3]
    assert again.streams.current(7) == (0, 1, 4)
    assert again.streams.next_episode(8) == 0


def test_streams_that_the_ring_has_left_behind_are_not_saved():
    """Each start of an actor has new ones."""
    ring = FrameRing(40, SCHEMA, stack=2)
    frame, action = np.zeros((4, 1), np.uint32), np.zeros(4, np.int32)
    for start in range(30):
        for _ in range(5):
            ring.append(
                [start * 4 + i for i in range(4)],
                *(frame, action, np.ones(4, np.float32), np.zeros(4, np.uint8), frame[:0]),
            )
    state = ring.streams.state(ring.ring.oldest)
    assert state["stream"].tolist() == [*range(112, 120)]
    assert ring.state()["streams.stream"].tolist() == state["stream"].tolist()
    assert state["row"].min() >= ring.ring.oldest


def test_a_segment_that_is_gone_leaves_the_rows_after_it_in_place(caplog):
    life = Life(capacity=400, seed=3)
    for _ in range(20):
        life.play_elsewhere(12)
        life.read()
        life.learn()
    life.save()
    saved = SavedWindow.from_bytes(life.saved[1])
    gone, damaged = saved.segments[2], saved.segments[-3]
    life.run.files.remove(gone.key)
    life.run.files.content[damaged.key] = (b"x", 1)
    before = {s.key: sum(t.rows for t in saved.segments[:i]) for i, s in enumerate(saved.segments)}
    first = len(life.rows) - sum(segment.rows for segment in saved.segments)
    missing = {
        first + before[segment.key] + i for segment in (gone, damaged) for i in range(segment.rows)
    }
    state, life.begin = life.saved[2], lambda: None
    ring = FrameRing(
        400, SCHEMA, stack=STACK, steps=STEPS, gamma=GAMMA,
        priorities=Priorities(400, EXPONENT, EPSILON),
    )  # fmt: skip
    log = ReplayLog(life.run, SCHEMA, window=Window(400, "frame"))
    ring.fill(log.load_window(saved, life.saved[0]), state)
    life.ring = ring
    life.check(state["priorities.scaled"], missing)
    assert "is damaged" in caplog.text
    assert log.poll() == []
    for _ in range(3):  # what is lost leaves the ring as if it were there
        life.play_elsewhere(30)
        life.log = log
        life.read()
        life.check(missing=missing)


def test_a_window_is_read_a_few_segments_at_a_time():
    life = Life(capacity=5000, seed=1)
    for _ in range(40):
        life.play_elsewhere(40)
    life.read()
    life.save()
    reads, read = [], life.run.files.read
    life.run.files.read = lambda key, *rest: reads.append(key) or read(key, *rest)
    log = ReplayLog(life.run, SCHEMA, window=Window(5000, "frame"))
    window = log.load_window(SavedWindow.from_bytes(life.saved[1]), life.saved[0])
    assert window.rows == sum(
        segment.rows for segment in SavedWindow.from_bytes(life.saved[1]).segments
    )
    assert reads == []
    batches = iter(window)
    next(batches)
    assert len(reads) <= 3
    assert len([*batches]) == 39
    assert len(reads) == 40
