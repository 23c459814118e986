"""Acting with the network over the bare environments."""

import statistics

from agents.dqn.algorithm import DQN_FAMILY
from agents.dqn.config import DQNConfig
from agents.dqn.playing import bench
from agents.dqn.playing.actor import DQNActor
from configs.loader import load_config_of

CART = load_config_of(DQNConfig, "dqn")


def test_both_figures_and_their_ratio_are_found() -> None:
    found = DQN_FAMILY.bench(CART, 0.1)
    assert (found["game"], found["environments"]) == ("CartPole-v1", 8)
    assert len(found["ratio_each"]) == 7
    assert found["ratio"] == statistics.median(found["ratio_each"])
    assert found["agent_steps_per_second"] > 0.0
    assert found["environment_steps_per_second"] > 0.0
    assert "ratio_of_core_seconds" in found


def test_the_ratio_is_the_median_of_the_turns() -> None:
    acted = [bench.Speed(rate, 2.0 * rate) for rate in (30.0, 80.0, 50.0)]
    stepped = [bench.Speed(100.0, 400.0) for _ in acted]
    found = bench._summary(CART, acted, stepped)
    assert found["ratio_each"] == [0.3, 0.8, 0.5]
    assert (found["ratio"], found["ratio_of_core_seconds"]) == (0.5, 0.25)
    assert found["agent_steps_per_second"] == 50.0
    assert found["environment_steps_per_second"] == 100.0


def test_the_actor_acts_at_random_and_its_episodes_are_taken() -> None:
    actor = DQNActor(bench.random_play(CART), 0)
    try:
        bench.acting_speed(actor, 16, 0.0)
        assert (actor._epsilons == 1.0).all()
        assert actor.counters()["rows"] == 16
        assert actor.take_episodes() == []
    finally:
        actor.close()
