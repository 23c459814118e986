"""Agents of environments by name: random, a person, and checkpoints of runs."""

import numpy as np
import pytest

from agents.environment_agents import RandomAgent
from agents.registry import ALGORITHMS
from arena.names import AgentNameError
from arena.play.pictures.seats import default_agent, find_seat
from envs.vector import EnvironmentNameError, typed_environment
from store import checkpoints
from store.run import create_run
from tests import tabular

CORRIDOR = typed_environment("tests.envs.pictures.own_environments:Corridor")


def a_run(store, name="lake", game="FrozenLake-v1", steps=(7, 9), algorithm="q_learning"):
    config = {"algorithm": algorithm, "game": game}
    run = create_run(
        store, name, game=game, algorithm=algorithm, config=config, seed=0, versions={}
    )
    for step in steps:
        table = checkpoints.tensors_to_bytes({"q": np.zeros((16, 4))})
        checkpoints.save(run, step, {checkpoints.MODEL_FILE: table}, {"cursor": {}})
    return run


@pytest.fixture(autouse=True)
def agents(monkeypatch):
    """The tabular learner's agents, which say what they were asked for."""
    asked = []

    def environment_agent(self, run, step, options, *, spec, name, device):
        if set(options) - {"epsilon"}:
            raise ValueError(f"no option {sorted(options)}")
        checkpoints.load(run, step, names=[checkpoints.MODEL_FILE])
        asked.append((run.name, step, dict(options)))
        agent = RandomAgent(4)
        agent.name = name
        return agent

    monkeypatch.setattr(tabular.QLearning, "environment_agent", environment_agent)
    assert ALGORITHMS["q_learning"]
    return asked


def test_random_and_a_person_need_the_environment_alone():
    seat = find_seat("random", "nowhere", environment="breakout")
    assert (seat.protocol, seat.agent.name, seat.run) == ("nature", "random", None)
    assert find_seat("human", "nowhere", environment="breakout", protocol="sticky").agent is None
    with pytest.raises(AgentNameError, match="--env breakout"):
        find_seat("random", "nowhere")


def test_a_session_begins_in_the_environment():
    session = find_seat("random", "nowhere", environment=CORRIDOR).sit(seed=3)
    session.advance()
    assert session.game.steps == 1
    assert session.player == "random"


def test_a_runs_newest_checkpoint_plays_with_the_protocols_share(tmp_path, agents):
    a_run(tmp_path)
    seat = find_seat("lake", str(tmp_path))
    assert (seat.agent.name, seat.step, seat.environment) == ("lake@9", 9, "FrozenLake-v1")
    assert agents == [("lake", 9, {"epsilon": "0"})]


def test_a_step_and_a_share_of_its_own_are_told_in_the_name(tmp_path, agents):
    a_run(tmp_path)
    assert find_seat("lake@7:epsilon=0.5", str(tmp_path)).agent.name == "lake@7:epsilon=0.5"
    assert find_seat("lake@7", str(tmp_path), epsilon=0.25).agent.name == "lake@7:epsilon=0.25"
    assert agents == [("lake", 7, {"epsilon": "0.5"}), ("lake", 7, {"epsilon": "0.25"})]


@pytest.mark.parametrize(
    ("name", "environment", "expected"),
    [
        ("lak", None, "no agent 'lak'; did you mean 'lake'"),
        ("lake@8", None, "no checkpoint 8; the newest are 7, 9"),
        ("lake:sims=9", None, "no option"),
        ("lake", "breakout", "learned 'FrozenLake-v1', not 'breakout'"),
        ("mcts:100", "breakout", "plays board games"),
        ("solver", "breakout", "plays board games"),
    ],
)
def test_who_cannot_play_is_refused(tmp_path, name, environment, expected):
    a_run(tmp_path)
    with pytest.raises(AgentNameError, match=expected):
        find_seat(name, str(tmp_path), environment=environment)


def test_an_unknown_environment_or_protocol_is_refused():
    with pytest.raises(EnvironmentNameError, match="did you mean 'breakout'"):
        find_seat("random", "nowhere", environment="breakoot")
    with pytest.raises(ValueError, match="did you mean 'nature'"):
        find_seat("random", "nowhere", environment="breakout", protocol="natur")


def test_the_newest_run_of_the_environment_is_the_default(tmp_path):
    assert default_agent("FrozenLake-v1", str(tmp_path))[0] == "human"
    a_run(tmp_path, "other", game="Taxi-v3")
    a_run(tmp_path, "empty", steps=())
    a_run(tmp_path, "board", game="tic_tac_toe", algorithm="alphazero")
    assert default_agent("FrozenLake-v1", str(tmp_path))[0] == "human"
    a_run(tmp_path, "one")
    name, told = default_agent("FrozenLake-v1", str(tmp_path))
    assert name == "one"
    assert "newest run" in told
