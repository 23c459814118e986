"""An actor whose episodes reach the learner at once, and the store as fewer, larger segments.

Episodes of frames are bulky. In one process they need not be read back from the store: the learner
takes them as they are made, and they are sealed to the store every `segment_rows`, at a checkpoint
and at the end. A kill loses what is not sealed; the segments sealed after the newest checkpoint are
read as new ones when the run is resumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from agents.registry import algorithm_of
from agents.training import TrainConfig
from selfplay.committing import writer_of
from store.replay.episodes import EpisodeBatch
from store.replay.segments import SegmentWriter
from store.run import Run

MOST_UNSEALED = 2  # segments that are encoded or written; more wait, so that memory is bounded


class Sealed(NamedTuple):
    """A segment in the store: its key, and the episodes in it."""

    key: str
    batch: EpisodeBatch


class Sealer:
    """Commits batches of episodes as segments, in their order, in a thread of its own.

    An error of the thread surfaces on the next call. Its episodes stay in memory: the next segment
    holds them too, and waiting for all that is under way tries again.
    """

    def __init__(self, writer: SegmentWriter) -> None:
        self._writer = writer
        self._unsealed: list[EpisodeBatch] = []  # of the thread: handed to the writer
        self._coming: list[Future[Sealed]] = []
        self._sealed: list[Sealed] = []  # and not returned yet
        self._thread = ThreadPoolExecutor(1, "seal")

    def seal(self, batches: list[EpisodeBatch]) -> None:
        """Commit these batches as one segment, later."""
        self._coming.append(self._thread.submit(self._commit, batches))

    def take(self, *, wait: bool) -> list[Sealed]:
        """Return the segments sealed since the last call, in order.

        Args:
            wait: for all that are under way; else only while there are more than MOST_UNSEALED.

        Raises:
            StoreWriteError: one could not be written; those before it are returned later. Other
                errors of the store likewise.
        """
        if wait and not self._coming and self._unsealed:
            self.seal([])
        while self._coming:
            if not (wait or self._coming[0].done() or len(self._coming) > MOST_UNSEALED):
                break
            self._sealed.append(self._coming.pop(0).result())
        sealed, self._sealed = self._sealed, []
        return sealed

    def _commit(self, batches: list[EpisodeBatch]) -> Sealed:
        if batches:
            joined = EpisodeBatch.concatenate(self._writer.schema, batches)
            self._writer.extend(joined)
            self._unsealed.append(joined)
        key = self._writer.commit()
        assert key is not None  # empty batches are not handed over
        sealed, self._unsealed = self._unsealed, []
        return Sealed(key, EpisodeBatch.concatenate(self._writer.schema, sealed))

    def close(self) -> None:
        """Wait for the thread and end it."""
        self._thread.shutdown()


class WritingThrough:
    """An algorithm's actor, whose episodes are taken at once and sealed in the background.

    Attributes:
        actor: the algorithm's.
        writer: of its segments; its thread's while segments are under way.
    """

    def __init__(self, run: Run, config: TrainConfig, *, number: int = 0) -> None:
        algorithm = algorithm_of(config)
        # goes on after the last segment of before, which nothing makes again
        self.writer = writer_of(run, config, number, next_seq=None)
        self.first_seq = self.writer.next_seq
        self.actor = algorithm.make_actor(config, number)
        self._row_field = algorithm.row_field(config)
        self._segment_rows = algorithm.segment_rows(config)
        self._waiting: list[EpisodeBatch] = []
        self._waiting_rows = 0  # of thousands of batches, where a round has a few steps
        self._sealer = Sealer(self.writer)

    def take(self) -> EpisodeBatch | None:
        """Return the episodes made since the last call, to be learned from; None without any.

        They are kept until they are sealed, which is begun here for every `segment_rows` rows.
        """
        episodes = self.actor.take_episodes()
        if not episodes:
            return None
        batch = EpisodeBatch.of(self.writer.schema, episodes)
        self._waiting.append(batch)
        self._waiting_rows += batch.rows(self._row_field)
        if self._waiting_rows >= self._segment_rows:
            self._seal()
        return batch

    def sealed(self, *, all_of_it: bool = False) -> list[Sealed]:
        """Return the segments sealed since the last call, in the order of their episodes.

        With `all_of_it`, seal what is left and wait. Raises what the thread raised, once.
        """
        if all_of_it:
            self._seal()
        return self._sealer.take(wait=all_of_it)

    def _seal(self) -> None:
        if self._waiting:
            self._sealer.seal(self._waiting)
            self._waiting, self._waiting_rows = [], 0

    def state(self) -> tuple[bytes, dict[str, Any]]:
        """Return the actor's state and the number of its next segment; after all is sealed."""
        data, rest = self.actor.state()
        return data, {**rest, "next_seq": self.writer.next_seq}

    def load_state(self, data: bytes, rest: Mapping[str, Any]) -> None:
        """Continue from `state`; raises VersionError for a newer version's.

        "next_seq" is that of now: it differs from that of every earlier start after which anything
        was sealed, so new streams can be named by it.
        """
        self.actor.load_state(data, {**rest, "next_seq": self.first_seq})

    def close(self) -> None:
        """Release the actor and the thread; what is not sealed is lost."""
        self.actor.close()
        self._sealer.close()
