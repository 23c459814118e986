"""Sample rows by priority, in proportion to a power of their last TD error.

Schaul et al. (2016), Prioritized Experience Replay, proportional variant (section 3.3 and
appendix B.2.1): P(i) = p_i^alpha / sum_k p_k^alpha, stratified within a batch, its bias
corrected by importance weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from store.memory.ring import Ring
from store.memory.sum_tree import SumTree

_NO_ROW = -1
_SMALLEST, _LARGEST = np.finfo(np.float32).tiny, np.finfo(np.float32).max


class Priorities:
    """Priorities of rows known by number, as a ring of `capacity` places holds them.

    The owner of the rows admits those that may be sampled and retires those that may not; row r
    takes the place r % capacity, from which it drives out any row before it.

    Args:
        capacity: that of the ring.
        exponent: alpha, how much priorities count: 0 is uniform (the paper: 0.6).
        epsilon: added to every error, so that a row of error 0 can still be drawn.

    Raises:
        ValueError: a setting out of range.
    """

    def __init__(self, capacity: int, exponent: float = 0.6, epsilon: float = 1e-6) -> None:
        if capacity < 1 or exponent < 0.0 or epsilon <= 0.0:
            raise ValueError(
                "expected capacity >= 1, exponent >= 0 and epsilon > 0; "
                f"got {capacity}, {exponent} and {epsilon}"
            )
        self.capacity = capacity
        self.exponent = exponent
        self.epsilon = epsilon
        self._row = np.full(capacity, _NO_ROW, np.int64)  # the row admitted at each place
        self._scaled = np.zeros(capacity, np.float32)  # its (|error| + epsilon) ** exponent
        self._tree = SumTree(capacity)  # the same, 0 where the row lies before the window
        self._maximum = 1.0  # of all scaled priorities ever
        self._begin = 0

    @property
    def total(self) -> float:
        """Return the sum of the scaled priorities in the window; 0 when no row can be drawn."""
        return self._tree.total

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self._row.nbytes + self._scaled.nbytes + self._tree.nbytes

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Return the rows admitted, rising, whether they lie in the window or not."""
        return np.sort(self._row[self._row != _NO_ROW])

    def admit(
        self, rows: npt.NDArray[np.int64], errors: npt.NDArray[np.float32] | None = None
    ) -> None:
        """Admit rows at the greatest priority so far (the paper, algorithm 1), or at given ones.

        Args:
            rows: numbers int64 [n].
            errors: TD errors [n] that actors computed while they acted (Ape-X, Horgan et al. 2018,
                section 3), NaN where they know none; None if they gave none at all.
        """
        places = rows % self.capacity
        self._row[places] = rows
        self._scaled[places] = self._maximum
        if errors is not None and len(known := np.flatnonzero(np.isfinite(errors))):
            scaled = self._scale(errors[known])
            self._maximum = float(max(self._maximum, scaled.max()))
            self._scaled[places] = self._maximum
            self._scaled[places[known]] = scaled
        self._show(places)

    def retire(self, rows: npt.NDArray[np.int64]) -> None:
        """Stop drawing these rows; those not admitted are ignored."""
        places = rows % self.capacity
        places = places[self._row[places] == rows]
        if not len(places):
            return
        self._row[places] = _NO_ROW
        self._scaled[places] = 0.0
        self._show(places)

    def begin_window(self, row: int) -> None:
        """Begin the window at `row`; earlier rows keep their priorities and may come back."""
        low, high = sorted((self._begin, row))
        changed = np.arange(max(low, high - self.capacity), high)
        self._begin = row
        if len(changed):
            self._show(changed % self.capacity)

    def sample_rows(
        self, rng: np.random.Generator, n: int, beta: float
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Draw n rows, one from each n-th part of the total, and their importance weights.

        Args:
            rng: what is drawn with.
            n: how many.
            beta: how much of the bias the weights take back, 0 to 1 (the paper: from 0.4 to 1 in
                the course of training).

        Returns:
            Row numbers int64 [n], and weights float32 [n]: (N P(i)) ** -beta, divided by the
            greatest of the batch, so that they only ever scale an update down.

        Raises:
            ValueError: there is nothing to draw, or beta is out of range.
        """
        if not 0.0 <= beta <= 1.0:
            raise ValueError(f"beta {beta} must be between 0 and 1")
        if self.total <= 0.0:
            raise ValueError("no row can be sampled yet; add rows first")
        prefixes = (np.arange(n) + rng.random(n)) * (self.total / max(n, 1))
        places = self._tree.find(prefixes)
        drawn = self._tree.get(places).astype(np.float64)
        least = drawn.min(initial=np.inf)  # N and the total cancel in the division by the greatest
        return self._row[places], ((least / drawn) ** beta).astype(np.float32)

    def update(self, rows: npt.NDArray[np.int64], errors: npt.NDArray[Any]) -> None:
        """Set the priorities of rows by their TD errors [n], of either sign.

        Rows that left since they were drawn are skipped; of a row named repeatedly the last
        error counts.

        Raises:
            ValueError: an error is not finite, or the lengths differ.
        """
        rows, errors = np.asarray(rows), np.asarray(errors, np.float64)
        if rows.shape != errors.shape:
            raise ValueError(f"expected an error for each of {rows.shape} rows, got {errors.shape}")
        if not np.isfinite(errors).all():
            raise ValueError(f"errors must be finite; got {errors[~np.isfinite(errors)][0]}")
        scaled = self._scale(errors)
        held = self._row[rows % self.capacity] == rows
        places, scaled = rows[held] % self.capacity, scaled[held]
        self._maximum = float(max(self._maximum, scaled.max(initial=0.0)))
        self._scaled[places] = scaled
        self._show(places)

    def _scale(self, errors: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        scaled = (np.abs(errors.astype(np.float64)) + self.epsilon) ** self.exponent
        return np.clip(scaled, _SMALLEST, _LARGEST).astype(np.float32)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the state as arrays, for a checkpoint; draws after `load` are the same.

        "scaled" has the scaled priorities of the rows from "first" on, 0 for those not admitted.
        """
        rows = self.rows
        first = rows[0] if len(rows) else 0
        scaled = np.zeros(rows[-1] + 1 - first if len(rows) else 0, np.float32)
        scaled[rows - first] = self._scaled[rows % self.capacity]
        return {
            "first": np.array([first], np.int64),
            "scaled": scaled,
            "maximum": np.array([self._maximum]),
            "begin": np.array([self._begin]),
        }

    def load(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Restore `state`, bit for bit; the capacity must be the same.

        Raises:
            ValueError: the rows do not fit in the capacity.
        """
        first, scaled = int(state["first"][0]), state["scaled"]
        if len(scaled) > self.capacity:
            raise ValueError(
                f"priorities of rows {first} to {first + len(scaled) - 1} do not fit a capacity of "
                f"{self.capacity}; restore them with the capacity they were saved with"
            )
        admitted = np.flatnonzero(scaled)
        rows = first + admitted
        self._row[:] = _NO_ROW
        self._scaled[:] = 0.0
        self._row[rows % self.capacity] = rows
        self._scaled[rows % self.capacity] = scaled[admitted]
        self._maximum = float(state["maximum"][0])
        self._begin = int(state["begin"][0])
        self._show(np.arange(self.capacity))

    def check_valid(self) -> tuple[bool, str]:
        """Whether the tree, the rows and the window agree, and why not if they do not."""
        places = np.arange(self.capacity)
        admitted = self._row != _NO_ROW
        if (self._row[admitted] % self.capacity != places[admitted]).any():
            return False, "a row lies at another's place"
        if ((self._scaled > 0.0) != admitted).any():
            return False, "an admitted row has no priority, or one that is not admitted has"
        if (self._scaled > self._maximum).any():
            return False, f"a priority is above the maximum of {self._maximum}"
        if (self._tree.get(places) != self._shown(places)).any():
            return False, "the sum tree does not hold the rows' priorities"
        return self._tree.check_valid()

    def _show(self, places: npt.NDArray[np.int64]) -> None:
        self._tree.set(places, self._shown(places))

    def _shown(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return np.where(self._row[places] >= self._begin, self._scaled[places], np.float32(0))


@dataclass(frozen=True)
class PrioritizedSample:
    """Rows drawn by priority: their numbers [n], importance weights [n], and fields [n, ...]."""

    rows: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    fields: dict[str, npt.NDArray[Any]]


class PrioritizedSampler:
    """Draws the rows of a ring by priority, following what is added to it and its window.

    `exponent` and `epsilon` as in `Priorities`.
    """

    def __init__(self, ring: Ring, exponent: float = 0.6, epsilon: float = 1e-6) -> None:
        self.ring = ring
        self.priorities = Priorities(ring.capacity, exponent, epsilon)
        self._followed = ring.oldest  # rows before it were seen

    def sample(self, rng: np.random.Generator, n: int, beta: float) -> PrioritizedSample:
        """Sample n rows of the window, copied; raises as `Priorities.sample_rows` does."""
        self._follow()
        rows, weights = self.priorities.sample_rows(rng, n, beta)
        return PrioritizedSample(rows, weights, self.ring.gather(rows))

    def update(self, rows: npt.NDArray[np.int64], errors: npt.NDArray[Any]) -> None:
        """Set the priorities of rows, as `Priorities.update` does."""
        self._follow()
        self.priorities.update(rows, errors)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the state without the ring as arrays, for a checkpoint."""
        self._follow()
        return {**self.priorities.state(), "followed": np.array([self._followed])}

    def load(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Restore `state`, after the ring was filled again up to the same row number.

        Raises:
            ValueError: the ring is at another row number, or too small for its rows.
        """
        followed = int(state["followed"][0])
        if followed != self.ring.total_added:
            raise ValueError(
                f"the priorities belong to a ring of {followed} rows added, this one has had "
                f"{self.ring.total_added}; fill it again first"
            )
        self.priorities.load(state)
        self._followed = followed

    def check_valid(self) -> tuple[bool, str]:
        """Whether the priorities are those of the ring's rows, and why not if they are not."""
        self._follow()
        rows = self.priorities.rows
        held = np.arange(self.ring.oldest, self.ring.total_added)
        if not np.array_equal(rows, held):
            return False, f"{len(rows)} rows have priorities, the ring holds {len(held)}"
        return self.priorities.check_valid()

    def _follow(self) -> None:
        ring = self.ring
        if ring.total_added > self._followed:
            self.priorities.admit(np.arange(max(self._followed, ring.oldest), ring.total_added))
            self._followed = ring.total_added
        self.priorities.begin_window(ring.total_added - ring.sampled_rows)
