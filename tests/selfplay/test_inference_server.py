"""The inference actor without Ray: its answers are the network's, whoever asks together."""

import asyncio
import threading

import numpy as np
import pytest

from agents.config import NetworkConfig
from agents.inference import NetworkEvaluator
from envs.registry import find_game
from selfplay import inference_server
from selfplay.config import TrainConfig
from selfplay.inference_server import InferenceServer
from selfplay.trainer import Trainer
from store.run import create_run

CONFIG = TrainConfig(
    game="tic_tac_toe", device="cpu", network=NetworkConfig(1, 8, 4, 8, precision="float32")
)


@pytest.fixture
def server(tmp_path):
    create_run(str(tmp_path), "run", game="tic_tac_toe", config={}, seed=0, versions={})
    return InferenceServer(str(tmp_path), "run", CONFIG)


def _planes(rows, seed):
    shape = (rows, *find_game("tic_tac_toe").planes_shape)
    return np.random.default_rng(seed).random(shape, np.float32)


def test_requests_that_come_together_are_one_batch_and_answered_each_its_own(server):
    requests = [_planes(rows, rows) for rows in (1, 5, 32, 7)]
    sizes = []
    plain = server.evaluator

    def counting(planes):
        sizes.append(len(planes))
        return plain(planes)

    counting.step = 0
    server.evaluator = counting

    async def ask():
        return await asyncio.gather(*(server.evaluate(planes) for planes in requests))

    for planes, (logits, values, step) in zip(requests, asyncio.run(ask()), strict=True):
        expected = plain(planes)
        np.testing.assert_allclose(logits, expected[0], atol=1e-5)
        np.testing.assert_allclose(values, expected[1], atol=1e-5)
        assert step == 0
    assert sizes == [45]


def test_a_batch_is_bounded(server, monkeypatch):
    monkeypatch.setattr(inference_server, "MOST_ROWS", 10)

    async def ask():
        return await asyncio.gather(*(server.evaluate(_planes(6, i)) for i in range(4)))

    assert [len(answer[0]) for answer in asyncio.run(ask())] == [6, 6, 6, 6]


def test_an_error_reaches_those_who_asked_and_no_others(server):
    async def ask():
        good = await server.evaluate(_planes(2, 0))
        with pytest.raises(Exception, match=r"shape|size|expand"):
            await server.evaluate(np.zeros((2, 7, 7, 7), np.float32))
        return good, await server.evaluate(_planes(2, 0))

    before, after = asyncio.run(ask())
    np.testing.assert_array_equal(before[0], after[0])


def test_it_starts_with_the_newest_checkpoint(tmp_path):
    run = create_run(str(tmp_path), "run", game="tic_tac_toe", config={}, seed=0, versions={})
    trainer = Trainer(run, CONFIG)
    trainer.learner.steps = 12
    trainer.save({}, {})
    server = InferenceServer(str(tmp_path), "run", CONFIG)
    assert server.evaluator.step == 12
    own = NetworkEvaluator(
        find_game("tic_tac_toe"), CONFIG.network, trainer.learner.published(), device="cpu"
    )
    planes = _planes(4, 1)
    np.testing.assert_array_equal(server.evaluator(planes)[0], own(planes)[0])


def test_new_weights_are_used_from_then_on(server):
    class Reference:
        def __init__(self, data):
            self.data = data

        def __await__(self):
            yield from ()
            return self.data

    from agents.inference import dump_state
    from agents.network import build_network

    other = dump_state(build_network(find_game("tic_tac_toe"), CONFIG.network, 5).state_dict())

    threads = threading.active_count()

    async def ask():
        before = await server.evaluate(_planes(3, 2))
        await server.load_weights(40, [Reference(other)])
        return before, await server.evaluate(_planes(3, 2))

    before, after = asyncio.run(ask())
    assert (before[2], after[2]) == (0, 40)
    assert np.abs(before[0] - after[0]).max() > 1e-3
    assert threading.active_count() <= threads + 1  # the one that evaluates
