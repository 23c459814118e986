"""Games of a team without opponents: which count, their scores, and a run's evaluation."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.ppo.algorithm import PPO
from agents.ppo.config import PPOConfig
from agents.ppo.network.team_network import build_network
from agents.torch_device import choose_device
from arena.evaluation.evaluator import Evaluator, evaluate_random
from arena.evaluation.settings import EvaluationSettings
from arena.evaluation.teams import play_team_games
from arena.names import AgentNameError
from arena.play.pictures.seats import find_seat
from envs.teams import ActionHead, find_team, make_team_vector
from envs.teams.random_actions import RandomTeam
from store import checkpoints
from store.run import Run, create_run

SPREAD = "mpe2.simple_spread_v3"  # three agents, 25 steps


class Still:
    """Every agent always takes action 0; notes where games began."""

    name = "still"

    def __init__(self) -> None:
        self.begins: list[list[bool]] = []

    def act(self, observations: Any, masks: Any, begins: Any, rng: Any) -> Any:
        self.begins.append(begins.tolist())
        return np.zeros((*observations.shape[:2], 1), np.int64)


def make_run(store: Path, game: str) -> Run:
    config = PPOConfig(game=game)
    settings = asdict(config)
    run = create_run(store, "r", game=game, algorithm="ppo", config=settings, seed=0, versions={})
    spec = find_team(game)
    network = build_network(spec, config.network, seed=1, device=choose_device("cpu"))
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    files = {checkpoints.MODEL_FILE: checkpoints.tensors_to_bytes(weights)}
    checkpoints.save(run, 3, files, {"elapsed_s": 60.0, "counters": {"games": 2, "rows": 50}})
    return run


def test_each_place_plays_its_share_and_agents_hear_where_games_begin():
    vector = make_team_vector(SPREAD, 2, seed=5)
    agent = Still()
    try:
        found = play_team_games(agent, vector, 3, np.random.default_rng(0), seed=5)
    finally:
        vector.close()
    assert found.lengths.tolist() == [25, 25, 25]
    assert np.flatnonzero([all(b) for b in agent.begins]).tolist() == [0, 25]
    assert len(set(found.scores.tolist())) == 3  # each from another start


class Spy:
    """A vector of one match that notes the mean reward of each step."""

    def __init__(self, vector: Any) -> None:
        self.spec, self.count, self.reset = vector.spec, vector.count, vector.reset
        self.vector, self.rewards = vector, list[float]()

    def step(self, actions: Any) -> Any:
        steps = self.vector.step(actions)
        self.rewards.append(float(steps.rewards.mean()))
        return steps


def test_a_score_is_the_sum_of_the_mean_rewards_of_the_team():
    spy = Spy(make_team_vector(SPREAD, 1, seed=5))
    try:
        found = play_team_games(Still(), spy, 1, np.random.default_rng(0), seed=5)
    finally:
        spy.vector.close()
    assert len(spy.rewards) == 25
    np.testing.assert_allclose(found.scores, [sum(spy.rewards)], rtol=1e-5)


@pytest.mark.parametrize("game", [SPREAD, "Pendulum-v1", "CartPole-v1"])
def test_a_run_of_ppo_is_evaluated_and_the_same_seed_repeats_it(tmp_path, game):
    run = make_run(tmp_path, game)
    evaluator = Evaluator(run, EvaluationSettings(games=3, environments=2))
    found = evaluator.evaluate(3)
    assert found.games == 3
    assert (found.minutes, found.rows) == (1.0, 50)
    assert evaluator.find(3).scores.tolist() == found.scores.tolist()
    again = Evaluator(run, EvaluationSettings(games=3, environments=2)).setting.play_run(
        PPO, run, 3, "r", lambda finished, games: None
    )
    assert again.scores.tolist() == found.scores.tolist()


@pytest.mark.parametrize("game", [SPREAD, "Pendulum-v1"])
def test_random_play_has_scores_too(game):
    found = evaluate_random(game, EvaluationSettings(games=2))
    assert found.games == 2
    assert (found.scores < 0).all()


def test_what_makes_no_sense_is_refused(tmp_path):
    run = make_run(tmp_path, SPREAD)
    with pytest.raises(ValueError, match=r"epsilon = 0\.1"):
        Evaluator(run, EvaluationSettings(epsilon=0.1))
    with pytest.raises(ValueError, match="protocol 'sticky'"):
        Evaluator(run, EvaluationSettings(protocol="sticky"))
    with pytest.raises(AgentNameError, match="no screen here: ludens evaluate r"):
        find_seat("r", str(tmp_path))
    with pytest.raises(ValueError, match=r"did you mean 'mpe2\.simple_spread_v3'"):
        evaluate_random("mpe2.simple_spred_v3", EvaluationSettings(games=2))


def test_random_teams_draw_what_their_heads_allow():
    spec = find_team("Pendulum-v1")
    actions = RandomTeam(spec).act(
        np.zeros((50, 1, 3)), np.zeros((50, 1, 0)), np.zeros(50), np.random.default_rng(0)
    )
    assert actions.shape == (50, 1, 1)
    assert -2.0 <= actions.min() < -1.0 < 1.0 < actions.max() <= 2.0


def test_random_teams_reach_every_choice_of_a_large_head_in_any_number_of_matches():
    spec = replace(find_team("CartPole-v1"), heads=(ActionHead("action", 300),))
    agent, rng = RandomTeam(spec), np.random.default_rng(0)
    for count in (4000, 20):
        masks = np.ones((count, 1, 300), np.uint8)
        actions = agent.act(np.zeros((count, 1, 4)), masks, np.zeros(count, np.bool_), rng)
        assert actions.shape == (count, 1, 1)
        assert actions.min() >= 0
        assert actions.max() > 250
