"""The ring against a deque, and what sampling may depend on."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import SchemaError
from store.memory.ring import Ring

RECORD = np.dtype([("board", "<u8", (2,)), ("ply", "u1")])
FIELDS = {"number": (np.int64, ()), "state": (RECORD, ()), "policy": ("<f4", (3,))}


def rows(start, n):
    number = np.arange(start, start + n, dtype=np.int64)
    state = np.zeros(n, RECORD)
    state["board"][:, 1] = number
    state["ply"] = number % 256
    return {
        "number": number,
        "state": state,
        "policy": np.stack([number, number + 0.5, -number], axis=1).astype("<f4"),
    }


@given(capacity=st.integers(1, 20), sizes=st.lists(st.integers(0, 45), max_size=12), data=st.data())
def test_equals_a_deque(capacity, sizes, data):
    ring = Ring(capacity, FIELDS)
    model = deque(maxlen=capacity)
    for size in sizes:
        ring.extend(**rows(ring.total_added, size))
        model.extend(range(ring.total_added - size, ring.total_added))
        assert ring.check_valid() == (True, "")
        assert len(ring) == len(model)
        held = ring.newest()
        assert held["number"].tolist() == list(model)
        for name, expected in rows(ring.total_added - len(model), len(model)).items():
            np.testing.assert_array_equal(held[name], expected)
    ring.window = data.draw(st.integers(1, capacity))
    if model:
        drawn = ring.sample(np.random.default_rng(0), 50)
        assert set(drawn["number"]) <= set(list(model)[-ring.window :])
        np.testing.assert_array_equal(drawn["state"]["board"][:, 1], drawn["number"])
        np.testing.assert_array_equal(drawn["policy"][:, 2], -drawn["number"])
    assert ring.total_added == sum(sizes)


def test_sampling_is_uniform_over_the_window_alone():
    ring = Ring(10, FIELDS, window=4)
    ring.extend(**rows(0, 17))
    drawn = ring.sample(np.random.default_rng(1), 40_000)["number"]
    numbers, counts = np.unique(drawn, return_counts=True)
    assert numbers.tolist() == [13, 14, 15, 16]
    assert np.all(np.abs(counts - 10_000) < 500)  # 5.8 standard deviations
    ring.window = 10
    assert set(ring.sample(np.random.default_rng(1), 1000)["number"]) == set(range(7, 17))


@pytest.mark.parametrize("accepted", [1, 2, 5, 9])
def test_sampling_is_uniform_over_the_accepted_rows(accepted):
    ring = Ring(1000, FIELDS, window=900)
    ring.extend(**rows(0, 1500))
    step = 900 // accepted  # one in 900 is too rare to be met by drawing again

    def accept(numbers):
        return (numbers % step == 0) & (numbers < 600 + accepted * step)

    possible = [number for number in range(600, 1500) if accept(np.array(number))]
    drawn = ring.sample_rows(np.random.default_rng(1), 1000 * len(possible), accept)
    numbers, counts = np.unique(drawn, return_counts=True)
    assert numbers.tolist() == possible
    assert np.all(np.abs(counts - 1000) < 190)  # 6 standard deviations
    with pytest.raises(ValueError, match="none of the 900 rows"):
        ring.sample_rows(np.random.default_rng(1), 1, lambda numbers: numbers < 600)


def test_only_the_fields_asked_for_are_gathered():
    ring = Ring(4, FIELDS)
    ring.extend(**rows(0, 6))
    assert list(ring.gather(np.array([3]), ["policy"])) == ["policy"]


def test_a_ring_filled_again_samples_the_same():
    lost, again = Ring(10, FIELDS), Ring(10, FIELDS)
    lost.extend(**rows(0, 37))
    again.extend(**lost.newest())
    first = lost.sample(np.random.default_rng(5), 64)
    second = again.sample(np.random.default_rng(5), 64)
    for name in FIELDS:
        np.testing.assert_array_equal(first[name], second[name])


def test_a_ring_filled_again_with_less_does_not_sample_what_is_missing():
    ring = Ring(10, FIELDS)
    ring.total_added = 34
    with pytest.raises(ValueError, match="empty ring"):
        ring.sample(np.random.default_rng(0), 1)
    ring.extend(**rows(34, 3))
    assert (len(ring), ring.oldest, ring.total_added) == (3, 34, 37)
    drawn = ring.sample(np.random.default_rng(0), 100)
    assert set(drawn["number"]) == {34, 35, 36}
    assert ring.check_valid() == (True, "")
    ring.extend(**rows(37, 9))
    assert ring.newest()["number"].tolist() == list(range(36, 46))
    with pytest.raises(ValueError, match="total_added -1"):
        ring.total_added = -1


def test_rows_are_gathered_by_their_number():
    ring = Ring(4, FIELDS)
    ring.extend(**rows(0, 6))
    np.testing.assert_array_equal(
        ring.gather(np.array([[2, 3], [5, 4]]))["number"], [[2, 3], [5, 4]]
    )
    for missing in (1, 6, -1):
        with pytest.raises(IndexError, match="held are 2 to 5"):
            ring.gather(np.array([missing]))


def test_samples_are_copies():
    ring = Ring(4, FIELDS)
    ring.extend(**rows(0, 4))
    ring.sample(np.random.default_rng(0), 8)["number"][:] = -1
    assert ring.newest()["number"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        {"number": np.zeros(2, np.int32)},
        {"number": np.zeros(3, np.int64)},
        {"policy": np.zeros((2, 4), "<f4")},
        {"extra": np.zeros(2)},
    ],
)
def test_rows_that_do_not_fit_change_nothing(change):
    ring = Ring(4, FIELDS)
    ring.extend(**rows(0, 3))
    with pytest.raises(SchemaError):
        ring.extend(**{**rows(3, 2), **change})
    assert ring.newest()["number"].tolist() == [0, 1, 2]
    assert ring.total_added == 3


def test_limits_are_checked():
    with pytest.raises(ValueError, match="window 5"):
        Ring(4, FIELDS, window=5)
    with pytest.raises(ValueError, match="needs rows"):
        Ring(0, FIELDS)
    with pytest.raises(ValueError, match="empty ring"):
        Ring(4, FIELDS).sample(np.random.default_rng(0), 1)


def test_check_valid_tells_what_is_wrong():
    ring = Ring(4, FIELDS)
    ring._arrays["policy"] = ring._arrays["policy"][:2]
    assert ring.check_valid() == (False, "field 'policy' has 2 places, not 4")
