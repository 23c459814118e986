"""Prioritised sampling against a slow list, chi-square, and an interrupted twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from store.checkpoints import tensors_from_bytes, tensors_to_bytes
from store.memory.priorities import Priorities, PrioritizedSampler
from store.memory.ring import Ring
from store.memory.sum_tree import FAN, SumTree

FIELDS = {"number": (np.int64, ())}
EPSILON = 2.0**-10  # sums of its multiples are exact, so the slow twin may add in another order


def filled(capacity, count, exponent=1.0, window=None):
    ring = Ring(capacity, FIELDS, window)
    sampler = PrioritizedSampler(ring, exponent, EPSILON)
    add(ring, count)
    return ring, sampler


def add(ring, count):
    ring.extend(number=np.arange(ring.total_added, ring.total_added + count))


class SlowPriorities:
    """The same by lists: priority of each row ever added, and a walk over the places."""

    def __init__(self, capacity):
        self.capacity, self.window = capacity, capacity
        self.priority, self.maximum = [], 1.0

    def add(self, count):
        self.priority += [self.maximum] * count

    def update(self, rows, errors):
        for row, error in zip(rows, errors):
            if row >= len(self.priority) - self.capacity:
                self.priority[row] = abs(error) + EPSILON
                self.maximum = max(self.maximum, self.priority[row])

    def by_place(self):
        begin = max(len(self.priority) - min(self.capacity, self.window), 0)
        rows = sorted(range(begin, len(self.priority)), key=lambda row: row % self.capacity)
        return rows, [self.priority[row] for row in rows]

    def sample(self, rng, n, beta):
        rows, priorities = self.by_place()
        drawn = []
        for part, inside in enumerate(rng.random(n)):
            rest = (part + inside) * (sum(priorities) / n)
            sums = [sum(priorities[: i + 1]) for i in range(len(rows))]
            drawn.append(next(row for row, passed in zip(rows, sums) if rest < passed))
        total, count = sum(priorities), len(rows)
        weights = [(count * self.priority[row] / total) ** -beta for row in drawn]
        return drawn, np.array(weights) / max(weights)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 25)),
        st.tuples(st.just("window"), st.floats(0, 1)),
        st.tuples(st.just("update"), st.integers(0, 2**32 - 1)),
        st.tuples(st.just("sample"), st.integers(0, 2**32 - 1)),
    ),
    max_size=25,
)


@given(capacity=st.integers(1, 20), operations=OPERATIONS)
def test_equals_a_slow_list(capacity, operations):
    ring, sampler = filled(capacity, 1)
    slow = SlowPriorities(capacity)
    slow.add(1)
    for kind, number in operations:
        if kind == "add":
            add(ring, number)
            slow.add(number)
        elif kind == "window":
            ring.window = slow.window = 1 + round(number * (capacity - 1))
        elif kind == "update":  # rows that left and rows named twice among them
            rng = np.random.default_rng(number)
            rows = rng.integers(ring.total_added, size=rng.integers(12))
            errors = rng.integers(-3000, 3000, size=len(rows)) * EPSILON
            sampler.update(rows, errors)
            slow.update(rows.tolist(), errors.tolist())
        else:
            drawn = sampler.sample(np.random.default_rng(number), 9, 0.7)
            rows, weights = slow.sample(np.random.default_rng(number), 9, 0.7)
            assert drawn.rows.tolist() == drawn.fields["number"].tolist() == rows
            np.testing.assert_allclose(drawn.weights, weights, rtol=1e-6)
        assert sampler.check_valid() == (True, "")


def draws(sampler, rng, rounds=4000, n=4):
    return np.concatenate([sampler.sample(rng, n, 1.0).rows for _ in range(rounds)])


def test_rows_are_drawn_in_proportion_to_their_scaled_priorities():
    _, sampler = filled(12, 29, exponent=0.6)
    rows, errors = np.arange(17, 29), np.random.default_rng(3).exponential(size=12)
    sampler.update(rows, errors)
    counts = np.bincount(draws(sampler, np.random.default_rng(4)) - 17, minlength=12)

    def p_value(exponent):
        expected = (errors + EPSILON) ** exponent
        return stats.chisquare(counts, expected / expected.sum() * counts.sum()).pvalue

    assert p_value(0.6) > 0.01
    for wrong in (0.0, 0.5, 0.7, 1.0):
        assert p_value(wrong) < 1e-6


def test_importance_weights_make_the_mean_that_of_uniform_sampling():
    _, sampler = filled(10, 10, exponent=0.8)
    sampler.update(np.arange(10), np.arange(10) / 3)
    rng = np.random.default_rng(5)
    samples = [sampler.sample(rng, 64, 1.0) for _ in range(300)]

    def mean(weighted):
        rows = np.concatenate([sample.rows for sample in samples])
        # undo the division by each batch's greatest, which is 1 / its least probable row
        scaled = (np.arange(10) / 3 + EPSILON) ** 0.8
        least = [scaled[sample.rows].min() for sample in samples]
        weights = np.concatenate([s.weights / x for s, x in zip(samples, least)])
        return np.average(rows, weights=weights if weighted else None)

    assert mean(weighted=True) == pytest.approx(4.5, abs=0.15)
    assert mean(weighted=False) > 5.5
    assert all(sample.weights.max() == 1.0 for sample in samples)


def test_batches_are_stratified():
    _, sampler = filled(64, 64)
    for seed in range(5):
        rows = sampler.sample(np.random.default_rng(seed), 64, 0.5).rows
        assert sorted(rows.tolist()) == list(range(64))  # by chance: once in 10**26


def test_new_rows_have_the_greatest_priority_there_ever_was():
    ring, sampler = filled(8, 4)
    sampler.update(np.array([0]), np.array([6.0]))
    sampler.update(np.array([0]), np.array([0.0]))
    add(ring, 1)
    state = sampler.state()
    assert state["scaled"].tolist() == [EPSILON, 1.0, 1.0, 1.0, 6.0 + EPSILON]


def test_a_zero_error_is_still_drawn_and_an_absent_row_never():
    _, sampler = filled(5, 3)
    sampler.update(np.arange(3), np.zeros(3))
    assert set(draws(sampler, np.random.default_rng(0), 50).tolist()) == {0, 1, 2}


def test_of_a_row_named_twice_the_last_error_counts():
    _, sampler = filled(4, 4)
    sampler.update(np.array([2, 1, 2]), np.array([9.0, 1.0, 0.5]))
    assert sampler.state()["scaled"][2] == 0.5 + EPSILON


def test_a_restored_sampler_goes_on_bit_for_bit():
    ring, sampler = filled(37, 80, exponent=0.6, window=30)
    rng = np.random.default_rng(8)
    sampler.update(rng.integers(43, 80, 60), rng.normal(size=60))
    state = tensors_from_bytes(tensors_to_bytes(sampler.state()))  # as a checkpoint keeps it
    ring_again, sampler_again = filled(37, 80, exponent=0.6, window=30)
    sampler_again.load(state)
    tree, tree_again = sampler.priorities._tree, sampler_again.priorities._tree
    assert tree.total == tree_again.total
    for ours, theirs in zip(tree._levels, tree_again._levels, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    ours, theirs = np.random.default_rng(1), np.random.default_rng(1)
    for step in range(20):
        one, two = sampler.sample(ours, 16, 0.4), sampler_again.sample(theirs, 16, 0.4)
        np.testing.assert_array_equal(one.rows, two.rows)
        np.testing.assert_array_equal(one.weights, two.weights)
        for own_ring, own in ((ring, sampler), (ring_again, sampler_again)):
            own.update(one.rows, np.sin(one.rows + step))
            add(own_ring, 3)


def test_a_state_of_another_ring_is_refused():
    _, sampler = filled(8, 20)
    _, other = filled(8, 21)
    with pytest.raises(ValueError, match="20 rows added, this one has had 21"):
        other.load(sampler.state())
    with pytest.raises(ValueError, match="do not fit a capacity of 4"):
        Priorities(4).load(sampler.state())


def test_what_is_wrong_is_refused():
    with pytest.raises(ValueError, match="no row can be sampled"):
        PrioritizedSampler(Ring(4, FIELDS)).sample(np.random.default_rng(0), 1, 1.0)
    _, sampler = filled(4, 4)
    with pytest.raises(ValueError, match=r"beta 1\.5"):
        sampler.sample(np.random.default_rng(0), 1, 1.5)
    with pytest.raises(ValueError, match="nan"):
        sampler.update(np.array([1]), np.array([np.nan]))
    with pytest.raises(ValueError, match="an error for each"):
        sampler.update(np.array([1]), np.zeros(2))
    for settings in ((0, 0.6, 1e-6), (4, -1.0, 1e-6), (4, 0.6, 0.0)):
        with pytest.raises(ValueError, match="expected capacity"):
            Priorities(*settings)


def test_a_prefix_at_the_very_end_finds_no_empty_place():
    tree = SumTree(5)
    tree.set(np.array([0, 3]), [0.1, 0.2])
    assert tree.find(np.array([0.0, tree.total, tree.total * 2])).tolist() == [0, 3, 3]
    tree = SumTree(1)
    tree.set(np.array([0]), [2.0])
    assert tree.find(np.array([1.9])).tolist() == [0]


@given(
    size=st.integers(1, 3 * FAN * FAN) | st.just(FAN**3 + 1),
    seed=st.integers(0, 2**32 - 1),
    empty=st.sampled_from([0.0, 0.5, 0.99]),
)
def test_a_tree_of_any_height_finds_what_a_linear_scan_finds(size, seed, empty):
    rng = np.random.default_rng(seed)
    tree, numbers = SumTree(size), np.zeros(size, np.float32)
    for _ in range(4):
        places = rng.integers(size, size=rng.integers(1, size + 1))
        given_now = np.where(rng.random(len(places)) < empty, 0, rng.integers(1, 64, len(places)))
        tree.set(places, given_now)
        numbers[places] = given_now
        assert tree.check_valid() == (True, "")
        assert tree.total == numbers.sum(dtype=np.float64)  # whole numbers: sums are exact
        np.testing.assert_array_equal(tree.get(np.arange(size)), numbers)
    if tree.total:
        prefixes = np.concatenate([[0.0], rng.random(50) * tree.total])
        expected = np.searchsorted(np.cumsum(numbers, dtype=np.float64), prefixes, side="right")
        assert tree.find(prefixes).tolist() == expected.tolist()


def test_rounding_never_leads_to_an_empty_place():
    """Single numbers of very different sizes, among zeros, asked for at the ends of their parts."""
    rng = np.random.default_rng(0)
    for size in (33, 1024, 1025, 40_000):
        tree, numbers = SumTree(size), np.zeros(size, np.float32)
        places = rng.choice(size, 20, replace=False)
        numbers[places] = 10.0 ** rng.uniform(-12, 6, 20)
        tree.set(places, numbers[places])
        ends = np.cumsum(numbers, dtype=np.float64)
        prefixes = np.concatenate([ends, np.nextafter(ends, 0), np.nextafter(ends, np.inf)])
        found = tree.find(np.clip(prefixes, 0, tree.total))
        assert (numbers[found] > 0).all()


def test_given_errors_are_the_first_priorities():
    """Ape-X: where an actor knows the error, it counts; elsewhere the greatest so far."""
    priorities = Priorities(16, exponent=1.0, epsilon=EPSILON)
    priorities.admit(np.arange(3), np.array([0.5, np.nan, -4.0], np.float32))
    greatest = 4 + EPSILON
    assert priorities.state()["scaled"].tolist() == [0.5 + EPSILON, greatest, greatest]
    priorities.admit(np.arange(3, 5))
    priorities.admit(np.arange(5, 6), np.array([0.0], np.float32))
    assert priorities.state()["scaled"].tolist()[3:] == [greatest, greatest, EPSILON]
    assert priorities.check_valid() == (True, "")


def test_check_valid_tells_what_is_wrong():
    _, sampler = filled(8, 8)
    assert sampler.check_valid() == (True, "")
    priorities = sampler.priorities
    priorities._tree._ends[-1] += 1
    assert priorities.check_valid()[1].startswith("the sum tree's running sums are not those")
    priorities._tree._ends[-1] -= 1
    tall = SumTree(FAN * FAN + 1)
    tall._levels[1][0, 2] = 1
    assert tall.check_valid() == (
        False,
        "node 2 of level 1 of the sum tree is not its children's sum",
    )
    priorities._scaled[2] = 0.5
    assert priorities.check_valid() == (False, "the sum tree does not hold the rows' priorities")
