"""Measure a long run whose Ray actors are killed at random: what is lost, and what it costs.

Two workers and a learner play and learn Connect Four with small settings. At exponentially
distributed intervals, a random actor gets SIGKILL: the learner one time in ten, else a worker.
Shorter runs without kills, before and after, are the comparison.

    python -m benchmarks soak --minutes 30
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.episodes import SCHEMA
from agents.training import ClusterConfig
from benchmarks.cluster.workers import PACKAGES, RoundsHeard
from benchmarks.machine import machine_facts, write_result
from benchmarks.processes import MachineShare, family, named, resident_mib
from benchmarks.store.throughput import new_run
from mcts.config import SearchConfig
from selfplay.cluster.driver import ClusterTraining
from selfplay.cluster.ray_session import connected
from selfplay.cluster.supervision import CrashLoopError
from store import checkpoints
from store.replay.log import ReplayLog
from store.replay.segments import SegmentName
from store.run import REPLAY_FOLDER, Run

SECONDS_BETWEEN_KILLS = 20.0  # on average
LEARNER_SHARE = 0.1  # of the kills
UNDISTURBED_SHARE, LONGEST_UNDISTURBED_S = 1 / 6, 150.0  # of each of the runs without kills
SAMPLES = 120  # of the memory, per run
SETTLING_S, SETTLING_SHARE = 60.0, 0.2  # of a process's life, left out of its memory's slope
LEARNER, WORKER = "ray::LearnerNode", "ray::Worker"
SMALL = AlphaZeroConfig(
    game="connect_four",
    workers=2,
    minutes=0,
    publish_rows=2048,
    checkpoint_minutes=0.25,
    keep_all=True,  # for the audit
    search=SearchConfig(simulations=32, cache_size=16384),
    network=NetworkConfig(1, 16, 8, 16),
    learner=LearnerConfig(batch_size=256, passes=1.0, window_rows=50_000, window_start_rows=50_000),
    selfplay=SelfPlayConfig(games=128, shards=2, fast_simulations=12),
    cluster=ClusterConfig(segment_rows=512),
)


class Killer:
    """Kills one of this process's Ray actors at random times, reproducibly.

    Attributes:
        kills: number of kills by class of actor.
    """

    def __init__(self, mean_s: float, seed: int) -> None:
        self.kills: Counter[str] = Counter()
        self._mean_s = mean_s
        self._rng = np.random.default_rng(seed)
        self._next = self._rng.exponential(mean_s)

    def strike(self, elapsed_s: float) -> None:
        """Kill one actor if it is time; if there is none of the drawn class, try later."""
        if elapsed_s < self._next:
            return
        kind = LEARNER if self._rng.random() < LEARNER_SHARE else WORKER
        victims = named(family(os.getpid()), kind)
        if not victims:
            return
        os.kill(int(self._rng.choice(victims)), signal.SIGKILL)
        self.kills[kind.partition("::")[2]] += 1
        self._next = elapsed_s + self._rng.exponential(self._mean_s)


@dataclass(frozen=True)
class MemorySample:
    """Resident memory of a process at one time, in MiB."""

    at_s: float
    pid: int
    mib: float


def slope_per_hour(samples: Sequence[MemorySample], settling_s: float) -> float | None:
    """Return memory growth in MiB/h: least squares, one slope for all processes.

    The first `settling_s` of each process are left out; None if too few samples are left.
    """
    lives: dict[int, list[MemorySample]] = {}
    for sample in samples:
        lives.setdefault(sample.pid, []).append(sample)
    times, memory = [], []
    for life in lives.values():
        kept = [s for s in life if s.at_s >= life[0].at_s + settling_s]
        if len(kept) > 1:
            times.append(np.array([s.at_s for s in kept]) - np.mean([s.at_s for s in kept]))
            memory.append(np.array([s.mib for s in kept]) - np.mean([s.mib for s in kept]))
    if sum(map(len, times)) < 3:
        return None
    time, mib = np.concatenate(times), np.concatenate(memory)
    return round(3600.0 * float(time @ mib) / float(time @ time), 1)


@dataclass
class Watched:
    """What was observed of a run: acknowledged games, speed, memory, notices.

    Attributes:
        acknowledged: games that each writer has acknowledged.
        playing_s: seconds from the first answers of all workers to the end.
        simulations: number of simulations in that time.
        stopped: why the run ended early; empty if it did not.
    """

    acknowledged: Counter[str] = field(default_factory=Counter)
    playing_s: float = 0.0
    simulations: int = 0
    rows_learned: int = 0
    learner_steps: int = 0
    driver: list[MemorySample] = field(default_factory=list)
    learner: list[MemorySample] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    machine: dict[str, float] = field(default_factory=dict)
    stopped: str = ""

    def sample(self, at_s: float) -> None:
        """Record the memory of the driver, which is this process, and of the learner."""
        learners = named(family(os.getpid()), LEARNER)
        for samples, pids in ((self.driver, [os.getpid()]), (self.learner, learners)):
            for pid in pids:
                if (mib := resident_mib(pid)) is not None:
                    samples.append(MemorySample(at_s, pid, mib))

    @property
    def simulations_per_s(self) -> float:
        """Return simulations/s, workers' restarts included; 0 if they never began."""
        return self.simulations / self.playing_s if self.playing_s else 0.0


