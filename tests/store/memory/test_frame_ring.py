"""The ring of frames against a plain Python twin that looks each frame up by its episode's step."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.errors import SchemaError
from store.memory.frame_ring import FrameRing
from store.memory.frames import GOES_ON, TERMINATED, TRUNCATED, frames_schema
from store.memory.priorities import Priorities
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.log import ReplayLog
from store.replay.segments import SegmentWriter
from store.replay.window import ReplayWindow
from store.run import create_run

SCHEMA = frames_schema((2,), np.uint16)


class Streams:
    """Makes the steps of some streams, and remembers every frame added, by list and dictionary.

    A frame's content is its row's number plus one, so no two are alike and none is padding.
    """

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.rows = []  # of each row: (stream, episode, step, action, reward, ending or None)
        self.row_of = {}  # (stream, episode, step) -> row
        self.at = {}  # stream -> (episode, step) to come
        self.uuid = 0

    def _add(self, stream, ending, lost=False):
        episode, step = self.at.get(stream, (0, 0))
        action, reward = int(self.rng.integers(100)), float(np.float32(self.rng.normal()))
        if not lost:
            self.row_of[stream, episode, step] = len(self.rows)
            self.rows.append((stream, episode, step, action, reward, ending))
        self.at[stream] = (episode, step + 1)

    def _add_last(self, stream, lost=False):
        episode, step = self.at[stream]
        if not lost:
            self.row_of[stream, episode, step] = len(self.rows)
            self.rows.append((stream, episode, step, 0, 0.0, None))
        self.at[stream] = (episode + 1, 0)

    def step(self, streams, endings):
        """The arguments of `append` for one step of these streams."""
        first = len(self.rows)
        for stream, ending in zip(streams, endings):
            self._add(stream, ending)
        last = [stream for stream, ending in zip(streams, endings) if ending != GOES_ON]
        for stream in last:
            self._add_last(stream)
        added = self.rows[first : first + len(streams)]
        return (
            streams,
            frames_of(range(first, first + len(streams))),
            np.array([row[3] for row in added], np.int32),
            np.array([row[4] for row in added], np.float32),
            np.array(endings, np.uint8),
            frames_of(range(first + len(streams), len(self.rows))),
        )

    def piece(self, stream, length, ending, lost=False):
        """A stored piece of so many steps; None if it was lost on the way."""
        first, (episode, first_step) = len(self.rows), self.at.get(stream, (0, 0))
        for i in range(length):
            self._add(stream, ending if i == length - 1 else GOES_ON, lost)
        if ending != GOES_ON:
            self._add_last(stream, lost)
        if lost:
            return None
        added = self.rows[first : first + length]
        self.uuid += 1
        return Episode(
            self.uuid.to_bytes(16, "big"),
            {
                "frame": frames_of(range(first, len(self.rows))),
                "action": np.array([row[3] for row in added], np.int32),
                "reward": np.array([row[4] for row in added], np.float32),
                "stream": np.array([stream]),
                "episode": np.array([episode]),
                "first_step": np.array([first_step]),
                "ending": np.array([ending], np.uint8),
            },
        )

    # -- what the ring should say ------------------------------------------------------------

    def row_held(self, capacity, *key):
        row = self.row_of.get(key)
        return None if row is None or row < len(self.rows) - capacity else row

    def stack(self, ring, row):
        """Numbers of its frames plus one, 0 for padding; None where a frame is missing."""
        stream, episode, step = self.rows[row][:3]
        wanted = [step - back for back in reversed(range(ring.stack))]
        rows = [
            self.row_held(ring.ring.capacity, stream, episode, max(s, 0))
            if s >= 0 or ring.padding == "first"
            else -1
            for s in wanted
        ]
        return None if None in rows else [found + 1 for found in rows]

    def transition(self, ring, row):
        """(stack, action, return, next stack, discount), or None where it cannot be sampled."""
        stream, episode, step, action, _, ending = self.rows[row]
        stack = self.stack(ring, row)
        if ending is None or stack is None:
            return None
        total, discount = 0.0, 1.0
        for k in range(ring.steps):
            here = self.row_held(ring.ring.capacity, stream, episode, step + k)
            if here is None or self.rows[here][5] is None:
                return None
            total += discount * self.rows[here][4]
            discount *= ring.gamma
            if self.rows[here][5] == TERMINATED:
                discount = 0.0
            if self.rows[here][5] != GOES_ON:
                break
        after = self.row_held(ring.ring.capacity, stream, episode, step + k + 1)
        if after is None or (discount and k + 1 < ring.steps):  # a truncated end, too early
            return None
        return stack, action, total, self.stack(ring, after) if discount else None, discount


def frames_of(rows):
    numbers = np.array(rows, np.uint16).reshape(-1, 1) + np.uint16(1)
    return np.concatenate([numbers, numbers], axis=1)


def batch(*pieces):
    return EpisodeBatch.of(SCHEMA, [piece for piece in pieces if piece is not None])


def mismatch(ring, streams, settings_of=None):
    """What differs between the ring and the twin, over all rows held; None if nothing does."""
    right = settings_of or ring
    held = range(max(len(streams.rows) - ring.ring.capacity, 0), len(streams.rows))
    expected = {row: t for row in held if (t := streams.transition(right, row))}
    answered = np.array(held)[ring.can_sample(np.array(held))].tolist() if held else []
    if answered != list(expected):
        return f"can sample {answered}, expected {list(expected)}"
    if not expected:
        return None
    ours = ring.transitions(np.array(answered), np.ones(len(answered), np.float32))
    for i, (stack, action, total, next_stack, discount) in enumerate(expected.values()):
        given = (
            ours.stacks[i, :, 0].tolist(),
            int(ours.actions[i]),
            float(ours.returns[i]),
            ours.next_stacks[i, :, 1].tolist() if next_stack is not None else None,
            float(ours.discounts[i]),
        )
        # terms that cancel leave the rounding of the largest, which are a few units
        returned = pytest.approx(total, rel=1e-5, abs=1e-6)
        wanted = (stack, action, returned, next_stack, pytest.approx(discount))
        if given != wanted:
            return f"row {answered[i]}: {given}, expected {wanted}"
    return None


EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("step"),
            st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 0, 0, 1, 2])), max_size=4,
                     unique_by=lambda pair: pair[0]),
        ),
        st.tuples(
            st.just("pieces"),
            st.lists(
                st.tuples(
                    st.integers(0, 5),
                    st.sampled_from([1, 2, 3, 5, 30]),
                    st.sampled_from([0, 0, 1, 2]),
                    st.sampled_from([False, False, False, True]),
                ),
                max_size=3,
            ),
        ),
        st.tuples(st.just("window"), st.floats(0, 1)),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=150)
@given(
    capacity=st.integers(8, 40),
    stack=st.integers(1, 4),
    steps=st.integers(1, 4),
    padding=st.sampled_from(["zeros", "first"]),
    prioritized=st.booleans(),
    events=EVENTS,
)
def test_equals_the_plain_twin(capacity, stack, steps, padding, prioritized, events):
    ring = FrameRing(
        capacity, SCHEMA, stack=stack, steps=steps, gamma=0.9, padding=padding,
        priorities=Priorities(capacity) if prioritized else None,
    )  # fmt: skip
    streams = Streams()
    for kind, content in events:
        if kind == "step":
            ring.append(*streams.step([s for s, _ in content], [e for _, e in content]))
        elif kind == "pieces":
            # a stream fed by steps loses none: there its next frame has no number to miss one by
            pieces = [(s, length, end, lost and s > 3) for s, length, end, lost in content]
            ring.extend(batch(*(streams.piece(*piece) for piece in pieces)))
        else:
            ring.ring.window = 1 + round(content * (capacity - 1))
        assert ring.check_valid() == (True, "")
        assert mismatch(ring, streams) is None
    rows = np.arange(ring.ring.total_added - ring.ring.sampled_rows, ring.ring.total_added)
    possible = set(rows[ring.can_sample(rows)].tolist())
    if possible:
        drawn = ring.sample(np.random.default_rng(0), 300)
        assert set(drawn.rows.tolist()) <= possible
        assert len(possible) > 20 or set(drawn.rows.tolist()) == possible
    else:
        with pytest.raises(ValueError, match="sample"):
            ring.sample(np.random.default_rng(0), 1)


def three_streams(ring, seed=0, steps=60):
    streams = Streams(seed)
    for _ in range(steps):
        endings = streams.rng.choice([GOES_ON, TERMINATED, TRUNCATED], 3, p=[0.8, 0.1, 0.1])
        ring.append(*streams.step([0, 1, 2], endings.tolist()))
    return streams


@pytest.mark.parametrize(
    ("setting", "wrong"), [("steps", 2), ("gamma", 0.8), ("padding", "first"), ("stack", 3)]
)
def test_the_twin_sees_a_wrong_setting(setting, wrong):
    right = {"stack": 4, "steps": 3, "gamma": 0.9, "padding": "zeros"}
    ring = FrameRing(100, SCHEMA, **right)
    assert mismatch(ring, three_streams(ring)) is None
    mistaken = FrameRing(100, SCHEMA, **{**right, setting: wrong})
    assert mismatch(mistaken, three_streams(mistaken), settings_of=ring) is not None


def test_the_value_of_an_endless_stream_of_ones():
    """n-step bootstrapping of the true value 1 / (1 - gamma) gives it back; terminals do not."""
    ring = FrameRing(200, SCHEMA, steps=5, gamma=0.9)
    for step in range(50):
        ending = [GOES_ON, TERMINATED if step == 49 else GOES_ON]
        ring.append([0, 1], frames_of([step] * 2), np.zeros(2, np.int32), np.ones(2, np.float32),
                    np.array(ending, np.uint8), frames_of([99] * (step == 49)))  # fmt: skip
    drawn = ring.sample(np.random.default_rng(0), 500)
    targets = drawn.returns + drawn.discounts / (1 - 0.9)
    ended = drawn.discounts == 0
    np.testing.assert_allclose(targets[~ended], 10.0, rtol=1e-5)
    assert ended.any()
    assert (targets[ended] < 5).all()


def test_prioritized_rows_are_drawn_by_their_errors():
    ring = FrameRing(64, SCHEMA, steps=2, priorities=Priorities(64, exponent=1.0))
    three_streams(ring)
    rows = np.arange(ring.ring.oldest, ring.ring.total_added)
    rows = rows[ring.can_sample(rows)]
    ring.update(rows, np.where(rows == rows[7], 1.0, 0.0))
    drawn = ring.sample(np.random.default_rng(0), 50)
    assert set(drawn.rows.tolist()) == {rows[7]}
    with pytest.raises(ValueError, match="without priorities"):
        FrameRing(8, SCHEMA).update(rows, rows)


def test_uniform_sampling_is_uniform_over_the_rows_that_can_be_sampled():
    ring = FrameRing(30, SCHEMA, steps=3)
    three_streams(ring)
    rows = np.arange(ring.ring.oldest, ring.ring.total_added)
    possible = rows[ring.can_sample(rows)]
    drawn, counts = np.unique(
        ring.sample(np.random.default_rng(0), 1000 * len(possible)).rows, return_counts=True
    )
    assert drawn.tolist() == possible.tolist()
    assert len(possible) < len(rows)
    assert np.all(np.abs(counts - 1000) < 190)  # 6 standard deviations


def test_pieces_go_through_the_log_compressed_and_refill_the_ring(tmp_path):
    run = create_run(tmp_path, "r", game="g", config={}, seed=0, versions={})
    schema = frames_schema((84, 84))
    writer = SegmentWriter(run, schema, compression="zstd")
    streams, first, size = Streams(), FrameRing(60, schema, steps=2), 0
    for i in range(40):
        piece = streams.piece(i % 3, 1 + i % 5, (GOES_ON, TERMINATED, TRUNCATED)[i % 4 % 3])
        frames = np.zeros((len(piece.arrays["frame"]), 84, 84), np.uint8)
        frames[:, 3, 5] = piece.arrays["frame"][:, 0]
        frames[:, 40:44, 7] = 255
        writer.append(Episode(piece.uuid, {**piece.arrays, "frame": frames}))
        if i % 7 == 6:
            path = run.files.root / writer.commit()
            size += path.stat().st_size
    writer.commit()
    log = ReplayLog(run, schema)
    for found in log.poll():
        first.extend(found)
    assert mismatch_of_84(first, streams) is None
    assert size < 0.1 * len(streams.rows) * 84 * 84
    newest = ReplayLog(run, schema).load_newest(60 + 1, of="frame")
    rows = sum(found.rows("frame") for found in newest)
    assert rows < len(streams.rows)
    again = FrameRing(60, schema, steps=2)
    again.fill(ReplayWindow.of(newest, "frame"), first.state())
    assert again.check_valid() == (True, "")
    ours, theirs = (ring.sample(np.random.default_rng(3), 64) for ring in (first, again))
    for name, array in vars(ours).items():
        np.testing.assert_array_equal(array, getattr(theirs, name))


def mismatch_of_84(ring, streams):
    """`mismatch` of a ring whose frames keep their number in one pixel."""
    whole = ring.transitions

    def numbers_alone(rows, weights):
        drawn = whole(rows, weights)
        pixel = drawn.frames[:, :, 3, 5:6]
        return replace(drawn, frames=np.concatenate([pixel, pixel], axis=2))

    ring.transitions = numbers_alone
    try:
        return mismatch(ring, streams)
    finally:
        ring.transitions = whole


def test_a_lost_piece_is_not_bridged():
    ring, streams = FrameRing(50, SCHEMA, stack=2, steps=1), Streams()
    ring.extend(batch(streams.piece(0, 4, GOES_ON)))
    streams.piece(0, 3, GOES_ON, lost=True)
    ring.extend(batch(streams.piece(0, 4, TERMINATED)))
    assert ring.can_sample(np.arange(9)).tolist() == [True] * 3 + [False] * 2 + [True] * 3 + [False]
    assert mismatch(ring, streams) is None


def test_errors_given_with_the_pieces_are_the_first_priorities(tmp_path):
    """Through a segment too, and for rows whose return is known only with the next piece."""
    schema = frames_schema((2,), np.uint16, errors=True)
    streams, errors = Streams(), iter(np.arange(1, 100, dtype=np.float32))
    pieces = []
    for length, ending in ((3, GOES_ON), (4, TERMINATED)):
        piece = streams.piece(0, length, ending)
        given = np.array([next(errors) for _ in range(length)], np.float32)
        pieces.append(Episode(piece.uuid, {**piece.arrays, "error": given}))
    pieces[1].arrays["error"][-1] = np.nan
    run = create_run(tmp_path, "r", game="g", config={}, seed=0, versions={})
    writer = SegmentWriter(run, schema, compression="zstd")
    ring = FrameRing(20, schema, steps=2, priorities=Priorities(20, exponent=1.0, epsilon=0.5))
    log, counts = ReplayLog(run, schema), []
    for piece in pieces:
        writer.append(piece)
        writer.commit()
        (found,) = log.poll()
        ring.extend(found)
        counts.append(len(ring.priorities.rows))
    assert counts == [1, 7]
    greatest = 6.5  # of row 5, instead of the last one's unknown error
    assert ring.priorities.state()["scaled"].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, greatest]
    short = {**pieces[0].arrays, "error": np.zeros(1, np.float32)}
    wrong = EpisodeBatch.of(schema, [Episode(b"x" * 16, short)])
    with pytest.raises(SchemaError, match="'error'"):
        ring.extend(wrong)


def without(name):
    piece = Streams().piece(0, 3, TERMINATED)
    return Episode(piece.uuid, {**piece.arrays, name: piece.arrays[name][:-1]})


@pytest.mark.parametrize("name", ["frame", "reward", "stream", "ending"])
def test_pieces_that_do_not_fit_change_nothing(name):
    ring = FrameRing(20, SCHEMA)
    good = Streams().piece(0, 3, TERMINATED)
    with pytest.raises(SchemaError, match=name):
        ring.extend(batch(good, without(name)))
    assert len(ring) == 0


def test_a_wrong_step_changes_nothing():
    ring, streams = FrameRing(20, SCHEMA), Streams()
    names, frames, actions, rewards, endings, last = streams.step([0, 1], [GOES_ON, TERMINATED])
    for wrong, reason in [
        (([0, 0], frames, actions, rewards, endings, last), "each stream once"),
        ((names, frames, actions, rewards, endings + np.uint8(5), last), "expected"),
        ((names, frames, actions, rewards, endings, last[:0]), "'frame'"),
        ((names, frames, actions.astype(np.int64), rewards, endings, last), "'action'"),
        ((list(range(20)), frames, actions, rewards, endings, last), "do not fit a ring of 20"),
    ]:
        with pytest.raises(SchemaError, match=reason):
            ring.append(*wrong)
    assert len(ring) == 0
    with pytest.raises(SchemaError, match="ending 7"):
        ring.append(names, frames, actions, rewards, np.array([7, 0], np.uint8), last)


def test_settings_are_checked():
    for setting in ({"stack": 0}, {"steps": 0}, {"gamma": 1.5}, {"padding": "none"}):
        with pytest.raises(ValueError, match=str(next(iter(setting.values())))):
            FrameRing(8, SCHEMA, **setting)
    with pytest.raises(ValueError, match="capacity 4 do not fit a ring of 8"):
        FrameRing(8, SCHEMA, priorities=Priorities(4))


def test_check_valid_tells_what_is_wrong():
    ring = FrameRing(50, SCHEMA)
    three_streams(ring, steps=10)
    row = int(np.flatnonzero(ring._can_sample)[0])
    ring._can_sample[row] = False
    assert "whole stack" in ring.check_valid()[1]
    ring._can_sample[row] = True
    ring._links.previous[ring._links.next[row]] = row + 1
    assert "previous" in ring.check_valid()[1]
