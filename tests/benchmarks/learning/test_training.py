"""The speed of learning: the settings that are measured, whole rounds, and the ratio to a peer."""

import importlib.util
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from agents.dqn.config import DQNConfig
from benchmarks.learning import training
from configs.loader import load_config_of


def test_a_run_is_measured_past_its_start() -> None:
    config = training.past_its_start(load_config_of(DQNConfig, "dqn_nature"), 500)
    assert config.learner.start_rows == 500
    assert config.exploration.epsilon == config.exploration.final_epsilon == 0.1
    assert config.replay.rows == training.MOST_ROWS
    small = replace(config, replay=replace(config.replay, rows=99))
    assert training.past_its_start(small, 500).replay.rows == 99


def test_whole_rounds_are_measured_and_the_first_is_not() -> None:
    """A round of 10 rows takes 20 ms, but the rows of a turn's first one were there before it."""

    def stages() -> Iterator[SimpleNamespace]:
        for round_number in range(1, 20):
            steps = 2 * max(0, round_number - 3)  # it learns from the fourth round on
            yield SimpleNamespace(event="games", positions=10 * round_number, learner_steps=0)
            yield SimpleNamespace(
                event="published", positions=10 * round_number, learner_steps=steps
            )
            time.sleep(0.02)

    run = training.Running(stages())
    assert run.done == Counter()
    for turn in range(1, 3):
        wall, _ = run.rate(0.0)
        assert run.done == {"agent_steps": 10 * turn, "updates": 2 * turn}
        assert 0.0 < wall <= 10 / 0.02
    with pytest.raises(RuntimeError, match="the run ended"):
        run.rate(1000.0)


def test_a_preset_is_measured_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "PEER_PACKAGE", "no_such_package")
    found = training.measure("dqn", 0.01, filled=200)
    assert found["game"] == "CartPole-v1"
    assert found["filled_rows"] == 200
    assert found["agent_steps_per_second"] > 0
    assert found["agent_steps_per_core_second"] > 0
    assert found["agent_steps_per_update"] == 64 / 8
    assert "cpu" in found["machine"]
    assert not {"peer", "ratio"} & set(found)


class FakePeer:
    """A peer that learns at 3 steps a second with one thread, and slower with more."""

    def __init__(self, python: str, settings: dict[str, Any]) -> None:
        self.facts = {"packages": {}}
        self.done = Counter({"agent_steps": 40, "updates": 10})
        assert python == sys.executable
        assert settings["game"] == "breakout"
        assert settings["steps_per_update"] == 4
        assert (settings["rows"], settings["filled"]) == (training.MOST_ROWS, 8)

    def rate(self, threads: int) -> Any:
        return lambda seconds: (3.0 / threads, 2.0)

    def close(self) -> None:
        pass


def test_the_ratio_is_to_the_better_figure_of_the_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "Peer", FakePeer)
    monkeypatch.setattr(training, "has_package", lambda *_: True)
    monkeypatch.setattr(training, "allowed_cores", lambda: 2)
    monkeypatch.setattr(training, "MOST_ROWS", 300)
    found = training.measure("dqn_nature", 0.0, sys.executable, filled=8)
    assert found["agent_steps_per_update"] == found["peer"]["agent_steps_per_update"] == 4.0
    assert found["peer"]["threads_1"]["agent_steps_per_second"] == 3.0
    assert found["peer"]["threads_2"]["agent_steps_per_second"] == 1.5
    assert found["ratio"] == pytest.approx(found["agent_steps_per_second"] / 3.0, abs=0.03)
    by_core = found["agent_steps_per_core_second"] / 2.0
    assert found["ratio_of_core_seconds"] == pytest.approx(by_core, abs=0.03)


def test_the_peer_is_compared_where_it_has_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "has_package", lambda *_: True)
    nature = load_config_of(DQNConfig, "dqn_nature")
    pong = replace(nature, game="pong")
    assert training.peer_python_for("dqn_nature", pong, "python") == "python"
    double = replace(nature, target=replace(nature.target, double=True))
    assert training.peer_python_for("double", double, None) is None
    with pytest.raises(ValueError, match=r"'double'.*'dqn_nature', and here target differ"):
        training.peer_python_for("double", double, sys.executable)
    cart = replace(nature, game="CartPole-v1")
    with pytest.raises(ValueError, match="here the game differ"):
        training.peer_python_for("cart", cart, sys.executable)


def test_a_python_without_the_peer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "PEER_PACKAGE", "no_such_package")
    nature = load_config_of(DQNConfig, "dqn_nature")
    assert training.peer_python_for("dqn_nature", nature, None) is None
    with pytest.raises(ValueError, match="expected a Python that has stable-baselines3"):
        training.peer_python_for("dqn_nature", nature, sys.executable)


@pytest.mark.skipif(
    not importlib.util.find_spec(training.PEER_PACKAGE), reason="stable-baselines3 is not installed"
)
def test_the_peer_makes_an_update_every_four_steps() -> None:
    config = training.past_its_start(load_config_of(DQNConfig, "dqn_nature"), 40)
    small = replace(config, replay=replace(config.replay, rows=200))
    peer = training.Peer(sys.executable, training.peer_settings(small))
    try:
        wall, core = peer.rate(1)(0.5)
    finally:
        peer.close()
    assert wall > 0
    assert core > 0
    assert peer.facts["bytes_a_transition"] == pytest.approx(4 * 84 * 84, rel=0.01)
    assert peer.done["updates"] == pytest.approx(peer.done["agent_steps"] / 4, abs=1)
