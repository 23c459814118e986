"""Which games count, and what the agent sees of them."""

from typing import Any

import numpy as np
import pytest

from arena.evaluation.games import games_of_each, play_games
from envs.pictures.pictured import Measure
from tests.arena.evaluation.scripted import ScriptedVector


class Listener:
    """Notes what it is given; acts by turns."""

    name = "listener"

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.seen: list[tuple[Any, Any]] = []
        self.acted = 0
        self.values = np.zeros((0, 2), np.float32)

    def begin(self, observations: Any) -> None:
        self.begun.append(observations.copy())

    def act(self, rng: np.random.Generator) -> Any:
        self.acted += 1
        assert len(self.seen) == self.acted - 1  # every answer was seen before the next action
        return rng.integers(2, size=len(self.begun[0]))

    def observe(self, observations: Any, begins: Any) -> None:
        self.seen.append((observations.copy(), begins.copy()))


def play(vector: ScriptedVector, games: int, agent: Any = None, **more: Any) -> Any:
    return play_games(agent or Listener(), vector, games, np.random.default_rng(0), **more)  # type: ignore[arg-type]


def test_each_environment_plays_its_number_of_games_however_long_they_take() -> None:
    """The first four to finish would all be the short ones, of score 0."""
    vector = ScriptedVector([[(1, 0.0)] * 9, [(7, 100.0), (8, 300.0)]])
    found = play(vector, 4)
    assert found.scores.tolist() == [0.0, 0.0, 100.0, 300.0]
    assert found.lengths.tolist() == [1, 1, 7, 8]
    assert vector.received == 15  # and it ends with the last game that counts


def test_an_odd_number_is_shared_out_from_the_first() -> None:
    vector = ScriptedVector([[(2, 1.0), (2, 2.0), (2, 3.0)], [(1, 10.0), (1, 20.0)]])
    assert play(vector, 5).scores.tolist() == [1.0, 2.0, 3.0, 10.0, 20.0]


def test_games_that_end_in_one_step_keep_their_scores_apart() -> None:
    vector = ScriptedVector([[(3, 1.0)], [(2, 2.0), (1, 3.0)], [(3, 4.0)]])
    assert play(vector, 3).scores.tolist() == [1.0, 2.0, 4.0]
    vector = ScriptedVector([[(3, 1.0), (5, 9.0)], [(2, 2.0), (1, 3.0)], [(3, 4.0), (1, 5.0)]])
    assert play(vector, 6).scores.tolist() == [1.0, 9.0, 2.0, 3.0, 4.0, 5.0]


def test_measures_count_the_steps_of_each_game_its_end_included() -> None:
    """Observations are (game, step): the end of a game is its last step, and not the next's 0."""
    late = Measure("late", "from the second step on", lambda seen: seen[:, 1] >= 2)
    second = Measure("second", "in a second game", lambda seen: seen[:, 0] >= 1)
    vector = ScriptedVector([[(3, 1.0), (1, 2.0)], [(4, 3.0)]])
    found = play(vector, 3, measures=(late, second))
    assert found.lengths.tolist() == [3, 1, 4]
    assert found.counts.tolist() == [[2, 0], [0, 1], [3, 0]]
    assert play(ScriptedVector([[(3, 1.0)]]), 1).counts.shape == (1, 0)


def test_a_game_that_a_limit_cut_counts() -> None:
    assert play(ScriptedVector([[(3, 5.0)]], truncated=True), 1).scores.tolist() == [5.0]


def test_the_agent_is_told_of_new_games_and_not_of_lost_lives() -> None:
    agent = Listener()
    play(ScriptedVector([[(2, 0.0), (1, 0.0)], [(3, 0.0), (1, 0.0)]]), 4, agent)
    (begun,) = agent.begun
    assert begun.tolist() == [[0, 0], [0, 0]]
    assert [begins.tolist() for _, begins in agent.seen] == [
        [False, False],
        [True, False],
        [True, True],
        [True, True],
    ]
    assert agent.seen[1][0].tolist() == [[1, 0], [0, 2]]  # the first of the new game, at once


def test_progress_is_reported_as_games_that_count() -> None:
    told: list[tuple[int, int]] = []
    vector = ScriptedVector([[(1, 0.0)] * 3, [(4, 0.0)]])
    play(vector, 2, report=lambda *at: told.append(at))
    assert (told[0], told[-1]) == ((0, 2), (2, 2))
    assert {finished for finished, _ in told[1:-1]} == {1}  # those beyond the number do not count


@pytest.mark.parametrize(
    ("games", "environments", "shares"),
    [(1, 1, [1]), (30, 10, [3] * 10), (7, 3, [3, 2, 2]), (3, 3, [1, 1, 1])],
)
def test_games_are_shared_out_evenly(games: int, environments: int, shares: list[int]) -> None:
    assert games_of_each(games, environments).tolist() == shares


@pytest.mark.parametrize(("games", "environments"), [(0, 1), (2, 3), (3, 0)])
def test_an_environment_without_a_game_is_refused(games: int, environments: int) -> None:
    with pytest.raises(ValueError, match="expected a game or more in each"):
        games_of_each(games, environments)
