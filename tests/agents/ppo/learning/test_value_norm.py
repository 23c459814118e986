"""Values keep what they say when their units change."""

import numpy as np
import pytest
import torch

from agents.ppo.config import NetworkConfig
from agents.ppo.learning.value_norm import RunningMoments, TargetMoments, rescale_values
from agents.ppo.network.team_network import build_network
from tests.agents.ppo.cartpole import SPEC


def test_rescaling_changes_units_and_no_value() -> None:
    network = build_network(SPEC, NetworkConfig(), seed=0, device=torch.device("cpu"))
    observations, states = torch.randn(6, 4), torch.zeros(6, 0)

    def returns() -> torch.Tensor:
        with torch.no_grad():
            found = network.step(observations, states, network.empty_memory(6))
            return network.returns(found.values)

    before = returns()
    for moments in (TargetMoments(30.0, 1000.0), TargetMoments(-2.0, 4.5)):
        rescale_values(network, moments)
        torch.testing.assert_close(returns(), before, rtol=1e-4, atol=1e-4)
        assert float(network.value_mean) == moments.mean
        assert float(network.value_std) == pytest.approx(moments.spread)


def test_targets_that_hardly_differ_are_in_no_finer_units_than_a_share_of_their_mean() -> None:
    network = build_network(SPEC, NetworkConfig(), seed=0, device=torch.device("cpu"))
    rescale_values(network, TargetMoments(10.0, 100.0))
    assert float(network.value_std) == pytest.approx(0.1)


def test_running_moments_are_the_plain_mean_first_and_forget_later() -> None:
    running = RunningMoments(rate=0.25)
    rng = np.random.default_rng(0)
    first = [rng.standard_normal(50).astype(np.float32) + 3 for _ in range(4)]
    for targets in first:
        found = running.update(targets)
    together = np.concatenate(first).astype(np.float64)
    assert found.mean == pytest.approx(together.mean())
    assert found.spread == pytest.approx(together.std())
    for _ in range(60):
        found = running.update(np.full(10, 7.0, np.float32))
    assert found.mean == pytest.approx(7.0, rel=1e-3)
