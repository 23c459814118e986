"""An evaluator that goes on with other weights is the evaluator of those weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.alphazero.config import NetworkConfig
from agents.alphazero.inference import NetworkEvaluator
from agents.alphazero.network import build_network
from envs.registry import find_game
from tests.search_setup import with_every_action

GAME = find_game("connect_four")
CONFIG = NetworkConfig(2, 8, 4, 8, global_pooling=True)
LEAVES = with_every_action(
    GAME, np.random.default_rng(0).random((37, *GAME.planes_shape), np.float32)
)


def _state(seed):
    return build_network(GAME, CONFIG, seed).state_dict()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_updated_weights_play_as_if_made_with_them(precision):
    config = replace(CONFIG, precision=precision)
    evaluator = NetworkEvaluator(GAME, config, _state(1), step=1, device="cpu")
    replica = evaluator.replica()
    before = evaluator(LEAVES)
    evaluator.update(_state(2), 2)
    fresh = NetworkEvaluator(GAME, config, _state(2), step=2, device="cpu")
    for got, wanted, old, shared in zip(
        evaluator(LEAVES), fresh(LEAVES), before, replica(LEAVES), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(shared, wanted)  # a replica has the same weights in memory
        assert np.abs(got - old).max() > 1e-3
    assert evaluator.step == 2
    np.testing.assert_array_equal(evaluator.replica()(LEAVES)[0], fresh(LEAVES)[0])


def test_weights_that_are_trained_on_do_not_change_what_was_given():
    network = build_network(GAME, CONFIG, 3)
    evaluator = NetworkEvaluator(GAME, CONFIG, network.state_dict(), device="cpu")
    before = evaluator(LEAVES)[0]
    for parameter in network.parameters():
        parameter.data.add_(1.0)
    np.testing.assert_array_equal(evaluator(LEAVES)[0], before)
    np.testing.assert_array_equal(evaluator.replica()(LEAVES)[0], before)


@pytest.mark.slow
def test_versions_leave_nothing_behind():
    """A training publishes thousands: each may leave a few KiB, and not a compiled graph."""

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4

    evaluator = NetworkEvaluator(GAME, CONFIG, _state(0), device="cpu")
    for version in range(300):
        evaluator.update(_state(version), version)
        evaluator(LEAVES)
        if version == 99:
            before = resident()
    assert resident() - before < 200 * 100  # KiB
