"""Measure how busy two workers keep the cores in a match against another program.

Each worker plays its games against a process of its own. Rollouts, which need no training, play
Stockfish at a fixed number of nodes, so that the games are the same with and without workers.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from arena.match.match import PROGRAM_PAIRS_AT_ONCE, MatchResult, play_match
from arena.match.pool import MatchPool
from arena.match.workers import RayPool
from arena.names import find_agent
from arena.opponents.opponent import OpponentPlayer
from arena.opponents.process import find_program
from benchmarks.machine import machine_facts, write_result
from benchmarks.processes import MachineShare, cpu_seconds, family
from envs.registry import find_game

GAME = "chess"
AGENTS = ("mcts:100", "uci:stockfish?nodes=20000")
QUICK_AGENTS = ("mcts:1", "uci:stockfish?nodes=1")  # to load and compile what the others need
GAMES, WORKERS = 32, 2
STORE = "nowhere"  # these agents have no run
LOOK_S = 0.25  # a process that ends loses its time since the last look


class CoreSeconds:
    """Adds up the core seconds of this process and its descendants while it is entered."""

    def __init__(self) -> None:
        self._before = cpu_seconds(family(os.getpid()))
        self._used = dict(self._before)
        self._end = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> CoreSeconds:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._end.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        with suppress(OSError):  # a process ended meanwhile
            self._used |= cpu_seconds(family(os.getpid()))

    def total(self) -> float:
        """Return the seconds of all of them, those that ended included."""
        return sum(used - self._before.get(pid, 0.0) for pid, used in self._used.items())


def measure(games: int = GAMES, workers: int = WORKERS) -> dict[str, Any]:
    """Play the match in this process, then with workers; return how busy the cores were."""
    from selfplay.cluster.ray_session import connected, settling

    facts = machine_facts()
    _match(2, None, QUICK_AGENTS)
    alone, first = _timed(games, None)
    with connected(cpus=workers):
        pool = RayPool(workers, GAME, STORE, settling, frozenset([AGENTS[1], QUICK_AGENTS[1]]))
        _match(2 * PROGRAM_PAIRS_AT_ONCE * workers, pool, QUICK_AGENTS)  # some for each worker
        together, second = _timed(games, pool)
    return {
        "game": GAME,
        "agents": AGENTS,
        "games": games,
        "workers": workers,
        "in_one_process": alone,
        "with_workers": together,
        "speed_up": round(alone["seconds"] / together["seconds"], 2),
        "same_result": first == second,
        "score": first.total.score,
        "machine": facts,
    }


def _timed(games: int, pool: MatchPool | None) -> tuple[dict[str, Any], MatchResult]:
    """Play a match; return its seconds, core seconds and share of the cores, and its result."""
    share, began = MachineShare(), time.perf_counter()
    with CoreSeconds() as used:
        result = _match(games, pool)
    seconds = time.perf_counter() - began
    busy = used.total() / (WORKERS * seconds)
    taken = {
        "seconds": round(seconds, 2),
        "core_seconds": round(used.total(), 2),
        "busy_share_of_two_cores": round(busy, 3),
        "shares_of_the_machine": share.shares(),
    }
    return taken, result


def _match(games: int, pool: MatchPool | None, agents: tuple[str, str] = AGENTS) -> MatchResult:
    game = find_game(GAME)
    ours, program = (find_agent(name, game, STORE, programs=True) for name in agents)
    assert isinstance(program, OpponentPlayer)
    if pool is not None:
        program.stop()  # each worker has its own
    try:
        return play_match(game, ours, program, games, seed=0, pool=pool)
    finally:
        program.stop()


def run(seconds: float, peer_python: str | None, games: int = GAMES) -> None:
    """Measure, print two lines and write results/programs.json."""
    if find_program("stockfish") is None:
        print("programs: skipped, stockfish is not installed")
        return
    result = measure(games)
    path = write_result("programs", result)
    for way in ("in_one_process", "with_workers"):
        found = result[way]
        print(
            f"programs {way:15} {games} games in {found['seconds']:.1f} s, "
            f"{100 * found['busy_share_of_two_cores']:.0f}% of two cores"
        )
    print(f"programs speed-up {result['speed_up']}, same result: {result['same_result']}")
    print(f"  -> {path}")
