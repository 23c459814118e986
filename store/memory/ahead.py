"""Sample the next batch while a learner trains on the one before it."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from store.memory.frame_ring import FrameRing
from store.memory.transitions import Transitions


class SampleAhead:
    """Samples batches of n transitions from a ring, each while the one before it is used.

    Copying frames is what sampling costs, and NumPy does it without the interpreter's lock. The
    rows of a batch are drawn before it is copied, in the thread of the caller. So what is drawn
    does not depend on how fast either side is; it is drawn by the priorities from before the
    updates that the batch before it leads to (as in Ape-X, Horgan et al. 2018, where samples are
    fetched ahead).

    Args:
        ring: sampled; nothing may be added to it while batches are taken.
        n: transitions of a batch.
        buffers: arrays [n, S + N, *frame shape] to copy into, in turns, e.g. pinned memory; at
            least two. Two new ones if None.
    """

    def __init__(
        self, ring: FrameRing, n: int, buffers: list[npt.NDArray[np.generic]] | None = None
    ) -> None:
        dtype, shape = ring.schema.fields["frame"]
        whole = (n, ring.stack + ring.steps, *shape)
        self._ring = ring
        self._n = n
        self._buffers = [np.empty(whole, dtype) for _ in range(2)] if buffers is None else buffers
        if len(self._buffers) < 2:
            raise ValueError(f"expected at least two buffers, got {len(self._buffers)}")
        self._thread = ThreadPoolExecutor(1, "sample")

    def batches(
        self, rng: np.random.Generator, count: int, beta: float = 1.0
    ) -> Iterator[Transitions]:
        """Yield `count` batches; their frames are overwritten as many batches later as buffers.

        Args:
            rng: what is drawn with, by this thread alone.
            count: how many.
            beta: as in `FrameRing.sample`.

        Raises:
            ValueError: no row can be sampled yet.
        """
        coming = self._begin(rng, beta, 0) if count else None
        for number in range(1, count + 1):
            assert coming is not None
            batch = coming.result()
            coming = self._begin(rng, beta, number) if number < count else None
            yield batch

    def _begin(self, rng: np.random.Generator, beta: float, number: int) -> Future[Transitions]:
        drawn = self._ring.draw(rng, self._n, beta)
        out = self._buffers[number % len(self._buffers)]
        return self._thread.submit(self._ring.transitions, *drawn, out)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()
