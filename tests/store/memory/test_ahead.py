"""What is sampled ahead is what would be drawn in turns, however fast either side is."""

import time

import numpy as np
import pytest

from store.memory.ahead import SampleAhead
from store.memory.frame_ring import FrameRing
from store.memory.frames import GOES_ON, TERMINATED, frames_schema
from store.memory.priorities import Priorities

SCHEMA = frames_schema((2,), np.uint16)


def filled(prioritized=True):
    ring = FrameRing(200, SCHEMA, steps=2, priorities=Priorities(200) if prioritized else None)
    for step in range(150):
        ended = step % 20 == 19
        frames = np.full((1, 2), step + 1, np.uint16)
        ending = np.array([TERMINATED if ended else GOES_ON], np.uint8)
        ring.append(
            [0], frames, np.zeros(1, np.int32), np.ones(1, np.float32), ending, frames[: int(ended)]
        )
    return ring


@pytest.mark.parametrize("slow", ["learner", "thread"])
def test_batches_are_those_drawn_before_the_update_of_the_one_before(slow, monkeypatch):
    ring, other = filled(), filled()
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    if slow == "thread":
        transitions = ring.transitions
        monkeypatch.setattr(
            ring, "transitions", lambda *given: time.sleep(0.002) or transitions(*given)
        )
    ahead = SampleAhead(ring, 8)
    drawn = other.draw(again, 8, 0.5)
    for number, batch in enumerate(ahead.batches(rng, 6, 0.5)):
        expected = other.transitions(*drawn)
        if number < 5:
            drawn = other.draw(again, 8, 0.5)
        if slow == "learner":
            time.sleep(0.002)  # the next batch is copied meanwhile, and not over this one
        for name, array in vars(expected).items():
            np.testing.assert_array_equal(getattr(batch, name), array)
        errors = np.sin(batch.rows + number)
        ring.update(batch.rows, errors)
        other.update(batch.rows, errors)
    assert rng.bit_generator.state == again.bit_generator.state
    ahead.close()


def test_nothing_is_drawn_beyond_the_last_batch():
    ring, rng = filled(prioritized=False), np.random.default_rng(0)
    ahead = SampleAhead(ring, 4)
    before = rng.bit_generator.state
    assert list(ahead.batches(rng, 0)) == []
    assert rng.bit_generator.state == before
    (only,) = ahead.batches(rng, 1)
    np.testing.assert_array_equal(only.rows, ring.draw(np.random.default_rng(0), 4)[0])
    ahead.close()
    with pytest.raises(ValueError, match="two buffers"):
        SampleAhead(ring, 4, [np.empty((4, 6, 2), np.uint16)])
    with pytest.raises(ValueError, match="sample"):
        next(SampleAhead(FrameRing(9, SCHEMA), 4).batches(rng, 1))
