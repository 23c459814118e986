"""Rows of different lengths against a list."""

import numpy as np
import pytest

from store.errors import SchemaError
from store.memory.ragged import RaggedEntries

FIELDS = {"action": np.uint16, "weight": np.float32}


def test_rows_are_those_of_a_list_while_old_ones_are_forgotten():
    rng, entries = np.random.default_rng(0), RaggedEntries(FIELDS)
    rows, starts, oldest = [], [], 0
    for _ in range(60):
        counts = rng.integers(0, 40, rng.integers(1, 60))
        made = [rng.integers(0, 60000, count).astype(np.uint16) for count in counts]
        flat = np.concatenate(made)
        first = entries.extend(action=flat, weight=flat.astype(np.float32) / 2)
        starts += (first + np.cumsum(counts) - counts).tolist()
        rows += made
        oldest = max(0, len(rows) - 500)
        entries.forget(starts[oldest])
        drawn = rng.integers(oldest, len(rows), 100)
        found = entries.gather(
            np.array([starts[i] for i in drawn]), np.array([len(rows[i]) for i in drawn], np.uint16)
        )
        np.testing.assert_array_equal(found["action"], np.concatenate([rows[i] for i in drawn]))
        np.testing.assert_array_equal(found["weight"], found["action"].astype(np.float32) / 2)
    assert len(entries) == sum(len(row) for row in rows[oldest:])
    assert entries.nbytes == (2 + 4) * (1 << 14)  # places for the 10,000 entries that are held


def test_what_is_forgotten_or_not_there_is_not_read():
    entries = RaggedEntries(FIELDS)
    entries.extend(action=np.arange(9, dtype=np.uint16), weight=np.zeros(9, np.float32))
    entries.forget(4)
    for start, count in ((3, 2), (8, 2)):
        with pytest.raises(IndexError, match="held are 4 to 8"):
            entries.gather(np.array([start]), np.array([count]))
    assert entries.gather(np.array([0, 4]), np.array([0, 1]))["action"].tolist() == [4]
    entries.forget(2)
    assert entries.oldest == 4


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"action": np.zeros(1, np.uint16)}, "expected"),
        ({"action": np.zeros(1, np.uint16), "weight": np.zeros(2, np.float32)}, "same number"),
        ({"action": np.zeros(1, np.int64), "weight": np.zeros(1, np.float32)}, "'action'"),
    ],
)
def test_entries_of_another_kind_are_refused(arrays, message):
    entries = RaggedEntries(FIELDS)
    with pytest.raises(SchemaError, match=message):
        entries.extend(**arrays)
    assert len(entries) == 0
