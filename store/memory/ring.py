"""Keep the newest rows of several named arrays in RAM, to sample from."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from store.errors import SchemaError

_ROUNDS = 8  # of drawing again what was refused, before the accepted rows are listed


class Ring:
    """The newest `capacity` rows of some named arrays.

    Every row has a number that never changes: the first ever added is row 0. Row r lies at place
    r % capacity, and the rows held are [oldest, total_added). What `sample` draws
    depends only on the rows inside the window and their order, not on their numbers, so a ring
    filled again from the replay log samples as the lost one would have.

    Args:
        capacity: rows held at most.
        fields: for each name (dtype, shape of one row's item); any dtype, records too.
        window: rows that `sample` draws from, the newest; the capacity if None. It may be changed
            at any time (AlphaGo Zero kept 500,000 games; KataGo lets it grow with the data).

    Raises:
        ValueError: capacity or window out of range, or no fields.
    """

    def __init__(
        self,
        capacity: int,
        fields: Mapping[str, tuple[npt.DTypeLike, tuple[int, ...]]],
        window: int | None = None,
    ) -> None:
        if capacity < 1 or not fields:
            raise ValueError(f"a ring needs rows and fields; got {capacity} and {list(fields)}")
        self.capacity = capacity
        self._total_added = 0
        self._first_row = 0
        # pages are not touched here: a large ring costs memory only as it fills
        self._arrays: dict[str, npt.NDArray[Any]] = {
            name: np.zeros((capacity, *shape), dtype) for name, (dtype, shape) in fields.items()
        }
        self._window = capacity
        self.window = capacity if window is None else window

    def __len__(self) -> int:
        return min(self._total_added - self._first_row, self.capacity)

    @property
    def total_added(self) -> int:
        """Number of the next row. Setting it empties the ring, which is filled from there on.

        So a ring filled again from the log goes on with its old numbers, and what the log has lost
        is not sampled as if it were there.
        """
        return self._total_added

    @total_added.setter
    def total_added(self, rows: int) -> None:
        if rows < 0:
            raise ValueError(f"total_added {rows} must not be negative")
        self._total_added = self._first_row = rows

    @property
    def oldest(self) -> int:
        """Number of the oldest row held; `total_added` when there is none."""
        return self.total_added - len(self)

    @property
    def window(self) -> int:
        """How many of the newest rows `sample` draws from (fewer while fewer are held)."""
        return self._window

    @window.setter
    def window(self, rows: int) -> None:
        if not 1 <= rows <= self.capacity:
            raise ValueError(f"window {rows} must be between 1 and the capacity {self.capacity}")
        self._window = rows

    @property
    def sampled_rows(self) -> int:
        """How many rows `sample` draws from now."""
        return min(len(self), self._window)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays when full."""
        return sum(array.nbytes for array in self._arrays.values())

    def array(self, name: str) -> npt.NDArray[Any]:
        """Return the memory of a field, [capacity, *item shape]: row r lies at r % capacity."""
        return self._arrays[name]

    def skip(self, rows: int) -> None:
        """Count rows as added that are not there; what they hold means nothing."""
        if rows < 0:
            raise ValueError(f"expected a number of rows to skip >= 0, got {rows}")
        self._total_added += rows

    def extend(self, **arrays: npt.NDArray[Any]) -> None:
        """Add rows: for each field an array [n, *item shape] of its dtype, all of the same n.

        Raises:
            SchemaError: the names, dtypes, shapes or lengths do not fit; nothing was added.
        """
        added = self._checked_length(arrays)
        kept = min(added, self.capacity)
        place = (self.total_added + added - kept) % self.capacity
        before_end = min(kept, self.capacity - place)
        for name, array in arrays.items():
            newest = array[added - kept :]
            self._arrays[name][place : place + before_end] = newest[:before_end]
            self._arrays[name][: kept - before_end] = newest[before_end:]
        self._total_added += added

    def sample_rows(
        self,
        rng: np.random.Generator,
        n: int,
        accept: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]] | None = None,
    ) -> npt.NDArray[np.int64]:
        """Draw the numbers of n rows uniformly with replacement from the window, int64 [n].

        Args:
            rng: what is drawn with.
            n: how many.
            accept: which of some row numbers [k] may be drawn, bool [k]; all of them if None. The
                draw is uniform over the accepted rows of the window.

        Raises:
            ValueError: the ring is empty, or no row of the window is accepted.
        """
        if not len(self):
            raise ValueError("cannot sample from an empty ring; add rows first")
        rows = self._draw(rng, n)
        if accept is None:
            return rows
        refused = np.flatnonzero(~accept(rows))
        for _ in range(_ROUNDS):
            if not len(refused):
                return rows
            rows[refused] = self._draw(rng, len(refused))
            refused = refused[~accept(rows[refused])]
        if len(refused):  # few rows are accepted: look at all of them once
            window = np.arange(self.total_added - self.sampled_rows, self.total_added)
            accepted = window[accept(window)]
            if not len(accepted):
                raise ValueError(f"none of the {len(window)} rows of the window can be sampled")
            rows[refused] = accepted[rng.integers(len(accepted), size=len(refused))]
        return rows

    def _draw(self, rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
        ages = rng.integers(1, self.sampled_rows, size=n, endpoint=True)
        return np.asarray(self.total_added - ages, np.int64)

    def gather(
        self, rows: npt.NDArray[np.int64], names: Collection[str] | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Copy the rows of the given numbers, each field [*rows.shape, *item shape].

        Args:
            rows: row numbers, any shape.
            names: fields wanted; all of them if None.

        Raises:
            IndexError: a row is not held (any more, or yet).
        """
        oldest = self.oldest
        if rows.size and not (oldest <= rows.min() and rows.max() < self.total_added):
            raise IndexError(
                f"rows {rows.min()} to {rows.max()} asked for, held are {oldest} to "
                f"{self.total_added - 1}"
            )
        places = rows % self.capacity
        wanted = self._arrays if names is None else names
        return {name: self._arrays[name].take(places, axis=0) for name in wanted}

    def sample(self, rng: np.random.Generator, n: int) -> dict[str, npt.NDArray[Any]]:
        """Sample n rows uniformly with replacement from the window, copied."""
        return self.gather(self.sample_rows(rng, n))

    def newest(self, n: int | None = None) -> dict[str, npt.NDArray[Any]]:
        """Copy the newest n rows (all held if None or fewer are held), oldest first."""
        count = len(self) if n is None else min(n, len(self))
        return self.gather(np.arange(self.total_added - count, self.total_added))

    def check_valid(self) -> tuple[bool, str]:
        """Whether the ring is consistent, and why not if it is not."""
        for name, array in self._arrays.items():
            if len(array) != self.capacity:
                return False, f"field {name!r} has {len(array)} places, not {self.capacity}"
        if not 0 <= self._first_row <= self._total_added:
            return False, f"rows {self._first_row} to {self._total_added} cannot have been added"
        if not 1 <= self._window <= self.capacity:
            return False, f"window {self._window} is not within the capacity {self.capacity}"
        return True, ""

    def _checked_length(self, arrays: Mapping[str, npt.NDArray[Any]]) -> int:
        if arrays.keys() != self._arrays.keys():
            raise SchemaError(f"this ring has {sorted(self._arrays)}; got {sorted(arrays)}")
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) != 1:
            raise SchemaError(f"all arrays must have the same number of rows; got {lengths}")
        for name, array in arrays.items():
            held = self._arrays[name]
            if array.dtype != held.dtype or array.shape[1:] != held.shape[1:]:
                raise SchemaError(
                    f"field {name!r}: expected {held.dtype} {['n', *held.shape[1:]]}, "
                    f"got {array.dtype} {list(array.shape)}"
                )
        return next(iter(lengths.values()))
