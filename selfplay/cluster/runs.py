"""Several runs at once under Ray, each in a process that has some cores to itself.

A run here is what it is alone, `selfplay.loop.train` without workers: same settings, same results.
Runs share nothing but the store, so a run that is lost goes on from its newest checkpoint.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ray

from agents.cores import CORES_VARIABLE, allowed_cores
from agents.progress import Progress
from agents.training import TrainConfig
from selfplay.cluster.placement import (
    UNPLACED_S,
    PlacementError,
    all_nodes,
    lacking,
    unplaced_notice,
)
from selfplay.cluster.ray_session import connected, shared_store
from selfplay.cluster.supervision import Failure, Member, Watchdog, is_hopeless
from selfplay.journal import Journal
from selfplay.loop import train
from selfplay.package_check import check_packages

STRETCH_S = 1.0  # of training, after which a run answers
POLL_S = 0.5
GOODBYE_S = 60.0  # for the last checkpoints
Facts = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Advanced:
    """Where a run stands: its newest stage, without the policy, and the process that trains it."""

    progress: Progress
    host: str


class RunNode:
    """Trains a run and keeps its journal, called for one stretch after another.

    Args:
        store_url, run_name, config, changed_game: as `selfplay.loop.train` takes them.
        cores: how many it may use.
        facts: returns what the journal tells of the machine.
    """

    def __init__(
        self,
        store_url: str,
        run_name: str,
        config: TrainConfig,
        cores: int,
        facts: Facts,
        changed_game: bool = False,
    ) -> None:
        self._where = store_url, run_name
        self._changed_game = changed_game
        self._config, self._cores, self._facts = config, cores, facts
        self._stages: Iterator[Progress] | None = None
        self._stopping = False

    def advance(self, stop: bool) -> Advanced:
        """Train for STRETCH_S, with `stop` to a last checkpoint; return the newest stage.

        That is "finished" at the end. Raises what `train` raises.
        """
        if self._stages is None:
            self._stages = self._begin()
        self._stopping = stop
        try:
            return Advanced(self._stretch(self._stages, stop), os.uname().nodename)
        except BaseException:  # the stages have ended: what calls again begins again
            self._stages = None
            self._journal.close()
            raise

    def _stretch(self, stages: Iterator[Progress], stop: bool) -> Progress:
        begun, notices = time.monotonic(), list[str]()
        for progress in stages:
            self._journal.show(progress)
            notices += progress.notices
            newest = replace(progress, policy=None, notices=tuple(notices))
            is_last = stop or progress.event == "finished"  # which the stages end after
            if not is_last and time.monotonic() >= begun + STRETCH_S:
                break
        else:
            self._journal.close()
        return newest

    def _begin(self) -> Iterator[Progress]:
        check_packages()
        os.environ[CORES_VARIABLE] = str(self._cores)
        store_url, run_name = self._where
        self._journal = Journal(store_url, run_name, self._facts())
        return train(
            self._config,
            store_url=store_url,
            run_name=run_name,
            stop=lambda: self._stopping,
            changed_game=self._changed_game,
        )


class RunsAtOnce:
    """Runs that train at once, as many as the nodes have room for, in the order given.

    Args:
        configs: the runs by name.
        start: starts a run's node, by the run's name; returns its handle at once, as Ray does.
        cores: of a run.
        say: is called with notices.
        stop: whether to save and end.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        configs: Mapping[str, TrainConfig],
        start: Callable[[str], Any],
        *,
        cores: int,
        say: Callable[[str], None],
        stop: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cores, self.say, self.stop, self.clock = cores, say, stop, clock
        self._left = {
            name: Member(name, _starter(start, name), config.cluster.worker_timeout_s, clock)
            for name, config in configs.items()
        }
        self._watchdogs = {name: Watchdog(f"run {name!r}", 1) for name in configs}
        self._deadline: float | None = None  # of the last checkpoints, after a stop

    def is_over(self) -> bool:
        """Return whether all runs are finished, or after a stop all that had begun are saved."""
        return not self._left

    def step(self) -> list[tuple[str, Progress]]:
        """Call the runs that have a place, wait for answers up to POLL_S, and return them."""
        self._let_go()
        begun = [member for member in self._left.values() if member.handle is not None]
        others = [member for member in self._left.values() if member.handle is None]
        for member in [*begun, *others[: max(0, self._places() - len(begun))]]:
            if member.is_free():
                member.ask("advance", self.stop())
        calls = {m.call: name for name, m in self._left.items() if m.call is not None}
        if not calls:
            time.sleep(POLL_S)
            return []
        ray.wait(list(calls), timeout=POLL_S, fetch_local=False)
        ready, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0, fetch_local=False)
        answers = [answer for call in ready if (answer := self._take(calls[call]))]
        for name, member in self._left.items():
            if member.is_silent():
                self._failed(name, member.fail(Failure("silent", "no answer for too long")))
            if member.is_unplaced(UNPLACED_S):
                self.say(unplaced_notice(f"run {name!r}", {"CPU": self.cores}))
        return answers

    def _places(self) -> int:
        """Return how many runs the nodes have cores for, at least one: a node may be on its way."""
        nodes = [node["Resources"] for node in all_nodes() if node["Alive"]]
        return max(1, sum(int(node.get("CPU", 0.0) // self.cores) for node in nodes))

    def _let_go(self) -> None:
        """After a stop, drop the runs that have not begun here, and in the end those too late."""
        if not self.stop():
            return
        if self._deadline is None:
            self._deadline = self.clock() + GOODBYE_S
        for name, member in list(self._left.items()):
            if not member.answered or member.handle is None or self.clock() > self._deadline:
                self._drop(name)

    def _take(self, name: str) -> tuple[str, Progress] | None:
        member = self._left[name]
        answer = member.receive()
        if isinstance(answer, Failure):
            self._failed(name, answer)
            return None
        member.host = answer.host
        self._watchdogs[name].succeeded()
        if answer.progress.event == "finished":
            self._drop(name)
        return name, answer.progress

    def _failed(self, name: str, failure: Failure) -> None:
        """Have it go on from its newest checkpoint; raises CrashLoopError after too many."""
        if is_hopeless(failure) and failure.error is not None:
            raise failure.error
        delay = max(0.0, self._left[name].not_before - self.clock())
        self.say(f"run {name!r} failed ({failure.reason}); goes on in {delay:.0f} s")
        self._watchdogs[name].failed(failure)

    def _drop(self, name: str) -> None:
        self._left.pop(name).drop()

    def close(self) -> None:
        """Let the runs that are left save, and release all."""
        self.stop = lambda: True
        try:
            while not self.is_over():
                self.step()
        finally:
            for name in list(self._left):
                self._drop(name)


def train_at_once(
    configs: Mapping[str, TrainConfig],
    *,
    store_url: str,
    cores: int,
    facts: Facts,
    say: Callable[[str], None],
    stop: Callable[[], bool] = lambda: False,
    changed_game: bool = False,
) -> Generator[tuple[str, Progress]]:
    """Train each run to the end of its budget, as many at once as there are cores for.

    On the cluster of RAY_ADDRESS or of the job, or on a local one of all cores of this machine. The
    same call continues after a stop. Yields (run, Progress) about once a second for each run, with
    a "finished" at its end; each keeps its journal itself.

    Args:
        configs: the runs by name.
        store_url: where they are kept; all nodes must reach it.
        cores: of a run.
        facts: returns what a journal tells of the machine, where it is called.
        say: is called with notices.
        stop: polled often; True saves all runs and ends.
        changed_game: as `selfplay.loop.train` takes it.

    Raises:
        ValueError: a run without a budget, or with workers of its own.
        PlacementError: this machine has fewer cores than a run asks for.
        CrashLoopError: a run fails repeatedly; the others are saved.
        StoreError: what `selfplay.loop.train` raises.
    """
    _check(configs)
    shared_url = shared_store(store_url, len(configs))
    with connected(cpus=allowed_cores()) as own_ray:
        if own_ray and (cause := lacking({"CPU": cores}, all_nodes())):
            raise PlacementError(f"{cause}, and each run asks for it")

        def start(name: str) -> Any:
            remote: Any = ray.remote(RunNode)
            node = remote.options(num_cpus=cores)
            return node.remote(shared_url, name, configs[name], cores, facts, changed_game)

        runs = RunsAtOnce(configs, start, cores=cores, say=say, stop=stop)
        try:
            while not runs.is_over():
                yield from runs.step()
        finally:
            runs.close()


def _check(configs: Mapping[str, TrainConfig]) -> None:
    for name, config in configs.items():
        if not config.is_limited:
            raise ValueError(f"run {name!r}: expected a budget in minutes, games or rows")
        if config.workers:
            raise ValueError(f"run {name!r}: workers = {config.workers}: expected 0 beside others")


def _starter(start: Callable[[str], Any], name: str) -> Callable[[], Any]:
    return lambda: start(name)
