"""Measure self-play under Ray: the cost of Ray, and the gain of a second worker.

Both play Connect Four with an untrained network. Measurements alternate: one stretch runs at a time
while the others are idle. Workers are started and called as in a run, by
`selfplay.cluster.driver.ClusterTraining.step`. A machine of two cores with other work on it cannot
show a factor of 2, so each stretch records the share of the cores that other processes used.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from agents.alphazero.config import AlphaZeroConfig
from benchmarks.machine import machine_facts, write_result
from benchmarks.processes import MachineShare
from benchmarks.store.throughput import new_run
from configs.loader import load_config_of
from selfplay.cluster.driver import ClusterTraining
from selfplay.cluster.ray_session import connected
from selfplay.cluster.supervision import Member
from selfplay.cluster.worker import RoundReport, Worker

TURNS = 5
STRETCHES_PER_SECONDS = 3  # a stretch takes a third of `--seconds`: 10 s by default
PACKAGES = ("numba", "numpy", "torch", "ray")
RUN = "cluster"


@dataclass(frozen=True)
class Stretch:
    """The figures of one stretch.

    Attributes:
        simulations_per_s: of all workers together.
        playing_share: share of the time spent in rounds; the rest is the driver's.
        machine: shares of the cores, as in `MachineShare.shares`.
    """

    simulations_per_s: float
    playing_share: float
    machine: dict[str, float]


@dataclass
class Player:
    """One worker's work in a stretch, in whole rounds."""

    simulations: int = 0
    played_s: float = 0.0
    ended_s: float = 0.0  # end of its last counted round, since the start of the stretch

    def add(self, report: RoundReport, at: float) -> None:
        """Count a round that was answered `at` seconds after the start."""
        self.simulations += int(report.counters["simulations"])
        self.played_s += report.seconds
        self.ended_s = at


def stretch_of(players: Sequence[Player], machine: dict[str, float]) -> Stretch:
    """Return the figures of all workers together."""
    return Stretch(
        sum(player.simulations / player.ended_s for player in players),
        statistics.mean(player.played_s / player.ended_s for player in players),
        machine,
    )


class RoundsHeard:
    """The reports of a run's rounds, each returned once."""

    def __init__(self, training: ClusterTraining) -> None:
        self._recent = training.recent
        self._last: RoundReport | None = None

    def new(self) -> list[tuple[float, RoundReport]]:
        """Return the times and reports of rounds since the last call; call it every half minute."""
        found: list[tuple[float, RoundReport]] = []
        for at, report in reversed(self._recent):
            if report is self._last:
                break
            found.append((at, report))
        if found:
            self._last = found[0][1]
        return found[::-1]


@contextmanager
def idle_training(config: AlphaZeroConfig) -> Iterator[tuple[ClusterTraining, str]]:
    """Yield a run, its workers warm and its learner stopped, and its store.

    The learner is needed once: it publishes the untrained network that all workers play with.
    """
    with (
        tempfile.TemporaryDirectory() as store,
        connected(cpus=config.workers * config.cluster.worker_cpus) as own_ray,
    ):
        training = ClusterTraining(new_run(Path(store), RUN), config, store, own_ray=own_ray)
        try:
            while not all(worker.works for worker in training.workers):
                training.step()
                if training.learned is not None:
                    training.learner.not_before = math.inf  # never called again
            await_rounds(training.workers)
            yield training, store
        finally:
            training.close()


def await_rounds(workers: Sequence[Member]) -> None:
    """Wait for the rounds in progress without counting them."""
    for worker in workers:
        if worker.call is not None:
            worker.receive()


def play_here(worker: Worker, training: ClusterTraining, seconds: float) -> Stretch:
    """Play rounds one after another with a worker in this process."""
    assert training.learned is not None
    learned, rows = training.learned, training.config.cluster.segment_rows
    share, begun, player = MachineShare(), time.monotonic(), Player()
    while player.ended_s < seconds:
        report = worker.play_round(rows, learned.version, learned.weights)
        player.add(report, time.monotonic() - begun)
    return stretch_of([player], share.shares())


def play_under_ray(training: ClusterTraining, workers: list[Member], seconds: float) -> Stretch:
    """Play rounds with some of a run's workers, called by its driver.

    A worker's rounds count up to its first answer after `seconds`. It plays on until all workers
    have got there, so that each is measured with all the others playing.
    """
    all_workers, training.workers = training.workers, workers
    heard = RoundsHeard(training)
    heard.new()
    share, begun = MachineShare(), training.clock()
    players: dict[str, Player] = {}
    while len(players) < len(workers) or any(p.ended_s < seconds for p in players.values()):
        training.step()
        for at, report in heard.new():
            player = players.setdefault(report.writer, Player())
            if player.ended_s < seconds:
                player.add(report, at - begun)
    found = stretch_of(list(players.values()), share.shares())
    await_rounds(workers)
    training.workers = all_workers
    return found


