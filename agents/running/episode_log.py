"""Commit the episodes of an actor to the store as segments of a writer of its own."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence

from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.log import parse_segment_key
from store.replay.segments import Compression, SegmentName, SegmentWriter
from store.run import Run

NoteSegment = Callable[[str, SegmentName, EpisodeBatch], None]
"""Is told of a writer's new segment and of the episodes in it (`Upkeep.note_segment`)."""


def writer_name(run_name: str, seed: int, number: int) -> str:
    """Return an actor's writer id in the store, stable across resumes."""
    return hashlib.blake2b(f"{run_name}/{seed}/{number}".encode(), digest_size=16).hexdigest()


def fresh_number() -> int:
    """Return an actor number that no other actor has in any run."""
    return uuid.uuid4().int >> 66  # 62 bits: a seed, and with an actor's threads still an int64


class EpisodeLog:
    """Episodes for readers: matches to be seen again, or learned from elsewhere.

    A session goes on after the last segment in the store, whatever the checkpoint knew of it: what
    was committed before a kill stays, and is not made again.

    Args:
        run: where they go.
        schema: what every episode must look like.
        seed, number: of the run and of the actor; they name the writer.
        compression: "zstd" for bulky arrays.
        note: is told of each new segment.
    """

    def __init__(
        self,
        run: Run,
        schema: EpisodeSchema,
        *,
        seed: int,
        number: int = 0,
        compression: Compression = "zstd",
        note: NoteSegment | None = None,
    ) -> None:
        self._writer = SegmentWriter(
            run, schema, compression, writer=writer_name(run.name, seed, number)
        )
        self._note = note
        self._waiting: list[EpisodeBatch] = []

    @property
    def cursor(self) -> dict[str, int]:
        """Return its place in the replay log, {writer: number of its next segment}."""
        return self._writer.cursor

    def commit(self, episodes: Sequence[Episode]) -> str | None:
        """Commit episodes as one segment; return its key in the run, None without any.

        Raises SchemaError for an episode that does not fit, and StoreWriteError; the episodes then
        go with those of the next call.
        """
        schema = self._writer.schema
        if episodes:
            batch = EpisodeBatch.of(schema, list(episodes))
            self._writer.extend(batch)
            self._waiting.append(batch)
        key = self._writer.commit()
        if key is None:
            return None
        committed, self._waiting = self._waiting, []
        if self._note:
            self._note(*parse_segment_key(key), EpisodeBatch.concatenate(schema, committed))
        return key
