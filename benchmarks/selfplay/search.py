"""Compare the search, with a uniform evaluator, with mctx and pgx doing the same work.

Both search 64 positions with 64 simulations each, without noise, proofs, reuse or cache: the same
positions where both number the moves alike, else those after as many random moves. They take turns,
so that other work on the machine slows both. Ours runs in two threads with half of the trees each,
as self-play runs its shards; mctx is measured with all trees at once and with two such threads, and
its better figure counts. JAX may be in another environment: `--peer-python PATH`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answering import Answering
from benchmarks.machine import machine_facts, write_result
from benchmarks.turns import Rate, medians, take_turns
from envs.game import Game
from envs.game_file import find_or_load, typed_game
from mcts.config import SearchConfig
from mcts.search import UNIFORM, Search

# What pgx calls the games that it has too.
GAMES = {
    "connect_four": "connect_four",
    "othello": "othello",
    "go9": "go_9x9",
    "hex11": "hex",
    "chess5": "gardner_chess",
    "chess": "chess",
    "shogi": "shogi",
}
NUMBERED_ALIKE = frozenset({"connect_four", "othello", "go9"})  # pgx gives actions our numbers
TREES, SIMULATIONS = 64, 64
THREADS = 2
ROUNDS = 7
ROUNDS_OF = {"chess": 3, "shogi": 1}  # a search takes pgx from ten seconds to minutes
MOST_PLIES = 24  # random plies before the positions searched


def random_games(game: Game, count: int, seed: int = 0) -> list[list[int]]:
    """Return the moves of `count` random, unfinished games of up to MOST_PLIES plies."""
    rng = np.random.default_rng(seed)
    games: list[list[int]] = []
    while len(games) < count:
        state, actions = game.new_state(), []
        for _ in range(rng.integers(MOST_PLIES)):
            if game.rules.is_terminal(state):
                break
            actions.append(int(rng.choice(np.flatnonzero(game.legal_mask(state)))))
            game.rules.step(state, actions[-1])
        if not game.rules.is_terminal(state):
            games.append(actions)
    return games


def plain_config(root: str) -> SearchConfig:
    """Return the config of a search with only the features of mctx."""
    return SearchConfig(
        simulations=SIMULATIONS,
        root="gumbel" if root == "gumbel" else "puct",
        fpu="fixed",
        fpu_value=0.0,
        dirichlet_fraction=0.0,
        forced_playouts=0.0,
        solve=False,
        lookahead=0,
        tree_reuse=False,
        cache_size=0,
    )


def our_rate(game: Game, games: list[list[int]], root: str, threads: int) -> Rate:
    """Prepare to measure our compiled search, its trees divided among `threads`."""
    states = np.stack([np.asarray(game.position(actions)) for actions in games])
    parts = np.array_split(states, threads)
    searches = [Search(game, plain_config(root), len(part)) for part in parts]
    pool = ThreadPoolExecutor(threads)

    def thread_rate(i: int, seconds: float) -> float:
        search, trees = searches[i], np.arange(len(parts[i]))

        def search_once() -> None:
            search.place(parts[i])
            search.begin(trees, SIMULATIONS)
            search.run(UNIFORM)
            search.read(trees)

        return _rate(search_once, seconds, len(trees))

    def rate(seconds: float) -> float:
        return sum(pool.map(thread_rate, range(threads), [seconds] * threads))

    thread_rate(0, 0.0)  # compiles
    return _with_core_seconds(rate)


def batch_rate(game: Game, games: list[list[int]], root: str) -> Rate:
    """Prepare to measure our search through `select` and `receive`, on one thread.

    The evaluator costs nothing, so this is the search's own cost beside a network: encoding,
    softmax, and two calls per batch.
    """
    states = np.stack([np.asarray(game.position(actions)) for actions in games])
    search = Search(game, plain_config(root), len(games))
    trees = np.arange(len(games))
    logits = np.zeros((len(games), game.max_legal), np.float32)
    values = np.zeros(len(games), np.float32)

    def search_once() -> None:
        search.place(states)
        search.begin(trees, SIMULATIONS)
        search.run(lambda leaves: (logits[: len(leaves.counts)], values[: len(leaves.counts)]))
        search.read(trees)

    search_once()
    return _with_core_seconds(lambda seconds: _rate(search_once, seconds, len(games)))


def _rate(search_once: Callable[[], None], seconds: float, trees: int) -> float:
    done, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        search_once()
        done += 1
    return done * trees * SIMULATIONS / elapsed


def _with_core_seconds(rate: Callable[[float], float]) -> Rate:
    """Add the rate per core second, which other work on the machine distorts less."""

    def both(seconds: float) -> tuple[float, float]:
        used, begun = time.process_time(), time.perf_counter()
        per_second = rate(seconds)
        elapsed, used = time.perf_counter() - begun, time.process_time() - used
        return per_second, per_second * elapsed / used

    return both


class Peer:
    """mctx and pgx in a separate process; see `benchmarks.selfplay.mctx_peer`."""

    def __init__(self, python: str, game: str, games: list[list[int]]) -> None:
        self._process = Answering(python, Path(__file__).with_name("mctx_peer.py"))
        alike = game in NUMBERED_ALIKE
        setup = {
            "game": GAMES[game],
            "positions": games if alike else [],
            "plies": [] if alike else [len(moves) for moves in games],
            "simulations": SIMULATIONS,
        }
        self.facts = self._process.ask(setup)

    def rate(self, root: str, threads: int) -> Rate:
        """Prepare to measure the peer's search, its trees divided among `threads`."""

        def rate(seconds: float) -> tuple[float, float]:
            question = {"root": root, "threads": threads, "seconds": seconds}
            answer = self._process.ask(question)
            return answer["simulations_per_s"], answer["simulations_per_core_s"]

        return rate

    def close(self) -> None:
        """End the process."""
        self._process.close()


