"""Link the rows of a ring of frames to those before and after them in their episodes."""

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.integer]


class FrameLinks:
    """For each place of a ring its step, and the places of the frames before and after it.

    A frame without one before it, or after it, has itself there: so a walk of any length needs no
    test, and stays at an episode's first or last frame. A row that leaves the ring is unlinked from
    the one after it, so a link never leads to another episode's frame.

    Attributes:
        step: int32 [capacity], number of the frame in its episode.
        previous: int32 [capacity], place of the frame before it.
        next: int32 [capacity], place of the frame after it.
    """

    def __init__(self, capacity: int) -> None:
        if capacity >= 2**31:
            raise ValueError(f"expected a capacity below 2**31 frames, got {capacity}")
        self.step = np.zeros(capacity, np.int32)
        self.previous = np.arange(capacity, dtype=np.int32)
        self.next = np.arange(capacity, dtype=np.int32)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.step.nbytes + self.previous.nbytes + self.next.nbytes

    def put(self, places: Places, step: npt.NDArray[np.int64], before: Places) -> None:
        """Link new frames at some places [n], each at most once.

        Args:
            places: of the frames.
            step: their numbers in their episodes [n].
            before: places of the frames before them [n], their own where there are none.
        """
        self.step[places] = step
        self.next[places] = places
        self.previous[places] = before
        linked = before != places
        self.next[before[linked]] = places[linked]

    def unlink(self, places: Places) -> None:
        """Separate frames that leave the ring from the ones after them."""
        after = self.next[places]
        linked = after != places
        self.previous[after[linked]] = after[linked]

    def after(self, places: Places) -> Places:
        """List the places of the frames right after these, of those that have one."""
        following = self.next[places]
        return following[following != places]

    def before(self, places: Places, back: int) -> Places:
        """Return the places of the frames `back` steps before these; the first ones held if fewer.

        The shape is that of `places`.
        """
        for _ in range(back):
            places = self.previous.take(places)
        return places

    def holds_stack(self, places: Places, length: int) -> npt.NDArray[np.bool_]:
        """Whether the `length` frames up to these are held, or the episode is shorter, bool [n]."""
        steps = self.step.take(places)
        held = np.ones(len(places), np.bool_)
        at = places
        for back in range(1, length):
            earlier = self.previous.take(at)
            held &= (steps < back) | (earlier != at)
            at = earlier
        return held

    def table(self, places: Places, back: int, ahead: int) -> npt.NDArray[np.int32]:
        """Return the places of the frames around these [n], int32 [back + 1 + ahead, n].

        Column by column, from `back` steps before a frame to `ahead` steps after it.
        """
        table = np.empty((back + 1 + ahead, len(places)), np.int32)
        table[back] = places
        for i in range(back, 0, -1):
            self.previous.take(table[i], out=table[i - 1], mode="wrap")
        for i in range(back, back + ahead):
            self.next.take(table[i], out=table[i + 1], mode="wrap")
        return table
