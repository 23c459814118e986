"""An actor that commits its finished episodes to the store before reporting them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.registry import algorithm_of
from agents.running.episode_log import writer_name
from agents.training import TrainConfig
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.segments import SegmentWriter
from store.run import Run


def writer_of(run: Run, config: TrainConfig, number: int, next_seq: int | None) -> SegmentWriter:
    """Return the writer of an actor's segments; `next_seq` as in `SegmentWriter`."""
    algorithm = algorithm_of(config)
    return SegmentWriter(
        run,
        algorithm.schema(config),
        algorithm.compression(config),
        writer=writer_name(run.name, config.seed, number),
        next_seq=next_seq,
    )


class CommittingActor:
    """An algorithm's actor and its writer in the store.

    Attributes:
        actor: the algorithm's.
        writer: of its segments.
    """

    def __init__(
        self, run: Run, config: TrainConfig, *, number: int = 0, next_seq: int | None = None
    ) -> None:
        self.writer = writer_of(run, config, number, next_seq)
        self.actor = algorithm_of(config).make_actor(config, number)
        self._finished: list[Episode] = []

    def commit(self) -> list[str]:
        """Write the episodes finished since the last commit as one segment.

        Returns its key in a list; [] if no episode finished. Once this returns, the episodes are in
        the store. Raises StoreWriteError; they are then kept for another try.
        """
        self._finished += self.actor.take_episodes()
        if self._finished:  # together: one by one they would be checked and copied twice
            self.writer.extend(EpisodeBatch.of(self.writer.schema, self._finished))
            self._finished = []
        key = self.writer.commit()
        return [] if key is None else [key]

    def state(self) -> tuple[bytes, dict[str, Any]]:
        """Return the actor's state and the number of its next segment."""
        data, rest = self.actor.state()
        return data, {**rest, "next_seq": self.writer.next_seq}

    def load_state(self, data: bytes, rest: Mapping[str, Any]) -> None:
        """Continue from `state`; raises VersionError for a newer version's."""
        self.actor.load_state(data, rest)

    def close(self) -> None:
        """Release the actor."""
        self.actor.close()
