"""Hosts made of Linux namespaces: each has its own address, name, processes and /dev/shm.

A host is a waiting shell in its own namespaces, and all programs started beside it. Its only link
is a veth pair to a bridge in the namespaces of the switch. Killing its first process is a power
cut: the kernel kills all its processes and removes its interface. The same happens whenever this
process ends, so nothing is left behind. For this reason the network namespaces have no names of
`ip netns`, which would outlive this process.

Needs Linux, root, util-linux (unshare, nsenter, setpriv) and iproute2 (ip).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.processes import PROC, family, is_alive
from selfplay.package_check import ROOT

SUBNET = "10.77.0"
PROGRAMS = ("unshare", "nsenter", "setpriv", "bash", "ip", "mount")
NAMESPACES = ("--net", "--uts", "--ipc", "--mount", "--pid", "--mount-proc")
START_S, SHORT_S = 20.0, 30.0  # for a host to start, for an `ip` command
FIRST_PROCESS = """
set -e
echo "$1" > /proc/sys/kernel/hostname
ip link set lo up
mount -t tmpfs -o size=512m tmpfs /dev/shm
mkdir -p /tmp/ray && mount -t tmpfs -o size=1g tmpfs /tmp/ray
mount --bind "$2" /etc/hosts
echo ready
read -r _ || true
"""  # bash reaps orphans while it reads; closing the pipe ends it, and so the host


def missing() -> str:
    """Explain why hosts cannot be created here; empty if they can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces need Linux"
    if os.geteuid() != 0:
        return "only root may create network namespaces"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no program {', '.join(absent)}: install util-linux and iproute2"
    tried = subprocess.run(["unshare", *NAMESPACES, "--fork", "true"], capture_output=True)
    return tried.stderr.decode().strip()


class Host:
    """A host, which runs until `kill`; `run` and `start` start programs in it.

    Args:
        name: its host name.
        hosts_file: its /etc/hosts.
    """

    def __init__(self, name: str, hosts_file: Path) -> None:
        self.name = name
        self._outer = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", *NAMESPACES, "--fork", "--kill-child"]
            + ["bash", "-c", FIRST_PROCESS, "bash", name, str(hosts_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,  # Ctrl-C reaches this process alone, which ends the hosts
        )
        assert self._outer.stdout is not None
        if self._outer.stdout.readline() != "ready\n":
            self._outer.kill()
            self._outer.communicate()  # closes its pipes
            raise RuntimeError(f"host {name!r} cannot be created; its error is printed above")
        self.pid = family(self._outer.pid)[1]

    def command(self, arguments: Sequence[str], **environment: str) -> list[str]:
        """Return the command that runs `arguments` on the host, in the checkout."""
        settings = [f"{name}={value}" for name, value in environment.items()]
        enter = ["nsenter", "--target", str(self.pid), "--all", "env", "-C", str(ROOT)]
        return [*enter, *settings, *arguments]

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], **options: Any
    ) -> subprocess.Popen[str]:
        """Start a program on the host, which ends with the host at the latest."""
        command = self.command(arguments, **environment)
        return subprocess.Popen(command, text=True, start_new_session=True, **options)

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        given: str = "",
        timeout_s: float = SHORT_S,
    ) -> str:
        """Run a program on the host and return its output. Raises CalledProcessError."""
        done = subprocess.run(
            self.command(arguments, **(environment or {})),
            input=given,
            stdout=subprocess.PIPE,
            text=True,
            timeout=timeout_s,
            check=True,
        )
        return done.stdout

    def processes(self) -> list[int]:
        """Return the ids, in our namespace, of all processes on the host."""
        mine = _process_space(self.pid)
        pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
        return [pid for pid in pids if mine is not None and _process_space(pid) == mine]

    def kill(self) -> None:
        """Cut the power: SIGKILL to all processes at once. Has no effect when repeated."""
        self._outer.kill()  # the kernel then kills the first process, and with it all others
        self._outer.wait(SHORT_S)
        wait_until(lambda: not is_alive(self.pid), SHORT_S, poll_s=0.01)
        for pipe in (self._outer.stdin, self._outer.stdout):
            if pipe is not None:
                pipe.close()


def _process_space(pid: int) -> str | None:
    with suppress(OSError):
        return str((PROC / str(pid) / "ns" / "pid").readlink())
    return None


