"""Games of Atari side by side, against gymnasium's AtariPreprocessing one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ale_py.env import AtariEnv
from gymnasium.wrappers import AtariPreprocessing

from envs.atari.games import SOLO_GAMES
from envs.atari.protocol import NATURE, STICKY, AtariProtocol
from envs.atari.vector import AtariVector
from envs.vector import find_environment, make_vector

# Gymnasium starts with 1 to 30 no-ops and never presses FIRE, `nature` with 0 to 30: where frames
# are compared, both start without any.
PLAIN = AtariProtocol(name="plain", noop_max=0)


def vector_of(
    game: str, count: int = 1, protocol: AtariProtocol = PLAIN, **options: Any
) -> AtariVector:
    settings = {"seed": 1, "training": True, "threads": 1, **options}
    return AtariVector(game, count, protocol=protocol, **settings)


def preprocessed(game: str) -> AtariPreprocessing:
    emulator = AtariEnv(game, obs_type="grayscale", frameskip=1, repeat_action_probability=0.0)
    return AtariPreprocessing(emulator, noop_max=0, frame_skip=4, screen_size=84)


class OneGame:
    """One game after the other in gymnasium's wrapper, cut by a plain count of steps."""

    def __init__(self, game: str, max_steps: int) -> None:
        self.wrapper = preprocessed(game)
        self.max_steps = max_steps
        self.first = self.begin()

    def begin(self) -> Any:
        self.score, self.length = 0.0, 0
        first, _ = self.wrapper.reset()
        self.lives = self.wrapper.ale.lives()
        return first

    def step(self, action: int) -> dict[str, Any]:
        seen, reward, terminated, _, _ = self.wrapper.step(action)
        self.score += float(reward)
        self.length += 1
        truncated = self.length == self.max_steps and not terminated
        told: dict[str, Any] = {
            "reward": reward,
            "terminated": terminated,
            "truncated": truncated,
            "ending": (seen.copy(), self.score, self.length) if terminated or truncated else None,
        }
        lives = self.wrapper.ale.lives()
        told["life_lost"] = lives < self.lives and told["ending"] is None
        self.lives = lives
        told["next"] = seen if told["ending"] is None else self.begin()
        return told


def check_against_gymnasium(game: str, steps: int, max_steps: int, count: int) -> dict[str, int]:
    """Play `count` games at once, each as OneGame does; count what was met."""
    protocol = AtariProtocol(name="checked", noop_max=0, max_frames=4 * max_steps)
    vector = vector_of(game, count, protocol, threads=2)
    singles = [OneGame(game, max_steps) for _ in range(count)]
    assert np.array_equal(vector.reset(), np.stack([single.first for single in singles]))
    rng = np.random.default_rng(1)
    met = {"terminated": 0, "truncated": 0, "life_lost": 0}
    for _ in range(steps):
        actions = rng.integers(vector.num_actions, size=count)
        vector.send(actions)
        got = vector.receive()
        told = [single.step(int(a)) for single, a in zip(singles, actions, strict=True)]
        assert np.array_equal(got.observations, np.stack([one["next"] for one in told]))
        assert got.rewards.tolist() == [one["reward"] for one in told]
        for name in met:
            assert getattr(got, name).tolist() == [one[name] for one in told], name
            met[name] += int(getattr(got, name).sum())
        endings = [one["ending"] for one in told if one["ending"] is not None]
        assert len(got.last_observations) == len(got.scores) == len(got.lengths) == len(endings)
        for i, (last, score, length) in enumerate(endings):
            assert np.array_equal(got.last_observations[i], last)
            assert (got.scores[i], got.lengths[i]) == (score, length)
    vector.close()
    return met


def test_frames_endings_and_lives_are_gymnasiums_pixel_for_pixel() -> None:
    met = check_against_gymnasium("breakout", steps=200, max_steps=180, count=2)
    assert met["terminated"] == met["truncated"] == 1  # in different steps
    assert met["life_lost"] >= 5


def test_a_game_that_ends_with_its_last_step_is_not_cut() -> None:
    met = check_against_gymnasium("breakout", steps=145, max_steps=141, count=2)
    assert met["terminated"] == met["truncated"] == 1  # both in step 141


def test_a_screen_of_another_height_is_gymnasiums_too() -> None:
    check_against_gymnasium("air_raid", steps=30, max_steps=20, count=1)


TEN_GAMES = (
    "adventure breakout carnival enduro freeway ms_pacman pong qbert seaquest space_invaders"
)


@pytest.mark.slow
@pytest.mark.parametrize("game", TEN_GAMES.split())
def test_ten_games_are_gymnasiums_pixel_for_pixel(game: str) -> None:
    check_against_gymnasium(game, steps=250, max_steps=100, count=2)


@pytest.mark.slow
@pytest.mark.parametrize("game", SOLO_GAMES)
def test_every_game_runs(game: str) -> None:
    vector = make_vector(game, 1, seed=3)
    library = vector._games.ale  # type: ignore[attr-defined]
    assert vector.action_names == tuple(found.name for found in library.get_action_set())
    first = vector.reset()
    rng = np.random.default_rng(0)
    for _ in range(1000):
        vector.send(rng.integers(vector.num_actions, size=1))
        got = vector.receive()
        assert got.observations.shape == (1, 84, 84)
    assert first.dtype == got.observations.dtype == np.uint8
    vector.close()


