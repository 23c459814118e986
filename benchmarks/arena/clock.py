"""Play games by the clock against Stockfish, and count losses on time.

Our engine is what other programs start: `ludens engine`, a process that speaks UCI. The package
`chess` keeps the clocks from sending `go` to reading `bestmove`, as a program for tournaments does.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chess
import chess.engine

from arena.match.clock import TimeControl, parse_clock
from arena.opponents.process import find_program
from benchmarks.machine import machine_facts, write_result

ROOT = Path(__file__).resolve().parents[2]
AGENT = "mcts:2000"
GAMES, CLOCK = 6, "2+0.05"
OPENING_PLIES = 4  # random moves
LOAD_S = 600.0  # for our engine to compile
OURS, STOCKFISH = 0, 1


@dataclass
class _Course:
    """What happened in the games so far; of two values, the first is ours."""

    games: int = 0
    points: float = 0.0
    plies: int = 0
    lost_on_time: list[int] = field(default_factory=lambda: [0, 0])
    least_left_s: list[float] = field(default_factory=lambda: [float("inf")] * 2)
    longest_move_s: list[float] = field(default_factory=lambda: [0.0, 0.0])


def measure(games: int = GAMES, clock: str = CLOCK) -> dict[str, Any]:
    """Play games, colours in turn, from random openings; return what the clocks showed.

    Raises ValueError for a clock that cannot be read.
    """
    facts, control, course = machine_facts(), parse_clock(clock), _Course()
    ours = [sys.executable, str(ROOT / "ludens.py"), "engine", "--agent", AGENT]
    stockfish = find_program("stockfish")
    assert stockfish is not None
    with (
        chess.engine.SimpleEngine.popen_uci(ours, timeout=LOAD_S) as one,
        chess.engine.SimpleEngine.popen_uci(stockfish) as other,
    ):
        other.configure({"Threads": 1, "Hash": 16})
        for engine in (one, other):
            engine.ping()
        one.timeout = other.timeout = None  # a late move is counted, not an error
        for number in range(games):
            _play(course, (one, other), number, control)
            print(_line(course), file=sys.stderr)
    return {
        "agent": AGENT,
        "clock": str(control),
        "games": games,
        "lost_on_time": dict(zip(("ours", "stockfish"), course.lost_on_time)),
        "least_left_s": [round(seconds, 3) for seconds in course.least_left_s],
        "longest_move_s": [round(seconds, 3) for seconds in course.longest_move_s],
        "points": course.points,
        "mean_plies": round(course.plies / games, 1),
        "machine": facts,
    }


def _play(
    course: _Course,
    engines: tuple[chess.engine.SimpleEngine, chess.engine.SimpleEngine],
    number: int,
    control: TimeControl,
) -> None:
    board, white = _opening(number), number % 2  # the engine with White
    left = [control.seconds, control.seconds]
    course.games += 1
    while not board.is_game_over(claim_draw=True):
        mover = white if board.turn == chess.WHITE else 1 - white
        limit = chess.engine.Limit(
            white_clock=left[white],
            black_clock=left[1 - white],
            white_inc=control.increment,
            black_inc=control.increment,
        )
        began = time.perf_counter()
        found = engines[mover].play(board, limit, game=number)
        took = time.perf_counter() - began
        left[mover] -= took
        course.longest_move_s[mover] = max(course.longest_move_s[mover], took)
        course.least_left_s[mover] = min(course.least_left_s[mover], left[mover])
        if left[mover] < 0:
            course.lost_on_time[mover] += 1
            course.points += mover == STOCKFISH
            break
        assert found.move is not None
        left[mover] += control.increment
        board.push(found.move)
    else:
        outcome = board.outcome(claim_draw=True)
        assert outcome is not None
        won = None if outcome.winner is None else outcome.winner == (white == OURS)
        course.points += 0.5 if won is None else float(won)
    course.plies += board.ply()


def _opening(number: int) -> chess.Board:
    """Return the position that a pair of games begins from."""
    chance, board = random.Random(number // 2), chess.Board()
    for _ in range(OPENING_PLIES):
        board.push(chance.choice([*board.legal_moves]))
    return board


def _line(course: _Course) -> str:
    ours, theirs = course.lost_on_time
    return (
        f"game {course.games}: {course.points:g} points; lost on time: {ours} by us, {theirs} by "
        f"stockfish; least time left {course.least_left_s[OURS]:.3f} s and "
        f"{course.least_left_s[STOCKFISH]:.3f} s"
    )


def run(seconds: float, peer_python: str | None, games: int = GAMES, clock: str = CLOCK) -> None:
    """Measure, print a line and write results/clock.json."""
    if find_program("stockfish") is None:
        print("clock: skipped, stockfish is not installed")
        return
    result = measure(games, clock)
    path = write_result("clock", result)
    late, left = result["lost_on_time"], result["least_left_s"]
    print(
        f"clock {result['clock']}: {games} games against stockfish, {result['points']:g} points; "
        f"lost on time: {late['ours']} by us, {late['stockfish']} by stockfish; least time left "
        f"{left[OURS]:.3f} s and {left[STOCKFISH]:.3f} s"
    )
    print(f"  -> {path}")
