"""Measure one learner that reads a thousand writers from a store with 50 ms per request.

The writers are simulated: each commits recorded games under new UUIDs, a segment of a worker's size
every seven seconds, and announces it. The learner is that of a cluster, in this process, with a
tiny network. The store is simulated too: each request of the learner sleeps first.

    python -m benchmarks reading --minutes 2
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig
from benchmarks.cluster.simulated import (
    BATCH,
    LEARNER_USE,
    TINY,
    learner_rows_per_s,
    recorded_games,
    series,
)
from benchmarks.cluster.workers import PACKAGES
from benchmarks.machine import machine_facts, write_result
from benchmarks.processes import MachineShare, resident_mib
from benchmarks.store.throughput import new_run
from selfplay.cluster import learner_node
from selfplay.cluster.announcements import Announcements, must_wait
from selfplay.cluster.driver import POLL_S
from selfplay.cluster.learner_node import LearnerNode
from store.files.local import LocalFiles
from store.replay.episodes import UUID_BYTES, EpisodeBatch
from store.replay.segments import SegmentName, encode_segment
from store.run import REPLAY_FOLDER, Run, open_run

WRITERS, EVERY_S, LATENCY_S = 1000, 7.0, 0.05
GAMES, WINDOW = 600, 400_000
SWEEP_S = 60.0  # more often than in a cluster, so that the measurement includes some
RUN = "reading"


class SegmentMould:
    """Makes segments of the same games under new UUIDs, encoding the games once."""

    def __init__(self, games: EpisodeBatch, rows: int) -> None:
        ends = np.cumsum(games.lengths("row_ply"))
        count = min(int(np.searchsorted(ends, rows)) + 1, len(games))
        batch = games.take(np.arange(count))
        self.games, self.rows = count, batch.rows("row_ply")
        self._data = encode_segment(batch)
        self._place = self._data.index(batch.uuids.tobytes())

    @property
    def size(self) -> int:
        """Return the size of a segment in bytes."""
        return len(self._data)

    def cast(self, seed: int) -> bytes:
        """Return the bytes of a segment, equal for equal seeds."""
        uuids = np.random.default_rng(seed).bytes(UUID_BYTES * self.games)
        return self._data[: self._place] + uuids + self._data[self._place + len(uuids) :]


class SlowStore:
    """The `Files` of a run in which every request takes `latency_s`, as on an object store.

    Segments are generated when read, so that they use none of the reader's memory. All other files
    are on disk.

    Attributes:
        requests: number of requests by method.
    """

    def __init__(self, files: LocalFiles, mould: SegmentMould, latency_s: float) -> None:
        self.requests: Counter[str] = Counter()
        self._files = files
        self._mould = mould
        self._latency_s = latency_s
        self._segments: dict[str, dict[str, int]] = {}

    def commit(self, writer: str, seq: int, seed: int) -> str:
        """Commit a segment as a writer on another machine; return its key."""
        name = str(SegmentName(seq, self._mould.games, zlib.crc32(self._mould.cast(seed))))
        self._segments.setdefault(writer, {})[name] = seed
        return f"{REPLAY_FOLDER}/{writer}/{name}"

    def read(self, key: str, most: int | None = None) -> bytes:
        """See `store.files.protocol.Files`."""
        self._wait("read")
        folder, _, rest = key.partition("/")
        if folder != REPLAY_FOLDER:
            return self._files.read(key, most)
        writer, _, name = rest.partition("/")
        return self._mould.cast(self._segments[writer][name])

    def folders(self, folder: str) -> list[str]:
        """See `store.files.protocol.Files`."""
        self._wait("folders")
        return sorted(self._segments) if folder == REPLAY_FOLDER else self._files.folders(folder)

    def names(self, folder: str) -> list[str]:
        """See `store.files.protocol.Files`."""
        self._wait("names")
        first, _, writer = folder.partition("/")
        if first != REPLAY_FOLDER or not writer:
            return self._files.names(folder)
        return sorted(self._segments.get(writer, {}))

    def remove_many(self, keys: Collection[str]) -> None:
        """See `store.files.protocol.Files`."""
        self._wait("remove_many")
        for key in keys:
            folder, _, rest = key.partition("/")
            writer, _, name = rest.partition("/")
            if folder == REPLAY_FOLDER:
                self._segments[writer].pop(name, None)
            else:
                self._files.remove(key)

    def _wait(self, name: str) -> None:
        self.requests[name] += 1
        time.sleep(self._latency_s)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._files, name)
        if not callable(found):
            return found

        def slow(*arguments: Any, **options: Any) -> Any:
            self._wait(name)
            return found(*arguments, **options)

        return slow


@dataclass
class Writers:
    """Writers that commit segments at a fixed period, each at its own phase.

    Attributes:
        committed: rows so far.
        held_s: seconds they had to wait because the learner was too far behind.
    """

    store: SlowStore
    mould: SegmentMould
    count: int
    every_s: float
    announced: Announcements = field(default_factory=Announcements)
    committed: int = 0
    held_s: float = 0.0
    must_wait: bool = False

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _write(self) -> None:
        pause, begun = self.every_s / self.count, time.monotonic()
        number = 0
        while not self._over.is_set():
            ahead = begun + number * pause - time.monotonic()
            if ahead > 0:
                self._over.wait(ahead)
            elif self.must_wait:
                self._over.wait(0.1)
                self.held_s += 0.1
                begun += 0.1
            else:
                self._commit(number)
                number += 1

    def _commit(self, number: int) -> None:
        writer = f"{number % self.count:032x}"
        key = self.store.commit(writer, number // self.count, number)
        with self.lock:
            self.announced.add([key], self.mould.rows)
            self.committed += self.mould.rows


class SlowStoreLearner(LearnerNode):
    """The learner of a cluster, without Ray, with a slow store."""

    def __init__(
        self, folder: Path, config: AlphaZeroConfig, mould: SegmentMould, latency_s: float
    ) -> None:
        super().__init__(str(folder), RUN, config)
        self._mould = mould
        self._latency_s = latency_s

    def _open_run(self) -> Run:
        run = open_run(*self._where)
        assert isinstance(run.files, LocalFiles)
        self.store = SlowStore(run.files, self._mould, self._latency_s)
        files: Any = self.store
        return replace(run, files=files)

    def _publish(self) -> None:
        reference: Any = self.trainer.publish()
        self.weights = [reference]


def read_from_many(
    seconds: float,
    *,
    writers: int = WRITERS,
    every_s: float = EVERY_S,
    latency_s: float = LATENCY_S,
    games: int = GAMES,
) -> dict[str, Any]:
    """Write and read for `seconds` with one learner and many writers; JSON-ready."""
    facts = machine_facts(PACKAGES)
    config, mould = _config_and_mould(writers, every_s, recorded_games(games))
    sweep_s, learner_node.SWEEP_S = learner_node.SWEEP_S, SWEEP_S
    with tempfile.TemporaryDirectory() as folder:
        new_run(Path(folder), RUN)
        learner = SlowStoreLearner(Path(folder), config, mould, latency_s)
        learner.report()
        cores = time.process_time()
        with Writers(learner.store, mould, writers, every_s) as written:
            samples, share = _learn(learner, written, config, seconds)
        cores = time.process_time() - cores
        requests = dict(learner.store.requests)
        learner.trainer.announce(written.announced.hand_over())
        learner.trainer.read()
        idle = _requests_when_nothing_is_new(learner)
        learner.close()
    learner_node.SWEEP_S = sweep_s
    took_s, read = samples["at_s"][-1], samples["read"][-1]
    return {
        "writers": writers,
        "segment_every_s": every_s,
        "segment_rows": mould.rows,
        "segment_bytes": mould.size,
        "latency_ms": round(1e3 * latency_s),
        "seconds": round(took_s, 1),
        "committed_rows_per_s": round(written.committed / took_s),
        "read_rows_per_s": round(read / took_s),
        "trained_rows_per_s": round(samples["trained"][-1] * BATCH / took_s),
        "core_ms_a_segment": round(1e3 * cores * mould.rows / max(read, 1), 2),
        "cores_used": round(cores / took_s, 2),
        "unread_rows": series([round(x) for x in samples["unread"]]),
        "unread_s_of_writing_at_the_end": round(
            samples["unread"][-1] * every_s / (writers * mould.rows), 2
        ),
        "writers_waited_s": round(written.held_s, 1),
        "memory_mib": series([round(x) for x in samples["mib"]]),
        "requests": requests,
        **idle,
        "machine_share": share,
        "machine": facts,
    }


def _config_and_mould(
    writers: int, every_s: float, recorded: EpisodeBatch
) -> tuple[AlphaZeroConfig, SegmentMould]:
    """Return a config whose rate limit demands LEARNER_USE of the learner's speed, and a mould."""
    learner = LearnerConfig(batch_size=BATCH, window_rows=WINDOW, window_start_rows=WINDOW)
    config = AlphaZeroConfig(
        game="connect_four",
        workers=writers,
        device="cpu",
        checkpoint_minutes=0.5,
        network=TINY,
        learner=learner,
    )
    mould = SegmentMould(recorded, config.cluster.segment_rows)
    written_per_s = writers / every_s * mould.rows
    passes = LEARNER_USE * learner_rows_per_s(recorded, config) / written_per_s
    return replace(config, learner=replace(learner, passes=passes)), mould


