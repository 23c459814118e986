"""Sets of UUIDs that work on whole arrays: all seen, or the newest."""

import numpy as np
import numpy.typing as npt

_Keys = npt.NDArray[np.uint64]  # [2, n]: n UUIDs as two numbers each

_SPREAD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)
"""Odd numbers that multiply the halves of a key into a slot; together they stand for the zero
UUID, because zeros mark a free slot."""


class UuidSet:
    """The UUIDs seen so far, in a hash table with double hashing: 32 to 64 bytes each.

    The keys of a batch probe side by side, so a batch costs a few passes over NumPy arrays.
    """

    def __init__(self) -> None:
        self._table: _Keys = np.zeros((2, 1 << 8), np.uint64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add_new(self, uuids: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Add UUIDs (uint8 [n, 16]); True, in bool [n], at each one's first appearance ever."""
        keys = _keys_of(uuids)
        self._make_room(keys.shape[1])
        is_new = np.zeros(keys.shape[1], np.bool_)
        first = _first_appearances(keys)
        is_new[first] = self._probe(keys[:, first], insert=True)
        self._count += int(is_new.sum())
        return is_new

    def contains(self, uuids: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Mark the UUIDs (uint8 [n, 16]) that have been added, bool [n]."""
        return ~self._probe(_keys_of(uuids), insert=False)

    def _make_room(self, count: int) -> None:
        """Grow the table so that it is at most half full with `count` more keys."""
        slots = self._table.shape[1]
        if 2 * (self._count + count) <= slots:
            return
        while 2 * (self._count + count) > slots:
            slots *= 2
        kept = self._table[:, self._table.any(axis=0)]
        self._table = np.zeros((2, slots), np.uint64)
        self._probe(kept, insert=True)

    def _probe(self, keys: _Keys, *, insert: bool) -> npt.NDArray[np.bool_]:
        """Mark absent keys, bool [n]; `insert` adds them, and then keys must be distinct."""
        first_half, second_half = self._table
        absent = np.zeros(keys.shape[1], np.bool_)
        pending = np.arange(keys.shape[1])
        slot, step = _slots_and_steps(keys, first_half.size)
        while len(pending):
            first, second = keys[0, pending], keys[1, pending]
            free = (first_half[slot] | second_half[slot]) == 0
            absent[pending[free]] = True
            if insert:  # of two keys for one free slot the last has it, the other goes on
                first_half[slot[free]], second_half[slot[free]] = first[free], second[free]
            other = (first_half[slot] != first) | (second_half[slot] != second)
            if not insert:
                other &= ~free
            pending = pending[other]
            slot = (slot[other] + step[pending]) & (first_half.size - 1)
        return absent


class RecentUuids:
    """The UUIDs added last: at least the newest `least`, at most about twice as many.

    They are kept in two sets. When the younger one has `least`, it takes the place of the older.
    """

    def __init__(self, least: int) -> None:
        self.least = least
        self._young, self._old = UuidSet(), UuidSet()

    def __len__(self) -> int:
        """Count the UUIDs kept; one that was added to both sets counts twice."""
        return len(self._young) + len(self._old)

    def add_new(self, uuids: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Add UUIDs (uint8 [n, 16]); True, in bool [n], at those not among the ones kept."""
        is_new = self._young.add_new(uuids) & ~self._old.contains(uuids)
        if len(self._young) >= self.least:
            self._young, self._old = UuidSet(), self._young
        return is_new


def _keys_of(uuids: npt.NDArray[np.uint8]) -> _Keys:
    keys = np.ascontiguousarray(uuids).view(np.uint64).reshape(-1, 2).T.copy()
    keys[:, (keys[0] | keys[1]) == 0] = _SPREAD[:, None]
    return keys


def _slots_and_steps(
    keys: _Keys, slots: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return each key's first slot and its probe step, odd so that it reaches all slots."""
    mixed = (keys[0] * _SPREAD[0]) ^ (keys[1] * _SPREAD[1])
    high = mixed >> np.uint64(65 - int(slots).bit_length())
    return high.astype(np.int64), (mixed & np.uint64(slots - 1)).astype(np.int64) | 1


def _first_appearances(keys: _Keys) -> npt.NDArray[np.int64]:
    """Return the index of each distinct key's first appearance."""
    order = np.argsort(keys[0], kind="stable")
    first = keys[0, order]
    if (first[1:] == first[:-1]).any():
        order = np.lexsort((keys[1], keys[0]))  # stable too
    ordered = keys[:, order]
    repeats = (ordered[0, 1:] == ordered[0, :-1]) & (ordered[1, 1:] == ordered[1, :-1])
    return order[np.concatenate([[True], ~repeats])] if len(order) else order
