"""Measure the latency of a key on the screen, with and without an agent searching.

The real program plays Connect Four in a pseudo-terminal. A key moves the cursor; its latency is the
time from writing the key to reading the bytes that draw the cursor. The cases alternate in rounds,
so that other work on the machine slows them alike.
"""

from __future__ import annotations

import os
import pty
import random
import re
import select
import statistics
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.alphazero.config import NetworkConfig
from agents.alphazero.network import build_network
from agents.torch_state import dump_state
from benchmarks.machine import machine_facts, write_result
from envs.registry import find_game
from mcts.config import SearchConfig
from store import checkpoints
from store.run import create_run

ROOT = Path(__file__).resolve().parents[2]
COLUMNS, LINES = 120, 40
KEYS = {
    "left": b"\x1b[D",
    "right": b"\x1b[C",
    "new game": b"n",
    "swap sides": b"x",
    "leave": b"\x03",
}
CURSOR = "▼".encode()  # drawn above the column of the cursor, and nowhere else
ROUNDS = 2
STARTING_S = 120.0  # at most, compilation included
ANSWER_S = 20.0  # at most: a key that takes longer was lost
PAUSES_S = (0.25, 0.6)  # between keys, at random; the agents search for longer
SETTLED_S = 0.3
SIMULATIONS = {"search": 1_000_000, "network": 100_000}


class Terminal:
    """The program in a pseudo-terminal; `words` are its arguments."""

    def __init__(self, words: Sequence[str], root: Path = ROOT) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (LINES, COLUMNS))
        self._process = subprocess.Popen(
            [sys.executable, "ludens.py", *words],
            cwd=root,
            env={**os.environ, "TERM": "xterm-256color"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def press(self, key: str) -> None:
        """Press a key of KEYS."""
        os.write(self._master, KEYS[key])

    def read(self, seconds: float, until: bytes | None = None) -> bytes:
        """Read output for `seconds` or up to `until`. Raises TimeoutError if that is not drawn."""
        drawn, end = b"", time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self._master], [], [], left)[0]:
                drawn += os.read(self._master, 1 << 16)
                if until is not None and until in drawn:
                    return drawn
        if until is not None:
            raise TimeoutError(f"{until!r} was not drawn in {seconds} s, only {drawn[-400:]!r}")
        return drawn

    def close(self) -> None:
        """Leave the program, or kill it if it does not respond."""
        try:
            self.press("leave")
            self.read(0.5)
            self._process.wait(5.0)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            os.close(self._master)


@contextmanager
def started(words: Sequence[str], root: Path = ROOT) -> Iterator[Terminal]:
    """Start the program with its cursor on the board, ready for keys."""
    terminal = Terminal(words, root)
    try:
        terminal.read(STARTING_S, until=b"leave")  # in the line of keys, which is drawn last
        terminal.read(SETTLED_S)
        terminal.press("right")
        terminal.read(ANSWER_S, until=CURSOR)
        yield terminal
    finally:
        terminal.close()


def answer_s(terminal: Terminal, key: str) -> float:
    """Press a key; return the seconds until the cursor is drawn."""
    begun = time.perf_counter()
    terminal.press(key)
    terminal.read(ANSWER_S, until=CURSOR)
    return time.perf_counter() - begun


def answers_during_search(terminal: Terminal, presses: int, rng: random.Random) -> list[float]:
    """Return the latencies in seconds while an agent searches; each in a new game."""
    taken: list[float] = []
    for attempt in range(10 * presses):
        if len(taken) == presses:
            break
        terminal.press("new game")
        drawn = terminal.read(rng.uniform(*PAUSES_S))
        seconds = answer_s(terminal, ("left", "right")[attempt % 2])
        drawn += terminal.read(0.1)
        if is_thinking(drawn):
            taken.append(seconds)
    if len(taken) < presses:
        raise TimeoutError(f"only {len(taken)} of {presses} keys were pressed during a search")
    return taken


def is_thinking(drawn: bytes) -> bool:
    """Return whether the last headline drawn is that of an unfinished search."""
    heads = re.findall(rb"([\d,]+)/([\d,]+)", drawn)
    return bool(heads) and heads[-1][0] != heads[-1][1]


def answers_idle(terminal: Terminal, presses: int, rng: random.Random) -> list[float]:
    """Return the latencies in seconds while the program waits for its user."""
    taken = []
    for number in range(presses):
        terminal.read(rng.uniform(*PAUSES_S))
        taken.append(answer_s(terminal, ("left", "right")[number % 2]))
    return taken


def fresh_network(folder: str) -> str:
    """Create a run with an untrained network of the default size; return its name."""
    game, network = find_game("connect_four"), NetworkConfig()
    config = {"game": game.name, "network": asdict(network), "search": asdict(SearchConfig())}
    run = create_run(folder, "fresh", game=game.name, config=config, seed=0, versions={})
    weights = dump_state(build_network(game, network, seed=0).state_dict())
    checkpoints.save(run, 0, {checkpoints.MODEL_FILE: weights})
    return run.name


def figures(taken: Sequence[float]) -> dict[str, float]:
    """Return the median, 95th percentile and maximum, in ms."""
    cuts = statistics.quantiles(taken, n=20, method="inclusive")
    of = {"median_ms": cuts[9], "p95_ms": cuts[18], "longest_ms": max(taken)}
    return {name: round(1000 * seconds, 1) for name, seconds in of.items()}


def measure(seconds: float = 30.0, root: Path = ROOT) -> dict[str, Any]:
    """Measure each case for about `seconds`, with at least 50 keys.

    Args:
        seconds: time for one case.
        root: the checkout to measure.
    """
    facts = machine_facts(("textual", "numba", "numpy", "torch"))
    presses = max(50, round(seconds / (sum(PAUSES_S) / 2 + 0.15)))
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="ludens-screen-") as store:
        play = ("play", "connect_four", "--store", store)
        name = fresh_network(store)
        agents = {
            "search": f"mcts:{SIMULATIONS['search']}",
            "network": f"{name}:sims={SIMULATIONS['network']}",
        }
        for number in range(ROUNDS):
            rng, each = random.Random(number), -(-presses // ROUNDS)
            for kind, agent in agents.items():
                with started((*play, "--agent", agent), root) as terminal:
                    idle = answers_idle(terminal, -(-each // len(agents)), rng)
                    terminal.press("swap sides")
                    taken.setdefault("idle", []).extend(idle)
                    taken.setdefault(kind, []).extend(answers_during_search(terminal, each, rng))
    return {
        "simulations": SIMULATIONS,
        **{kind: {"keys": len(times), **figures(times)} for kind, times in taken.items()},
        "load_average_after": round(os.getloadavg()[0], 2),
        "machine": facts,
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Measure, print a line per case and write results/screen.json."""
    result = measure(seconds)
    path = write_result("screen", result)
    for kind in ("idle", "search", "network"):
        print(f"screen {kind:8} " + ", ".join(f"{n} {ms}" for n, ms in result[kind].items()))
    print(f"  -> {path}")
