"""Joining, normalising and splitting what runners hand over."""

import numpy as np

from agents.ppo.learning import sequences
from agents.ppo.learning.sequences import Ended, Sample


def sample(first: int, count: int) -> Sample:
    advantages = np.arange(first, first + count, dtype=np.float32)[:, None].repeat(4, 1)
    none = Ended(*(np.zeros(0) for _ in range(4)))
    return Sample({sequences.ADVANTAGES: advantages, "other": advantages + 1}, 0, 0, none, 0, 0.0)


def test_samples_of_several_runners_are_joined_by_column() -> None:
    columns = sequences.join([sample(0, 2), sample(5, 3)])
    assert columns[sequences.ADVANTAGES][:, 0].tolist() == [0, 1, 5, 6, 7]
    assert (columns["other"] == columns[sequences.ADVANTAGES] + 1).all()


def test_advantages_that_cannot_be_written_to_are_normalised_over_what_is_learned_from() -> None:
    advantages = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32) * 3 + 7
    advantages.flags.writeable = False  # as what comes from another process
    learns = np.ones((6, 4), np.float32)
    learns[2:4] = 0
    found = sequences.normalised(advantages, learns)[learns > 0]
    np.testing.assert_allclose((found.mean(), found.std()), (0, 1), atol=1e-5)


def test_several_learners_get_equally_many_sequences() -> None:
    parts = sequences.split(sample(0, 7).columns, 3)
    assert [part[sequences.ADVANTAGES][:, 0].tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]
