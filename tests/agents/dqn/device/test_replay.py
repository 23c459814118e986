"""The learner's batches are the same wherever its frames are and whenever they are sampled."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from agents.dqn.learner import DQNLearner
from store.memory.ahead import SampleAhead
from store.memory.frames import GOES_ON, TERMINATED
from tests.agents.dqn.test_learner import FAMILY, SPEC, chains

STACKED = {
    name: replace(FAMILY[name], environment=replace(FAMILY[name].environment, stack=3))
    for name in ("one step", "three steps", "priorities", "lambda", "c51")
}


def trained(config, **replay) -> DQNLearner:
    """Train on pieces that wrap around a ring of 300 rows."""
    settings = replace(config.replay, rows=300, **replay)
    learner = DQNLearner(SPEC, replace(config, replay=settings))
    for first in range(0, 40, 4):
        ending = TERMINATED if first % 8 else GOES_ON
        learner.add(
            [
                chains(4, 5 + first % 11, ending, first=first),
                chains(1, 1, TERMINATED, first=99 + first),
            ]
        )
        if first >= 8:
            learner.train(4, first / 40)
    return learner


@pytest.mark.parametrize("name", ["one step", "three steps", "c51"])
def test_what_is_sampled_ahead_is_what_would_be_drawn_in_turns(name, monkeypatch):
    used = []
    close = SampleAhead.close
    monkeypatch.setattr(SampleAhead, "close", lambda ahead: used.append(ahead) or close(ahead))
    ahead = trained(STACKED[name])
    assert len(used) == 8
    turns = trained(STACKED[name], sample_ahead=False)
    assert len(used) == 8
    assert ahead.weights() == turns.weights()
    assert ahead.rng.bit_generator.state == turns.rng.bit_generator.state


def test_by_priority_a_batch_is_drawn_before_the_errors_of_the_one_before():
    learner = DQNLearner(SPEC, STACKED["priorities"])
    learner.add([chains(4, 50, TERMINATED)])
    order = []
    draw, update = learner.ring.draw, learner.ring.update
    learner.ring.draw = lambda *given: order.append("draw") or draw(*given)
    learner.ring.update = lambda *given: order.append("update") or update(*given)
    learner.train(3, 0.0)
    assert order == ["draw", "draw", "update", "draw", "update", "update"]
    order.clear()
    learner.train(1, 0.0)
    assert order == ["draw", "update"]


def test_no_thread_is_left_also_after_an_error(monkeypatch):
    learner = DQNLearner(SPEC, STACKED["one step"])
    learner.add([chains(4, 50, TERMINATED)])
    learner.train(3, 0.0)

    def broken(*_):
        raise ArithmeticError

    monkeypatch.setattr(learner, "_step", broken)
    with pytest.raises(ArithmeticError):
        learner.train(3, 0.0)
    assert not [t.name for t in threading.enumerate() if t.name.startswith("sample")]


def test_buffers_are_not_written_while_they_are_read():
    """A batch stays what it is until the next one is asked for."""
    learner = DQNLearner(SPEC, STACKED["three steps"])
    learner.add([chains(8, 200, TERMINATED)])
    batches = learner.replay.batches(np.random.default_rng(0), 30, 1.0)
    rng = np.random.default_rng(0)
    for batch in batches:
        expected = learner.ring.sample(rng, learner.batch_size, 1.0)
        np.testing.assert_array_equal(batch.rows, expected.rows)
        for _ in range(20):  # the next one is sampled meanwhile
            np.testing.assert_array_equal(batch.transitions.observations, expected.stacks)
            np.testing.assert_array_equal(
                batch.transitions.later_observations, expected.next_stacks
            )
