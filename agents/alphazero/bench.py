"""The share of the network's raw speed that self-play turns into simulations."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.game import game_of
from agents.alphazero.inference import NetworkEvaluator
from agents.alphazero.network import build_network
from agents.alphazero.shard import Shard
from envs.game import Game
from mcts.search import Leaves

BATCHES = (32, 64, 128, 256, 512)
CARD_BATCHES = (256, 512, 768, 1024)


def leaves_like(game: Game, batch: int) -> Leaves:
    """Return leaves that cost what those of a search do."""
    return Leaves(
        np.zeros((batch, *game.planes_shape), np.float32),
        np.zeros((batch, game.max_legal), np.int32),
        np.full(batch, game.typical_legal, np.int32),
    )


def raw_speed(evaluator: NetworkEvaluator, batch: int, seconds: float) -> float:
    """Measure evaluations/s of one thread with batches of `batch` positions."""
    leaves = leaves_like(evaluator.game, batch)
    evaluator(leaves)
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        evaluator(leaves)
        count += batch
    return count / elapsed


def play_speed(shard: Shard, evaluator: NetworkEvaluator, seconds: float) -> dict[str, float]:
    """Measure one shard's self-play in the search's counters/s."""
    before, start = shard.search.counters(), time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        shard.advance(evaluator)
    after = shard.search.counters()
    return {name: (after[name] - before[name]) / elapsed for name in after}


def measure(
    config: AlphaZeroConfig,
    seconds: float = 20.0,
    *,
    evaluator: NetworkEvaluator | None = None,
    repetitions: int = 5,
) -> dict[str, Any]:
    """Measure self-play simulations/s and raw evaluations/s, alternately in one process.

    `evaluator` is the network to play with, a fresh one if None (which plays shorter games and
    proves less). `seconds` is shared by the repetitions; the first third of it warms up, so that
    games are at all stages. Each figure is the median, the sum over all shards' threads.
    """
    game = game_of(config)
    if evaluator is None:
        network = build_network(game, config.network, config.seed)
        evaluator = NetworkEvaluator(
            game, config.network, network.state_dict(), device=config.device
        )
    count = config.selfplay.shards
    evaluators = [evaluator, *(evaluator.replica() for _ in range(count - 1))]
    games = config.selfplay.games // count
    shards = [
        Shard(game, config.search, config.selfplay, games, seed=config.seed, number=i)
        for i in range(count)
    ]
    part = seconds / 3 / repetitions
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:

        def everywhere(work: Callable[[int], Any]) -> list[Any]:
            return list(pool.map(work, range(count)))

        everywhere(lambda i: play_speed(shards[i], evaluators[i], seconds / 3))

        def raw_sum(batch: int, duration: float) -> float:
            everywhere(lambda i: evaluators[i](leaves_like(game, batch)))  # graphs are recorded
            return sum(everywhere(lambda i: raw_speed(evaluators[i], batch, duration)))

        batches = CARD_BATCHES if evaluator.device.type == "cuda" else BATCHES
        scan = {batch: raw_sum(batch, part / len(batches)) for batch in batches}
        best = max(scan, key=lambda batch: scan[batch])
        raw, played = [], []
        for _ in range(repetitions):
            raw.append(raw_sum(best, part))
            played.append(everywhere(lambda i: play_speed(shards[i], evaluators[i], part)))
    return _summary(config, best, raw, played)


def _summary(
    config: AlphaZeroConfig,
    best_batch: int,
    raw: Sequence[float],
    played: Sequence[Sequence[dict[str, float]]],
) -> dict[str, Any]:
    totals = [{k: sum(shard[k] for shard in row) for k in row[0]} for row in played]

    def median(name: str) -> float:
        return statistics.median(row[name] for row in totals)

    def over_raw(name: str) -> list[float]:
        return [row[name] / speed for row, speed in zip(totals, raw, strict=True)]

    return {
        "game": config.game,
        "games_at_once": config.selfplay.games,
        "threads": config.selfplay.shards,
        "simulations_per_s": median("simulations"),
        "evaluations_per_s": median("evaluations"),
        "cache_hits_per_s": median("cache_hits"),
        "proven_leaves_per_s": median("proven_leaves"),
        "raw_evaluations_per_s": statistics.median(raw),
        "best_batch": best_batch,
        "simulations_over_raw": statistics.median(over_raw("simulations")),
        "evaluations_over_raw": statistics.median(over_raw("evaluations")),
        "simulations_over_raw_each": over_raw("simulations"),
    }
