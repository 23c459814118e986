"""The network: one step against sequences, empty slots, targets, critics, precision."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.ppo.config import NetworkConfig
from agents.ppo.network.memory import Memory
from agents.ppo.network.team_network import Outputs, TeamNetwork, build_network
from envs.teams import ActionHead, TeamSpec
from tests.agents.ppo import cartpole, duel

CPU = torch.device("cpu")
CONFIG = NetworkConfig(units=8, hidden=16, layers=1, lstm=12, precision="float32")


def seen(spec: TeamSpec, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    observations = rng.integers(-127, 128, (*shape, *spec.observation_shape)).astype(np.int8)
    states = rng.integers(-127, 128, (*shape, spec.state_size)).astype(np.int8)
    return torch.from_numpy(observations), torch.from_numpy(states)


def lively(network: TeamNetwork) -> TeamNetwork:
    """Make the heads' weights so large that a difference is seen."""
    with torch.no_grad():
        network.heads.weight *= 100
        if network.query is not None:
            network.query.weight *= 100
    return network


def step_by_step(network: TeamNetwork, begins: torch.Tensor, memory: Memory) -> Outputs:
    observations, states = seen(duel.SPEC, 3, 16)
    logits, values = [], []
    for t in range(16):
        kept = (begins[:, t] == 0).float().unsqueeze(1)
        memory = Memory(memory.output * kept, memory.cell * kept)
        out = network.step(observations[:, t], states[:, t], memory)
        logits.append(out.logits)
        values.append(out.values)
        memory = out.memory
    return Outputs(torch.stack(logits, 1).flatten(0, 1), torch.stack(values, 1).flatten(), memory)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.05)])
def test_sequences_are_what_single_steps_are(precision: str, tolerance: float) -> None:
    config = replace(CONFIG, precision=precision)
    network = lively(build_network(duel.SPEC, config, seed=0, device=CPU))
    begins = torch.zeros(3, 16, dtype=torch.uint8)
    begins[0, 5] = begins[0, 9] = begins[2, 0] = 1
    torch.manual_seed(0)
    memory = Memory(torch.randn(3, 12), torch.randn(3, 12))
    with torch.no_grad():
        whole = network(*seen(duel.SPEC, 3, 16), memory, begins)
        steps = step_by_step(network, begins, memory)
    torch.testing.assert_close(whole.logits, steps.logits, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(whole.values, steps.values, rtol=tolerance, atol=tolerance)


def test_an_empty_slot_says_nothing_and_a_unit_moves_its_own_target_only() -> None:
    network = lively(build_network(duel.SPEC, replace(CONFIG, lstm=0), seed=0, device=CPU))
    observations, states = seen(duel.SPEC, 1)
    observations[:, [2, 5, 8]] = 127
    observations[:, 5] = 0  # the first enemy is not there

    def logits() -> torch.Tensor:
        with torch.no_grad():
            return network.step(observations, states, network.empty_memory(1)).logits[0]

    before = logits()
    observations[:, 6:8] += 40
    assert torch.equal(logits(), before)
    observations[:, 9:11] += 40
    assert not torch.equal(logits(), before)


def test_the_logit_of_a_target_is_the_product_of_the_query_with_its_unit() -> None:
    network = lively(build_network(duel.SPEC, replace(CONFIG, lstm=0), seed=0, device=CPU))
    observations, states = seen(duel.SPEC, 4)
    observations[:, [2, 5, 8]] = 127
    with torch.no_grad():
        found = network.step(observations, states, network.empty_memory(4)).logits
        features, units = network.encoder(observations.float())
        assert units is not None
        assert network.query is not None
        plain = network.heads(features)
        products = torch.einsum("nw,nuw->nu", network.query(features), units) / 8**0.5
    torch.testing.assert_close(found[:, :7], plain[:, :7])
    torch.testing.assert_close(found[:, 7:], plain[:, 7:] + products)


def test_values_come_from_the_state_and_actions_do_not() -> None:
    network = lively(build_network(duel.SPEC, CONFIG, seed=0, device=CPU))
    observations, states = seen(duel.SPEC, 4)
    memory = network.empty_memory(4)
    with torch.no_grad():
        one = network.step(observations, states, memory)
        other = network.step(observations, states + 9, memory)
    assert torch.equal(one.logits, other.logits)
    assert not torch.equal(one.values, other.values)


@pytest.mark.parametrize(
    ("spec", "config", "critic"),
    [
        (duel.SPEC, CONFIG, "state"),
        (cartpole.SPEC, CONFIG, "shared"),
        (cartpole.SPEC, NetworkConfig(), "own"),
    ],
)
def test_the_critic_is_what_the_environment_has(
    spec: TeamSpec, config: NetworkConfig, critic: str
) -> None:
    assert build_network(spec, config, seed=0, device=CPU).critic == critic


def test_a_state_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(ValueError, match="no true state"):
        build_network(cartpole.SPEC, NetworkConfig(critic="state"), seed=0, device=CPU)


def test_first_actions_are_nearly_uniform_and_weights_are_the_seed_s() -> None:
    network = build_network(duel.SPEC, CONFIG, seed=3, device=CPU)
    observations, states = seen(duel.SPEC, 50)
    with torch.no_grad():
        logits = network.step(observations, states, network.empty_memory(50)).logits
    assert logits.abs().max() < 0.1
    again = build_network(duel.SPEC, CONFIG, seed=3, device=CPU)
    assert all(map(torch.equal, network.state_dict().values(), again.state_dict().values()))


def test_pictures_have_convolutions_and_small_ones_are_refused() -> None:
    spec = replace(
        cartpole.SPEC, observation_shape=(10, 10, 3), observation_dtype=np.dtype(np.uint8)
    )
    network = build_network(spec, NetworkConfig(), seed=0, device=CPU)
    observations = torch.zeros(2, 10, 10, 3, dtype=torch.uint8)
    with torch.no_grad():
        out = network.step(observations, torch.zeros(2, 0), network.empty_memory(2))
    assert out.logits.shape == (2, 2)
    with pytest.raises(ValueError, match="expected pictures of 7x7"):
        build_network(
            replace(spec, observation_shape=(5, 5, 3)), NetworkConfig(), seed=0, device=CPU
        )


def test_real_numbers_have_a_spread_to_learn() -> None:
    spec = replace(cartpole.SPEC, heads=(ActionHead("force", 3, "real", (-1,) * 3, (1,) * 3),))
    network = build_network(spec, NetworkConfig(), seed=0, device=CPU)
    assert [*network.log_spread.shape] == [3]
    assert network.log_spread.requires_grad
