"""How many threads an engine computes with: one, or as many as it was told, at most the cores."""

import time
from pathlib import Path

import pytest

from agents.cores import CORES_VARIABLE, allowed_cores
from tests.arena.engine.players import untrained_run
from tests.arena.engine.protocols.piped import LINUX, WAIT_S, Piped, command

BUSY_SHARE = 0.3  # of the processor time of the thread that used most
MEASURED_S = 1.0  # of that thread's processor time
TICKS_PER_S = 100  # of /proc


@pytest.mark.parametrize("cores", ["1", ""])
def test_threads_are_at_most_the_cores_that_may_be_used(
    cores: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CORES_VARIABLE, cores)
    told = f"option name Threads type spin default 1 min 1 max {allowed_cores()}\n"
    with Piped("uci") as engine:
        engine.until("uciok")
        assert told.encode() in engine.read


def ticks_of(pid: int) -> dict[str, int]:
    """Return the processor time of each thread of a process, in ticks."""
    ticks = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            fields = (task / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        ticks[task.name] = int(fields[11]) + int(fields[12])
    return ticks


def busy_threads(engine: Piped) -> int:
    """Count the threads that compute, all else being at most a fraction of the busiest."""
    before, used = ticks_of(engine.process.pid), {"": 0}
    last = time.monotonic() + WAIT_S
    while max(used.values()) < MEASURED_S * TICKS_PER_S:
        assert time.monotonic() < last
        time.sleep(0.1)
        now = ticks_of(engine.process.pid)
        used = {thread: ticks - before.get(thread, 0) for thread, ticks in now.items()}
    return sum(ticks > BUSY_SHARE * max(used.values()) for ticks in used.values())


@pytest.mark.slow  # compiles searches
@pytest.mark.skipif(not LINUX, reason="reads /proc")
@pytest.mark.parametrize(
    ("agent", "threads"), [("mcts:100", 1), ("network", 1), ("network", allowed_cores())]
)
def test_a_search_computes_with_its_threads_alone(agent: str, threads: int, tmp_path: Path) -> None:
    untrained_run(tmp_path, "network", "chess5")
    words = command(agent, "--game", "chess5", "--store", str(tmp_path))
    lines = [f"setoption name Threads value {threads}", "go infinite", "isready"]
    with Piped(*lines, words=words) as engine:
        engine.until("readyok")
        assert busy_threads(engine) <= threads
        engine.say("quit")
        assert engine.ended()[0] == 0
