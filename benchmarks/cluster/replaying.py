"""A worker that commits recorded games repeatedly at a given speed, without playing.

It imports little besides the store and Ray, so that dozens of them fit on one machine.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray

from agents.progress import Elapsed
from selfplay.cluster.supervision import Ready
from store.replay.episodes import UUID_BYTES, Episode
from store.replay.segments import SegmentName, SegmentWriter, decode_segment
from store.run import open_run

LEAST_PRIORITY = 19


@dataclass(frozen=True)
class ReplayedRound:
    """A `selfplay.cluster.worker.RoundReport` with the time of its commit.

    Attributes:
        committed_at: by `time.monotonic`, which all processes of a machine share.
    """

    writer: str
    step: int
    seconds: float
    counters: dict[str, int]
    host: str
    segments: tuple[str, ...]
    committed_at: float


class ReplayingWorker:
    """Replaces `selfplay.cluster.worker.Worker`, with the same methods.

    It runs at the lowest priority, since on a real cluster it would not share the learner's cores.

    Args:
        recorded: the bytes of a segment of the games to commit.
        games: the number of these games.
        games_per_s: speed; 0 is as fast as possible.
    """

    def __init__(
        self, store_url: str, run_name: str, recorded: bytes, games: int, games_per_s: float
    ) -> None:
        os.nice(LEAST_PRIORITY)
        name = SegmentName(0, games, zlib.crc32(recorded))
        batch = decode_segment(name, recorded)
        self._writer = SegmentWriter(open_run(store_url, run_name), batch.schema)
        self._games = itertools.cycle([batch.episode(i) for i in range(len(batch))])
        self._games_per_s = games_per_s
        self._stopped = threading.Event()
        self._step = -1

    def prepare(self) -> Ready:
        """Do nothing: there is nothing to compile."""
        return Ready(os.uname().nodename)

    def play_round(
        self, rows: int, step: int, weights: Sequence[Any], elapsed: Elapsed
    ) -> ReplayedRound:
        """Commit games of `rows` rows under new UUIDs, after the time it takes to play them."""
        begun = time.monotonic()
        if step != self._step:
            ray.get(weights[0])  # fetched as by a worker, but there is no network to load
            self._step = step
        count = made = 0
        while made < rows:
            game = next(self._games)
            self._writer.append(Episode(os.urandom(UUID_BYTES), game.arrays))
            made += len(game.arrays["row_ply"])
            count += 1
        if self._games_per_s:
            self._stopped.wait(begun + count / self._games_per_s - time.monotonic())
        segments = tuple(filter(None, [self._writer.commit()]))
        now = time.monotonic()
        counters = {"games": count, "rows": made, "simulations": 0, "evaluations": 0}
        host = os.uname().nodename
        writer = self._writer.writer
        return ReplayedRound(writer, step, now - begun, counters, host, segments, now)

    def stop(self) -> None:
        """Stop waiting."""
        self._stopped.set()