def in_turns(works: Mapping[str, Callable[[], Stretch]], turns: int) -> dict[str, list[Stretch]]:
    """Run each measurement several times, in alternating order so that trends cancel out."""
    done: dict[str, list[Stretch]] = {name: [] for name in works}
    for turn in range(turns):
        for name in list(works)[:: 1 if turn % 2 == 0 else -1]:
            done[name].append(works[name]())
    return done


def compared(done: dict[str, list[Stretch]], over: str, under: str) -> dict[str, Any]:
    """Return the median of each, and the ratios within a turn with their median; JSON-ready."""
    rates = {name: [s.simulations_per_s for s in stretches] for name, stretches in done.items()}
    ratios = [a / b for a, b in zip(rates[over], rates[under], strict=True)]
    return {
        "simulations_per_s": {n: round(statistics.median(r)) for n, r in rates.items()},
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "playing_share": {
            name: round(statistics.median(s.playing_share for s in stretches), 3)
            for name, stretches in done.items()
        },
        "machine_share": {name: [s.machine for s in stretches] for name, stretches in done.items()},
    }


def _settings(workers: int, changes: AlphaZeroConfig | None) -> AlphaZeroConfig:
    config = changes or load_config_of(AlphaZeroConfig, "connect_four")
    endless = replace(config.cluster, backlog_rows=1 << 40)  # no learner to wait for
    return replace(config, workers=workers, minutes=0, games=0, rows=0, cluster=endless)


def ray_cost(
    seconds: float, turns: int = TURNS, config: AlphaZeroConfig | None = None
) -> dict[str, Any]:
    """Compare a worker under Ray with the same worker in this process.

    A stretch takes `seconds`, and until the end of its last round.
    """
    facts, config = machine_facts(PACKAGES), _settings(1, config)
    with idle_training(config) as (training, store):
        here = Worker(store, RUN, config)
        play_here(here, training, 0.1)  # compiles, and fills its games
        training.learner.drop()  # all workers have its weights
        works = {
            "here": partial(play_here, here, training, seconds),
            "under_ray": partial(play_under_ray, training, training.workers, seconds),
        }
        done = in_turns(works, turns)
        here.actor.close()
    return {
        "what": "one worker of one thread, under Ray over in this process",
        "needed": 0.93,
        "aim": 0.98,
        **_described(config, seconds, training),
        **compared(done, "under_ray", "here"),
        "machine": facts,
    }


def scaling(
    seconds: float, turns: int = TURNS, config: AlphaZeroConfig | None = None
) -> dict[str, Any]:
    """Compare two workers under Ray with one of them, the other idle."""
    facts, config = machine_facts(PACKAGES), _settings(2, config)
    with idle_training(config) as (training, _):
        training.learner.drop()
        one, two = training.workers[:1], training.workers
        works = {
            "one_worker": partial(play_under_ray, training, one, seconds),
            "two_workers": partial(play_under_ray, training, two, seconds),
        }
        done = in_turns(works, turns)
    return {
        "what": "two workers of one thread over one, both under Ray",
        "needed": 1.8,
        "aim": 1.95,
        **_described(config, seconds, training),
        **compared(done, "two_workers", "one_worker"),
        "machine": facts,
    }


def _described(
    config: AlphaZeroConfig, seconds: float, training: ClusterTraining
) -> dict[str, Any]:
    return {
        "game": config.game,
        "worker_cpus": config.cluster.worker_cpus,
        "games_at_once": config.selfplay.games // config.selfplay.shards,
        "segment_rows": config.cluster.segment_rows,
        "seconds_a_stretch": seconds,
        "notices": training.notices,
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Measure both, print two lines each and write results/cluster_<name>.json."""
    for name, measure in (("ray_cost", ray_cost), ("scaling", scaling)):
        result = measure(seconds / STRETCHES_PER_SECONDS)
        path = write_result(f"cluster_{name}", result)
        others = [s["others"] for part in result["machine_share"].values() for s in part]
        rates = " and ".join(f"{n} {r:,}" for n, r in result["simulations_per_s"].items())
        print(f"cluster {name:10} {rates} simulations/s: {result['ratio']}")
        print(f"  other processes used {statistics.mean(others):.0%} of the machine\n  -> {path}")
