"""Programs of the benchmark `hosts`: the driver of a run, and the audit of a store.

    python -m benchmarks.hosts.driver train STORE RUN
    python -m benchmarks.hosts.driver audit STORE RUN

`train` is `ludens train` with the settings below, until its input ends. It prints JSON lines: each
worker's answer before the driver counts it ("round"), and the driver's reports ("progress").
`audit` reads what was acknowledged, and prints how the store compares with it.
"""

from __future__ import annotations

import json
import select
import sys
import time
from collections import Counter
from typing import Any

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.progress import Event, Progress
from agents.training import ClusterConfig
from benchmarks.cluster.soak import Watched, audit
from mcts.config import SearchConfig
from selfplay.cluster import driver as cluster
from selfplay.cluster.worker import RoundReport
from selfplay.loop import train
from store.run import open_run

WORKERS = 2
CONFIG = AlphaZeroConfig(
    game="tic_tac_toe",
    minutes=0,
    workers=WORKERS,
    device="cpu",
    publish_rows=16384,
    checkpoint_minutes=0.2,
    keep_all=True,  # for the audit
    search=SearchConfig(simulations=64, cache_size=1024),
    network=NetworkConfig(1, 8, 4, 8, precision="float32"),
    learner=LearnerConfig(batch_size=256, passes=0.5, window_rows=20_000, window_start_rows=20_000),
    selfplay=SelfPlayConfig(games=64, shards=2, fast_simulations=24, opening_plies=3),
    cluster=ClusterConfig(segment_rows=8192),
)


class Tapped(cluster.ClusterTraining):
    """A `ClusterTraining` that prints each answer of a worker before counting it."""

    def _take_round(self, report: RoundReport) -> list[Event]:
        say("round", writer=report.writer, host=report.host, games=report.counters["games"])
        return super()._take_round(report)


def say(kind: str, **what: Any) -> None:
    """Print one JSON line."""
    print(json.dumps({"kind": kind, "at_s": time.monotonic(), **what}), flush=True)


def say_progress(progress: Progress) -> None:
    """Print a report of the driver."""
    say(
        "progress",
        event=progress.event,
        games=progress.games,
        workers=progress.workers,
        workers_wanted=progress.workers_wanted,
        learner_steps=progress.learner_steps,
        network_version=progress.network_version,
        notices=progress.notices,
    )


def _input_has_ended() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def run_training(store_url: str, run_name: str) -> None:
    """Train until the input ends; print an error as `ludens train` would."""
    cluster.ClusterTraining = Tapped  # type: ignore[misc]
    try:
        for progress in train(
            CONFIG, store_url=store_url, run_name=run_name, stop=_input_has_ended
        ):
            say_progress(progress)
    except Exception as error:
        say("error", type=type(error).__name__, text=str(error))
        raise SystemExit(1) from error


def run_audit(store_url: str, run_name: str) -> None:
    """Compare the store with what was acknowledged and reported."""
    told = json.load(sys.stdin)
    watched = Watched(
        acknowledged=Counter(told["acknowledged"]), learner_steps=told["learner_steps"]
    )
    found = audit(open_run(store_url, run_name), watched)
    del found["rows_learner_has_read"]  # unknown here
    print(json.dumps(found))


def main() -> None:
    """Run the program named by the first argument."""
    what, store_url, run_name = sys.argv[1:]
    {"train": run_training, "audit": run_audit}[what](store_url, run_name)


if __name__ == "__main__":
    main()
