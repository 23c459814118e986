"""The learner's batches are the same wherever its frames are and whenever they are sampled."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.dqn.device.replay import DeviceReplay, HostReplay
from agents.dqn.learning.learner import DQNLearner
from agents.torch_state import dump_trainer, load_trainer
from store.memory.ahead import SampleAhead
from store.memory.frame_ring import FrameRing
from store.memory.frames import GOES_ON, TERMINATED, frames_schema, piece_uuid
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.window import ReplayWindow
from tests.agents.dqn.learning.test_learner import FAMILY, SPEC, chains

CPU = torch.device("cpu")
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


def ahead(config):
    return replace(config, replay=replace(config.replay, sample_ahead=True))


@pytest.mark.parametrize("name", ["one step", "three steps", "c51"])
def test_what_is_sampled_ahead_is_what_would_be_drawn_in_turns(name, monkeypatch):
    used = []
    close = SampleAhead.close
    monkeypatch.setattr(SampleAhead, "close", lambda ahead: used.append(ahead) or close(ahead))
    ahead = trained(STACKED[name], sample_ahead=True)
    assert len(used) == 8
    turns = trained(STACKED[name])
    assert len(used) == 8
    assert ahead.weights() == turns.weights()
    assert ahead.rng.bit_generator.state == turns.rng.bit_generator.state


def test_by_priority_a_batch_is_drawn_before_the_errors_of_the_one_before():
    learner = DQNLearner(SPEC, ahead(STACKED["priorities"]))
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
    learner = DQNLearner(SPEC, ahead(STACKED["one step"]))
    learner.add([chains(4, 50, TERMINATED)])
    learner.train(3, 0.0)

    def broken(*_):
        raise ArithmeticError

    monkeypatch.setattr(learner, "on_transitions", broken)
    with pytest.raises(ArithmeticError):
        learner.train(3, 0.0)
    assert not [t.name for t in threading.enumerate() if t.name.startswith("sample")]


def test_buffers_are_not_written_while_they_are_read():
    """A batch stays what it is until the next one is asked for."""
    learner = DQNLearner(SPEC, ahead(STACKED["three steps"]))
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


@pytest.mark.parametrize("name", STACKED)
def test_frames_on_the_device_train_the_same_weights_bit_for_bit(name):
    host, device = trained(STACKED[name]), trained(STACKED[name], on_device=True)
    assert isinstance(device.replay, DeviceReplay)
    assert device.weights() == host.weights()
    assert device.rng.bit_generator.state == host.rng.bit_generator.state


@pytest.mark.parametrize("padding", ["zeros", "first"])
@pytest.mark.parametrize("sizes", [(7, 30, 3), (45, 2, 61), (200,)])  # the last more than it holds
def test_stacks_on_the_device_are_those_of_the_ring(padding, sizes):
    """Of pictures, while the ring fills, wraps around, and takes more at once than it holds."""
    schema = frames_schema((3, 2), np.uint8)
    ring = FrameRing(50, schema, stack=4, steps=2, padding=padding)
    replay, host = DeviceReplay(ring, 8, CPU), HostReplay(ring, 8, CPU, ahead=False)
    assert replay.frames.shape == (51, 3, 2)
    rng = np.random.default_rng(0)
    for number, size in enumerate(sizes * 4):
        ring.extend(EpisodeBatch.of(schema, [piece(number, size, rng)]))
        replay.follow()
        rows = np.arange(ring.ring.oldest, ring.ring.total_added)
        torch.testing.assert_close(replay.stacks(rows), host.stacks(rows), rtol=0, atol=0)
        draws = [np.random.default_rng(number) for _ in range(2)]
        for got, expected in zip(replay.batches(draws[0], 2, 1.0), host.batches(draws[1], 2, 1.0)):
            np.testing.assert_array_equal(got.rows, expected.rows)
            for tensor, other in zip(got.transitions, expected.transitions):
                torch.testing.assert_close(tensor, other, rtol=0, atol=0)
    assert not replay.frames[-1].any()


def piece(stream, size, rng):
    ended = stream % 2
    return Episode(
        piece_uuid(stream, 0, 0),
        {
            "frame": rng.integers(1, 256, (size + ended, 3, 2), dtype=np.uint8),
            "action": rng.integers(4, size=size).astype(np.int32),
            "reward": rng.normal(size=size).astype(np.float32),
            "stream": np.array([stream]),
            "episode": np.array([0]),
            "first_step": np.array([0]),
            "ending": np.array([TERMINATED if ended else GOES_ON], np.uint8),
        },
    )


def test_only_new_rows_are_copied():
    ring = FrameRing(50, frames_schema((3, 2), np.uint8))
    replay = DeviceReplay(ring, 8, CPU)
    rng = np.random.default_rng(0)
    ring.extend(EpisodeBatch.of(ring.schema, [piece(0, 20, rng)]))
    replay.follow()
    replay.frames[:20] = 7
    ring.extend(EpisodeBatch.of(ring.schema, [piece(1, 12, rng)]))
    replay.follow()
    assert (replay.frames[:20] == 7).all()
    np.testing.assert_array_equal(replay.frames[20:33], ring.ring.array("frame")[20:33])


def test_a_resumed_learner_has_its_frames_on_the_device():
    settings = STACKED["priorities"]
    config = replace(settings, replay=replace(settings.replay, on_device=True))
    learner = DQNLearner(SPEC, config)
    batch = chains(4, 50, TERMINATED)
    learner.add([batch])
    learner.train(3, 0.1)
    other = DQNLearner(SPEC, config)
    state = load_trainer(dump_trainer(learner.state()))
    other.load_state(state, ReplayWindow.of([batch], "frame"))
    torch.testing.assert_close(other.replay.frames, learner.replay.frames)
    assert learner.train(3, 0.2) == other.train(3, 0.2)
    assert learner.weights() == other.weights()
