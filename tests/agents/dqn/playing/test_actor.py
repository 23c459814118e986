"""Actors of a run beside each other: one ladder of exploration, and errors that replay begins with.

The errors are held against a plain loop, and what the ring makes of them against its definition.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.dqn.config import DQNConfig
from agents.dqn.learning.learner import DQNLearner
from agents.dqn.playing.acting import Returns, td_errors
from agents.dqn.playing.actor import DQNActor
from agents.progress import AT_START, Elapsed
from configs.loader import load_config_of
from envs.vector import find_environment
from store.memory.frames import ERROR, GOES_ON, TERMINATED, TRUNCATED
from store.replay.episodes import EpisodeBatch

SMALL = {
    "network.hidden": "8",
    "exploration.epsilon": "0.4",
    "exploration.final_epsilon": "0.4",
    "exploration.ladder": "7",
    "learner.start_rows": "0",
    "environment.environments": "4",
    "replay.rows": "2000",
    "device": "cpu",
}


BY_ACTORS = {"replay__priority_exponent": "0.6", "replay__first_priority": "actors"}


def config_with(**changed: str) -> DQNConfig:
    options = {**SMALL, **{name.replace("__", "."): value for name, value in changed.items()}}
    return load_config_of(DQNConfig, "dqn", options)


def never() -> bool:
    return False


# --- one ladder over all workers ------------------------------------------------------------------


def test_the_ladder_is_of_the_environments_of_all_actors() -> None:
    config = config_with()
    rungs = []
    for place in range(3):
        actor = DQNActor(config, place)
        actor.begin_round(0, Elapsed(actor=place, actors=3))
        rungs += actor._epsilons.tolist()
        actor.close()
    expected = [0.4 ** (1 + 7 * i / 11) for i in range(12)]
    np.testing.assert_allclose(sorted(rungs, reverse=True), expected)


def test_alone_an_actor_has_the_whole_ladder() -> None:
    actor = DQNActor(config_with(), 0)
    actor.begin_round(0, AT_START)
    np.testing.assert_allclose(actor._epsilons, [0.4 ** (1 + 7 * i / 3) for i in range(4)])
    actor.close()


@pytest.mark.parametrize("actors", [1, 2, 8])
def test_the_greedy_score_is_of_the_greediest_quarter_of_all(actors: int) -> None:
    """With one environment each, only some actors have games of that quarter."""
    config = config_with(environment__environments=str(8 // actors))
    greedy, others = [], []
    for place in range(actors):
        actor = DQNActor(config, place)
        actor.begin_round(0, Elapsed(actor=place, actors=actors))
        for epsilon, is_greediest in zip(actor._epsilons, actor._is_greediest, strict=True):
            (greedy if is_greediest else others).append(epsilon)
        actor.close()
    assert len(greedy) == 2
    assert max(greedy) < min(others)


def test_scores_of_actors_are_added_before_they_are_divided() -> None:
    config = config_with(environment__environments="1")
    totals: dict[str, float] = {}
    for place in range(4):
        actor = DQNActor(config, place)
        actor.begin_round(300, Elapsed(actor=place, actors=4))
        actor.play(never)
        counters = actor.counters()
        assert (counters["greedy_games"] == counters["games"]) == (place == 3)
        assert (counters["greedy_games"] == 0) == (place != 3)
        for name, count in counters.items():
            totals[name] = totals.get(name, 0) + count
        actor.close()
    assert 0 < totals["greedy_games"] < totals["games"]
    assert totals["greedy_score"] < totals["score"]


# --- the errors of actors -------------------------------------------------------------------------


def plain_error(  # of one environment, by the definition
    rewards: list[float],
    endings: list[int],
    chosen: list[float],
    best: list[float],
    at: int,
    over: Returns,
) -> float:
    total, weight = 0.0, 1.0
    for step in range(at, min(at + over.steps, len(rewards))):
        total += weight * rewards[step]
        weight *= over.gamma
        if endings[step] == TERMINATED:
            return total - chosen[at]
        if endings[step] == TRUNCATED:
            return float("nan")
    return total + weight * best[min(at + over.steps, len(rewards))] - chosen[at]


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 40])
def test_errors_are_those_of_a_plain_loop(steps: int) -> None:
    rng = np.random.default_rng(steps)
    count, k, over = 30, 3, Returns(steps, 0.9)
    rewards, chosen = rng.normal(size=(2, count, k)).astype(np.float32)
    best = rng.normal(size=(count + 1, k)).astype(np.float32)
    kinds = [GOES_ON, TERMINATED, TRUNCATED]
    endings = rng.choice(kinds, size=(count, k), p=[0.8, 0.1, 0.1]).astype(np.uint8)
    found = td_errors(rewards, endings, chosen, best, over)
    columns = [array.T.tolist() for array in (rewards, endings, chosen, best)]
    expected = [
        [plain_error(*(column[i] for column in columns), at, over) for i in range(k)]
        for at in range(count)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.isnan(found).any()


def played(config: DQNConfig, rounds: int = 3) -> tuple[DQNActor, list[EpisodeBatch]]:
    actor = DQNActor(config, 5)
    schema = DQNLearner(find_environment(config.game), config).ring.schema
    batches = []
    for _ in range(rounds):
        actor.begin_round(120, AT_START)
        actor.play(never)
        batches.append(EpisodeBatch.of(schema, actor.take_episodes()))
    return actor, batches


def test_an_actor_records_the_errors_of_the_values_it_acts_by() -> None:
    config = config_with(**BY_ACTORS, target__n_steps="3")
    actor, batches = played(config)
    gamma = config.target.gamma
    for batch in batches:
        frames = batch.offsets["frame"]
        steps = batch.offsets["action"]
        for piece in range(len(batch)):
            seen = batch.values["frame"][frames[piece] : frames[piece + 1]][:, None]
            done = slice(steps[piece], steps[piece + 1])
            values, best = actor.policy(seen)
            actions = batch.values["action"][done]
            errors, rewards = batch.values[ERROR][done], batch.values["reward"][done]
            for at in range(len(actions) - 3):
                expected = sum(gamma**i * rewards[at + i] for i in range(3))
                expected += gamma**3 * best[at + 3] - values[at, actions[at]]
                assert errors[at] == pytest.approx(expected, abs=1e-4)
            assert np.isfinite(errors).all()  # also of the last steps, until when it goes on
    actor.close()


def test_the_learner_begins_with_the_priorities_of_actors() -> None:
    config = config_with(**BY_ACTORS, target__n_steps="3")
    actor, batches = played(config)
    actor.close()
    learner = DQNLearner(find_environment(config.game), config)
    learner.add(batches)
    priorities = learner.ring.priorities
    assert priorities is not None
    rows = priorities.rows
    errors = learner.ring.ring.gather(rows, [ERROR])[ERROR]
    expected = (np.abs(errors) + config.replay.priority_epsilon) ** 0.6
    found = priorities.state()
    np.testing.assert_allclose(found["scaled"][rows - found["first"][0]], expected, rtol=1e-5)
    assert len(np.unique(expected)) > 50


@pytest.mark.parametrize(
    "changed",
    [{}, {"replay__first_priority": "actors"}, {"replay__priority_exponent": "0.5"}],
)
def test_without_them_no_errors_are_stored(changed: dict[str, str]) -> None:
    actor, batches = played(config_with(**changed), rounds=1)
    actor.close()
    assert ERROR not in batches[0].values


# --- over a resume --------------------------------------------------------------------------------


NOISY = {"head__noisy": "true", "exploration__epsilon": "0", "exploration__final_epsilon": "0"}


def noisy_values(actor: DQNActor) -> list[float]:
    """The values of one observation, by the actor's next noise."""
    values, _ = actor.policy(np.ones((4, 1, 4), np.float32))
    return list(values[0].tolist())


