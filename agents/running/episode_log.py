"""Commit the episodes of an actor to the store as segments of a writer of its own."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence

from store.errors import StoreError
from store.replay.episodes import Episode, EpisodeBatch, EpisodeSchema
from store.replay.log import parse_segment_key
from store.replay.segments import Compression, SegmentName, SegmentWriter, decode_segment
from store.run import Run

SEGMENT_BYTES = 2**23
"""Bytes of waiting episodes that make a segment, before compression."""

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
        self._run, self._note = run, note
        self._waiting: list[EpisodeBatch] = []
        self._added: list[Episode] = []
        self._added_bytes = 0

    @property
    def cursor(self) -> dict[str, int]:
        """Return its place in the replay log, {writer: number of its next segment}."""
        return self._writer.cursor

    def note_from(self, seq: int) -> None:
        """Note the stored segments from a number on: those that no checkpoint knows of."""
        if self._note is None:
            return
        folder = self._writer.folder
        names = map(SegmentName.parse, self._run.files.names(folder))
        for name in sorted(name for name in names if name and name.seq >= seq):
            try:
                batch = decode_segment(name, self._run.files.read(f"{folder}/{name}"))
            except (StoreError, OSError):  # whoever reads it says so
                continue
            if batch.schema == self._writer.schema:
                self._note(self._writer.writer, name, batch)

    def add(self, episodes: Sequence[Episode]) -> None:
        """Add episodes, which are committed once they fill a segment, or with a checkpoint.

        Raises as `commit` does.
        """
        for episode in episodes:
            self._added.append(episode)
            self._added_bytes += sum(array.nbytes for array in episode.arrays.values())
            if self._added_bytes >= SEGMENT_BYTES:
                self.commit()

    def commit(self, episodes: Sequence[Episode] = ()) -> str | None:
        """Commit episodes, after those that were added, as one segment.

        Returns its key in the run, None without any. Raises SchemaError for an episode that does
        not fit, and StoreWriteError; the episodes then go with those of the next call.
        """
        schema = self._writer.schema
        episodes = [*self._added, *episodes]
        self._added, self._added_bytes = [], 0
        if episodes:
            batch = EpisodeBatch.of(schema, episodes)
            self._writer.extend(batch)
            self._waiting.append(batch)
        key = self._writer.commit()
        if key is None:
            return None
        committed, self._waiting = self._waiting, []
        if self._note:
            self._note(*parse_segment_key(key), EpisodeBatch.concatenate(schema, committed))
        return key
