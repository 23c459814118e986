"""`ludens engine` ends in every state and way, and leaves no process: UCI, USI and GTP."""

import fcntl
import itertools
import shlex
import signal
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.arena.engine.protocols.piped import ENDS, SCRIPT, WAIT_S, Piped, command

MUCH_BYTES = 30_000  # of a pipe, which has room for 65,536 at most
LONG = "mcts:100000000"  # no search of it ends by itself
SHORT = "mcts:2000"

# What brings an engine into a state, and what it writes then.
States = dict[str, tuple[list[str], str]]
UCI: States = {
    "new": (["uci"], "uciok"),
    "loading": (["isready", "position startpos", "go infinite", "uci"], "uciok"),
    "ready": (["isready"], "readyok"),
    "waiting": (["go infinite", "isready"], "readyok"),
    "searching": (["go movetime 9000000", "isready"], "readyok"),
    "analysing": (["setoption name MultiPV value 3", "go infinite", "isready"], "readyok"),
    "pondering": (["position startpos", "go ponder wtime 9 btime 9", "isready"], "readyok"),
    "done": (["go nodes 1"], "bestmove"),
}
USI: States = {
    "new": (["usi"], "usiok"),
    "loading": (["isready", "position startpos", "go infinite", "usi"], "usiok"),
    "ready": (["isready"], "readyok"),
    "waiting": (["go infinite", "isready"], "readyok"),
    "pondering": (["position startpos", "go ponder byoyomi 9", "isready"], "readyok"),
    "done": (["go nodes 1"], "bestmove"),
}
GTP: States = {
    "new": (["1 name"], "=1"),
    "loading": (["1 name", "2 showboard"], "=1"),
    "ready": (["1 showboard"], "=1"),
    "searching": (["1 showboard", "2 genmove b"], "=1"),
    "analysing": (["1 showboard", "2 lz-analyze b 10"], "=2"),
    "moving with analysis": (["1 showboard", "2 kata-genmove_analyze b 10"], "=2"),
    "another size": (["1 showboard", "2 boardsize 7", "3 showboard"], "=2"),
    "done": (["1 genmove b"], "=1"),
}
SEARCHES = ("searching", "analysing", "moving with analysis")
OWES_A_MOVE = ("waiting", "searching", "analysing", "pondering", "done")
FIRST_ITS_MOVE = ("searching", "moving with analysis")  # before anything else, with GTP


def cases(states: States, *fast: tuple[str, str]) -> list[object]:
    """Return every state with every way to end; all but those named are slow."""
    return [
        pytest.param(state, end, marks=[] if (state, end) in fast else pytest.mark.slow)
        for state, end in itertools.product(states, ENDS)
    ]


@pytest.mark.parametrize(("state", "end"), cases(UCI, ("waiting", "quit")))
def test_uci_ends_in_every_state(state: str, end: str) -> None:
    lines, sign = UCI[state]
    with Piped(*lines, agent=LONG if state in SEARCHES else "random") as engine:
        engine.until(sign)
        out = engine.end(end)
    if out is not None:
        assert out.count(b"bestmove") == (state in OWES_A_MOVE)


@pytest.mark.parametrize(("state", "end"), cases(USI))
def test_usi_ends_in_every_state(state: str, end: str) -> None:
    lines, sign = USI[state]
    with Piped(*lines, game="minishogi") as engine:
        engine.until(sign)
        out = engine.end(end)
    if out is not None:
        assert out.count(b"bestmove") == (state in OWES_A_MOVE)


@pytest.mark.parametrize(("state", "end"), cases(GTP))
def test_gtp_ends_in_every_state(state: str, end: str) -> None:
    agent = LONG if state in SEARCHES else "random"
    if state in FIRST_ITS_MOVE and end in ("quit", "broken"):
        agent = SHORT
    lines, sign = GTP[state]
    with Piped(*lines, agent=agent, game="go9") as engine:
        engine.until(sign)
        out = engine.end(end)
    if end == "quit":
        assert out is not None
        assert out.endswith(b"\n=\n\n")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("state", ["ready", "analysing"])
def test_nothing_outlives_a_program_that_crashed(state: str, tmp_path: Path) -> None:
    """Its engine's input ends with it, also behind a shell's script that lacks `exec`."""
    script = tmp_path / "engine.sh"
    script.write_text(f"#!/bin/sh\n{shlex.join(command(LONG, '--game', 'go9'))}\ntrue\n")
    script.chmod(0o755)
    lines, sign = GTP[state]
    program = (  # reads what the engine writes, until it is killed
        "import subprocess, sys; p = subprocess.PIPE\n"
        "engine = subprocess.Popen([sys.argv[1]], stdin=p, stdout=p, text=True)\n"
        "engine.stdin.write(sys.argv[2]); engine.stdin.flush()\n"
        "for line in engine.stdout: print(line, end='', flush=True)\n"
    )
    words = [sys.executable, "-c", program, str(script), "\n".join([*lines, ""])]
    with Piped(words=words) as running:
        running.until(sign)
        assert any(SCRIPT in Path(f"/proc/{pid}/cmdline").read_text() for pid in running.members)
        running.process.kill()
        running.process.wait(WAIT_S)
        assert running.left_over() == []


@pytest.mark.slow  # the engine waits ten seconds for the program
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks a pipe what it holds")
def test_a_signal_ends_an_engine_whose_lines_are_not_read() -> None:
    with Piped("uci") as engine:
        engine.until("uciok")
        assert engine.process.stdout is not None
        engine.say(*["uci"] * 2000)
        pipe, unread, before = engine.process.stdout.fileno(), 0, -1
        while unread < MUCH_BYTES or unread > before:  # until it cannot write any more
            time.sleep(0.5)
            found = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
            unread, before = int.from_bytes(found, sys.byteorder), unread
        engine.process.send_signal(signal.SIGTERM)
        assert engine.process.wait(WAIT_S) == 128 + signal.SIGTERM
        assert engine.left_over() == []
