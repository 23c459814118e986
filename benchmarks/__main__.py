"""`python -m benchmarks` runs every benchmark, `python -m benchmarks search` one of them."""

from __future__ import annotations

import argparse
import sys

from benchmarks import versions
from benchmarks.arena import clock, engine, ladder, matches, programs, screen, single_game
from benchmarks.cluster import reading, simulated, soak, workers
from benchmarks.hosts import failures
from benchmarks.learning import acting, environment, training
from benchmarks.rules import perft
from benchmarks.selfplay import compiling, gpu, memory, overlap, playouts, search
from benchmarks.selfplay import throughput as selfplay
from benchmarks.store import requests
from benchmarks.store import throughput as store


def _rllib(seconds: float, peer_python: str | None) -> None:
    from benchmarks.teams import rllib  # RLlib takes seconds to import

    rllib.run(seconds, peer_python)


BENCHMARKS = {
    "search": search.run,
    "playouts": playouts.run,
    "perft": perft.run,
    "compiling": compiling.run,
    "memory": memory.run,
    "selfplay": selfplay.run,
    "gpu": gpu.run,
    "acting": acting.run,
    "learning": training.run,
    "environment": environment.run,
    "rllib": _rllib,
    "store": store.run,
    "requests": requests.run,
    "matches": matches.run,
    "ladder": ladder.run,
    "overlap": overlap.run,
    "screen": screen.run,
    "single_game": single_game.run,
    "engine": engine.run,
    "programs": programs.run,
    "clock": clock.run,
    "cluster": workers.run,
    "simulated_cluster": simulated.run,
    "reading": reading.run,
    "soak": soak.run,
    "hosts": failures.run,
}
# They read /proc, and `hosts` creates namespaces.
LINUX_ONLY = frozenset(
    {"memory", "programs", "cluster", "simulated_cluster", "reading", "soak", "hosts"}
)


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = f"of {', '.join(BENCHMARKS)}, versions (default: all but versions)"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--seconds", type=float, default=30.0, help="per measurement (default: 30)")
    parser.add_argument("--minutes", type=float, help="the same in minutes, for long ones")
    parser.add_argument(
        "--peer-python",
        help="a Python with the `peers` extra, or stable-baselines3 for `learning`",
    )
    parser.add_argument("--sets", help="a folder of solved Connect Four positions, for `gpu`")
    parser.add_argument("--games", type=int, help="of `clock` (default: 6) and `programs` (32)")
    parser.add_argument("--clock", help="of `clock`, seconds and increment (default: 2+0.05)")
    parser.add_argument("--other", help="another checkout of the project, for `versions`")
    parser.add_argument("--rounds", type=int, help=f"of `versions` (default: {versions.ROUNDS})")
    options = parser.parse_args()
    for name in options.names:
        if name == "versions" and not options.other:
            parser.error("versions compares with another checkout: give its folder with --other")
        if name not in {*BENCHMARKS, "versions"}:
            parser.error(f"unknown benchmark {name!r}: expected one of {', '.join(BENCHMARKS)}")
        if name in LINUX_ONLY and not _is_linux():
            parser.error(f"benchmark {name!r} reads /proc: it needs Linux, not {sys.platform}")
    seconds = options.seconds if options.minutes is None else 60.0 * options.minutes
    for name in options.names or _possible():
        if name == "versions":
            versions.run(seconds, options.other, options.rounds or versions.ROUNDS)
        elif name == "gpu":
            gpu.run(seconds, options.peer_python, options.sets)
        elif name == "programs":
            programs.run(seconds, options.peer_python, options.games or programs.GAMES)
        elif name == "clock":
            games = options.games or clock.GAMES
            clock.run(seconds, options.peer_python, games, options.clock or clock.CLOCK)
        else:
            BENCHMARKS[name](seconds, options.peer_python)


def _is_linux() -> bool:
    return sys.platform.startswith("linux")


def _possible() -> list[str]:
    """List the benchmarks that this system can run; print the others."""
    left_out = [] if _is_linux() else sorted(LINUX_ONLY)
    if left_out:
        print(f"skipped, since they need Linux: {', '.join(left_out)}")
    return [name for name in BENCHMARKS if name not in left_out]


if __name__ == "__main__":
    main()