@contextlib.contextmanager
def peer_of(python: str | None, game: str, games: list[list[int]]) -> Iterator[Peer | None]:
    """Yield the peer in that Python, or in this one if it has mctx and pgx, else None."""
    if python is None and all(importlib.util.find_spec(name) for name in ("mctx", "pgx")):
        python = sys.executable
    if python is None or game not in GAMES:
        yield None
        return
    peer = Peer(python, game, games)
    try:
        yield peer
    finally:
        peer.close()


def measure(game: str, seconds: float = 20.0, peer_python: str | None = None) -> dict[str, Any]:
    """Measure median simulations/s of our search, and of mctx + pgx if they can be imported.

    It takes about `seconds`, compilation not included. Raises GameError for an unknown game.
    """
    rules = find_or_load(typed_game(game))
    games = random_games(rules, TREES)
    facts = machine_facts(("numba", "numpy"))
    with peer_of(peer_python, game, games) as peer:
        rates: dict[str, Rate] = {}
        for root in ("puct", "gumbel"):
            rates[f"ours_{root}"] = our_rate(rules, games, root, THREADS)
            if peer is not None:
                rates[f"mctx_{root}"] = peer.rate(root, THREADS)
                rates[f"mctx_{root}_one_thread"] = peer.rate(root, 1)
            rates[f"ours_{root}_one_thread"] = our_rate(rules, games, root, 1)
            rates[f"ours_{root}_batches"] = batch_rate(rules, games, root)
        rounds = ROUNDS_OF.get(game, ROUNDS)
        wall, core = medians(take_turns(rates, seconds / (rounds * len(rates)), rounds))
        peer_facts = None if peer is None else peer.facts
    result: dict[str, Any] = {
        "game": game,
        "trees": TREES,
        "simulations_per_tree": SIMULATIONS,
        "threads": THREADS,
        "rounds": rounds,
        "simulations_per_s": {name: round(rate) for name, rate in wall.items()},
        "simulations_per_core_s": {name: round(rate) for name, rate in core.items()},
        "machine": facts,
    }
    if peer_facts is not None:
        result["peer"] = peer_facts
        result["ratio"] = _ratios(wall)
        result["ratio_of_core_seconds"] = _ratios(core)
        result["ratio_of_core_seconds_batches"] = _ratios(core, "_batches")
    return result


def _ratios(rates: dict[str, float], way: str = "") -> dict[str, float]:
    """Return our rate over the better one of the peer, for both root policies."""
    ratios = {}
    for root in ("puct", "gumbel"):
        peer = max(rates[f"mctx_{root}"], rates[f"mctx_{root}_one_thread"])
        ratios[root] = round(rates[f"ours_{root}{way}"] / peer, 2)
    return ratios


def run(seconds: float, peer_python: str | None) -> None:
    """Measure each game, print a line per figure and write results/search_<game>.json."""
    for game in GAMES:
        result = measure(game, seconds, peer_python)
        path = write_result(f"search_{game}", result)
        for name, rate in result["simulations_per_s"].items():
            print(f"search {game:14} {name:24} {rate:>12,} simulations/s")
        for root, ratio in result.get("ratio", {}).items():
            core = result["ratio_of_core_seconds"][root]
            batches = result["ratio_of_core_seconds_batches"][root]
            print(
                f"search {game:14} {root:24} {ratio:>12} times mctx + pgx; by core seconds {core}, "
                f"through select and receive {batches}"
            )
        print(f"  -> {path}")