def test_games_of_nature_start_after_up_to_thirty_no_ops() -> None:
    vector = vector_of("pong", protocol=NATURE)
    vector.reset()
    # The library counts the frames of a game, and the no-ops are its first.
    starts = [vector._games.reset()[1]["episode_frame_number"][0] for _ in range(150)]
    vector.close()
    assert {0, 30} <= set(starts) <= set(range(31))


def test_fire_is_pressed_at_the_start_where_the_protocol_says_so() -> None:
    protocol = AtariProtocol(name="fire", noop_max=0, fire_at_start=True)
    vector = vector_of("breakout", protocol=protocol)
    vector.reset()
    lost = 0
    for _ in range(60):
        vector.send(np.array([vector.action_names.index("NOOP")]))
        lost += int(vector.receive().life_lost[0])
    assert lost == 1  # the ball that was served; no other comes
    assert vector._games.reset()[1]["episode_frame_number"][0] == 1
    vector.close()


def test_lives_are_reported_in_training_where_the_protocol_does() -> None:
    lost = {}
    for protocol, training in ((PLAIN, True), (PLAIN, False), (STICKY, True)):
        vector = vector_of("breakout", 1, protocol, training=training)
        vector.reset()
        fire, noop = vector.action_names.index("FIRE"), vector.action_names.index("NOOP")
        lost[protocol.name, training] = 0
        for step in range(120):
            vector.send(np.array([fire if step % 10 == 0 else noop]))
            lost[protocol.name, training] += int(vector.receive().life_lost[0])
        vector.close()
    assert lost["plain", True] >= 2
    assert lost["plain", False] == lost["sticky", True] == 0


def test_fire_is_never_pressed_for_the_agent_after_a_lost_life() -> None:
    vector = vector_of("breakout")
    vector.reset()
    fire, noop = vector.action_names.index("FIRE"), vector.action_names.index("NOOP")
    lost_at = None
    for step in range(150):
        vector.send(np.array([fire if step == 0 else noop]))
        got = vector.receive()
        if got.life_lost[0]:
            assert lost_at is None, "the ball came back by itself"
            lost_at = step
    vector.close()
    assert lost_at is not None
    assert lost_at < 60


def played(steps: int = 60, **options: Any) -> list[Any]:
    vector = vector_of("space_invaders", 3, STICKY, **options)
    frames = [vector.reset()]
    for step in range(steps):
        vector.send(np.full(3, step % vector.num_actions))
        frames.append(vector.receive().observations)
    vector.close()
    return frames


def test_games_depend_on_the_seed_and_not_on_the_threads() -> None:
    one, two, other = played(threads=1), played(threads=2), played(seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    last = one[-1]
    assert not np.array_equal(last[0], last[1])  # environments have seeds of their own


def test_observations_belong_to_the_caller() -> None:
    vector = vector_of("pong")
    first = vector.reset()
    kept = [first]
    copies = [first.copy()]
    for _ in range(30):
        vector.send(np.array([1]))
        kept.append(vector.receive().observations)
        copies.append(kept[-1].copy())
    vector.close()
    assert all(np.array_equal(a, b) for a, b in zip(kept, copies, strict=True))
    assert not np.array_equal(kept[0], kept[-1])


def test_a_second_reset_starts_new_games_even_with_a_step_under_way() -> None:
    vector = vector_of("breakout")
    first = vector.reset()
    for _ in range(20):
        vector.send(np.array([1]))
        vector.receive()
    vector.send(np.array([1]))
    assert np.array_equal(vector.reset(), first)
    vector.send(np.array([0]))
    assert vector.receive().life_lost.tolist() == [False]
    vector.close()


def test_what_is_asked_wrongly_is_said() -> None:
    vector = vector_of("breakout", 2)
    vector.reset()
    with pytest.raises(ValueError, match="action 4: breakout has 4 actions, 0 to 3"):
        vector.send(np.array([0, 4]))
    with pytest.raises(ValueError, match="expected 2 whole numbers"):
        vector.send(np.array([0]))
    with pytest.raises(RuntimeError, match="without send"):
        vector.receive()
    vector.send(np.array([0, 1]))
    with pytest.raises(RuntimeError, match="twice"):
        vector.send(np.array([0, 1]))
    vector.close()
    vector.close()
    with pytest.raises(RuntimeError, match="are closed"):
        vector.reset()
    with pytest.raises(ValueError, match="threads = 0"):
        vector_of("breakout", threads=0)
    with pytest.raises(ValueError, match="count = 0"):
        vector_of("breakout", 0)


def test_the_spec_is_that_of_the_environment() -> None:
    for protocol in (NATURE, STICKY):
        vector = make_vector("Breakout", 1, seed=1, protocol=protocol)
        assert vector.spec == find_environment("ALE/Breakout-v5", protocol.name)
        assert vector.spec.protocol == protocol.name
        assert vector._games.single_action_space.n == vector.num_actions  # type: ignore[attr-defined]
        vector.close()
