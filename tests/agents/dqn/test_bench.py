"""Acting with the network over the bare environments."""

import statistics
import time

import pytest

from agents.dqn import bench
from agents.dqn.actor import DQNActor
from agents.dqn.algorithm import DQN_FAMILY
from agents.dqn.config import DQNConfig
from configs.loader import load_config_of

CART = load_config_of(DQNConfig, "dqn")


def test_both_figures_and_their_ratio_are_found() -> None:
    found = DQN_FAMILY.bench(CART, 0.1)
    assert (found["game"], found["environments"]) == ("CartPole-v1", 8)
    assert len(found["ratio_each"]) == 7
    assert found["ratio"] == statistics.median(found["ratio_each"])
    assert 0.0 < found["agent_steps_per_second"] < found["environment_steps_per_second"]
    assert "ratio_of_core_seconds" in found


def test_a_slower_network_has_a_smaller_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of the bare environments takes 0.1 ms."""
    quick = bench.measure(CART, 0.1, repetitions=3)["ratio"]
    choose = DQNActor._choose

    def slowly(actor: DQNActor):
        time.sleep(0.05)
        return choose(actor)

    monkeypatch.setattr(DQNActor, "_choose", slowly)
    assert bench.measure(CART, 0.1, repetitions=3)["ratio"] < 0.5 * quick


def test_the_actor_acts_at_random_and_its_episodes_are_taken() -> None:
    actor = DQNActor(bench.random_play(CART), 0)
    try:
        bench.acting_speed(actor, 16, 0.0)
        assert (actor._epsilons == 1.0).all()
        assert actor.counters()["rows"] == 16
        assert actor.take_episodes() == []
    finally:
        actor.close()
