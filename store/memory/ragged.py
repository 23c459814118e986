"""Keep the newest entries of rows of different lengths in RAM: sparse policies, say."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from store.errors import SchemaError

_FIRST_SIZE = 1 << 12  # entries


class RaggedEntries:
    """Entries in the order in which they were added; a row is a number of entries in succession.

    Every entry has a number that never changes: the first ever added is entry 0. Entry e lies at
    place e % size of each field's array, whose size doubles when the entries held need it.

    Args:
        fields: for each name the dtype of an entry.
    """

    def __init__(self, fields: Mapping[str, npt.DTypeLike]) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {
            name: np.zeros(_FIRST_SIZE, dtype) for name, dtype in fields.items()
        }
        self._size = _FIRST_SIZE
        self.total_added = 0
        self.oldest = 0

    def __len__(self) -> int:
        return self.total_added - self.oldest

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(array.nbytes for array in self._arrays.values())

    def forget(self, before: int) -> None:
        """Forget the entries whose number is below `before`."""
        self.oldest = min(max(self.oldest, before), self.total_added)

    def extend(self, **arrays: npt.NDArray[Any]) -> int:
        """Add entries, for each field an array [n]; return the number of the first.

        Raises:
            SchemaError: the names, dtypes or lengths do not fit; nothing was added.
        """
        if arrays.keys() != self._arrays.keys():
            raise SchemaError(f"expected {sorted(self._arrays)}; got {sorted(arrays)}")
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) != 1:
            raise SchemaError(f"all arrays must have the same number of entries; got {lengths}")
        for name, array in arrays.items():
            if array.dtype != self._arrays[name].dtype or array.ndim != 1:
                raise SchemaError(
                    f"field {name!r}: expected {self._arrays[name].dtype} ['n'], got "
                    f"{array.dtype} {list(array.shape)}"
                )
        added, first = next(iter(lengths.values())), self.total_added
        self._make_room(len(self) + added)
        places = np.arange(first, first + added) & (self._size - 1)
        for name, array in arrays.items():
            self._arrays[name][places] = array
        self.total_added += added
        return first

    def _make_room(self, wanted: int) -> None:
        """Double the arrays until they hold `wanted` entries; each entry keeps its number."""
        size = self._size
        while size < wanted:
            size *= 2
        if size == self._size:
            return
        held = np.arange(self.oldest, self.total_added)
        for name, array in self._arrays.items():
            grown = np.zeros(size, array.dtype)
            grown[held & (size - 1)] = array[held & (self._size - 1)]
            self._arrays[name] = grown
        self._size = size

    def gather(
        self, starts: npt.NDArray[np.int64], counts: npt.NDArray[Any]
    ) -> dict[str, npt.NDArray[Any]]:
        """Copy the entries of rows: row i is the `counts[i]` entries from `starts[i]` on.

        Returns the rows one after the other, for each field an array [sum of the counts].

        Raises:
            IndexError: an entry is not held (any more, or yet).
        """
        lengths = np.asarray(counts, np.int64)
        filled = lengths > 0
        if filled.any():
            lowest, end = starts[filled].min(), (starts + lengths)[filled].max()
            if not self.oldest <= lowest <= end <= self.total_added:
                raise IndexError(
                    f"entries {lowest} to {end - 1} asked for, held are {self.oldest} to "
                    f"{self.total_added - 1}"
                )
        ends = np.cumsum(lengths)
        numbers = np.repeat(starts - (ends - lengths), lengths) + np.arange(lengths.sum())
        return {name: array[numbers & (self._size - 1)] for name, array in self._arrays.items()}
