"""Train on three hosts, with a store on a fourth, while links and hosts fail.

The hosts are namespaces on this machine, see `benchmarks.hosts.cluster`. One run has six stages:
nothing happens; a host is disconnected for a minute; the learner's host is killed and restarted;
the head and the driver on it are killed, and the command is repeated; the link to the store is slow
and lossy; the driver is asked to end. Each stage checks the driver's reports against what was done,
and the store against what was acknowledged.

    python -m benchmarks hosts

needs root and ten to fifteen minutes, and exits with an error if a check fails.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cluster.workers import PACKAGES
from benchmarks.hosts.checks import Stage
from benchmarks.hosts.cluster import (
    CORES,
    HEAD,
    PLAYING,
    S3_PORT,
    STORE_HOST,
    Cluster,
    cluster_of_hosts,
)
from benchmarks.hosts.namespaces import missing, wait_until
from benchmarks.machine import machine_facts, write_result

CUT_S = 60.0
BEGIN_S = 240.0  # until the workers play, compilation included
DEAD_S = 300.0  # until a new learner learns on the remaining host
SETTLE_S = 5.0  # for reports after an event
REFUSALS = 12  # at most, of the command after the head was killed
DELAY_S, JITTER_S, LOSS = 0.1, 0.05, 0.01  # of the slow link, per direction
PROBE = """
import socket, time
for _ in range(20):
    begun = time.monotonic()
    socket.create_connection(("%s", %d), 30.0).close()
    print(time.monotonic() - begun)
"""


def undisturbed(stage: Stage, seconds: float) -> None:
    """Start everything and train for `seconds`."""
    cluster = stage.cluster
    cluster.serve_store()
    cluster.start_ray(HEAD)
    cluster.start_ray(PLAYING[0])
    cluster.start_driver()
    # The learner and a worker fill the first host, so that the second worker goes to the other.
    wait_until(lambda: stage.plays(1), BEGIN_S)
    cluster.start_ray(PLAYING[1])
    stage.equal("all workers play in time", wait_until(stage.all_play, BEGIN_S), True)
    begun, steps, warned = time.monotonic(), stage.last.learner_steps, len(stage.notices())
    time.sleep(seconds)
    _check_all_is_well(stage, begun, steps)
    stage.equal("notices", stage.notices()[warned:], [])
    stage.check_store()


def cut_off(stage: Stage, seconds: float) -> None:
    """Cut off the host without the learner for CUT_S."""
    cluster = stage.cluster
    left = cluster.host_of_learner()
    victim = _other(left)
    before, steps = cluster.actors(), stage.last.learner_steps
    stage.facts |= {"cut_off": victim, "actors_before": before}
    cluster.net.cut_off(victim)
    begun = time.monotonic()
    time.sleep(CUT_S)
    stage.equal("workers said to play", stage.last.workers, before[left]["workers"])
    stage.check_naming(victim, begun)
    stage.check_playing(left, begun)
    stage.between("steps learned", stage.last.learner_steps - steps, 1)
    cluster.net.put_back(victim)
    stage.check_all_play_again(time.monotonic())
    stage.equal("notices of the undisturbed host", stage.notices_naming(left), [])
    stage.check_store()


def killed(stage: Stage, seconds: float) -> None:
    """Kill the learner's host; restart it once the rest has continued."""
    cluster, saved = stage.cluster, stage.last_checkpoint()
    victim = cluster.host_of_learner()
    left = _other(victim)
    stage.facts |= {"killed": victim, "actors_before": cluster.actors()}
    begun = time.monotonic()
    cluster.net.cut_off(victim)  # else the kernel would close its connections
    cluster.net.kill(victim)
    stage.equal(
        "another learner learns", wait_until(lambda: stage.learns_again(begun + 1.0), DEAD_S), True
    )
    stage.facts["learns_again_after_s"] = round(time.monotonic() - begun, 1)
    stage.equal("host of the learner", cluster.host_of_learner(), left)
    stage.between("its steps, from the checkpoint", stage.last.learner_steps, saved)
    time.sleep(SETTLE_S)
    stage.equal("workers said to play", stage.last.workers, CORES - 1)
    stage.check_naming(victim, begun)
    stage.check_playing(left, begun)
    cluster.net.boot(victim)
    cluster.start_ray(victim)
    stage.check_all_play_again(time.monotonic())
    stage.check_store()


