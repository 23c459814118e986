"""Measure how long a game's search takes to compile, and to load from Numba's cache.

`python -m benchmarks compiling`. Each game is searched in a process with an empty cache, in one
with the kernels of another game there, and in one with its own. Counted is what self-play waits for
on one core: the kernels that place, search with a network's evaluations, read and play on. Imports
are left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import machine_facts, write_result

HERE = Path(__file__).resolve().parent.parent.parent
ANOTHER = "tic_tac_toe"  # whose kernels are there before
GAMES = ("connect_four", "othello", "go9", "hex7", "chess5", "chess", "minishogi", "shogi")


def search_once(name: str) -> dict[str, float]:
    """Search a game's first position and play on; return the seconds, and those of a core."""
    import numpy as np

    from envs.registry import find_game
    from mcts.config import SearchConfig
    from mcts.search import Search, evaluate_uniformly

    game, trees = find_game(name), np.arange(2)
    began, used = time.perf_counter(), time.thread_time()
    search = Search(game, SearchConfig(simulations=4), len(trees))
    search.place(game.new_states(len(trees)))
    search.begin(trees, 4, explore=True)
    search.run(evaluate_uniformly)
    found = search.read(search.done())
    search.play(trees, found.action)
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "core_seconds": round(time.thread_time() - used, 2),
    }


def measure(game: str, known: str) -> dict[str, dict[str, float]]:
    """Measure a game with an empty cache (`cold`), with another game's (`added`), and `warm`.

    Args:
        game: by its name.
        known: a folder in which another game's kernels are cached; it stays as it is.

    Raises RuntimeError if a process fails.
    """
    with tempfile.TemporaryDirectory() as empty:
        cold = _in_a_process(game, empty)
    with tempfile.TemporaryDirectory() as folder:
        own = shutil.copytree(known, Path(folder) / "kernels")
        added, warm = (_in_a_process(game, str(own)) for _ in range(2))
    return {"cold": cold, "added": added, "warm": warm}


def _in_a_process(game: str, folder: str) -> dict[str, float]:
    """Return what `search_once` says in a new process whose kernel cache is a folder."""
    command = [sys.executable, "-m", "benchmarks.selfplay.compiling", game]
    environment = {**os.environ, "LUDENS_CACHE_DIR": folder}
    done = subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def run(seconds: float, peer_python: str | None = None) -> None:
    """Measure all games, print and store."""
    result: dict[str, Any] = {"machine": machine_facts()}
    with tempfile.TemporaryDirectory() as known:
        _in_a_process(ANOTHER, known)
        for game in GAMES:
            result[game] = measure(game, known)
            cold, added, warm = (result[game][start] for start in ("cold", "added", "warm"))
            others = f"after {ANOTHER} {added['seconds']:5.1f} s   warm {warm['seconds']:.2f} s"
            used = f"({cold['core_seconds']:.1f} core seconds)"
            print(f"{game:<13} cold {cold['seconds']:6.1f} s {used}   {others}")
    print(f"written to {write_result('compiling', result)}")


if __name__ == "__main__":
    print(json.dumps(search_once(sys.argv[1])))
