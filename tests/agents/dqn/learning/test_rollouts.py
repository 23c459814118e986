"""Blocks of consecutive rows, against the rows of each stream written down in order."""

import numpy as np
import pytest

from agents.dqn.learning.rollouts import Rollouts
from store.memory.frames import GOES_ON, TERMINATED, frames_schema, piece_uuid
from store.replay.episodes import Episode, EpisodeBatch

SCHEMA = frames_schema((1,), np.float32)
STEPS = 4


def piece(stream, episode, first_step, steps, ending):
    frames = steps + (ending != GOES_ON)
    return Episode(
        piece_uuid(stream, episode, first_step),
        {
            "frame": np.zeros((frames, 1), np.float32),
            "action": np.zeros(steps, np.int32),
            "reward": np.zeros(steps, np.float32),
            "stream": np.array([stream]),
            "episode": np.array([episode]),
            "first_step": np.array([first_step]),
            "ending": np.array([ending], np.uint8),
        },
    )


def blocks_of(rollouts):
    return [block.tolist() for block in rollouts._blocks]


def test_a_streams_blocks_overlap_by_the_row_that_follows():
    rollouts = Rollouts(STEPS)
    batch = EpisodeBatch.of(
        SCHEMA,
        [
            piece(1, 0, 0, 3, TERMINATED),  # rows 100 to 103
            piece(2, 0, 0, 5, GOES_ON),  # 104 to 108
            piece(1, 1, 0, 7, GOES_ON),  # 109 to 115
        ],
    )
    rollouts.add(batch, 100)
    of_1 = [100, 101, 102, 103, 109, 110, 111, 112, 113, 114, 115]
    assert blocks_of(rollouts) == [[104, 105, 106, 107, 108], of_1[:5], of_1[4:9]]
    rollouts.add(EpisodeBatch.of(SCHEMA, [piece(1, 1, 7, 2, GOES_ON)]), 200)
    assert blocks_of(rollouts)[-1] == [113, 114, 115, 200, 201]


def test_rows_before_and_after_a_gap_are_in_no_block_together():
    rollouts = Rollouts(STEPS)
    rollouts.add(EpisodeBatch.of(SCHEMA, [piece(1, 0, 0, 3, GOES_ON)]), 0)
    rollouts.add(EpisodeBatch.of(SCHEMA, [piece(1, 0, 9, 5, GOES_ON)]), 3)  # steps 3 to 8 are lost
    assert blocks_of(rollouts) == [[3, 4, 5, 6, 7]]


def test_new_blocks_come_once_and_first_and_old_ones_leave():
    rollouts = Rollouts(STEPS)
    for begin in range(0, 400, 20):
        rollouts.add(EpisodeBatch.of(SCHEMA, [piece(1, 0, begin, 20, GOES_ON)]), begin)
    assert rollouts.new == len(rollouts) == 99
    rng = np.random.default_rng(0)
    assert sorted(rollouts.draw(rng, 99)[0].tolist()) == list(range(0, 396, 4))
    assert rollouts.new == 0
    rollouts.add(EpisodeBatch.of(SCHEMA, [piece(1, 0, 400, 8, GOES_ON)]), 400)
    drawn = rollouts.draw(rng, 50)
    assert drawn.shape == (STEPS + 1, 50)
    assert drawn[0, :2].tolist() == [396, 400]
    assert len(set(drawn[0, 2:].tolist())) > 25
    rollouts.forget_before(200)
    assert rollouts.draw(rng, 500)[0].min() >= 200


def test_of_too_many_new_blocks_any_are_drawn():
    """By their arrival the first streams of a round would be left out each time."""
    drawn = set()
    for seed in range(20):
        rollouts = Rollouts(STEPS)
        rollouts.add(EpisodeBatch.of(SCHEMA, [piece(s, 0, 0, 5, GOES_ON) for s in range(8)]), 0)
        chosen = rollouts.draw(np.random.default_rng(seed), 3)[0].tolist()
        assert len(set(chosen)) == 3
        assert rollouts.new == 0
        drawn.update(chosen)
    assert drawn == set(range(0, 40, 5))


def test_a_block_leaves_with_its_first_row_whenever_it_was_complete():
    """Stream 1 completes two blocks in the round in which stream 2 completes an older one."""
    rollouts = Rollouts(STEPS)
    first = [piece(1, 0, 0, 4, GOES_ON), piece(2, 0, 0, 4, GOES_ON)]  # rows 0 to 3, 4 to 7
    rollouts.add(EpisodeBatch.of(SCHEMA, first), 0)
    second = [piece(1, 0, 4, 5, GOES_ON), piece(2, 0, 4, 1, GOES_ON)]  # rows 8 to 12, 13
    rollouts.add(EpisodeBatch.of(SCHEMA, second), 8)
    assert blocks_of(rollouts) == [[0, 1, 2, 3, 8], [8, 9, 10, 11, 12], [4, 5, 6, 7, 13]]
    rollouts.forget_before(6)
    assert blocks_of(rollouts) == [[8, 9, 10, 11, 12]]
    assert rollouts.new == 1
    rollouts.add(EpisodeBatch.of(SCHEMA, [piece(2, 0, 5, 3, GOES_ON)]), 14)
    rollouts.forget_before(9)
    assert blocks_of(rollouts) == []
    rollouts.add(EpisodeBatch.of(SCHEMA, [piece(2, 0, 8, 1, GOES_ON)]), 17)
    assert blocks_of(rollouts) == [[13, 14, 15, 16, 17]]
    rollouts.forget_before(13)
    assert len(rollouts) == rollouts.new == 1
    rollouts.forget_before(14)
    assert len(rollouts) == rollouts.new == 0


def test_streams_of_actors_that_are_gone_are_forgotten():
    rollouts = Rollouts(STEPS)
    for start in range(50):  # of an actor, whose streams are new ones
        row = start * 30
        pieces = [piece(start * 3 + i, 0, 0, 10, GOES_ON) for i in range(3)]
        rollouts.add(EpisodeBatch.of(SCHEMA, pieces), row)
        rollouts.forget_before(max(0, row - 60))
    assert len(rollouts._open) <= 9
    assert rollouts.starts().min() >= 49 * 30 - 60
    assert type(rollouts.new) is int


def test_more_blocks_may_have_been_new_than_are_left():
    """As where a segment of a resumed run's window is gone."""
    rollouts = Rollouts(STEPS)
    rollouts.add(EpisodeBatch.of(SCHEMA, [piece(1, 0, 0, 9, GOES_ON)]), 0)
    rollouts.new = 5
    drawn = rollouts.draw(np.random.default_rng(0), 6)[0].tolist()
    assert drawn[:2] == [0, 4]
    assert set(drawn) == {0, 4}


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no stream has 5 rows"):
        Rollouts(STEPS).draw(np.random.default_rng(0), 1)