class Network:
    """Hosts on a switch, numbered in the order of `names`; created by `network`.

    Attributes:
        hosts: the running hosts by name.
    """

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        self.names = list(names)
        self.hosts: dict[str, Host] = {}
        self._hosts_file = folder / "hosts"
        lines = [f"{self.address(name)} {name}" for name in names]
        self._hosts_file.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
        self.switch = Host("switch", self._hosts_file)

    def address(self, name: str) -> str:
        """Return the IPv4 address of a host."""
        return f"{SUBNET}.{self.names.index(name) + 1}"

    def open(self) -> None:
        """Create a bridge, then the hosts."""
        self.on_switch("link add br0 type bridge")
        self.on_switch("link set br0 up")
        for name in self.names:
            self.boot(name)

    def boot(self, name: str) -> Host:
        """Start and connect a host; it keeps its IP and MAC addresses."""
        host = self.hosts[name] = Host(name, self._hosts_file)
        number = self.names.index(name) + 1
        _ip(
            f"link add {port(name)} netns {self.switch.pid} type veth "
            f"peer name eth0 netns {host.pid} address 02:00:00:00:00:{number:02x}"
        )
        self.on_switch(f"link set {port(name)} master br0 up")
        _ip(f"addr add {self.address(name)}/24 dev eth0", host)
        _ip("link set eth0 up", host)
        return host

    def kill(self, name: str) -> None:
        """Cut a host's power."""
        self.hosts.pop(name).kill()
        # Its link is removed with it, unless unanswered connections keep its network.
        with suppress(OSError):
            self.on_switch(f"link delete {port(name)}")
        if not wait_until(lambda: port(name) not in self.on_switch("link show"), SHORT_S):
            raise RuntimeError(f"the link of {name!r} still exists")

    def cut_off(self, name: str) -> None:
        """Disconnect a host from the switch; its processes keep running."""
        self.on_switch(f"link set {port(name)} down")

    def put_back(self, name: str) -> None:
        """Reconnect a host."""
        self.on_switch(f"link set {port(name)} up")

    @contextmanager
    def slow_link(
        self, name: str, *, delay_s: float, jitter_s: float, loss: float
    ) -> Iterator[Callable[[], dict[str, int]]]:
        """Delay frames between a host and the switch, both ways, and lose some.

        Yields a function that ends it and returns the numbers of frames passed and lost. The kernel
        may lack `tc netem` (a separate module), so a process relays between two TAP devices.
        """
        relay = self.switch.start(
            [
                sys.executable,
                "-m",
                "benchmarks.hosts.slow_link",
                str(delay_s),
                str(jitter_s),
                str(loss),
            ],
            {},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert relay.stdout is not None
        if relay.stdout.readline() != "ready\n":
            raise RuntimeError("the slow link cannot be created; its error is printed above")
        self.on_switch("link add br1 type bridge")
        for device, bridge in (("near", "br0"), ("far", "br1"), (port(name), "br1")):
            self.on_switch(f"link set {device} master {bridge} up")
        self.on_switch("link set br1 up")
        counts: dict[str, int] = {}

        def end() -> dict[str, int]:
            if not counts:
                self.on_switch(f"link set {port(name)} master br0")
                counts.update(json.loads(relay.communicate(timeout=SHORT_S)[0]))
                self.on_switch("link delete br1")
            return counts

        try:
            yield end
        finally:
            end()

    def on_switch(self, arguments: str) -> str:
        """Run `ip` on the switch and return its output."""
        return _ip(arguments, self.switch)

    def close(self) -> None:
        """Remove all hosts and the switch."""
        for host in [*self.hosts.values(), self.switch]:
            host.kill()
        self.hosts.clear()


@contextmanager
def network(names: Sequence[str]) -> Iterator[Network]:
    """Yield hosts of these names on a new switch; removes all at the end."""
    with tempfile.TemporaryDirectory() as folder:
        made = Network(names, Path(folder))
        try:
            made.open()
            yield made
        finally:
            made.close()


def wait_until(holds: Callable[[], bool], timeout_s: float, poll_s: float = 0.2) -> bool:
    """Wait until the condition holds; return whether it did within the time."""
    deadline = time.monotonic() + timeout_s
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(poll_s)
    return held


def port(name: str) -> str:
    """Return the name of a host's interface at the switch."""
    return f"to-{name}"


def _ip(arguments: str, host: Host | None = None) -> str:
    inside = ["nsenter", "--target", str(host.pid), "--net"] if host else []
    command = [*inside, "ip", *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SHORT_S, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
