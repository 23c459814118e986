"""What workers have committed and the learner has not taken over yet, as the driver knows it."""

from __future__ import annotations

from collections.abc import Sequence

from agents.training import TrainConfig


class Announcements:
    """Segments on their way from the workers' answers to the learner, by their keys.

    They stay here until the learner has answered the call that names them. If it fails, the next
    call names them again, to it or to the one in its place: a reader passes over what it knows.
    """

    def __init__(self) -> None:
        self._segments: list[str] = []
        self._rows: list[int] = []  # of the answer that named each, with its first segment
        self._named = 0  # the first so many are named in the learner's present call

    @property
    def rows(self) -> int:
        """Training rows of what the learner has not taken over."""
        return sum(self._rows)

    def add(self, segments: Sequence[str], rows: int) -> None:
        """Note what a worker answered for: its segments and the training rows in them."""
        for segment in segments:
            self._segments.append(segment)
            self._rows.append(rows)
            rows = 0

    def hand_over(self) -> list[str]:
        """All segments noted, for the learner's next call."""
        self._named = len(self._segments)
        return list(self._segments)

    def call_failed(self) -> None:
        """Keep what the learner's last call named: it has not answered."""
        self._named = 0

    def taken_over(self) -> None:
        """Forget what the learner's last call named: it has answered."""
        del self._segments[: self._named], self._rows[: self._named]
        self._named = 0


def must_wait(config: TrainConfig, rows: int) -> bool:
    """Whether workers get no round, with so many rows committed and not trained on.

    Beside `cluster.backlog_rows` each worker may have made one segment: so many come in at once.
    """
    cluster = config.cluster
    return rows > cluster.backlog_rows + config.workers * cluster.segment_rows
