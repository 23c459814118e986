"""A growing set of UUIDs that takes 16 bytes each and works on whole arrays."""

import numpy as np
import numpy.typing as npt

_Keys = npt.NDArray[np.bytes_]


class UuidSet:
    """The UUIDs seen so far, in sorted runs of falling size (the logarithmic method).

    Adding n UUIDs one batch after another costs O(n log n) in all; a look-up is a binary search in
    each of the O(log n) runs.
    """

    def __init__(self) -> None:
        self._runs: list[_Keys] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def add_new(self, uuids: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Add UUIDs (uint8 [n, 16]); True, in bool [n], at each one's first appearance ever."""
        keys = np.ascontiguousarray(uuids).view("S16").reshape(-1)
        unique, first = np.unique(keys, return_index=True)
        fresh = ~self._contains(unique)
        is_new = np.zeros(len(keys), np.bool_)
        is_new[first[fresh]] = True
        self._insert(unique[fresh])
        return is_new

    def _contains(self, keys: _Keys) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(keys), np.bool_)
        for run in self._runs:
            place = np.minimum(np.searchsorted(run, keys), len(run) - 1)
            found |= run[place] == keys
        return found

    def _insert(self, keys: _Keys) -> None:
        if not len(keys):
            return
        while self._runs and len(self._runs[-1]) <= 2 * len(keys):
            keys = np.concatenate([self._runs.pop(), keys])
            keys.sort(kind="stable")
        self._runs.append(keys)
