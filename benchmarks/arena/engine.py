"""Measure how soon `ludens engine` answers: the first words, when it is ready, and after a stop.

The engine is a process of its own, asked over pipes as other programs ask it. A time is that from
before a line is written until the line that answers it was read, so it has the cost of the pipes,
of this process and of other work on the machine.
"""

from __future__ import annotations

import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from arena.opponents.process import Program
from benchmarks.machine import machine_facts, write_result

ROOT = Path(__file__).resolve().parents[2]
AGENT = "mcts:2000"
GAMES = {"uci": "chess", "gtp": "go9"}
STARTS = 5
ASKS = 100  # of each question
MOVE_MS = 100  # of a search by time
PATIENCE_S = 600.0  # for an engine that compiles


def command(game: str, agent: str) -> list[str]:
    """Return the command of an engine."""
    words = [sys.executable, str(ROOT / "ludens.py"), "engine", "--agent", agent]
    return [*words, "--game", game]


class AskedEngine:
    """A running engine, asked as another program does. Ends when its `with` block is left."""

    def __init__(self, game: str, agent: str) -> None:
        self._program = Program([*command(game, agent), "--seed", "1"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._program.stop()

    def ask_ms(self, line: str, sign: str) -> float:
        """Write a line and return the milliseconds until a line begins with `sign`.

        Raises ProgramError if the engine ends or says nothing.
        """
        began = time.perf_counter()
        self._program.write(line)
        while not self._program.read_line(time.monotonic() + PATIENCE_S).startswith(sign):
            pass
        return 1000 * (time.perf_counter() - began)

    def tell(self, line: str) -> None:
        """Write a line that has no answer."""
        self._program.write(line)


def summary(values_ms: Sequence[float]) -> dict[str, float]:
    """Return the median, the 99th percentile (nearest rank) and the longest of some times."""
    ranked = sorted(values_ms)
    return {
        "median_ms": round(statistics.median(ranked), 2),
        "p99_ms": round(ranked[math.ceil(0.99 * len(ranked)) - 1], 2),
        "most_ms": round(ranked[-1], 2),
    }


def first_answers(
    game: str, agent: str, questions: Sequence[tuple[str, str]], starts: int
) -> list[dict[str, float]]:
    """Start engines and ask each one the questions; return the times of each question.

    The first one's includes the start of the process; all kernels are compiled before.
    """
    subprocess.run([*command(game, agent), "--prepare"], check=True, stdout=subprocess.DEVNULL)
    times: list[list[float]] = [[] for _ in questions]
    for _ in range(starts):
        began = time.perf_counter()
        with AskedEngine(game, agent) as engine:
            for number, (line, sign) in enumerate(questions):
                engine.ask_ms(line, sign)
                times[number].append(1000 * (time.perf_counter() - began))
                began = time.perf_counter()
    return [summary(found) for found in times]


def uci_times(
    seconds: float, agent: str, game: str, asks: int = ASKS, starts: int = STARTS
) -> dict[str, Any]:
    """Measure UCI's answers; searches that are stopped last `seconds` together, about."""
    handshake, loaded = first_answers(
        game, agent, [("uci", "uciok"), ("isready", "readyok")], starts
    )
    draw = random.Random(1)
    found: dict[str, list[float]] = {
        name: [] for name in ("uci", "isready", "isready_searching", "stop", "movetime")
    }
    with AskedEngine(game, agent) as engine:
        engine.ask_ms("isready", "readyok")
        for _ in range(asks):
            found["uci"].append(engine.ask_ms("uci", "uciok"))
            found["isready"].append(engine.ask_ms("isready", "readyok"))
            engine.tell("go infinite")
            time.sleep(draw.uniform(0.5, 1.5) * seconds / asks)
            found["isready_searching"].append(engine.ask_ms("isready", "readyok"))
            found["stop"].append(engine.ask_ms("stop", "bestmove"))
            found["movetime"].append(engine.ask_ms(f"go movetime {MOVE_MS}", "bestmove"))
    return {
        "game": game,
        "start_to_uciok": handshake,
        "first_isready": loaded,
        "uci_to_uciok": summary(found["uci"]),
        "isready_to_readyok": summary(found["isready"]),
        "isready_to_readyok_searching": summary(found["isready_searching"]),
        "stop_to_bestmove": summary(found["stop"]),
        f"go_movetime_{MOVE_MS}": summary(found["movetime"]),
    }


def gtp_times(
    seconds: float, agent: str, game: str, asks: int = ASKS, starts: int = STARTS
) -> dict[str, Any]:
    """Measure GTP's answers; analyses that are ended last `seconds` together, about."""
    handshake, loaded = first_answers(
        game, agent, [("1 name", "=1"), ("2 showboard", "=2")], starts
    )
    draw = random.Random(1)
    named, ended = list[float](), list[float]()
    with AskedEngine(game, agent) as engine:
        engine.ask_ms("1 showboard", "=1")
        for _ in range(asks):
            named.append(engine.ask_ms("2 name", "=2"))
            engine.ask_ms("3 lz-analyze 10", "=3")
            time.sleep(draw.uniform(0.5, 1.5) * seconds / asks)
            ended.append(engine.ask_ms("4 name", "=4"))
    return {
        "game": game,
        "start_to_name": handshake,
        "first_showboard": loaded,
        "name": summary(named),
        "line_that_ends_an_analysis": summary(ended),
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Measure, print a line for each answer and write results/engine.json."""
    facts = machine_facts()
    result: dict[str, Any] = {"agent": AGENT, "starts": STARTS, "asks": ASKS}
    result["uci"] = uci_times(seconds, AGENT, GAMES["uci"])
    result["gtp"] = gtp_times(seconds, AGENT, GAMES["gtp"])
    path = write_result("engine", {**result, "machine": facts})
    for protocol in GAMES:
        for name, times in result[protocol].items():
            if name != "game":
                told = "  ".join(f"{key} {value:>9,.2f}" for key, value in times.items())
                print(f"engine {protocol} {name:30} {told}")
    print(f"  -> {path}")
