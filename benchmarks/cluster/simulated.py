"""Measure whether one learner keeps up with dozens of workers, on simulated nodes.

Each node is a raylet on this machine. The driver and the learner are those of a run, with a tiny
network; the workers commit recorded games at a worker's measured speed, or as fast as they can. All
share the cores of one machine, so the second case measures the store under contention, not what a
cluster could write.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig
from agents.alphazero.episodes import SCHEMA
from agents.alphazero.learner import AlphaZeroLearner
from agents.alphazero.shard import Shard
from agents.progress import Event
from agents.training import ClusterConfig
from benchmarks.cluster.replaying import ReplayingWorker
from benchmarks.cluster.workers import PACKAGES
from benchmarks.machine import RESULTS, machine_facts, write_result
from benchmarks.processes import MachineShare, resident_mib
from benchmarks.store.throughput import actors_fed, new_run
from configs.loader import load_config_of
from envs.registry import find_game
from mcts.search import evaluate_uniformly
from selfplay.cluster.driver import ClusterTraining
from selfplay.cluster.learner_node import LearnerNode, LearnReport
from selfplay.cluster.ray_session import QUIET, worker_environment
from store import checkpoints
from store.replay.episodes import Episode, EpisodeBatch
from store.replay.log import ReplayLog
from store.replay.segments import encode_segment
from store.run import REPLAY_FOLDER, Run

RUN = "simulated"
NODES, STUBS, GAMES = 8, 32, 600
GROUP = 1000  # games per commit when workers are as fast as possible
LEARNER_USE = 0.5  # share of the learner's measured speed that the rate limit demands
OBJECT_STORE_BYTES = 80 << 20  # per node; Ray needs at least 75 MiB
UNLIMITED_ROWS = 1 << 40
VERSION_S, CHECKPOINTS = 2.0, 6  # seconds between network versions; number of checkpoints
TINY = NetworkConfig(1, 8, 4, 8, precision="float32")
BATCH, WINDOW = 512, 100_000
POINTS = 30  # per series in the result


# -- recorded games ---------------------------------------------------------------------------


def recorded_games(count: int) -> EpisodeBatch:
    """Play Connect Four games with the preset's search and a uniform evaluator.

    Returns `count` games or a few more, since several may finish at once.
    """
    config, game = load_config_of(AlphaZeroConfig, "connect_four"), find_game("connect_four")

    slots = max(1, min(count // 2, 256))
    play = replace(config.selfplay, games=slots, shards=1)
    shard = Shard(game, config.search, play, slots, seed=0, number=0)
    episodes: list[Episode] = []
    while len(episodes) < count:
        episodes += shard.advance(evaluate_uniformly)
    return EpisodeBatch.of(SCHEMA, episodes)


def learner_rows_per_s(games: EpisodeBatch, config: AlphaZeroConfig) -> float:
    """Measure the rows/s on which the tiny network trains in this process, on one thread."""
    game = find_game(config.game)
    learner = AlphaZeroLearner(game, config.network, config.learner, seed=0, device="cpu")
    learner.add([games])
    learner.train(4, 0.0)
    begun, steps = time.monotonic(), 0
    while time.monotonic() < begun + 1.0:
        learner.train(8, 0.0)
        steps += 8
    return steps * config.learner.batch_size / (time.monotonic() - begun)


def real_games_per_s() -> float:
    """Return games/s per core of self-play, from the results of other benchmarks."""
    cores = json.loads((RESULTS / "store.json").read_text())["per_core_s"]
    clock = json.loads((RESULTS / "store.json").read_text())["per_s"]
    return float(actors_fed(clock, cores)["games_per_core_s"])


# -- the cluster -------------------------------------------------------------------------------


@contextmanager
def simulated_nodes(nodes: int, cpus: int) -> Iterator[None]:
    """Start `nodes` simulated nodes of `cpus` cores here, and one more for the learner."""
    os.environ["RAY_AUTH_MODE"] = "disabled"  # all nodes are this machine
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": cpus + 1, "object_store_memory": OBJECT_STORE_BYTES},
    )
    try:
        for _ in range(nodes - 1):
            cluster.add_node(num_cpus=cpus, object_store_memory=OBJECT_STORE_BYTES)
        environment = {"env_vars": worker_environment()}
        ray.init(address=cluster.address, runtime_env=environment, **QUIET)
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]


class TimedLog(ReplayLog):
    """A replay log that records the seconds of each read of new segments."""

    def __init__(self, run: Run) -> None:
        super().__init__(run, SCHEMA)
        self.poll_s: list[float] = []

    def take(self, max_segments: int | None = None, *, wait: bool = True) -> list[EpisodeBatch]:
        """Time a call of `ReplayLog.take`."""
        begun = time.monotonic()
        batches = super().take(max_segments, wait=wait)
        self.poll_s.append(time.monotonic() - begun)
        return batches


class WatchedLearner(LearnerNode):
    """The learner of a run, with its log timed and its memory recorded."""

    def watch(self) -> float:
        """Open the run, which must be empty, and start timing polls; return memory in MiB."""
        self.report()
        self.log = TimedLog(self.trainer.run)
        self.trainer.log = self.log
        return self._memory()

    def facts(self) -> tuple[list[float], float]:
        """Return the seconds of each poll so far, and the current memory in MiB."""
        return self.log.poll_s, self._memory()

    def _memory(self) -> float:
        return resident_mib(os.getpid()) or 0.0


class SimulatedTraining(ClusterTraining):
    """The driver of a run, with replaying workers; records what was committed and learned.

    Attributes:
        committed: for each round, the time at which its games were in the store, and their rows.
        learnt: the learner's reports and the times at which they arrived.
    """

    def __init__(
        self,
        run: Run,
        config: AlphaZeroConfig,
        store_url: str,
        games: EpisodeBatch,
        games_per_s: float,
    ) -> None:
        self._played = ray.put(encode_segment(games)), len(games), games_per_s
        self.committed: list[tuple[float, int]] = []
        self.learnt: list[tuple[float, LearnReport]] = []
        super().__init__(run, config, store_url, own_ray=False)

    def _start_learner(self) -> Any:
        remote: Any = ray.remote(WatchedLearner)
        return remote.options(num_cpus=1).remote(*self._arguments)

    def _worker_starter(self, number: int) -> Callable[[], Any]:
        def start() -> Any:
            remote: Any = ray.remote(ReplayingWorker)
            options = remote.options(num_cpus=1, max_concurrency=2, scheduling_strategy="SPREAD")
            return options.remote(*self._arguments[:2], *self._played)

        return start

    def _take_round(self, report: Any) -> list[Event]:
        self.committed.append((report.committed_at, report.counters["rows"]))
        return super()._take_round(report)

    def _take_learned(self, report: LearnReport) -> list[Event]:
        self.learnt.append((self.clock(), report))
        return super()._take_learned(report)


# -- measuring ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measurement:
    """The figures of a simulated run, measured once all workers have committed.

    Attributes:
        begun: start, on the driver's clock.
        made: the workers' counters over `seconds`: games, rows.
        learnt: the learner's reports, with their seconds since the start.
        polls: seconds of each poll of the learner's log.
        memory_mib: of the learner, at the start and at the end.
        machine: shares of the cores, as in `MachineShare.shares`.
    """

    begun: float
    seconds: float
    made: Mapping[str, float]
    learnt: list[tuple[float, LearnReport]]
    polls: list[float]
    memory_mib: tuple[float, float]
    machine: dict[str, float]

    def committed_per_s(self) -> dict[str, int]:
        """Return the games and rows committed per second."""
        return {name: round(self.made[name] / self.seconds) for name in ("games", "rows")}


def simulate(
    *,
    nodes: int = NODES,
    stubs: int = STUBS,
    seconds: float = 60.0,
    games: int = GAMES,
    games_per_s: float = 0.0,
) -> dict[str, Any]:
    """Let `stubs` workers on `nodes` nodes write for `seconds`; JSON-ready.

    `games_per_s` is the speed of each worker. 0 is as fast as possible, with commits of about GROUP
    games and no limit to the learner's backlog.
    """
    facts, played = machine_facts(PACKAGES), recorded_games(games)
    rows_per_game = played.rows("row_ply") / len(played)
    config = _config(stubs, seconds, rows_per_game, games_per_s)
    capacity = learner_rows_per_s(played, config)
    expected = _expected_rows_per_s(stubs, games_per_s, rows_per_game)
    config = _with_passes(config, LEARNER_USE * capacity / expected, expected)
    with tempfile.TemporaryDirectory() as folder, simulated_nodes(nodes, -(-stubs // nodes)):
        run = new_run(Path(folder), RUN)
        with closing(SimulatedTraining(run, config, folder, played, games_per_s)) as training:
            measured = _measure(training, seconds)
        stored = _stored(run)
    return {
        "nodes": nodes,
        "stubs": stubs,
        "seconds": round(measured.seconds, 1),
        "recorded_games": len(played),
        "rows_per_game": round(rows_per_game, 2),
        "games_per_s_of_a_stub": round(games_per_s, 2) or "as fast as it can",
        "segment_rows": config.cluster.segment_rows,
        "committed_per_s": measured.committed_per_s(),
        "learner": {
            "rows_per_s_it_could": round(capacity),
            "passes": round(config.learner.passes, 4),
            **_learning(measured.learnt, config),
            "memory_mib_begin": round(measured.memory_mib[0]),
            "memory_mib_end": round(measured.memory_mib[1]),
        },
        "poll_ms": _poll_times(measured.polls),
        "unread_rows": series(_unread(training, measured.begun, measured.learnt)),
        "untrained_rows": series([report.backlog_rows for _, report in measured.learnt]),
        "store": stored,
        "machine_share": measured.machine,
        "notices": training.notices,
        "machine": facts,
    }


def _measure(training: SimulatedTraining, seconds: float) -> Measurement:
    """Run the driver for `seconds`, once every worker has committed."""
    memory_begin = _begin(training)
    share, begun, counted = MachineShare(), training.clock(), dict(training.session)
    while training.clock() < begun + seconds:
        for event in training.step():
            training.report(event)
    ended, machine = training.clock(), share.shares()
    made = {name: count - counted.get(name, 0) for name, count in training.session.items()}
    polls, memory_end = ray.get(training.learner.handle.facts.remote())
    learnt = [(at - begun, report) for at, report in training.learnt if begun <= at <= ended]
    memory_mib = (memory_begin, memory_end)
    return Measurement(begun, ended - begun, made, learnt, polls, memory_mib, machine)


def _config(
    stubs: int, seconds: float, rows_per_game: float, games_per_s: float
) -> AlphaZeroConfig:
    cluster = ClusterConfig()
    if not games_per_s:
        rows = max(1, round(GROUP * rows_per_game))
        cluster = ClusterConfig(segment_rows=rows, backlog_rows=UNLIMITED_ROWS)
    return AlphaZeroConfig(
        game="connect_four",
        workers=stubs,
        minutes=0,
        device="cpu",
        checkpoint_minutes=seconds / 60.0 / CHECKPOINTS,
        keep_all=True,
        network=TINY,
        learner=LearnerConfig(batch_size=BATCH, window_rows=WINDOW, window_start_rows=WINDOW),
        cluster=cluster,
    )


def _expected_rows_per_s(stubs: int, games_per_s: float, rows_per_game: float) -> float:
    """Return rows/s of all stubs; without a given speed, that of one writer on this machine."""
    if not games_per_s:
        rates = json.loads((RESULTS / "store.json").read_text())["per_s"]
        return float(rates["episodes_written"]) * rows_per_game
    return stubs * games_per_s * rows_per_game


def _with_passes(config: AlphaZeroConfig, passes: float, rows_per_s: float) -> AlphaZeroConfig:
    learner = replace(config.learner, passes=passes)
    return replace(config, learner=learner, publish_rows=max(1, int(VERSION_S * rows_per_s)))


def _begin(training: SimulatedTraining) -> float:
    """Watch the learner and wait until every worker has committed; return its memory in MiB."""
    assert training.learner.is_free()
    memory = ray.get(training.learner.handle.watch.remote())
    while not all(worker.works for worker in training.workers):
        training.step()
    return float(memory)


def _learning(
    learnt: Sequence[tuple[float, LearnReport]], config: AlphaZeroConfig
) -> dict[str, Any]:
    """Summarise the learner's calls from the first that trained; JSON-ready."""
    reports = [report for _, report in learnt]
    first = next((i for i, report in enumerate(reports) if report.trained), len(reports))
    counted = reports[first + 1 :]
    before = reports[first:-1]
    rows = sum(report.trained for report in reports) * config.learner.batch_size
    time_s = learnt[-1][0] if learnt else 1.0
    return {
        "rows_trained_per_s": round(rows / time_s),
        "rows_read_per_s": round((reports[-1].rows - reports[0].rows) / time_s) if reports else 0,
        "stretches": len(counted),
        "share_without_training": _share(not r.trained for r in counted),
        "share_without_new_rows": _share(r.rows == b.rows for b, r in zip(before, counted)),
        "versions": len({report.version for report in reports}),
    }


