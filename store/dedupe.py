"""Sets of UUIDs that take 16 bytes each and work on whole arrays: all seen, or the newest."""

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
        keys = _keys_of(uuids)
        unique, first = np.unique(keys, return_index=True)
        fresh = ~self._contains(unique)
        is_new = np.zeros(len(keys), np.bool_)
        is_new[first[fresh]] = True
        self._insert(unique[fresh])
        return is_new

    def contains(self, uuids: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Which of the UUIDs (uint8 [n, 16]) have been added, bool [n]."""
        return self._contains(_keys_of(uuids))

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


class RecentUuids:
    """The UUIDs added last: at least the newest `least`, at most about twice as many.

    They are kept in two sets. When the younger one has `least`, it takes the place of the older.
    """

    def __init__(self, least: int) -> None:
        self.least = least
        self._young, self._old = UuidSet(), UuidSet()

    def __len__(self) -> int:
        """How many are kept; one that was added to both sets counts twice."""
        return len(self._young) + len(self._old)

    def add_new(self, uuids: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Add UUIDs (uint8 [n, 16]); True, in bool [n], at those not among the ones kept."""
        is_new = self._young.add_new(uuids) & ~self._old.contains(uuids)
        if len(self._young) >= self.least:
            self._young, self._old = UuidSet(), self._young
        return is_new


def _keys_of(uuids: npt.NDArray[np.uint8]) -> _Keys:
    return np.ascontiguousarray(uuids).view("S16").reshape(-1)
