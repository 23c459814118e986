"""Kernels are compiled once, the search for all games: a fresh process loads them from disk."""

import json
import subprocess
import sys

import pytest

from envs.compiled.kernel_cache import ROOT

# Searches a game as self-play and play do, and prints what each kernel compiled or loaded.
SEARCHED = """
import json, sys
import numpy as np
from numba.core.dispatcher import Dispatcher
from envs import batch, positions
from envs.compiled import rule_table
from envs.registry import find_game
from mcts import game_calls, kernels
from mcts.config import SearchConfig
from mcts.search import ROLLOUT, Search, evaluate_uniformly

game = find_game(sys.argv[1])
for trees in (1, 3):
    search = Search(game, SearchConfig(simulations=8, cache_size=64), trees)
    search.place(game.new_states(trees))
    search.begin(np.arange(trees), 8, explore=trees > 1)
    search.run(ROLLOUT if trees > 1 else evaluate_uniformly)
    search.play(np.arange(trees), search.read(np.arange(trees)).best_action)
    moves = game.legal_actions(game.new_state())[:1]
    positions.past_of(game, [positions.played(game, moves)])
found = {}
for module in (kernels, game_calls, batch, positions, rule_table):
    for name, kernel in vars(module).items():
        if isinstance(kernel, Dispatcher) and kernel.overloads:
            stats = kernel.stats
            hits, misses = sum(stats.cache_hits.values()), sum(stats.cache_misses.values())
            found[name] = [len(kernel.overloads), hits, misses]
print(json.dumps(found))
"""


def searched_in_a_fresh_process(name):
    """Return a kernel's specialisations, loads from the cache and compilations, by its name."""
    command = [sys.executable, "-c", SEARCHED, name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "name",
    [
        "connect_four",
        pytest.param("go9", marks=pytest.mark.slow),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("chess", "shogi")),
    ],
)
def test_a_fresh_process_compiles_nothing(name):
    searched_in_a_fresh_process(name)
    second = searched_in_a_fresh_process(name)
    assert {"simulate_batch", "receive_batch", "read_roots"} <= set(second)
    assert {"_replay_rows", "_legal_actions", "_play_child", "_rollout"} <= set(second)
    assert {kernel: misses for kernel, (_, _, misses) in second.items() if misses} == {}
    # the sizes of searches and batches make no others
    assert {kernel: count for kernel, (count, _, _) in second.items() if count > 1} == {}
