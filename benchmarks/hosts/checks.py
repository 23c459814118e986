"""A stage of the benchmark `hosts`: the driver's reports, the workers' answers, the checks."""

from __future__ import annotations

import itertools
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.hosts.cluster import Cluster, Driver, Said
from benchmarks.hosts.namespaces import wait_until

SAID_S = 50.0  # until the driver reports a lost worker: a little more than two rounds
GAP_S = 45.0  # between two answers of undisturbed workers
BACK_S = 240.0  # until all workers play again
STEADY_S = 20.0  # that they keep playing: Ray may declare a host dead after it is back


@dataclass(frozen=True)
class Check:
    """One comparison of a value with what was expected."""

    what: str
    expected: Any
    found: Any
    right: bool


@dataclass
class Stage:
    """One part of the run.

    Attributes:
        facts: what was done and measured, JSON-ready.
    """

    name: str
    cluster: Cluster
    begun_s: float = field(default_factory=time.monotonic)
    ended_s: float = 0.0
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def driver(self) -> Driver:
        """Return the current driver."""
        return self.cluster.drivers[-1]

    @property
    def last(self) -> Said:
        """Return the driver's last report."""
        assert self.driver.last is not None
        return self.driver.last

    def equal(self, what: str, found: Any, expected: Any) -> None:
        """Check that `found` equals `expected`."""
        self._note(Check(what, expected, found, found == expected))

    def between(self, what: str, found: float | None, least: float, most: float = 1e12) -> None:
        """Check that a number exists and is within the bounds."""
        right = found is not None and least <= found <= most
        bounds = f"{least:g} to {most:g}" if most < 1e12 else f"at least {least:g}"
        self._note(Check(what, bounds, found, right))

    def _note(self, check: Check) -> None:
        self.checks.append(check)
        mark = "" if check.right else "  <-- WRONG"
        print(
            f"hosts {self.name}: {check.what}: {check.found} ({check.expected}){mark}", flush=True
        )

    def all_play(self) -> bool:
        """Return whether the driver reports that all workers play."""
        said = self.driver.last
        return said is not None and said.workers == said.workers_wanted

    def plays(self, workers: int) -> bool:
        """Return whether the driver reports that `workers` workers play."""
        return self.driver.last is not None and self.driver.last.workers == workers

    def learns_again(self, since_s: float) -> bool:
        """Return whether, after `since_s`, weights were published and training continued."""
        events = [said.event for said in self.said() if said.at_s > since_s]
        return "published" in events and "learned" in events[events.index("published") :]

    def last_checkpoint(self) -> int:
        """Return the steps of the newest checkpoint that a driver reported; -1 if none."""
        said = [said for driver in self.cluster.drivers for said in list(driver.said)]
        return max((s.learner_steps for s in said if s.event == "checkpoint"), default=-1)

    def said(self) -> list[Said]:
        """Return the reports of all drivers in this stage."""
        return [
            said
            for driver in self.cluster.drivers
            for said in list(driver.said)
            if said.at_s >= self.begun_s
        ]

    def notices(self) -> list[tuple[float, str]]:
        """Return the notices of this stage, each with its seconds since the start."""
        return [
            (round(said.at_s - self.begun_s, 1), notice)
            for said in self.said()
            for notice in said.notices
        ]

    def notices_naming(self, host: str) -> list[tuple[float, str]]:
        """Return the notices that name a host."""
        return [(at_s, text) for at_s, text in self.notices() if f" on {host} " in text]

    def answers(self, host: str, since_s: float) -> list[float]:
        """Return the times of the answers of a host's workers."""
        return [
            answer.at_s
            for driver in self.cluster.drivers
            for answer in list(driver.rounds)
            if answer.host == host and answer.at_s >= since_s
        ]

    def check_naming(self, host: str, since_s: float) -> None:
        """Check that the driver soon reports a failure of a host."""
        named = [at_s for at_s, _ in self.notices_naming(host)]
        found = round(self.begun_s + named[0] - since_s, 1) if named else None
        self.between(f"seconds until it reports {host}", found, 0.0, SAID_S)

    def check_playing(self, host: str, since_s: float) -> None:
        """Check that the workers of an undisturbed host play without a long pause."""
        moments = [since_s, *self.answers(host, since_s), time.monotonic()]
        gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
        self.between(f"longest pause of {host} in seconds", round(max(gaps), 1), 0.0, GAP_S)

    def check_all_play_again(self, since_s: float) -> None:
        """Check that the driver reports all workers playing for STEADY_S."""
        again = wait_until(self.all_have_played, BACK_S + STEADY_S)
        found = round(time.monotonic() - since_s - STEADY_S, 1) if again else None
        self.between("seconds until all workers play again", found, 0.0, BACK_S)

    def all_have_played(self) -> bool:
        """Return whether the driver has reported for STEADY_S that all play, and nothing else."""
        since = time.monotonic() - STEADY_S
        said = list(self.driver.said)
        earlier = [each for each in said if each.at_s < since][-1:]  # held until the next report
        late = [each for each in said if each.at_s >= since]
        return bool(earlier and late) and all(
            each.workers == each.workers_wanted for each in earlier + late
        )

    def check_store(self) -> None:
        """Check that every acknowledged game is in the store, once."""
        steps = self.driver.last.learner_steps if self.driver.last else 0
        found = self.facts["store"] = self.cluster.audit(steps)
        self.between("games acknowledged so far", found["games_acknowledged"], 1)
        for what in ("games_lost", "games_twice", "games_unreadable"):
            self.equal(what.replace("_", " "), found[what], 0)

    def described(self) -> dict[str, Any]:
        """Return the stage's results, with the changes in the number of workers; JSON-ready."""
        changes: list[tuple[float, str]] = []
        for said in self.said():
            count = f"{said.workers} of {said.workers_wanted}"
            if not changes or changes[-1][1] != count:
                changes.append((round(said.at_s - self.begun_s, 1), count))
        return {
            "seconds": round(self.ended_s - self.begun_s, 1),
            **self.facts,
            "workers_said_at_s": changes,
            "notices_at_s": self.notices(),
            "checks": [asdict(check) for check in self.checks],
        }
