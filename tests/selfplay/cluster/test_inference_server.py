"""The inference actor without Ray: its answers are the network's, whoever asks together."""

import asyncio
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ray.exceptions import ActorUnavailableError, GetTimeoutError

from agents.alphazero.config import AlphaZeroConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.inference import NetworkEvaluator
from agents.alphazero.network import build_network
from agents.torch_state import dump_state, load_state
from envs.registry import find_game
from mcts.config import SearchConfig
from selfplay.cluster import inference_server
from selfplay.cluster.inference_server import InferenceError, InferenceServer, RemoteEvaluator
from selfplay.cluster.worker import Worker
from selfplay.trainer import Trainer
from store.run import create_run
from tests.search_setup import with_every_action

CONFIG = AlphaZeroConfig(
    game="tic_tac_toe", device="cpu", network=NetworkConfig(1, 8, 4, 8, precision="float32")
)


@pytest.fixture
def server(tmp_path):
    create_run(str(tmp_path), "run", game="tic_tac_toe", config={}, seed=0, versions={})
    return InferenceServer(str(tmp_path), "run", CONFIG)


def _leaves(rows, seed):
    game = find_game("tic_tac_toe")
    shape = (rows, *game.planes_shape)
    return with_every_action(game, np.random.default_rng(seed).random(shape, np.float32))


def test_requests_that_come_together_are_one_batch_and_answered_each_its_own(server):
    requests = [_leaves(rows, rows) for rows in (1, 5, 32, 7)]
    sizes = []
    plain = server.policy

    def counting(planes):
        sizes.append(len(planes.counts))
        return plain(planes)

    counting.step = 0
    server.policy = counting

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
        return await asyncio.gather(*(server.evaluate(_leaves(6, i)) for i in range(4)))

    assert [len(answer[0]) for answer in asyncio.run(ask())] == [6, 6, 6, 6]


def test_an_error_reaches_those_who_asked_and_no_others(server):
    async def ask():
        good = await server.evaluate(_leaves(2, 0))
        with pytest.raises(Exception, match=r"shape|size|expand"):
            await server.evaluate(_leaves(2, 0)._replace(planes=np.zeros((2, 7, 7, 7), np.float32)))
        return good, await server.evaluate(_leaves(2, 0))

    before, after = asyncio.run(ask())
    np.testing.assert_array_equal(before[0], after[0])


def test_it_starts_with_the_newest_checkpoint(tmp_path):
    run = create_run(str(tmp_path), "run", game="tic_tac_toe", config={}, seed=0, versions={})
    trainer = Trainer(run, CONFIG)
    trainer.learner.steps = 12
    trainer.save({}, {})
    server = InferenceServer(str(tmp_path), "run", CONFIG)
    assert server.policy.step == 12
    state = load_state(trainer.learner.weights())
    own = NetworkEvaluator(find_game("tic_tac_toe"), CONFIG.network, state, device="cpu")
    planes = _leaves(4, 1)
    np.testing.assert_array_equal(server.policy(planes)[0], own(planes)[0])


def test_new_weights_are_used_from_then_on(server):
    class Reference:
        def __init__(self, data):
            self.data = data

        def __await__(self):
            yield from ()
            return self.data

    other = dump_state(build_network(find_game("tic_tac_toe"), CONFIG.network, 5).state_dict())

    threads = threading.active_count()

    async def ask():
        before = await server.evaluate(_leaves(3, 2))
        await server.load_weights(40, [Reference(other)])
        return before, await server.evaluate(_leaves(3, 2))

    before, after = asyncio.run(ask())
    assert (before[2], after[2]) == (0, 40)
    assert np.abs(before[0] - after[0]).max() > 1e-3
    assert threading.active_count() <= threads + 1  # the one that evaluates


class Handle:
    """An inference actor's handle; a reference to an answer is a call that makes it."""

    def __init__(self, answer):
        def remote(planes):
            return lambda timeout: answer(planes, timeout)

        self.evaluate = SimpleNamespace(remote=remote)


@pytest.fixture
def _without_ray(monkeypatch):
    def get(reference, timeout=None):
        return reference(timeout)

    monkeypatch.setattr(inference_server.ray, "get", get)


@pytest.mark.usefixtures("_without_ray")
def test_an_actor_that_never_answers_fails_its_caller_in_time(monkeypatch):
    waited = []

    def silent(planes, timeout):
        waited.append(timeout)
        raise GetTimeoutError("no answer")

    evaluator = RemoteEvaluator(Handle(silent), 7.5, lambda step: None)
    with pytest.raises(InferenceError, match=r"for 7\.5 s \(cluster\.inference_timeout_s\)"):
        evaluator(_leaves(1, 0))
    assert len(waited) == 1
    assert 7 < waited[0] <= 7.5


@pytest.mark.usefixtures("_without_ray")
def test_an_actor_that_is_being_replaced_is_asked_again_until_the_time_is_over(monkeypatch):
    monkeypatch.setattr(inference_server, "RETRY_S", 0.0)
    tries = []

    def gone(planes, timeout):
        tries.append(timeout)
        if len(tries) == 3:
            return "logits", "values", 4
        raise ActorUnavailableError("wait", None)

    versions = []
    evaluator = RemoteEvaluator(Handle(gone), 60.0, versions.append)
    assert evaluator(_leaves(1, 0)) == ("logits", "values")
    assert versions == [evaluator.step] == [4]

    def lost(planes, timeout):
        raise ActorUnavailableError("wait", None)

    with pytest.raises(InferenceError, match="ActorUnavailableError, and it was not replaced"):
        RemoteEvaluator(Handle(lost), 0.01, versions.append)(_leaves(1, 0))


@pytest.mark.usefixtures("_without_ray")
def test_weights_that_change_within_a_round_leave_nothing_of_the_old_in_the_cache(tmp_path):
    """The old network says -0.5 of every position, the new one 0.5."""
    create_run(str(tmp_path), "run", game="tic_tac_toe", config={}, seed=0, versions={})
    config = replace(
        CONFIG,
        search=SearchConfig(simulations=8, lookahead=0, cache_size=4096),
        selfplay=SelfPlayConfig(games=8, shards=2, fast_simulations=4),
        cluster=replace(CONFIG.cluster, inference_actors=1),
    )
    calls = []

    def evaluate(leaves, timeout):
        count = len(leaves.counts)
        calls.append(count)
        value, step = (-0.5, 3) if len(calls) <= 8 else (0.5, 4)
        return np.zeros((count, 9), np.float32), np.full(count, value, np.float32), step

    worker = Worker(str(tmp_path), "run", config, [Handle(evaluate)])
    report = worker.play_round(64, 0, [])
    assert report.step == 0  # of the beginning
    assert len(calls) > 16
    for shard in worker.actor.shards:
        cache = shard.search.forest.cache
        kept = cache["value"][cache["key"] != 0]
        assert len(kept) > 0
        assert set(kept.tolist()) == {0.5}
        assert shard.network_step == 4
