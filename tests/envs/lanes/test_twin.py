"""The compiled game against its twin, state for state."""

import numpy as np
import pytest

from envs.lanes import rules as r
from envs.lanes.batch import LanesVector
from tests.envs.lanes.playing import MixedPlay
from tests.envs.lanes.twin import Twin
from tests.envs.lanes.twin_records import differences, load, orders_of

MODES = list(r.MODES)
LONGEST = r.LIMIT // r.TICKS


def follow(vector: LanesVector, m: int, twin: Twin, actions: np.ndarray) -> list:
    """Let the twin decide as the game is about to; return its rewards."""
    twin.decide(orders_of(vector, m, actions[m]))
    return twin.rewards(r.RewardWeights())


def check(vector: LanesVector, m: int, twin: Twin, rewards: list) -> None:
    """Compare the twin with the game after a decision, in every field."""
    np.testing.assert_allclose(vector.rewards[m], rewards, atol=2e-6)
    assert vector.winners[m] == twin.winner
    if twin.winner != r.RUNNING:  # a new match has begun in its place
        assert vector.lengths[m] == twin.steps
        twin = Twin(vector.name, int(vector.matches["seed"][m]))
    found = differences(twin, vector, m)
    assert not found, f"{vector.name}, tick {twin.tick}:\n" + "\n".join(found[:20])


@pytest.mark.parametrize("name", ["lanes_1v1", "lanes_5v5"])  # 3v3 is between them
def test_a_whole_match_is_that_of_the_twin(name):
    _follow_whole_matches(name, 1, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODES)
def test_whole_matches_are_those_of_the_twin(name):
    _follow_whole_matches(name, 10, seed=4)


def _follow_whole_matches(name, count, seed):
    """Play matches from their beginnings to their ends, and see that the ends are those of both."""
    vector = LanesVector(name, count, seed=seed)
    twins = {m: Twin(name, int(vector.matches["seed"][m])) for m in range(count)}
    for m, twin in twins.items():
        assert not differences(twin, vector, m)
    mixed = MixedPlay(np.random.default_rng(seed))
    steps = 0
    while twins:
        actions = mixed.actions(vector)
        rewards = {m: follow(vector, m, twin, actions) for m, twin in twins.items()}
        vector.step(actions)
        for m, twin in twins.items():
            check(vector, m, twin, rewards[m])
        twins = {m: twin for m, twin in twins.items() if twin.winner == r.RUNNING}
        steps += 1
    assert 0 < steps <= LONGEST


@pytest.mark.parametrize("name", MODES)
def test_parts_of_matches_are_those_of_the_twin(name):
    _follow_parts(name, 8, length=30, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODES)
def test_parts_of_a_thousand_matches_are_those_of_the_twin(name):
    # Whole ones would take an hour. The parts begin anywhere, so that ends and late fights occur.
    _follow_parts(name, 1000, length=20, seed=2)


def _follow_parts(name, count, length, seed):
    """Play matches, and follow each with a twin for `length` decisions from a random one on."""
    rng = np.random.default_rng(seed)
    vector = LanesVector(name, count, seed=seed)
    mixed = MixedPlay(rng)
    begins = rng.integers(0, LONGEST - length + 1, size=count)
    begins[: count // 4] = rng.integers(LONGEST // 2, LONGEST - length + 1, size=count // 4)
    twins: dict[int, Twin] = {}
    followed = 0
    for step in range(LONGEST):
        twins |= {m: load(vector, m) for m in np.flatnonzero(begins == step).tolist()}
        actions = mixed.actions(vector)
        rewards = {m: follow(vector, m, twin, actions) for m, twin in twins.items()}
        vector.step(actions)
        for m, twin in list(twins.items()):
            check(vector, m, twin, rewards[m])
            if twin.winner != r.RUNNING or step + 1 == begins[m] + length:
                del twins[m]
        followed += len(rewards)
    assert not twins
    assert followed > 0.8 * count * length
