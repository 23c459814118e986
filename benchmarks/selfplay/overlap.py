"""Count training rows of self-play that happen to be in the Connect Four test sets."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.episodes import SCHEMA, to_rows
from agents.alphazero.shard import Shard
from arena.solvers.connect_four.test_set import load_test_sets
from benchmarks.machine import machine_facts, write_result
from configs.loader import load_config_of
from envs.connect_four import COLUMNS, ROWS
from envs.registry import find_game
from mcts.search import evaluate_uniformly
from store.replay.episodes import Episode, EpisodeBatch

_BITS = np.uint64(ROWS + 1)  # per column
_COLUMN = np.uint64((1 << (ROWS + 1)) - 1)

Position = tuple[int, int]


def mirrored(boards: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Reverse the order of the columns of bitboards [N]."""
    turned = np.zeros_like(boards)
    for column in range(COLUMNS):
        stones = (boards >> np.uint64(column) * _BITS) & _COLUMN
        turned |= stones << np.uint64(COLUMNS - 1 - column) * _BITS
    return turned


def positions(own: NDArray[np.uint64], mask: NDArray[np.uint64]) -> list[Position]:
    """Return the positions of bitboards [N]; a position equals its mirror image."""
    seen = zip(own.tolist(), mask.tolist())
    images = zip(mirrored(own).tolist(), mirrored(mask).tolist())
    return [min(pair) for pair in zip(seen, images)]


def meetings(states: NDArray[Any]) -> tuple[int, int]:
    """Count the records [N] that are in a test set, and the distinct positions among them."""
    known = {
        position
        for tested in load_test_sets().values()
        for position in positions(tested.own, tested.mask)
    }
    met = [p for p in positions(states["own"], states["mask"]) if p in known]
    return len(met), len(set(met))


def measure(seconds: float) -> dict[str, Any]:
    """Count rows of self-play with a uniform evaluator, played for about `seconds`."""
    facts = machine_facts()
    game, config = find_game("connect_four"), load_config_of(AlphaZeroConfig, "connect_four")
    shard = Shard(game, config.search, config.selfplay, config.selfplay.games, seed=0, number=0)

    shard.advance(evaluate_uniformly)  # compiles
    end = time.monotonic() + seconds
    episodes: list[Episode] = []
    while time.monotonic() < end:
        episodes += shard.advance(evaluate_uniformly)
    states = to_rows(game, [EpisodeBatch.of(SCHEMA, episodes)], config.learner).states
    rows, distinct = meetings(states)
    return {
        "games": len(episodes),
        "training_rows": len(states),
        "rows_in_a_test_set": rows,
        "test_positions_met": distinct,
        "machine": facts,
    }


def run(seconds: float, peer_python: str | None) -> None:
    """Measure, print a line and write results/overlap.json."""
    result = measure(seconds)
    path = write_result("overlap", result)
    print(
        f"overlap: {result['rows_in_a_test_set']} of {result['training_rows']:,} training rows are "
        f"one of {result['test_positions_met']} test positions\n  -> {path}"
    )
