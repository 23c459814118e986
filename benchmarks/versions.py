"""Compare the search and self-play of this checkout with another one, such as an older commit.

`python -m benchmarks versions --other PATH`. Both run under this Python, in separate processes that
take turns in each measurement; which one goes first alternates between rounds. The wide game of the
tests is searched too: in a checkout older than lists of legal actions, by rules that fill masks.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.machine import machine_facts, write_result

HERE = Path(__file__).resolve().parent.parent
ROUNDS = 7
WIDE_GAME = "wide game"
SEARCHED = ("connect_four", "othello", WIDE_GAME)
SEARCH_FIGURES = ("ours_puct", "ours_puct_batches", "ours_gumbel", "ours_gumbel_batches")
PLAYED = "connect_four"
WIDE, MASKED_WIDE = "tests/wide_game.py", "benchmarks/selfplay/masked_leap.py"


def _bench(checkout: Path, what: str, of: str, seconds: float) -> dict[str, Any]:
    """Run `ludens bench` in a checkout and return its figures. Raises RuntimeError if it fails."""
    command = [sys.executable, "ludens.py", "bench", what, of, "--seconds", str(seconds), "--json"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} in {checkout}: {done.stderr.strip()[-500:]}")
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _searched(game: str, checkout: Path, seconds: float) -> dict[str, float]:
    """Measure the search of a game: simulations per core second."""
    path = _wide_game(checkout) if game == WIDE_GAME else game
    measured = _bench(checkout, "search", path, seconds)["simulations_per_core_s"]
    return {f"{game} {figure}": measured[figure] for figure in SEARCH_FIGURES}


def _wide_game(checkout: Path) -> str:
    """Return the path of the checkout's wide game, or of one with masks where it has none."""
    wide = checkout / WIDE
    return str(wide if wide.exists() else HERE / MASKED_WIDE)


def _played(checkout: Path, seconds: float) -> dict[str, float]:
    """Measure self-play: simulations per second."""
    played = _bench(checkout, "selfplay", PLAYED, seconds)
    return {f"{PLAYED} selfplay": played["simulations_per_s"]}


MEASUREMENTS: Sequence[Callable[[Path, float], dict[str, float]]] = (
    *(partial(_searched, game) for game in SEARCHED),
    _played,
)


def _commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def measure(other: Path, seconds: float, count: int) -> dict[str, Any]:
    """Measure the ratio of this checkout to the other in each round, and the medians."""
    facts = machine_facts()
    rounds = []
    for number in range(count + 1):
        sides = [HERE, other] if number % 2 else [other, HERE]
        measured: dict[Path, dict[str, float]] = {side: {} for side in sides}
        for figures in MEASUREMENTS:
            for side in sides:
                measured[side] |= figures(side, seconds)
        rounds.append(
            {name: measured[HERE][name] / measured[other][name] for name in measured[HERE]}
        )
    rounds = rounds[1:]  # the first round may include compilation
    return {
        "this": _commit(HERE),
        "other": _commit(other),
        "seconds": seconds,
        "this_over_other": {
            name: round(statistics.median(each[name] for each in rounds), 3) for name in rounds[0]
        },
        "this_over_other_each": {
            name: [round(each[name], 3) for each in rounds] for name in rounds[0]
        },
        "machine": facts,
    }


def run(seconds: float, other: str, rounds: int = ROUNDS) -> None:
    """Compare, print and write the ratios; each of the measurements takes `seconds`."""
    result = measure(Path(other).resolve(), seconds, rounds)
    print(json.dumps(result["this_over_other"], indent=1))
    write_result("versions", result)
