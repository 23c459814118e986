"""Track the segments of one writer that a reader of the replay log has met."""

from store.replay.segments import SegmentName

REMEMBERED = 64
"""Segments of a writer that are known by name, the newest met."""


class KnownSegments:
    """The known segments of one writer: the newest by name, and all before those.

    By name, because the newest may be found late, or twice under one seq (work repeated after a
    crash with another result). A writer that has fallen silent keeps one number.

    Attributes:
        end: seq after the newest known segment.
        settled: whether the writer need not be listed: it has fallen silent.
    """

    __slots__ = ("_heard", "_newest", "_start", "end", "settled")

    def __init__(self, start: int) -> None:
        self.end = start
        self.settled = False
        self._start = start
        self._heard = False  # whether a segment was announced since the last listing
        self._newest: set[SegmentName] = set()

    def first_open(self) -> int:
        """Return the first seq that is judged by name."""
        return max(self._start, self.end - REMEMBERED)

    def is_known(self, name: SegmentName) -> bool:
        """Whether the segment has been met before."""
        return name.seq < self.first_open() or name in self._newest

    def add(self, name: SegmentName) -> None:
        """Mark a segment as known."""
        self._heard, self.settled = True, False
        self.end = max(self.end, name.seq + 1)
        self._newest.add(name)
        if len(self._newest) > 2 * REMEMBERED:
            self._newest = {kept for kept in self._newest if kept.seq >= self.first_open()}

    def newest_from(self, seq: int) -> list[SegmentName]:
        """List the segments known by name from `seq` on, rising."""
        return sorted(name for name in self._newest if name.seq >= seq)

    def listed(self, *, found: bool) -> None:
        """Record that the writer was listed, and whether a new segment was found.

        One that showed nothing new, and was not heard of since it was listed before, is settled.
        """
        self.settled = not found and not self._heard
        self._heard = False
        if self.settled:
            self._start = self.end
            self._newest.clear()
