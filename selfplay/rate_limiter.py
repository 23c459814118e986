"""Rate limit of the learner: samples per insert."""

from __future__ import annotations


class RateLimiter:
    """Allows `passes` training rows for each new row.

    Args:
        passes: training rows a new row, at most.
        batch_size: training rows of a step.

    Attributes:
        credit: training rows that are allowed and not used yet.
    """

    def __init__(self, passes: float, batch_size: int) -> None:
        self.passes = passes
        self.batch_size = batch_size
        self.credit = 0.0

    def earn(self, rows: int) -> None:
        """Allow training on `rows` new rows."""
        self.credit += rows * self.passes

    def spend(self, steps: int) -> None:
        """Record `steps` training steps."""
        self.credit -= steps * self.batch_size

    def steps_allowed(self) -> int:
        """Return the training steps allowed now."""
        return max(0, int(self.credit // self.batch_size))

    def rows_owed(self) -> int:
        """Return the new rows not yet trained on as often as allowed."""
        return int(self.credit / self.passes)

    def steps_of(self, rows: int) -> int:
        """Return the steps, at least one, that `rows` new rows allow."""
        return max(1, int(rows * self.passes // self.batch_size))
