"""The driver's list of segments that workers committed and the learner has not acknowledged."""

from __future__ import annotations

from collections.abc import Sequence

from agents.registry import algorithm_of
from agents.training import TrainConfig


class Announcements:
    """Segments announced by workers and not yet acknowledged by the learner, by key.

    They stay here until the learner has answered the call that names them. If the call fails, the
    next one names them again, to this learner or its replacement: a reader skips known segments.
    """

    def __init__(self) -> None:
        self._segments: list[str] = []
        self._rows: list[int] = []  # of the answer that named each, with its first segment
        self._named = 0  # how many of the first are in the learner's current call

    @property
    def rows(self) -> int:
        """Return the training rows that the learner has not acknowledged."""
        return sum(self._rows)

    def add(self, segments: Sequence[str], rows: int) -> None:
        """Record the segments of a worker's answer and their training rows."""
        for segment in segments:
            self._segments.append(segment)
            self._rows.append(rows)
            rows = 0

    def hand_over(self) -> list[str]:
        """Return all recorded segments, for the learner's next call."""
        self._named = len(self._segments)
        return list(self._segments)

    def call_failed(self) -> None:
        """Keep the segments of the learner's last call, which failed."""
        self._named = 0

    def taken_over(self) -> None:
        """Forget the segments of the learner's last call, which succeeded."""
        del self._segments[: self._named], self._rows[: self._named]
        self._named = 0


def must_wait(config: TrainConfig, rows: int) -> bool:
    """Return whether workers must wait, given the committed rows not trained on.

    Beyond `Algorithm.backlog_rows` each worker may add one segment, as many can arrive at once.
    """
    most = algorithm_of(config).backlog_rows(config)
    return rows > most + config.workers * config.cluster.segment_rows
