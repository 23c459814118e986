"""Matches of teams: each seed once from each side, whatever their lengths."""

from itertools import islice

import numpy as np
import pytest

from arena.teams.playing import play_batch, seeds_as_openings
from tests.arena.team_games import MOST_STEPS, TOY, Chooser, planned, steps_of

ALL_LENGTHS = list(range(3 * MOST_STEPS))


def test_each_seed_is_played_once_from_each_side() -> None:
    one, other = Chooser("one", 5, 9), Chooser("other", 0, 4)
    batch = play_batch(TOY, (one, other), planned(ALL_LENGTHS))
    assert batch.points.tolist() == [[2, 2]] * len(ALL_LENGTHS)
    # The places of short matches begin others, which do not count.
    assert batch.plies.tolist() == [[steps_of(seed)] * 2 for seed in ALL_LENGTHS]
    assert len(one.seen) == MOST_STEPS


def test_points_are_those_of_the_first_agent_on_either_side() -> None:
    batch = play_batch(TOY, (Chooser("a", 0, 0), Chooser("b", 9, 9)), planned([3, 4]))
    assert batch.points.tolist() == [[0, 0], [0, 0]]
    batch = play_batch(TOY, (Chooser("a", 4, 4), Chooser("b", 4, 4)), planned([3, 4]))
    assert batch.points.tolist() == [[1, 1], [1, 1]]


def test_an_agent_sees_its_own_team_and_where_matches_begin() -> None:
    one, other = Chooser("one", 0, 9), Chooser("other", 0, 9)
    play_batch(TOY, (one, other), planned(ALL_LENGTHS))
    for agent, teams in ((one, [0, 1]), (other, [1, 0])):
        for seen, begins in agent.seen:
            assert (seen[:, :, 0] == np.tile(teams, len(ALL_LENGTHS))[:, None]).all()
            assert ((seen[:, 0, 1] == 0) == begins).all()
        first, _ = agent.seen[0]
        assert first[:, 0, 2].tolist() == np.repeat(ALL_LENGTHS, 2).tolist()


def test_the_same_batch_repeats_its_matches() -> None:
    points = [
        play_batch(TOY, (Chooser("a", 0, 9), Chooser("b", 0, 9)), planned(ALL_LENGTHS, pair)).points
        for pair in (0, 0, 7)
    ]
    assert (points[0] == points[1]).all()
    assert (points[0] != points[2]).any()


def test_finished_matches_are_reported() -> None:
    told: list[int] = []
    agents = Chooser("a", 0, 9), Chooser("b", 0, 9)
    play_batch(TOY, agents, planned(ALL_LENGTHS), report=told.append)
    assert told == [6, 12, 18, 24, 30, 36, 42]


def test_one_object_does_not_play_both_teams() -> None:
    agent = Chooser("a", 0, 9)
    with pytest.raises(ValueError, match="'a' against itself: expected it to be loaded twice"):
        play_batch(TOY, (agent, agent), planned([1]))


def test_actions_of_another_shape_are_refused() -> None:
    class Wrong(Chooser):
        def act(self, *args):
            return super().act(*args)[:, :1]

    with pytest.raises(RuntimeError, match=r"wrong chose actions of shape \(2, 1, 1\)"):
        play_batch(TOY, (Wrong("wrong", 0, 9), Chooser("b", 0, 9)), planned([1]))


def test_a_longer_stream_of_seeds_begins_with_a_shorter() -> None:
    stream = seeds_as_openings().stream
    many = [int(opening.state[0]) for opening in islice(stream(3), 300)]
    assert [int(opening.state[0]) for opening in islice(stream(3), 5)] == many[:5]
    assert len({*many}) == 300
    assert max(many) > 2**63  # all 64 bits
    assert next(stream(4)).id != next(stream(3)).id
