"""Compare the search and self-play of this checkout with another one, such as an older commit.

`python -m benchmarks versions --other PATH`. Both run under this Python, in separate processes that
take turns; which one goes first alternates between rounds. The wide game of the tests is searched
too: in a checkout older than lists of legal actions, by rules that fill masks.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import machine_facts, write_result

HERE = Path(__file__).resolve().parent.parent
ROUNDS = 7
SEARCHED = ("connect_four", "othello")
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


def figures(checkout: Path, seconds: float) -> dict[str, float]:
    """Measure simulations: of the search per core second, of self-play per second."""
    found: dict[str, float] = {}
    wide = checkout / WIDE
    for name, game in (
        *((name, name) for name in SEARCHED),
        ("wide game", str(wide if wide.exists() else HERE / MASKED_WIDE)),
    ):
        measured = _bench(checkout, "search", game, seconds)["simulations_per_core_s"]
        found |= {f"{name} {figure}": measured[figure] for figure in SEARCH_FIGURES}
    played = _bench(checkout, "selfplay", PLAYED, seconds)
    return found | {f"{PLAYED} selfplay": played["simulations_per_s"]}


def _commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def measure(other: Path, seconds: float, count: int) -> dict[str, Any]:
    """Measure the ratio of this checkout to the other in each round, and the medians."""
    facts = machine_facts()
    rounds = []
    for number in range(count + 1):
        sides = [HERE, other] if number % 2 else [other, HERE]
        measured = {side: figures(side, seconds) for side in sides}
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
    """Compare, print and write the ratios; each of the five measurements takes `seconds`."""
    result = measure(Path(other).resolve(), seconds, rounds)
    print(json.dumps(result["this_over_other"], indent=1))
    write_result("versions", result)
