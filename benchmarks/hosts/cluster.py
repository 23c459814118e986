"""Ray on hosts of `benchmarks.hosts.namespaces`, an S3 server, and a run with a recorded driver.

`head` runs Ray's head and the driver but no worker, as in docs/cluster.md. The hosts of PLAYING
have CORES cores each for Ray, which is restarted when it ends, as in a pod. `store` serves S3.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cluster.soak import LEARNER, WORKER
from benchmarks.hosts.namespaces import Network, network, wait_until
from benchmarks.processes import named
from selfplay.cluster.ray_session import worker_environment

HEAD, STORE_HOST, PLAYING = "head", "store", ("one", "two")
NAMES = (HEAD, *PLAYING, STORE_HOST)
CORES = 2  # for Ray, per playing host
RAY_PORT, S3_PORT, BUCKET, RUN = 6379, 9000, "ludens", "hosts"
STORE_URL = f"s3://{BUCKET}/runs"
OBJECT_STORE_BYTES = 100 << 20
STARTS = 20  # at most, of Ray on a host
PAUSE_S = 2  # between two starts
FOREIGN = ("RAY_", "AWS_")  # variables that programs must not inherit
GOODBYE_S = 150.0  # for a driver that was asked to end
DRIVER = [sys.executable, "-m", "benchmarks.hosts.driver"]


@dataclass(frozen=True)
class Round:
    """A worker's answer, with the number of games it committed."""

    at_s: float
    writer: str
    host: str
    games: int


@dataclass(frozen=True)
class Said:
    """A report of the driver, with some fields of `agents.progress.Progress`."""

    at_s: float
    event: str
    games: int
    workers: int
    workers_wanted: int
    learner_steps: int
    network_version: int
    notices: list[str]


