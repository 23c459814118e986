"""Recorded inference answers what the network answers, and on a card what a processor does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.alphazero.config import LearnerConfig, NetworkConfig
from agents.alphazero.device.graphed import GraphedInference, graph_rows
from agents.alphazero.inference import NetworkEvaluator
from agents.alphazero.learner import AlphaZeroLearner
from agents.alphazero.network import build_network
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import Search
from tests.agents.alphazero.test_learner import _batch, _record
from tests.agents.device.test_graphs import StandIn, has_card
from tests.search_setup import with_every_action

GAME = find_game("connect_four")
CONFIG = NetworkConfig(2, 8, 4, 8, precision="float32")
STATE = build_network(GAME, CONFIG, 1).state_dict()


def leaves_of(count, seed=0):
    planes = np.random.default_rng(seed).random((count, *GAME.planes_shape), np.float32)
    return with_every_action(GAME, planes)


def filled_learner(device):
    settings = LearnerConfig(batch_size=64, learning_rate=5e-3, window_rows=1000)
    learner = AlphaZeroLearner(GAME, CONFIG, settings, seed=0, device=device)
    learner.add([_batch(_record(GAME, "4455667", [0, 2, 4], exact=[1.0, 0.0, -1.0]))])
    return learner


def test_batches_have_sizes_of_few_graphs():
    sizes = [graph_rows(count) for count in range(1, 1025)]
    assert all(count <= size for count, size in zip(range(1, 1025), sizes))
    assert all(size <= max(8, 1.5 * count) for count, size in zip(range(1, 1025), sizes))
    assert len(set(sizes)) == 15


def test_batches_of_many_sizes_are_answered_as_the_network_answers_them():
    evaluator = NetworkEvaluator(GAME, CONFIG, STATE, device="cpu")
    recorder = StandIn()
    graphed = GraphedInference(evaluator._module, GAME, torch.device("cpu"), recorder)
    for turn, count in enumerate([5, 30, 1, 30, 64, 29, 64]):
        leaves = leaves_of(count, turn)
        kept = graphed(leaves)
        graphed(leaves_of(count, 99))  # answers are the caller's, and stay
        for got, wanted in zip(kept, evaluator(leaves), strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-5)
    # 8, then 32 and 8 in larger buffers, then 64 and 32 in the largest
    assert recorder.log.count("capture") == 5
    evaluator.update(build_network(GAME, CONFIG, 2).state_dict(), 2)
    np.testing.assert_allclose(graphed(leaves)[0], evaluator(leaves)[0], atol=1e-5)


def test_an_evaluator_takes_the_weights_of_another_and_stays_its_own():
    first, second = (NetworkEvaluator(GAME, CONFIG, STATE, device="cpu") for _ in range(2))
    leaves = leaves_of(9)
    first.update(build_network(GAME, CONFIG, 2).state_dict(), 7)
    second.copy_weights(first)
    assert second.step == 7
    np.testing.assert_array_equal(second(leaves)[0], first(leaves)[0])
    np.testing.assert_array_equal(second.replica()(leaves)[0], first(leaves)[0])
    first.update(STATE, 8)
    assert np.abs(second(leaves)[0] - first(leaves)[0]).max() > 1e-3


@has_card
@pytest.mark.parametrize("name", ["connect_four", "othello6"])
def test_a_search_on_a_card_is_that_on_a_processor(name):
    """The same network without noise: the same moves, and values to rounding."""
    game = find_game(name)
    config = NetworkConfig(2, 32, 16, 32, precision="float32")
    state = build_network(game, config, 1).state_dict()
    found = []
    for device in ("cpu", "cuda"):
        search = Search(game, replace(SearchConfig(), simulations=64, cache_size=0), 32)
        search.place(game.new_states(32))
        search.begin(np.arange(32), np.arange(33, 65, dtype=np.int32))
        with torch.backends.cudnn.flags(allow_tf32=False):
            search.run(NetworkEvaluator(game, config, state, device=device))
        found.append(search.read(np.arange(32)))
    np.testing.assert_allclose(found[0].value_to_play, found[1].value_to_play, atol=1e-2)
    np.testing.assert_allclose(found[0].policy, found[1].policy, atol=0.05)


@has_card
def test_evaluations_on_a_card_are_those_of_a_processor_to_rounding():
    for precision, tolerance in (("float32", 2e-2), ("bfloat16", 0.1)):
        config = replace(CONFIG, precision=precision)
        on_card = NetworkEvaluator(GAME, config, STATE, device="cuda")
        other = NetworkEvaluator(GAME, CONFIG, STATE, device="cpu")
        for evaluator in (on_card, on_card.replica()):
            for count in (3, 100, 64, 300, 100):
                leaves = leaves_of(count, count)
                for got, wanted in zip(evaluator(leaves), other(leaves), strict=True):
                    np.testing.assert_allclose(got, wanted, atol=tolerance)


@has_card
def test_a_learner_on_a_card_learns_what_one_on_a_processor_does():
    losses = {}
    for device in ("cpu", "cuda"):
        learner = filled_learner(device=device)
        losses[device] = [learner.train(1, 0.0)["policy_loss"] for _ in range(30)]
        assert learner.steps == 30
    np.testing.assert_allclose(losses["cpu"], losses["cuda"], rtol=0.1)


@has_card
def test_a_learner_goes_on_on_another_device():
    first = filled_learner(device="cuda")
    first.train(10, 0.0)
    state = first.state()
    for device in ("cpu", "cuda"):
        other = filled_learner(device=device)
        other.load_state(state, [])
        assert other.steps == 10
