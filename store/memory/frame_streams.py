"""Track the episodes that streams of frames are in the middle of."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from store.memory.frames import GOES_ON
from store.replay.episodes import EpisodeBatch

NO_ROW = -1


class OpenEpisode(NamedTuple):
    """An episode that goes on: its number in its stream, row and step of its newest frame."""

    episode: int
    row: int
    step: int


class FrameStreams:
    """For each stream its open episode, if it has one, and the number of the next."""

    def __init__(self) -> None:
        self._open: dict[int, OpenEpisode] = {}
        self._next: dict[int, int] = {}

    def current(self, stream: int) -> OpenEpisode:
        """Return the episode that a stream's next frame belongs to; one without frames is new."""
        return self._open.get(stream) or OpenEpisode(self.next_episode(stream), NO_ROW, -1)

    def next_episode(self, stream: int) -> int:
        """Return the number of the next episode that a stream begins."""
        opened = self._open.get(stream)
        return self._next.get(stream, 0) if opened is None else opened.episode + 1

    def advance(self, stream: int, newest: OpenEpisode, *, ended: bool) -> None:
        """Record the newest frame of a stream, and whether its episode has ended with it."""
        if ended:
            self._open.pop(stream, None)
            self._next[stream] = newest.episode + 1
        else:
            self._open[stream] = newest

    def restart(self, streams: Iterable[int] | None = None) -> None:
        """Close the open episodes of some streams, all if None: what follows is a new episode."""
        for stream in list(self._open) if streams is None else streams:
            self._next[stream] = self.next_episode(stream)
            self._open.pop(stream, None)

    def rows_before(self, batch: EpisodeBatch, first_row: int) -> npt.NDArray[np.int64]:
        """Return the row that each piece of a batch continues, int64 [pieces], and follow them.

        NO_ROW at an episode's start, and where a piece before it is missing.

        Args:
            batch: pieces, those of a stream in their order.
            first_row: number that the first frame of the batch will have.
        """
        values, starts = batch.values, batch.offsets["frame"] + first_row
        named = (values[name].tolist() for name in ("stream", "episode", "first_step", "ending"))
        before = np.full(len(batch), NO_ROW, np.int64)
        for i, (stream, episode, first_step, ending) in enumerate(zip(*named)):
            opened = self._open.get(stream)
            if opened is not None and (opened.episode, opened.step + 1) == (episode, first_step):
                before[i] = opened.row
            last = int(starts[i + 1]) - 1
            newest = OpenEpisode(episode, last, first_step + last - int(starts[i]))
            self.advance(stream, newest, ended=ending != GOES_ON)
        return before

    def state(self, oldest: int = 0) -> dict[str, npt.NDArray[np.int64]]:
        """Return the state as arrays int64 [streams], for a checkpoint.

        Streams whose newest frame is before row `oldest` are left out: every start of an actor
        leaves some, and nothing continues them.
        """
        gone = {stream for stream, opened in self._open.items() if opened.row < oldest}
        streams = sorted({*self._open, *self._next} - gone)
        opened = [self._open.get(stream, OpenEpisode(NO_ROW, NO_ROW, -1)) for stream in streams]
        columns = np.array(opened, np.int64).reshape(-1, 3).T
        return {
            "stream": np.array(streams, np.int64),
            "episode": columns[0].copy(),
            "row": columns[1].copy(),
            "step": columns[2].copy(),
            "next_episode": np.array([self._next.get(s, 0) for s in streams], np.int64),
        }

    def load(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Restore `state`."""
        names = ("stream", "episode", "row", "step", "next_episode")
        rows = list(zip(*(state[name].tolist() for name in names), strict=True))
        self._open = {s: OpenEpisode(e, row, step) for s, e, row, step, _ in rows if row != NO_ROW}
        self._next = {stream: number for stream, *_, number in rows}