def watched_training(
    run: Run, store: Path, config: AlphaZeroConfig, seconds: float, killer: Killer | None = None
) -> Watched:
    """Train and watch for `seconds`, counted from the first answers of all workers."""
    watched = Watched()
    with connected(cpus=config.workers * config.cluster.worker_cpus) as own_ray:
        training = ClusterTraining(run, config, str(store), own_ray=own_ray)
        heard = RoundsHeard(training)
        try:
            _until_all_answered(training)
            _watch(training, heard, watched, seconds, killer)
        except CrashLoopError as error:
            watched.stopped = str(error)
        finally:
            training.close()
        _count(watched, heard)
    if training.learned is not None:
        watched.rows_learned = training.learned.rows
        watched.learner_steps = training.learned.steps
    watched.notices += training.notices
    return watched


def _until_all_answered(training: ClusterTraining) -> None:
    while not all(worker.works for worker in training.workers):
        training.step()


def _watch(
    training: ClusterTraining,
    heard: RoundsHeard,
    watched: Watched,
    seconds: float,
    killer: Killer | None,
) -> None:
    _count(watched, heard)
    begun, simulations = training.clock(), int(training.session["simulations"])
    share, next_sample = MachineShare(), 0.0
    while (elapsed := training.clock() - begun) < seconds:
        for event in training.step():
            watched.notices += training.report(event).notices
        _count(watched, heard)
        if killer is not None:
            killer.strike(elapsed)
        if elapsed >= next_sample:
            watched.sample(elapsed)
            next_sample += seconds / SAMPLES
        watched.playing_s = training.clock() - begun
        watched.simulations = int(training.session["simulations"]) - simulations
    watched.machine = share.shares()


def _count(watched: Watched, heard: RoundsHeard) -> None:
    for _, report in heard.new():
        watched.acknowledged[report.writer] += int(report.counters["games"])


def audit(run: Run, watched: Watched) -> dict[str, Any]:
    """Compare the store with what was acknowledged, for each writer; JSON-ready.

    A writer may have more games than acknowledged: it may be killed between commit and answer.
    """
    stored = {  # listed before it is read, since the run may be writing
        writer: sum(
            name.episodes
            for text in run.files.names(f"{REPLAY_FOLDER}/{writer}")
            if (name := SegmentName.parse(text))
        )
        for writer in run.files.folders(REPLAY_FOLDER)
    }
    log = ReplayLog(run, SCHEMA)
    batches = log.poll()
    unreadable = sum(stored.values()) - log.episodes_read - log.duplicates_dropped
    lost = watched.acknowledged - Counter(stored)  # keeps positive counts
    checkpoint = checkpoints.latest_valid(run)
    return {
        "games_acknowledged": watched.acknowledged.total(),
        "games_in_store": log.episodes_read,
        "games_lost": lost.total(),
        "games_twice": log.duplicates_dropped,
        "games_unreadable": max(unreadable, 0),
        "writers": len(stored),
        "rows_in_store": sum(batch.rows("row_ply") for batch in batches),
        "rows_learner_has_read": watched.rows_learned,
        "learner_steps": watched.learner_steps,
        "newest_checkpoint": checkpoint.step if checkpoint else None,
    }


