"""Gymnasium environments as teams of one, against a script and against Gymnasium itself."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Sequence, Tuple

from envs.teams import make_team_vector
from envs.teams.gymnasium_match import GymnasiumMatch, gymnasium_spec
from envs.teams.matches import MatchVector
from envs.vector import UnsupportedEnvironmentError
from envs.vector.steps import EnvironmentFailedError, seeds_of

SCRIPT = [(3, "terminated"), (1, "truncated"), (4, "both"), (2, "truncated"), (1, "terminated")]


class Scripted(gymnasium.Env[Any, Any]):
    """Observes 100 * game + step, rewards with 10 * that + the action."""

    def __init__(self, first_game: int = 0) -> None:
        self.action_space = Discrete(3, start=5)
        self.observation_space = Box(0, 10_000, (1,), np.float64)
        self.game, self.step_number, self.shown = first_game - 1, 0, np.zeros(1)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.game, self.step_number = self.game + 1, 0
        self.shown[0] = 100 * self.game
        return self.shown, {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action in self.action_space
        self.step_number += 1
        steps, ending = SCRIPT[self.game % len(SCRIPT)]
        assert self.step_number <= steps, "stepped beyond its end"
        self.shown[0] = 100 * self.game + self.step_number
        is_over = self.step_number == steps
        ends = is_over and ending in ("terminated", "both")
        is_cut = is_over and ending in ("truncated", "both")
        return self.shown, float(10 * self.shown[0] + action), ends, is_cut, {}


def vector_of(*environments: Any) -> MatchVector:
    spec = gymnasium_spec("scripted", environments[0])
    return MatchVector(spec, [GymnasiumMatch("scripted", e) for e in environments], seed=0)


def test_steps_are_those_of_the_script() -> None:
    """Observation, reward, ending, score and length of each step, from the script alone."""
    vector = vector_of(Scripted(0), Scripted(3))
    first = vector.reset()
    assert first.observations[:, 0, 0].tolist() == [0.0, 300.0]
    assert not (first.terminated | first.truncated).any()
    places = [[0, 0, 0.0], [3, 0, 0.0]]  # game, step, return
    for action in np.random.default_rng(0).integers(3, size=(40, 2)):
        got = vector.step(action[:, None, None])
        lasts = []
        for i, place in enumerate(places):
            place[1] += 1
            steps, ending = SCRIPT[int(place[0]) % len(SCRIPT)]
            reward = 10 * (100 * place[0] + place[1]) + action[i] + 5
            place[2] += reward
            is_over = place[1] == steps
            assert got.rewards[i].tolist() == [reward]
            assert got.terminated[i] == (is_over and ending != "truncated")
            assert got.truncated[i] == (is_over and ending == "truncated")
            assert got.scores[i, 0] == (place[2] if is_over else 0)
            assert got.lengths[i] == (steps if is_over else 0)
            if is_over:
                if ending == "truncated":
                    lasts.append([100 * place[0] + steps])
                place[:] = [place[0] + 1, 0, 0.0]
            assert got.observations[i].tolist() == [[100 * place[0] + place[1]]]
        assert got.last_observations.shape == (len(lasts), 1, 1)
        assert got.last_observations[:, 0].tolist() == lasts
        assert got.last_states.shape == (len(lasts), 1, 0)


def test_cart_pole_is_gymnasiums_game_for_game() -> None:
    vector = make_team_vector("CartPole-v1", 2, seed=7)
    assert (vector.spec.teams, vector.spec.agents, vector.spec.kind) == (1, 1, "gymnasium")
    assert [(head.kind, head.size) for head in vector.spec.heads] == [("choice", 2)]
    singles = [gymnasium.make("CartPole-v1") for _ in range(2)]
    seeds = seeds_of(7, 2)
    shown = [one.reset(seed=seed)[0] for one, seed in zip(singles, seeds, strict=True)]
    np.testing.assert_array_equal(vector.reset().observations[:, 0], np.stack(shown))
    rng, games = np.random.default_rng(1), 0
    for _ in range(120):
        actions = rng.integers(2, size=(2, 1, 1))
        got = vector.step(actions)
        for i, one in enumerate(singles):
            seen, reward, ended, cut, _ = one.step(actions[i, 0, 0])
            assert (got.rewards[i, 0], got.terminated[i]) == (reward, ended)
            seen = one.reset()[0] if ended or cut else seen
            games += ended
            np.testing.assert_array_equal(got.observations[i, 0], np.asarray(seen, np.float32))
    assert games > 4
    again = make_team_vector("CartPole-v1", 2, seed=8).reset(seed=7)
    np.testing.assert_array_equal(again.observations[:, 0], np.stack(shown).astype(np.float32))


class Mirror(gymnasium.Env[Any, Any]):
    """Keeps the action that it was given, and shows what its space samples."""

    def __init__(self, observations: Any, actions: Any) -> None:
        self.observation_space, self.action_space = observations, actions
        self.given: Any = None
        self.shown: Any = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.observation_space.seed(seed)
        self.shown = self.observation_space.sample()
        return self.shown, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.given = action
        return self.shown, 0.0, False, False, {}


BOX = Box(-1, 1, (2,), np.float32)


@pytest.mark.parametrize(
    ("actions", "numbers", "wanted"),
    [
        (Discrete(4, start=-1), [3], 2),
        (MultiDiscrete([3, 2]), [2, 1], [2, 1]),
        (MultiDiscrete([[3, 2], [2, 5]], start=[[0, 1], [2, 3]]), [2, 1, 0, 4], [[2, 2], [2, 7]]),
        (MultiBinary(3), [1, 0, 1], [1, 0, 1]),
    ],
)
def test_choices_become_the_environments_action(actions: Any, numbers: Any, wanted: Any) -> None:
    mirror = Mirror(BOX, actions)
    vector = vector_of(mirror)
    vector.reset()
    vector.step(np.array([[numbers]]))
    assert np.array_equal(mirror.given, wanted)
    assert actions.contains(mirror.given)
    assert vector.spec.mask_size == sum(head.size for head in vector.spec.heads)


def test_real_numbers_are_clipped_to_their_bounds_and_shaped() -> None:
    low, high = np.array([[-1, -2], [0, -np.inf]]), np.array([[1, 2], [5, np.inf]])
    mirror = Mirror(BOX, Box(low, high, dtype=np.float64))
    vector = vector_of(mirror)
    (head,) = vector.spec.heads
    assert (head.kind, head.size, vector.spec.mask_size) == ("real", 4, 0)
    assert (head.low, head.high) == ((-1, -2, 0, -np.inf), (1, 2, 5, np.inf))
    vector.reset()
    vector.step(np.array([[[-3.0, 1.5, 9.0, 70.0]]], np.float32))
    assert mirror.given.tolist() == [[-1.0, 1.5], [5.0, 70.0]]
    assert mirror.given.dtype == np.float64
    with pytest.raises(ValueError, match="not finite"):
        vector.step(np.full((1, 1, 4), np.nan, np.float32))


@pytest.mark.parametrize(
    ("space", "shape", "encoded"),
    [
        (Discrete(3, start=2), (3,), lambda seen: np.eye(3)[seen - 2]),
        (Box(-1, 1, (2, 2), np.float64), (4,), lambda seen: seen.ravel()),
        (Box(0, 255, (5,), np.uint8), (5,), lambda seen: seen / np.float32(255)),
        (Box(0, 255, (8, 9), np.uint8), (8, 9, 1), lambda seen: seen[..., None]),
        (Box(0, 255, (8, 9, 3), np.uint8), (8, 9, 3), lambda seen: seen),
        (Box(0, 255, (4, 8, 9), np.uint8), (8, 9, 4), lambda seen: seen.transpose(1, 2, 0)),
        (Tuple((Discrete(2), BOX)), (4,), lambda seen: [*np.eye(2)[seen[0]], *seen[1]]),
    ],
)
def test_observations_become_vectors_or_pictures(space: Any, shape: Any, encoded: Any) -> None:
    mirror = Mirror(space, Discrete(2))
    vector = vector_of(mirror)
    seen = vector.reset().observations
    assert seen.shape == (1, 1, *shape)
    assert seen.dtype == vector.spec.observation_dtype
    assert (seen.dtype == np.uint8) == (len(shape) == 3)
    np.testing.assert_allclose(seen[0, 0], encoded(mirror.shown), rtol=1e-6)


def test_a_mask_comes_from_the_observation() -> None:
    space = Dict({"observation": BOX, "action_mask": Box(0, 1, (3,), np.int8)})
    mirror = Mirror(space, Discrete(3))
    vector = vector_of(mirror)
    vector.reset()
    mirror.shown = {"observation": np.ones(2), "action_mask": np.array([0, 1, 1], np.int8)}
    got = vector.step(np.zeros((1, 1, 1), np.int64))
    assert got.masks.tolist() == [[[0, 1, 1]]]
    assert got.observations.tolist() == [[[1, 1]]]
    mirror.shown["action_mask"] = np.zeros(3, np.int8)
    with pytest.raises(EnvironmentFailedError, match="allows no action"):
        vector.step(np.zeros((1, 1, 1), np.int64))


def test_what_cannot_be_learned_is_refused_with_what_is_expected() -> None:
    with pytest.raises(UnsupportedEnvironmentError, match=r"observations Sequence.*can flatten"):
        gymnasium_spec("odd", Mirror(Sequence(BOX), Discrete(2)))
    with pytest.raises(UnsupportedEnvironmentError, match=r"actions Tuple.*expected Discrete"):
        gymnasium_spec("odd", Mirror(BOX, Tuple((Discrete(2),))))
    with pytest.raises(UnsupportedEnvironmentError, match="a Box of real numbers"):
        gymnasium_spec("odd", Mirror(BOX, Box(0, 9, (1,), np.int64)))
    mirror = Mirror(BOX, Discrete(2))
    vector = vector_of(mirror)
    vector.reset()
    step = np.zeros((1, 1, 1), np.int64)
    for shown, told in (([1, 2, 3], "shape"), ([np.nan, 0], "finite"), (["a", "b"], "gave")):
        mirror.shown = np.array(shown)
        with pytest.raises((UnsupportedEnvironmentError, EnvironmentFailedError), match=told):
            vector.step(step)


def test_wrong_actions_are_refused() -> None:
    vector = vector_of(Mirror(BOX, MultiDiscrete([3, 2])))
    with pytest.raises(RuntimeError, match="expected reset"):
        vector.step(np.zeros((1, 1, 2), np.int64))
    vector.reset()
    with pytest.raises(ValueError, match=r"shape \(1, 2\) .* expects whole numbers of shape"):
        vector.step(np.zeros((1, 2), np.int64))
    with pytest.raises(ValueError, match="float64"):
        vector.step(np.zeros((1, 1, 2)))
    with pytest.raises(ValueError, match="action 2 of the head 'action_1'"):
        vector.step(np.array([[[2, 2]]]))
