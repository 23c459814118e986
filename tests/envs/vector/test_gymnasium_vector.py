"""Gymnasium environments side by side, against a script and against Gymnasium itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Text

from envs.gymnasium_vector import GymnasiumVector
from envs.vector import UnsupportedEnvironmentError, make_vector
from envs.vector.steps import EnvironmentFailedError, seeds_of

# How the games of one environment go: their steps, and whether they end, are cut, or both.
SCRIPT = [(3, "terminated"), (1, "truncated"), (4, "both"), (2, "truncated"), (1, "terminated")]


class Scripted(gymnasium.Env[Any, Any]):
    """Observes 100 * game + step, rewards with 10 * that + the action, in one array for all."""

    def __init__(self, first_game: int = 0, space: Any = None) -> None:
        self.action_space = Discrete(3, start=5)
        self.observation_space = Box(0, 10_000, (1,), np.float64) if space is None else space
        self.game, self.shown = first_game - 1, np.zeros(1)
        self.step_number = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
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
        terminated = is_over and ending in ("terminated", "both")
        truncated = is_over and ending in ("truncated", "both")
        return self.shown, float(10 * self.shown[0] + action), terminated, truncated, {}


class Expected(NamedTuple):
    observation: int
    reward: int
    terminated: bool
    truncated: bool
    ending: tuple[int, int, int] | None  # last observation, score, length


def by_hand(first_game: int, actions: list[int]) -> Iterator[Expected]:
    """What an environment answers, from the script alone: no environment is stepped."""
    game, step, score = first_game, 0, 0
    for action in actions:
        step += 1
        steps, how = SCRIPT[game % len(SCRIPT)]
        reward = 10 * (100 * game + step) + action + 5
        score += reward
        if step < steps:
            yield Expected(100 * game + step, reward, False, False, None)
            continue
        ending = (100 * game + steps, score, steps)
        yield Expected(100 * (game + 1), reward, how != "truncated", how == "truncated", ending)
        game, step, score = game + 1, 0, 0


def test_steps_are_those_of_the_script() -> None:
    first_games = [0, 2, 3]
    made = iter(first_games)
    vector = GymnasiumVector("scripted", lambda: Scripted(next(made)), 3, seed=0)
    assert vector.reset().tolist() == [[0.0], [200.0], [300.0]]
    actions = np.random.default_rng(0).integers(3, size=(40, 3))
    wanted = [list(by_hand(game, actions[:, i].tolist())) for i, game in enumerate(first_games)]
    for t, chosen in enumerate(actions):
        vector.send(chosen)
        got = vector.receive()
        now = [column[t] for column in wanted]
        assert got.observations[:, 0].tolist() == [one.observation for one in now]
        assert got.rewards.tolist() == [one.reward for one in now]
        assert got.terminated.tolist() == [one.terminated for one in now]
        assert got.truncated.tolist() == [one.truncated for one in now]
        endings = [one.ending for one in now if one.ending]
        assert got.last_observations.shape == (len(endings), 1)
        told = zip(got.last_observations[:, 0], got.scores, got.lengths, strict=True)
        assert [tuple(map(int, ending)) for ending in told] == endings
        assert not got.life_lost.any()
    vector.close()


def test_observations_belong_to_the_caller() -> None:
    vector = GymnasiumVector("scripted", Scripted, 1, seed=0)
    first = vector.reset()
    vector.send(np.array([0]))
    second = vector.receive().observations
    vector.send(np.array([0]))
    vector.receive()
    assert (first.tolist(), second.tolist()) == ([[0.0]], [[1.0]])
    assert first.dtype == np.float32


def test_cart_pole_is_gymnasiums() -> None:
    vector = make_vector("CartPole-v1", 2, seed=7)
    assert (vector.name, vector.num_actions, vector.action_names) == ("CartPole-v1", 2, ("0", "1"))
    assert (vector.observation_shape, vector.observation_dtype) == ((4,), np.float32)
    singles = [gymnasium.make("CartPole-v1") for _ in range(2)]
    pairs = zip(singles, seeds_of(7, 2), strict=True)
    first = [single.reset(seed=seed)[0] for single, seed in pairs]
    assert np.array_equal(vector.reset(), np.stack(first))
    rng = np.random.default_rng(1)
    endings = 0
    for _ in range(120):
        actions = rng.integers(2, size=2)
        vector.send(actions)
        got = vector.receive()
        for i, single in enumerate(singles):
            seen, _, terminated, _, _ = single.step(int(actions[i]))
            assert got.terminated[i] == terminated
            if terminated:
                index = int(got.terminated[:i].sum())
                assert np.array_equal(got.last_observations[index], seen)
                assert got.scores[index] == got.lengths[index] > 5
                seen, _ = single.reset()
                endings += 1
            assert np.array_equal(got.observations[i], seen)
    vector.close()
    assert endings >= 4


def test_discrete_observations_are_one_hot() -> None:
    class Corridor(Scripted):
        def __init__(self) -> None:
            super().__init__(space=Discrete(5, start=2))

        def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
            super().reset(**options)
            return np.int64(2), {}

        def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            return np.int64(2 + self.game % 5), 0.0, False, False, super().step(action)[4]

    vector = GymnasiumVector("corridor", Corridor, 1, seed=0)
    assert vector.observation_shape == (5,)
    assert vector.reset().tolist() == [[1, 0, 0, 0, 0]]
    vector.send(np.array([0]))
    assert vector.receive().observations.tolist() == [[1, 0, 0, 0, 0]]


def test_pixels_stay_pixels() -> None:
    class Picture(Scripted):
        def __init__(self) -> None:
            super().__init__(space=Box(0, 255, (6, 4, 3), np.uint8))

        def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
            super().reset(**options)
            return np.full((6, 4, 3), 7, np.uint8), {}

    vector = GymnasiumVector("picture", Picture, 2, seed=0)
    first = vector.reset()
    assert (first.shape, first.dtype) == ((2, 6, 4, 3), np.uint8)
    vector.send(np.array([0, 0]))
    with pytest.raises(UnsupportedEnvironmentError, match=r"shape \(1,\): its space says \(6, 4"):
        vector.receive()


@pytest.mark.parametrize(
    ("actions", "observations", "told"),
    [
        (Box(0, 1, (2,)), Discrete(2), "has continuous actions, Box.*expected Discrete"),
        (MultiDiscrete([2, 3]), Discrete(2), "has composed actions, Multi.*expected Discrete"),
        (None, Discrete(2), "has no action_space: expected one of gymnasium.spaces"),
        (Discrete(2), Dict({"a": Discrete(2)}), "has the observations Dict.*FlattenObservation"),
        (Discrete(2), Text(3), "has the observations Text.*expected Box or Discrete$"),
    ],
)
def test_spaces_that_cannot_be_learned_are_refused(
    actions: Any, observations: Any, told: str
) -> None:
    class Strange(Scripted):
        def __init__(self) -> None:
            super().__init__(space=observations)
            self.action_space = actions

    with pytest.raises(UnsupportedEnvironmentError, match=told):
        GymnasiumVector("strange", Strange, 1, seed=0)


def test_what_was_made_is_closed_where_another_cannot_be_made() -> None:
    closed = []

    class Few(Scripted):
        made = 0

        def __init__(self) -> None:
            super().__init__()
            Few.made += 1
            if Few.made == 3:
                raise RuntimeError("no third licence")

        def close(self) -> None:
            closed.append(self)

    with pytest.raises(RuntimeError, match="no third licence"):
        GymnasiumVector("few", Few, 5, seed=0)
    assert len(closed) == 2


def test_what_is_asked_wrongly_is_said() -> None:
    vector = GymnasiumVector("scripted", Scripted, 1, seed=0)
    vector.reset()
    with pytest.raises(RuntimeError, match="without send"):
        vector.receive()
    with pytest.raises(ValueError, match="action 3: scripted has 3 actions"):
        vector.send(np.array([3]))
    vector.send(np.array([0]))
    with pytest.raises(RuntimeError, match="twice"):
        vector.send(np.array([0]))
    assert vector.reset().tolist() == [[100.0]]


class Failing(Scripted):
    """Does what `fault` says in its second step, or in its second reset."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault, self.steps = fault, 0

    def reset(self, **options: Any) -> Any:
        seen, info = super().reset(**options)
        if self.fault == "raises later" and self.steps:
            raise KeyError("level 2")
        return seen if self.fault == "resets as of old" else (seen, info)

    def step(self, action: int) -> Any:
        self.steps += 1
        seen, reward, terminated, truncated, info = super().step(action)
        if self.steps < 2 or self.fault.startswith(("raises l", "resets")):
            return seen, reward, self.fault == "raises later", truncated, info
        if self.fault == "raises":
            raise ValueError("boom")
        if self.fault == "steps as of old":
            return seen, reward, terminated, info
        if self.fault == "no observation":
            return None, reward, terminated, truncated, info
        if self.fault == "nan observation":
            return seen * np.nan, reward, terminated, truncated, info
        return seen, {"nan": np.nan, "no reward": None}[self.fault], terminated, truncated, info


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("raises", r"step\(6\) raised ValueError: boom \(test_gymnasium_vector.py, line \d+\)"),
        ("raises later", r"reset\(\) raised KeyError: 'level 2' \(test_gymnasium_vector.py, line"),
        ("resets as of old", r"reset\(\) returned a ndarray: expected two, \(observation, info\)"),
        ("steps as of old", r"step\(6\) returned 4 values: expected five, \(observation, reward, "),
        ("nan", r"step\(6\) gave the reward nan: expected a finite number"),
        ("no reward", r"step\(6\) gave the reward None: expected a finite number"),
        ("nan observation", r"gave the observation array\(\[nan\]\): expected finite numbers"),
        ("no observation", r"gave the observation None: expected|gave an observation of shape"),
    ],
)
def test_what_fails_in_a_game_names_the_environment_and_the_place(fault: str, told: str) -> None:
    def play_two_steps() -> None:
        vector = GymnasiumVector("mine", lambda: Failing(fault), 1, seed=0)
        vector.reset()
        for _ in range(2):
            vector.send(np.array([1]))
            vector.receive()

    with pytest.raises((EnvironmentFailedError, UnsupportedEnvironmentError), match=told) as caught:
        play_two_steps()
    assert str(caught.value).startswith("environment 'mine'")