def _share(flags: Iterator[bool]) -> float | None:
    found = list(flags)
    return round(sum(found) / len(found), 3) if found else None


def _unread(
    training: SimulatedTraining, begun: float, learnt: Sequence[tuple[float, LearnReport]]
) -> list[int]:
    """Return the rows committed but not read, at each of the learner's reports."""
    commits = sorted(training.committed)
    times = [at for at, _ in commits]
    totals = [0, *accumulate(rows for _, rows in commits)]
    return [totals[bisect_right(times, begun + at)] - report.rows for at, report in learnt]


def series(values: Sequence[int]) -> dict[str, Any]:
    """Return a thinned series, and the means of its first and last third, to show growth."""
    third = max(1, len(values) // 3)
    first, last = (statistics.fmean(part or [0]) for part in (values[:third], values[-third:]))
    return {
        "first_third": round(first),
        "last_third": round(last),
        "most": max(values, default=0),
        "over_time": " ".join(str(v) for v in values[:: max(1, len(values) // POINTS)]),
    }


def _poll_times(polls: Sequence[float]) -> Mapping[str, float]:
    """Return poll times in ms, including polls that found nothing new."""
    third = max(1, len(polls) // 3)
    parts = {
        "median": statistics.median(polls),
        "median_first_third": statistics.median(polls[:third]),
        "median_last_third": statistics.median(polls[-third:]),
        "most": max(polls),
    }
    return {"polls": len(polls)} | {name: round(1e3 * s, 1) for name, s in parts.items()}


def _stored(run: Run) -> dict[str, int]:
    """Count the contents of the store at the end, the last rounds included."""
    folders = [f"{REPLAY_FOLDER}/{writer}" for writer in run.files.folders(REPLAY_FOLDER)]
    log = ReplayLog(run, SCHEMA)
    log.poll()
    return {
        "writers": len(folders),
        "segments": sum(len(run.files.names(folder)) for folder in folders),
        "games": log.episodes_read,
        "games_twice": log.duplicates_dropped,
        "checkpoints": len(checkpoints.steps(run)),
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Measure both cases for twice `seconds`, print the figures and write the results."""
    for name, speed in (("real_rate", real_games_per_s()), ("as_fast_as_they_can", 0.0)):
        result = simulate(seconds=2 * seconds, games_per_s=speed)
        path = write_result(f"cluster_simulated_{name}", result)
        learner, polls = result["learner"], result["poll_ms"]
        print(f"simulated {name}: {result['committed_per_s']} per second; learner {learner}")
        print(f"  polls, ms: {polls}\n  unread rows: {result['unread_rows']}\n  -> {path}")