def head_restarted(stage: Stage, seconds: float) -> None:
    """Kill the head and the driver on it; repeat the command until the run continues."""
    cluster, saved, former = stage.cluster, stage.last_checkpoint(), stage.driver
    cluster.net.kill(HEAD)
    begun = time.monotonic()
    stage.equal("the driver has ended", former.ended() is not None, True)
    acknowledged = cluster.acknowledged().total()
    cluster.net.boot(HEAD)
    cluster.start_ray(HEAD)
    refusals: list[tuple[float, str]] = []
    stage.facts["refusals_at_s"] = refusals
    for _ in range(REFUSALS):
        driver = cluster.start_driver()
        wait_until(lambda: stage.all_play() or not stage.driver.runs, BEGIN_S)
        if driver.runs:
            break
        driver.ended()
        refusals.append((round(time.monotonic() - begun, 1), driver.error))
        print(f"hosts {stage.name}: the command was refused: {driver.error}", flush=True)
    stage.check_all_play_again(begun)
    resumed = next(said for said in driver.said if said.learner_steps)
    stage.between("steps at first, from the checkpoint", resumed.learner_steps, saved)
    stage.between("games at first, all acknowledged", resumed.games, acknowledged)
    steps = stage.last.learner_steps
    stage.equal("it learns", wait_until(lambda: stage.last.learner_steps > steps, 60.0), True)
    stage.check_store()


def slow_link(stage: Stage, seconds: float) -> None:
    """Delay the link to the store and lose some frames."""
    cluster, begun, steps = stage.cluster, time.monotonic(), stage.last.learner_steps
    stage.facts["connects_in_s_before"] = _connects_in_s(cluster)
    with cluster.net.slow_link(STORE_HOST, delay_s=DELAY_S, jitter_s=JITTER_S, loss=LOSS) as end:
        found = _connects_in_s(cluster)
        stage.between("seconds to connect to the store", found, 2 * (DELAY_S - JITTER_S))
        time.sleep(max(2 * seconds, CUT_S))
        _check_all_is_well(stage, begun, steps)
        stage.facts["frames"] = end()
    stage.equal("notices", stage.notices(), [])
    stage.check_store()


def ended(stage: Stage, seconds: float) -> None:
    """Ask the driver to end."""
    stage.equal("exit status", stage.driver.finish(), 0)
    stage.equal("said last", stage.last.event, "finished")
    stage.check_store()
    found = stage.facts["store"]
    stage.equal("newest checkpoint", found["newest_checkpoint"], stage.last.learner_steps)
    stage.between("games said, at least", found["games_in_store"], stage.last.games)


STAGES: tuple[Callable[[Stage, float], None], ...] = (
    undisturbed,
    cut_off,
    killed,
    head_restarted,
    slow_link,
    ended,
)


def _check_all_is_well(stage: Stage, since_s: float, steps: int) -> None:
    """Check that all existing workers are reported, and that they and the learner work."""
    there = sum(actors["workers"] for actors in stage.cluster.actors().values())
    stage.equal("workers said to play", stage.last.workers, there)
    for host in PLAYING:
        stage.check_playing(host, since_s)
    stage.between("steps learned", stage.last.learner_steps - steps, 1)


def _other(host: str) -> str:
    return next(name for name in PLAYING if name != host)


def _connects_in_s(cluster: Cluster) -> float:
    """Return the median seconds of a TCP connection from a playing host to the store."""
    probe = PROBE % (cluster.net.address(STORE_HOST), S3_PORT)
    printed = cluster.net.hosts[PLAYING[0]].run([sys.executable, "-c", probe], timeout_s=120.0)
    return round(statistics.median(map(float, printed.split())), 4)


def measure(seconds: float, stages: tuple[Callable[[Stage, float], None], ...] = STAGES) -> Any:
    """Run the stages one after another on one run; JSON-ready."""
    facts, told = machine_facts(PACKAGES), {}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "programs.log"
        with cluster_of_hosts(log) as cluster:
            for work in stages:
                stage = Stage(work.__name__, cluster)
                try:
                    work(stage, seconds)
                except Exception:
                    print(f"hosts {stage.name}: {stage.described()}\n{_end_of(log)}")
                    raise
                stage.ended_s = time.monotonic()
                told[stage.name] = stage.described()
    checks = [check for stage in told.values() for check in stage["checks"]]
    wrong = sum(not check["right"] for check in checks)
    return {"checks": len(checks), "wrong": wrong, "stages": told, "machine": facts}


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-40:])


def run(seconds: float, peer_python: str | None) -> None:
    """Run all stages and write results/cluster_hosts.json; SystemExit if a check fails."""
    if why := missing():
        print(f"hosts was not measured: {why}")
        return
    result = measure(seconds)
    path = write_result("cluster_hosts", result)
    print(f"hosts {result['checks']} checks, {result['wrong']} of them wrong\n  -> {path}")
    if result["wrong"]:
        raise SystemExit(f"hosts: {result['wrong']} checks failed")
