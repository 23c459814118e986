import numpy as np
import pytest

from agents.alphazero.algorithm import ALPHAZERO
from agents.environment_agents import RandomAgent
from envs.vector import EnvironmentSpec
from store.files.local import LocalFiles
from store.run import Run, RunInfo

SPEC = EnvironmentSpec("pole", "gymnasium", "", ("left", "right"), (4,), np.dtype(np.float32))


def test_random_play_has_every_action_about_as_often_and_no_values() -> None:
    agent, rng = RandomAgent(3), np.random.default_rng(0)
    agent.begin(np.zeros((400, 2)))
    counts = np.zeros(3, np.int64)
    for _ in range(10):
        actions = agent.act(rng)
        assert (actions.shape, actions.dtype) == ((400,), np.int64)
        counts += np.bincount(actions, minlength=3)
        agent.observe(np.zeros((400, 2)), np.zeros(400, np.bool_))
    assert (np.abs(counts / 4000 - 1 / 3) < 0.03).all()
    assert agent.values.shape == (400, 3)
    assert np.isnan(agent.values).all()


def test_an_algorithm_of_board_games_says_that_it_has_no_scores(tmp_path) -> None:
    run = Run("mine", LocalFiles(tmp_path), RunInfo("othello", {}, 0, algorithm="alphazero"))
    assert not ALPHAZERO.acts_in("othello")
    with pytest.raises(ValueError, match="have no scores: `ludens rate mine`"):
        ALPHAZERO.environment_agent(run, None, {}, spec=SPEC, name="mine", device="cpu")
