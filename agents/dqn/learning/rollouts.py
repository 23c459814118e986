"""Consecutive rows of streams, for lambda-returns: blocks of T steps and the row after them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from store.replay.episodes import EpisodeBatch


@dataclass
class _OpenBlock:
    """The rows of a stream that no block has yet, and what continues them."""

    episode: int
    next_step: int
    rows: list[int] = field(default_factory=list)


class Rollouts:
    """Cuts the rows of a ring's streams into blocks of `steps` + 1, in the order of arrival.

    The last row of a block is the first of the stream's next one: it is what was seen after the
    block's last step. A block goes with its first row from the ring. Blocks are in the order in
    which they were complete, which is not that of their first rows: streams begin theirs at
    different steps, and their pieces come at different times.

    Args:
        steps: T, steps of a block (PQN: 32).

    Attributes:
        new: how many of the blocks, the newest, came since the last draw.
        known_starts: while a ring is refilled, the `starts` of the one that was saved; None cuts
            each stream from its first row on.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._open: dict[int, _OpenBlock] = {}
        self._blocks: list[NDArray[np.int64]] = []
        self._first_row = 0  # no block begins before it
        self.new = 0
        self.known_starts: frozenset[int] | None = None

    def __len__(self) -> int:
        return len(self._blocks)

    def add(self, batch: EpisodeBatch, first_row: int) -> None:
        """Note the rows of pieces that a ring takes from row number `first_row` on."""
        values = batch.values
        lengths = batch.lengths("frame")
        ends = values["ending"] != 0
        row = first_row
        for i, length in enumerate(lengths.tolist()):
            stream, episode, step = (
                int(values[name][i]) for name in ("stream", "episode", "first_step")
            )
            self._extend(stream, episode, step, range(row, row + length), ended=bool(ends[i]))
            row += length

    def _extend(self, stream: int, episode: int, step: int, rows: range, *, ended: bool) -> None:
        opened = self._open.get(stream)
        if opened is None or (opened.episode, opened.next_step) != (episode, step):
            opened = self._open[stream] = _OpenBlock(episode, step)  # the first, or after a gap
        opened.rows.extend(rows if opened.rows else self._from_a_start(rows))
        opened.episode, opened.next_step = (
            (episode + 1, 0) if ended else (episode, step + len(rows))
        )
        size = self.steps + 1
        while len(opened.rows) >= size:
            self._blocks.append(np.array(opened.rows[:size]))
            self._first_row = min(self._first_row, opened.rows[0])
            self.new += 1
            del opened.rows[: self.steps]

    def _from_a_start(self, rows: range) -> range:
        """Return the rows from the first on that begins a block."""
        if self.known_starts is None:
            return rows
        return range(next((row for row in rows if row in self.known_starts), rows.stop), rows.stop)

    def starts(self) -> NDArray[np.int64]:
        """Return the first rows of all blocks and of those that are not whole yet, int64 [n].

        Cutting starts again at these rows: a stream's first row in a ring may be inside a block.
        """
        firsts = [int(block[0]) for block in self._blocks]
        firsts += [opened.rows[0] for opened in self._open.values() if opened.rows]
        return np.array(firsts, np.int64)

    def forget_before(self, oldest: int) -> None:
        """Drop the blocks that begin before row `oldest`, which the ring has no more."""
        if oldest <= self._first_row:
            return
        older = len(self._blocks) - min(self.new, len(self._blocks))
        kept = [block[0] >= oldest for block in self._blocks]
        self.new = sum(map(int, kept[older:]))
        self._blocks = [block for block, held in zip(self._blocks, kept, strict=True) if held]
        self._first_row = min((int(block[0]) for block in self._blocks), default=oldest)
        self._open = {  # without those of actors that are gone
            stream: opened
            for stream, opened in self._open.items()
            if not opened.rows or opened.rows[-1] >= oldest
        }

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Draw `count` blocks: the new ones, or some of them, and else any older ones.

        A round's blocks come stream by stream, so to take the last ones would be to leave the same
        streams out each time.

        Returns:
            Row numbers [steps + 1, count].

        Raises:
            ValueError: there is no block yet.
        """
        if not self._blocks:
            raise ValueError(f"no stream has {self.steps + 1} rows in the ring yet")
        held = len(self._blocks)
        older = held - min(self.new, held)
        self.new = 0
        chosen = np.arange(older, held)
        if count < len(chosen):
            chosen = rng.choice(chosen, count, replace=False)
        others = rng.integers(older or held, size=count - len(chosen))
        return np.stack([self._blocks[i] for i in [*chosen, *others]], axis=1)
