"""Sum numbers over places, whole arrays at a time, and find where the running sum passes one."""

import numpy as np
import numpy.typing as npt

FAN = 32
"""Children of a node. A level costs some ten calls of NumPy, so few levels beat few comparisons."""

_SHIFT = FAN.bit_length() - 1


class SumTree:
    """Sums over `size` places of numbers that are not negative.

    A node is the floating-point sum of its FAN children, always added in the same order. So the
    sums depend on the leaves alone, not on the order in which they were set. Leaves have single
    precision, sums double: 4.3 bytes a place. The highest level has FAN * FAN nodes at most, of
    which the running sums are kept, so that a binary search finds one of them.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        blocks = -(-size // FAN)
        self._levels: list[npt.NDArray[np.floating]] = [np.zeros((blocks, FAN), np.float32)]
        while blocks > FAN:  # [blocks, FAN] each: row k of a level has the children of node k above
            blocks = -(-blocks // FAN)
            self._levels.append(np.zeros((blocks, FAN)))
        self._ends = np.zeros(self._levels[-1].size)  # running sums of the highest level

    @property
    def total(self) -> float:
        """Return the sum of all places."""
        return float(self._ends[-1])

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self._ends.nbytes + sum(level.nbytes for level in self._levels)

    def get(self, places: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Return the numbers at some places, float32."""
        return self._levels[0].reshape(-1).take(places).astype(np.float32, copy=False)

    def set(self, places: npt.NDArray[np.integer], numbers: npt.ArrayLike) -> None:
        """Write numbers at some places; of a place named repeatedly, the last number stays."""
        if not len(places):
            return
        nodes = np.asarray(places, np.int64)
        self._levels[0].reshape(-1)[nodes] = numbers
        for level, above in zip(self._levels, self._levels[1:]):
            nodes = nodes >> _SHIFT
            if len(nodes) > 1:  # neighbours share a parent: a contiguous run shrinks at each level
                nodes = nodes[np.diff(nodes, prepend=-1) != 0]
            above.reshape(-1)[nodes] = level.take(nodes, axis=0).sum(axis=1, dtype=np.float64)
        self._levels[-1].reshape(-1).cumsum(dtype=np.float64, out=self._ends)

    def find(self, prefixes: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Find, for each number in [0, total), the place where the running sum passes it.

        A place that holds zero is never found, whatever rounding does; the total must be positive.
        """
        places = self._descend(prefixes)
        found = self._levels[0].reshape(-1).take(places, mode="clip") > 0.0
        lost = np.flatnonzero(~found | (places >= self.size))
        if len(lost):  # rounding led past the last place of a node
            places[lost] = self._descend(prefixes[lost], careful=True)
        return places

    def _descend(
        self, prefixes: npt.NDArray[np.float64], *, careful: bool = False
    ) -> npt.NDArray[np.int64]:
        """Walk down to the leaves; if `careful`, never into a child that is zero."""
        highest = self._levels[-1].reshape(-1)
        last = np.flatnonzero(highest)[-1] if careful else len(highest) - 1
        nodes = np.minimum(self._ends.searchsorted(prefixes, side="right"), last)
        rest = prefixes - np.where(nodes > 0, self._ends.take(nodes - 1, mode="wrap"), 0.0)
        firsts = np.arange(len(rest)) * FAN
        for level in self._levels[-2::-1]:
            children = level.take(nodes, axis=0, mode="clip")
            sums = children.cumsum(axis=1, dtype=np.float64)
            chosen = np.minimum((sums <= rest[:, None]).sum(axis=1), FAN - 1)
            if careful:
                chosen = np.minimum(chosen, FAN - 1 - (children[:, ::-1] > 0.0).argmax(axis=1))
            before = sums.reshape(-1).take(firsts + chosen - 1, mode="wrap")
            rest -= np.where(chosen > 0, before, 0.0)
            nodes = nodes * FAN + chosen
        return nodes

    def check_valid(self) -> tuple[bool, str]:
        """Whether every node is the sum of its children, and why not if it is not."""
        for level in self._levels:
            if not (np.isfinite(level).all() and level.min() >= 0.0):
                return False, "the sum tree holds numbers that are negative or not finite"
        for height, (level, above) in enumerate(zip(self._levels, self._levels[1:]), start=1):
            wrong = np.flatnonzero(
                above.reshape(-1)[: len(level)] != level.sum(axis=1, dtype=np.float64)
            )
            if len(wrong):
                return False, (
                    f"node {wrong[0]} of level {height} of the sum tree is not its children's sum"
                )
        if not np.array_equal(self._ends, self._levels[-1].reshape(-1).cumsum(dtype=np.float64)):
            return False, "the sum tree's running sums are not those of its highest level"
        if self._levels[0].reshape(-1)[self.size :].any():
            return False, f"the sum tree has numbers beyond its {self.size} places"
        return True, ""
