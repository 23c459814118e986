"""The benchmark beside RLlib's stock path: its peer does the same work, and its JSON."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner

from agents.ppo.config import LearnerConfig, NetworkConfig, PPOConfig
from agents.ppo.learning.losses import FORBIDDEN
from agents.ppo.multi_agent_env import LanesMultiAgentEnv
from agents.ppo.network.team_network import build_network
from agents.ppo.rllib_algorithm import rllib_config
from benchmarks import machine
from benchmarks.teams import rllib
from benchmarks.teams.shares import RLLIB, clocked
from benchmarks.teams.stock import MODULE, agent_steps, stock_config
from envs.lanes.batch import LanesVector
from envs.teams import find_team
from tests.agents.ppo import duel
from tests.agents.ppo.test_rllib_algorithm import DUEL
from tests.selfplay.cluster.local_ray import local_ray

pytestmark = [
    pytest.mark.slow,  # RLlib's own runners and learners start in each
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning",
        "ignore::FutureWarning",
        "ignore:.*Overriding environment:UserWarning",
    ),
]

SMALL = PPOConfig(
    game="lanes_1v1",
    network=NetworkConfig(units=4, hidden=8, layers=1, lstm=4, precision="float32"),
    learner=LearnerConfig(rollout=8, sequence=4, minibatches=2, epochs=2),
    device="cpu",
)
SPEC = find_team("lanes_1v1")


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[None]:
    with local_ray(1):
        yield


def test_the_peer_has_the_same_network_and_allows_the_same_choices() -> None:
    runner = MultiAgentEnvRunner(config=stock_config(SMALL, SPEC, 2))
    module = runner.module[MODULE]
    own = build_network(SPEC, SMALL.network, seed=0, device=torch.device("cpu"))
    for name, weights in own.state_dict().items():
        assert torch.equal(module.network.state_dict()[name], weights)
    vector = LanesVector("lanes_1v1", 3, seed=5)
    rows = torch.from_numpy(vector.rows.reshape(6, -1))
    memory = own.empty_memory(6)
    batch = {Columns.OBS: rows.unsqueeze(1), Columns.STATE_IN: memory._asdict()}
    acted = module.forward_exploration(batch)
    steps, masks = vector._steps(), vector._steps().masks.reshape(6, -1)
    seen, states = (np.array(part).reshape(6, -1) for part in (steps.observations, steps.states))
    with torch.no_grad():
        outputs = own.step(torch.from_numpy(seen), torch.from_numpy(states), memory)
    logits = acted[Columns.ACTION_DIST_INPUTS][:, 0]
    later = [masks[:, a:b].reshape(6, 3, -1).max(1) for a, b in ((10, 34), (34, 94))]
    allowed = np.concatenate([masks[:, :10], *later], 1)
    expected = torch.where(torch.from_numpy(allowed) != 0, outputs.logits, FORBIDDEN)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(acted[Columns.STATE_OUT]["cell"], outputs.memory.cell)
    trained = module._forward_train(batch)
    torch.testing.assert_close(trained[Columns.ACTION_DIST_INPUTS][:, 0], expected)
    values = module.compute_values(batch)
    torch.testing.assert_close(values[:, 0], own.returns(outputs.values))
    runner.stop()


def test_the_peer_learns_from_as_many_sequences_and_minibatches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RLlib's step more makes 8 of 7, which are two whole sequences of each agent."""
    seen: list[tuple[int, ...]] = []
    peer = stock_config(SMALL, SPEC, 4).build_algo()
    learner = peer.learner_group._learner
    loss = learner.compute_loss_for_module

    def spy(**given: Any) -> Any:
        seen.append(tuple(given["batch"][Columns.OBS].shape[:2]))
        return loss(**given)

    monkeypatch.setattr(learner, "compute_loss_for_module", spy)
    peer.train()
    peer.stop()
    sequences = 4 * SPEC.players * 2
    assert seen == [(sequences // 2, 4)] * (2 * 2)


def test_a_sample_of_the_peer_counts_all_agents() -> None:
    runner = MultiAgentEnvRunner(config=stock_config(SMALL, SPEC, 3))
    assert agent_steps(runner.sample()) == 3 * SPEC.players * 7
    assert isinstance(runner.env.envs[0].unwrapped, LanesMultiAgentEnv)
    runner.stop()


def test_ratios_are_to_the_best_of_the_peers_settings() -> None:
    rates = {"sampling ours": 30.0, "sampling rllib_1": 2.0, "sampling rllib_16": 3.0}
    rates |= {"iteration ours": 8.0, "iteration rllib_1": 4.0, "iteration rllib_2": 2.0}
    assert rllib._ratios(rates) == {
        "sampling_ratio": 10.0,
        "sampling_ratio_to_default": 15.0,
        "iteration_ratio": 2.0,
        "iteration_ratio_to_default": 2.0,
    }


def test_an_iterations_time_has_its_parts_and_is_left_as_it_was() -> None:
    backward = torch.Tensor.backward
    ppo = rllib_config(DUEL, duel.SPEC, duel.make_duel).build_algo()
    try:
        with clocked(ppo) as clock:
            began = time.perf_counter()
            ppo.train()
            elapsed = time.perf_counter() - began
        assert sum(clock.seconds.values()) == pytest.approx(elapsed, rel=0.02)
        parts = "sampling preparing minibatches forward loss backward clipping optimiser weights"
        assert {*clock.seconds} == {*parts.split(), RLLIB}
        assert min(clock.seconds.values()) > 0.0
        before = clock.seconds.copy()
        ppo.train()
        assert clock.seconds == before
        assert torch.Tensor.backward is backward
        assert "train" not in vars(ppo)
    finally:
        ppo.stop()


def test_both_sides_are_measured_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "RESULTS", tmp_path)
    monkeypatch.setattr(rllib, "PRESETS", ("lanes_1v1",))
    monkeypatch.setattr(rllib, "load_config_of", lambda *_: SMALL)
    measure = rllib.measure
    monkeypatch.setattr(
        rllib,
        "measure",
        lambda preset, seconds: measure(preset, seconds, matches=2, environments=(2,), rounds=1),
    )
    rllib.run(0.0, None)
    found = json.loads((tmp_path / "rllib_lanes_1v1.json").read_text())
    assert found["matches"] == found["agents"] == 2
    rates = found["agent_steps_per_second"]
    assert min(rates.values()) > 0
    best = max(rates["sampling rllib_1"], rates["sampling rllib_2"])
    assert found["sampling_ratio"] == pytest.approx(rates["sampling ours"] / best, abs=0.1)
    assert found["iteration_ratio"] > 0.0
    assert 0.0 < found["rllib_share"] < 1.0
    assert 0.0 < found["rllib_share_profiled"] < 1.0
    assert sum(found["parts"].values()) == pytest.approx(1.0, abs=0.01)
    assert {*found["ratios_divide"]} <= {*found}
    assert found["machine"]["packages"]["ray"]
    assert "times RLlib's stock path" in capsys.readouterr().out
