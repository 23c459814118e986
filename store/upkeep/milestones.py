"""Choose old checkpoints to keep as milestones: dense among the new, sparse among the old.

The learner's steps are cut into cells of 1, 2, 4, 8, ... steps. Of each size, the newest
`each` cells keep the first checkpoint in them. So the checkpoints that stay double their distance
with their age, and there are at most `each` for every power of two up to the newest step.

The rule depends on the steps alone, and pruning after every checkpoint leaves the same as
pruning once at the end: a cell's first checkpoint never changes, and a cell that has left the
newest ones of its size never comes back among them.
"""

from collections.abc import Iterable

EACH = 4
"""Cells of each size that keep a checkpoint, by default."""


def milestones(steps: Iterable[int], each: int = EACH) -> list[int]:
    """Select the steps, rising, that stay as milestones, the first and the newest included."""
    rising = sorted(steps)
    if not rising:
        return []
    newest = rising[-1]
    kept = {newest}
    for level in range(newest.bit_length() + 1):
        oldest_cell = (newest >> level) - each + 1
        kept.update(s for s in first_of_cells(rising, level) if s >> level >= oldest_cell)
    return sorted(kept)


def first_of_cells(rising: Iterable[int], level: int) -> list[int]:
    """Select the first of these rising steps in each cell of 2**level steps."""
    first: dict[int, int] = {}
    for step in rising:
        first.setdefault(step >> level, step)
    return list(first.values())