def _memory(samples: Sequence[MemorySample], seconds: float) -> dict[str, Any]:
    settling = min(SETTLING_S, SETTLING_SHARE * seconds)
    return {
        "processes": len({sample.pid for sample in samples}),
        "mib_first": round(samples[0].mib) if samples else None,
        "mib_last": round(samples[-1].mib) if samples else None,
        "mib_most": round(max(sample.mib for sample in samples)) if samples else None,
        "mib_per_hour": slope_per_hour(samples, settling),
        "mib_at_s": " ".join(f"{s.mib:.0f}@{s.at_s:.0f}" for s in samples),
    }


def measure(
    seconds: float,
    *,
    config: AlphaZeroConfig = SMALL,
    mean_s: float = SECONDS_BETWEEN_KILLS,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a run of `seconds` with kills and two shorter ones without; JSON-ready."""
    facts, killer = machine_facts(PACKAGES), Killer(mean_s, seed)
    calm_s = min(UNDISTURBED_SHARE * seconds, LONGEST_UNDISTURBED_S)
    with tempfile.TemporaryDirectory() as folder:
        store, runs = Path(folder), {}
        for name, lasts, who in (
            ("before", calm_s, None),
            ("disturbed", seconds, killer),
            ("after", calm_s, None),
        ):
            run = new_run(store, name)
            runs[name] = run, watched_training(run, store, config, lasts, who)
        audited = {name: audit(*pair) for name, pair in runs.items()}
    observed = {name: watched for name, (_, watched) in runs.items()}
    disturbed, rates = observed["disturbed"], _rates(observed)
    calm = statistics.mean((rates["before"], rates["after"]))
    return {
        "seconds": seconds,
        "seconds_undisturbed": [calm_s, calm_s],
        "seconds_between_kills": mean_s,
        "seed": seed,
        "workers": config.workers,
        "kills": dict(killer.kills),
        "replacements": sum("; replaced in" in notice for notice in disturbed.notices),
        "stopped": {name: watched.stopped for name, watched in observed.items()},
        "audit": audited,
        "simulations_per_s": {name: round(rate) for name, rate in rates.items()},
        "ratio": round(rates["disturbed"] / calm, 3) if calm else None,
        "machine_share": {name: watched.machine for name, watched in observed.items()},
        "driver_memory": _memory(disturbed.driver, seconds),
        "learner_memory": _memory(disturbed.learner, seconds),
        "notices": {name: watched.notices for name, watched in observed.items()},
        "machine": facts,
    }


def _rates(observed: dict[str, Watched]) -> dict[str, float]:
    return {name: watched.simulations_per_s for name, watched in observed.items()}


def run(seconds: float, peer_python: str | None) -> None:
    """Measure for `seconds`, print the figures and write results/cluster_soak.json."""
    result = measure(seconds)
    path = write_result("cluster_soak", result)
    for name, found in result["audit"].items():
        counts = ", ".join(f"{what} {count}" for what, count in found.items())
        print(f"soak {name:10} {result['simulations_per_s'][name]:,} simulations/s; {counts}")
    for who in ("driver", "learner"):
        print(f"soak {who}: {result[f'{who}_memory']['mib_per_hour']} MiB per hour")
    kills, replaced = result["kills"], result["replacements"]
    print(f"soak kills {kills}, {replaced} replacements, ratio {result['ratio']}\n  -> {path}")