def test_a_resumed_actor_goes_on_with_the_noise_that_it_was_at() -> None:
    config = config_with(**NOISY)
    actor, resumed, other = (DQNActor(config, number) for number in (0, 0, 1))
    first = noisy_values(actor)
    assert noisy_values(other) != first  # noise of its own
    data, rest = actor.state()
    resumed.load_state(data, {**rest, "next_seq": 3})
    following = noisy_values(actor)
    assert following != first
    assert noisy_values(resumed) == following
    for each in (actor, resumed, other):
        each.close()


def test_a_resumed_actor_begins_games_that_it_did_not_begin_before() -> None:
    config = config_with()
    begun = []
    for start in (0, 3, 7):
        actor = DQNActor(config, 0)
        if start:
            actor.load_state(*loaded_at(start, actor))
        begun += [tuple(frames.ravel().tolist()) for frames in actor.stacks.stacks]
        actor.close()
    assert len(set(begun)) == 12


def loaded_at(start: int, actor: DQNActor) -> tuple[bytes, dict[str, Any]]:
    data, rest = actor.state()
    return data, {**rest, "next_seq": start}


# --- before there is anything to learn from -------------------------------------------------------


@pytest.mark.parametrize("changed", [{"target__n_steps": "30"}, {"target__q_lambda": "0.5"}])
def test_a_learner_without_whole_returns_makes_no_step(changed: dict[str, str]) -> None:
    config = config_with(target__double="false", **changed)
    actor = DQNActor(config, 1)
    learner = DQNLearner(find_environment(config.game), config)
    schema = learner.ring.schema
    for rows in (8, 400):
        actor.begin_round(rows, AT_START)
        actor.play(never)
        learner.add([EpisodeBatch.of(schema, actor.take_episodes())])
        found = learner.train(2, 0.0)
        assert learner.steps == (0 if rows == 8 else 2)
        assert bool(found) == (rows == 400)
    actor.close()