@dataclass
class Driver:
    """A running `benchmarks.hosts.driver train`, and what it has printed so far.

    Attributes:
        error: the error that ended it, if it reported one.
    """

    process: subprocess.Popen[str]
    rounds: list[Round] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    error: str = ""

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.startswith("{"):  # printed by a library
                continue
            told = json.loads(line)
            kind = told.pop("kind")
            if kind == "round":
                self.rounds.append(Round(**told))
            elif kind == "progress":
                self.said.append(Said(**told))
            else:
                self.error = f"{told['type']}: {told['text']}"

    @property
    def runs(self) -> bool:
        """Return whether it is still running."""
        return self.process.poll() is None

    @property
    def last(self) -> Said | None:
        """Return its last report."""
        return self.said[-1] if self.said else None

    def finish(self) -> int | None:
        """Ask it to end and wait; return its exit status, None if it does not end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        wait_until(lambda: not self.runs, GOODBYE_S)
        return self.ended()

    def ended(self) -> int | None:
        """Read the rest of its output, after it or its host has ended; return its exit status."""
        self._reader.join(10.0)
        return self.process.poll()


class Cluster:
    """Ray, the store and the driver on a running network.

    Attributes:
        drivers: the drivers of all sessions of the run, in order.
    """

    def __init__(self, net: Network, log: Path) -> None:
        self.net = net
        self.drivers: list[Driver] = []
        self._log = log.open("w")
        self._programs: list[subprocess.Popen[str]] = []
        self._environment = {
            **s3_environment(net.address(STORE_HOST)),
            **worker_environment(),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
        }

    def _start(self, host: str, arguments: list[str], **options: Any) -> subprocess.Popen[str]:
        ours = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        program = self.net.hosts[host].start(
            arguments, self._environment, stderr=self._log, env=ours, **options
        )
        self._programs.append(program)
        return program

    def serve_store(self) -> None:
        """Start the S3 server with an empty bucket."""
        where = [self.net.address(STORE_HOST), str(S3_PORT), BUCKET]
        program = self._start(
            STORE_HOST,
            [sys.executable, "-m", "benchmarks.hosts.s3_server", *where],
            stdout=subprocess.PIPE,
        )
        assert program.stdout is not None
        if program.stdout.readline() != "ready\n":
            raise RuntimeError(f"the S3 server did not start: see {self._log.name}")

    def start_ray(self, host: str) -> None:
        """Start Ray on a host; restart it whenever it ends."""
        head = f"{self.net.address(HEAD)}:{RAY_PORT}"
        first = ["--head", f"--port={RAY_PORT}", "--include-dashboard=false", "--num-cpus=0"]
        other = [f"--address={head}", f"--num-cpus={CORES}"]
        command = [
            str(Path(sys.executable).parent / "ray"), "start", "--block",
            *(first if host == HEAD else other),
            f"--node-ip-address={self.net.address(host)}", "--disable-usage-stats",
            f"--object-store-memory={OBJECT_STORE_BYTES}",
        ]  # fmt: skip
        again = f'for _ in $(seq {STARTS}); do "$@" || true; sleep {PAUSE_S}; done'
        self._start(host, ["bash", "-c", again, "ray", *command], stdout=self._log)

    def start_driver(self) -> Driver:
        """Start the training command on the head; it is the same each time."""
        environment = {
            "RAY_ADDRESS": f"{self.net.address(HEAD)}:{RAY_PORT}",
            # As in a job; else Ray would send the sources to each host, which would compile them.
            "RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps(
                {"runtime_env": {"env_vars": worker_environment()}}
            ),
        }
        settings = [f"{name}={value}" for name, value in environment.items()]
        command = ["env", *settings, *DRIVER, "train", STORE_URL, RUN]
        program = self._start(HEAD, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.drivers.append(Driver(program))
        return self.drivers[-1]

    def acknowledged(self) -> Counter[str]:
        """Count the acknowledged games of each writer, over all sessions."""
        total: Counter[str] = Counter()
        for driver in self.drivers:
            for answer in list(driver.rounds):
                total[answer.writer] += answer.games
        return total

    def audit(self, learner_steps: int) -> dict[str, Any]:
        """Compare the store with what was acknowledged so far, by `soak.audit`; JSON-ready."""
        told = {"acknowledged": self.acknowledged(), "learner_steps": learner_steps}
        printed = self.net.hosts[STORE_HOST].run(
            [*DRIVER, "audit", STORE_URL, RUN],
            self._environment,
            given=json.dumps(told),
            timeout_s=120.0,
        )
        return dict(json.loads(printed.splitlines()[-1]))

    def actors(self) -> dict[str, dict[str, int]]:
        """Count the workers and learners on each host that is up."""
        return {
            name: {
                "workers": len(named(processes, WORKER)),
                "learners": len(named(processes, LEARNER)),
            }
            for name, host in self.net.hosts.items()
            if name in PLAYING and (processes := host.processes())
        }

    def host_of_learner(self) -> str:
        """Return the learner's host. Raises LookupError unless there is exactly one learner."""
        found = [name for name, actors in self.actors().items() if actors["learners"]]
        if len(found) != 1:
            raise LookupError(f"expected one learner, found learners on {found or 'no host'}")
        return found[0]

    def close(self) -> None:
        """Close the pipes of this process, after the hosts have ended."""
        for program in self._programs:
            program.wait(10.0)
            for pipe in (program.stdin, program.stdout):
                if pipe is not None:
                    pipe.close()
        self._log.close()


def s3_environment(address: str) -> dict[str, str]:
    """Return the variables with which botocore finds the store."""
    return {
        "AWS_ENDPOINT_URL": f"http://{address}:{S3_PORT}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": address,
    }


@contextmanager
def cluster_of_hosts(log: Path) -> Iterator[Cluster]:
    """Yield a cluster of the hosts NAMES, without programs; removes all at the end."""
    with network(NAMES) as net:
        cluster = Cluster(net, log)
        try:
            yield cluster
        finally:
            net.close()
            cluster.close()
