"""Keep the order in which a learner took segments, and read its window again in that order.

Writers commit side by side, so neither their names nor the times of their commits say in which
order a learner took their segments. Each checkpoint has that order in a file of its own, for the
window that resuming fills again. So the rows of a filled ring have the numbers they had before.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from store.errors import CheckpointError
from store.replay.episodes import EpisodeBatch
from store.upgrades import WINDOW

WINDOW_FILE = "window.json"


@dataclass(frozen=True)
class Window:
    """The rows that a trainer loads on resume: the newest `rows` that its learner took.

    `of` names the array whose items are counted as rows; episodes are counted where it is None.
    """

    rows: int
    of: str | None = None


@dataclass(frozen=True)
class TakenSegment:
    """A segment that a learner took.

    Attributes:
        key: of the segment in its run.
        rows: how many it added, without those of dropped episodes.
        dropped: places in the segment of episodes that were there before, and not taken again.
    """

    key: str
    rows: int
    dropped: tuple[int, ...] = ()


@dataclass(frozen=True)
class SavedWindow:
    """The part of a learner's order that a checkpoint keeps.

    Attributes:
        segments: those that hold the window, in the order in which they were taken.
        ahead: keys of segments taken before an earlier one of their writer, which could not be
            read yet: the cursor lies before them. All others after the cursor were not taken.
    """

    segments: tuple[TakenSegment, ...] = ()
    ahead: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Encode it as the content of a checkpoint's WINDOW_FILE."""
        segments = [[s.key, s.rows, *([s.dropped] if s.dropped else [])] for s in self.segments]
        document = {"format": WINDOW.name, "segments": segments, "ahead": self.ahead}
        return json.dumps(document, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "SavedWindow":
        """Decode what `to_bytes` made.

        Raises:
            CheckpointError: it is something else.
            VersionError: a newer version of the program wrote it.
        """
        try:
            document = WINDOW.read(json.loads(data))
            segments = tuple(_segment_of(*entry) for entry in document["segments"])
            return cls(segments, tuple(map(_text, document["ahead"])))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CheckpointError(
                f"{WINDOW_FILE} is not the order of a window ({type(error).__name__}: {error})"
            ) from error


def _segment_of(key: Any, rows: Any, dropped: Sequence[Any] = ()) -> TakenSegment:
    return TakenSegment(_text(key), _count(rows), tuple(map(_count, dropped)))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a segment's key, got {value!r:.80}")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise ValueError(f"expected a number of rows or an episode's place, got {value!r:.80}")
    return value


class TakenSegments:
    """The segments that a learner took last: the newest that hold `rows` rows together."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._segments: deque[TakenSegment] = deque()
        self._held = 0

    def __iter__(self) -> Iterator[TakenSegment]:
        return iter(self._segments)

    def add(self, segment: TakenSegment) -> None:
        """Add a segment that was taken after all others; one without rows is not kept."""
        if not segment.rows:
            return
        self._segments.append(segment)
        self._held += segment.rows
        while self._held - self._segments[0].rows >= self.rows and len(self._segments) > 1:
            self._held -= self._segments.popleft().rows


class ReplayWindow(Iterable[EpisodeBatch]):
    """A learner's window as it is stored, in the order in which it was taken; read once.

    Segments are read while they are asked for, a few ahead, so that filling a ring from them does
    not need its memory twice.

    Args:
        parts: (rows, batch) of each segment; None for one that is gone or damaged.
        rows: of all of them together, missing ones included.
    """

    def __init__(self, parts: Iterable[tuple[int, EpisodeBatch | None]], rows: int) -> None:
        self._parts = parts
        self.rows = rows

    @classmethod
    def of(cls, batches: Sequence[EpisodeBatch], field: str | None = None) -> "ReplayWindow":
        """Make a window of batches in memory, whose rows are the items of a field."""
        counted = [(batch.rows(field), batch) for batch in batches]
        return cls(counted, sum(rows for rows, _ in counted))

    def __iter__(self) -> Iterator[EpisodeBatch]:
        return (batch for _, batch in self.placed())

    def placed(self) -> Iterator[tuple[int, EpisodeBatch]]:
        """Yield each batch with the number of rows before it in the window.

        Rows of missing segments count, so that a ring can leave their places empty.
        """
        before = 0
        for rows, batch in self._parts:
            if batch is not None:
                yield before, batch
            before += rows
