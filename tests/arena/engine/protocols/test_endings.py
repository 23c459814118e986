"""`ludens engine` ends in every state, for UCI and GTP, and /proc has no process of it then."""

import fcntl
import itertools
import shlex
import signal
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.arena.engine.protocols.engines import SCRIPT, WAIT_S, Piped, command, piped

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

ENDS = ("quit", "end", "term", "broken")
MUCH_BYTES = 30_000  # of a pipe, which has room for 65,536 at most
LONG = "mcts:100000000"  # no search of it ends by itself

# What brings an engine into a state, and what it writes then.
UCI_STATES = {
    "new": (["uci"], "uciok"),
    "loading": (["isready", "position startpos", "go infinite", "uci"], "uciok"),
    "idle": (["isready"], "readyok"),
    "searching": (["go movetime 9000000", "isready"], "readyok"),
    "analysing": (["setoption name MultiPV value 3", "go infinite", "isready"], "readyok"),
    "pondering": (
        ["position startpos moves e2e3", "go ponder wtime 9 btime 9", "isready"],
        "readyok",
    ),
    "done": (["go nodes 1"], "bestmove"),
}
SEARCHES = ("searching", "analysing", "pondering")
GTP_STATES = {
    "new": (["1 name"], "=1"),
    "loading": (["1 name", "2 showboard"], "=1"),
    "idle": (["1 showboard"], "=1"),
    "searching": (["1 showboard", "2 genmove b"], "=1"),
    "analysing": (["1 showboard", "2 lz-analyze b 10"], "=2"),
    "moving with analysis": (["1 showboard", "2 kata-genmove_analyze b 10"], "=2"),
    "another size": (["1 showboard", "2 boardsize 7", "3 showboard"], "=2"),
    "done": (["1 genmove b"], "=1"),
}
ANSWERED_FIRST = {"searching", "moving with analysis"}  # before `quit`, with GTP


def end_it(engine: Piped, end: str, line: str) -> None:
    """End an engine in one of four ways; `line` has an answer."""
    assert engine.process.stdout is not None
    if end == "quit":
        engine.say("quit")
    elif end == "end":
        engine.close_input()
    elif end == "term":
        engine.process.send_signal(signal.SIGTERM)
    else:  # its lines are read no more, and it finds out when it writes one
        engine.process.stdout.close()
        engine.say(line)


def cases(states: dict[str, tuple[list[str], str]], fast: set[tuple[str, str]]) -> list[object]:
    return [
        pytest.param(state, end, marks=[] if (state, end) in fast else pytest.mark.slow)
        for state, end in itertools.product(states, ENDS)
    ]


@pytest.mark.parametrize(
    ("state", "end"), cases(UCI_STATES, {("new", "end"), ("loading", "term"), ("idle", "quit")})
)
def test_uci_ends_in_every_state(state: str, end: str) -> None:
    agent = LONG if state in SEARCHES else "random"
    lines, sign = UCI_STATES[state]
    with piped(command(agent, "--game", "chess"), *lines) as engine:
        engine.until(sign)
        end_it(engine, end, "uci")
        assert engine.process.wait(WAIT_S) == 0
        assert engine.left_over() == []
        if end != "broken":
            _, out, err = engine.ended()
            assert err == b""
            assert out.count(b"bestmove") == (state in (*SEARCHES, "done"))


@pytest.mark.parametrize(
    ("state", "end"), cases(GTP_STATES, {("new", "quit"), ("loading", "term"), ("idle", "end")})
)
def test_gtp_ends_in_every_state(state: str, end: str) -> None:
    searches = state in (*ANSWERED_FIRST, "analysing")
    agent = "random"
    if searches:
        agent = "mcts:2000" if end == "quit" and state in ANSWERED_FIRST else LONG
    lines, sign = GTP_STATES[state]
    with piped(command(agent, "--game", "go9"), *lines) as engine:
        engine.until(sign)
        end_it(engine, end, "9 name")
        if end == "broken" and state in ANSWERED_FIRST:
            engine.process.send_signal(signal.SIGTERM)  # nothing is written before its move
        assert engine.process.wait(WAIT_S) == 0
        assert engine.left_over() == []
        if end == "quit":
            assert engine.ended()[1].endswith(b"\n=\n\n")
        if end != "broken":
            assert engine.ended()[2] == b""


@pytest.mark.slow
@pytest.mark.parametrize("state", ["idle", "analysing"])
def test_nothing_outlives_a_program_that_crashed(state: str, tmp_path: Path) -> None:
    """Of a script without `exec` too: the shell goes with the program, the engine by its input."""
    script = tmp_path / "engine.sh"
    script.write_text(f"#!/bin/sh\n{shlex.join(command(LONG, '--game', 'go9'))}\ntrue\n")
    script.chmod(0o755)
    lines, sign = GTP_STATES[state]
    program = (  # reads what the engine writes, until it is killed
        "import subprocess, sys; p = subprocess.PIPE\n"
        "engine = subprocess.Popen([sys.argv[1]], stdin=p, stdout=p, text=True)\n"
        "engine.stdin.write(sys.argv[2]); engine.stdin.flush()\n"
        "for line in engine.stdout: print(line, end='', flush=True)\n"
    )
    words = [sys.executable, "-c", program, str(script), "\n".join([*lines, ""])]
    with piped(words) as running:
        running.until(sign)
        assert any(SCRIPT in Path(f"/proc/{pid}/cmdline").read_text() for pid in running.members)
        running.process.kill()
        running.process.wait(WAIT_S)
        assert running.left_over() == []


@pytest.mark.slow  # the engine waits ten seconds for the program
def test_a_signal_ends_an_engine_whose_lines_are_not_read() -> None:
    with piped(command("random"), "uci") as engine:
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
