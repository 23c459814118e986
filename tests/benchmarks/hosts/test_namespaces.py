"""Hosts of namespaces: who reaches whom, and what is left of one that was killed."""

import statistics
import sys
from pathlib import Path

import pytest

from benchmarks.hosts.namespaces import missing, network, wait_until
from benchmarks.processes import is_alive

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"no hosts can be made: {missing()}")

ECHO = """
import socket
server = socket.create_server(("", 7000))
print("ready", flush=True)
while True:
    server.accept()[0].close()
"""
CALL = """
import socket, sys, time
for _ in range(int(sys.argv[2])):
    begun = time.monotonic()
    try:
        socket.create_connection((sys.argv[1], 7000), 1.0).close()
    except OSError:
        print(-1.0)
    else:
        print(time.monotonic() - begun)
"""


@pytest.fixture
def net():
    with network(["left", "right"]) as made:
        yield made


def _serve(host):
    server = host.start([sys.executable, "-c", ECHO], {}, stdout=-1)
    assert server.stdout.readline() == "ready\n"
    return server


def _calls(net, number=1):
    printed = net.hosts["left"].run([sys.executable, "-c", CALL, "right", str(number)])
    return [float(line) for line in printed.split()]


def test_a_host_is_reached_until_its_cable_is_out_or_it_is_dead(net):
    server = _serve(net.hosts["right"])
    assert net.hosts["right"].run(["uname", "-n"]) == "right\n"
    assert _calls(net)[0] >= 0
    net.cut_off("right")
    assert _calls(net) == [-1.0]
    net.put_back("right")
    assert _calls(net)[0] >= 0
    processes = net.hosts["right"].processes()
    assert len(processes) == 2  # its first one and the server
    net.kill("right")
    assert not any(is_alive(pid) for pid in processes)
    server.wait()
    server.stdout.close()
    assert _calls(net) == [-1.0]
    net.boot("right")
    server = _serve(net.hosts["right"])
    assert _calls(net)[0] >= 0  # under the address of before
    net.kill("right")
    server.wait()
    server.stdout.close()


def test_a_slow_link_is_slow_both_ways_while_it_is_there(net):
    server = _serve(net.hosts["right"])
    with net.slow_link("right", delay_s=0.1, jitter_s=0.05, loss=0.0) as end:
        assert statistics.median(_calls(net, 5)) >= 0.1
        assert end()["passed"] > 10
    assert _calls(net)[0] >= 0
    net.kill("right")
    server.wait()
    server.stdout.close()


def test_nothing_of_the_hosts_is_seen_outside_and_nothing_is_left():
    def interfaces():
        return sorted(path.name for path in Path("/sys/class/net").iterdir())

    before = interfaces()
    with network(["left", "right"]) as made:
        assert interfaces() == before
        first = [host.pid for host in (*made.hosts.values(), made.switch)]
    assert interfaces() == before
    assert wait_until(lambda: not any(is_alive(pid) for pid in first), 10.0)