def _learn(
    learner: SlowStoreLearner, written: Writers, config: AlphaZeroConfig, seconds: float
) -> tuple[Mapping[str, list[float]], dict[str, float]]:
    """Call the learner as a driver does; return samples of each call, and the machine's shares."""
    share, begun, trained = MachineShare(), time.monotonic(), 0
    samples: dict[str, list[float]] = {
        name: [] for name in ("at_s", "read", "unread", "trained", "mib")
    }
    while time.monotonic() < begun + seconds:
        with written.lock:
            segments = written.announced.hand_over()
        report = learner.learn(0.0, {}, segments)
        trained += report.trained
        with written.lock:
            written.announced.taken_over()
            ahead = report.backlog_rows + report.unread_rows + written.announced.rows
            unread = written.committed - report.rows
        written.must_wait = must_wait(config, ahead)
        mib = resident_mib(os.getpid()) or 0.0
        figures = (time.monotonic() - begun, report.rows, unread, trained, mib)
        for name, figure in zip(samples, figures):
            samples[name].append(figure)
        if not (report.trained or segments):
            time.sleep(POLL_S)
    return samples, share.shares()


def _requests_when_nothing_is_new(learner: SlowStoreLearner) -> dict[str, Any]:
    """Count the requests of a poll and of a sweep that find nothing new."""
    requests = learner.store.requests
    requests.clear()
    learner.trainer.announce([])
    learner.trainer.read_some()
    empty, begun = requests.total(), time.monotonic()
    requests.clear()
    learner.trainer.log.sweep()
    sweep = {"requests": requests.total(), "seconds": round(time.monotonic() - begun, 2)}
    return {"requests_of_an_empty_poll": empty, "sweep": sweep}


def run(seconds: float, peer_python: str | None) -> None:
    """Measure for `seconds`, print the figures and write results/reading.json."""
    result = read_from_many(seconds)
    path = write_result("reading", result)
    print(
        f"reading {result['writers']} writers at {result['latency_ms']} ms per request: "
        f"{result['committed_rows_per_s']:,} rows/s committed, {result['read_rows_per_s']:,} read\n"
        f"  unread rows: {result['unread_rows']}\n  memory, MiB: {result['memory_mib']}\n"
        f"  an empty poll: {result['requests_of_an_empty_poll']} requests; "
        f"a sweep: {result['sweep']}\n  -> {path}"
    )
