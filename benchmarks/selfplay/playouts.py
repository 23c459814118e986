"""Compare random playouts of Go 9x9, one core, with OpenSpiel's, which are C++.

OpenSpiel's `RandomRolloutEvaluator` has no call of its own in Python, so its search bot runs it:
SIMULATIONS leaves of ROLLOUTS games each, beside which the tree costs nothing. It plays any legal
move or the pass; `ours_uniform` does the same, `ours_eyes` plays any move but into its own eyes,
and passes only for want of one. The evaluator does not count its moves: games of the same policy
are, in Python, and their mean length is taken.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from benchmarks.machine import machine_facts, write_result
from benchmarks.turns import Rate, medians, take_turns
from envs.go.playouts import playouts
from envs.registry import find_game

GAME, PEER_GAME = "go9", "go(board_size=9)"
ROUNDS = 7
SIMULATIONS, ROLLOUTS = 4, 100
COUNTED_GAMES = 300  # to find the mean length
BATCH = 200  # our games between two looks at the clock


def our_rate(eyes: bool) -> Rate:
    """Prepare to measure our moves a second, and a core second."""
    game = find_game(GAME)
    playouts(game, 1, 0, eyes)  # compiles
    seeds = iter(range(1, 1 << 60))
    return _rate(lambda: playouts(game, BATCH, next(seeds), eyes)[0])


def peer_rate(pyspiel: Any, mean_length: float) -> Rate:
    """Prepare to measure OpenSpiel's moves a second, and a core second."""
    game = pyspiel.load_game(PEER_GAME)
    evaluator = pyspiel.RandomRolloutEvaluator(ROLLOUTS, 1)
    bot = pyspiel.MCTSBot(game, evaluator, 1.4, SIMULATIONS, 100, False, 1, False)

    def search() -> float:
        bot.step(game.new_initial_state())
        return SIMULATIONS * ROLLOUTS * mean_length

    return _rate(search)


def mean_length_there(pyspiel: Any) -> float:
    """Return the mean number of moves of OpenSpiel's uniformly random games."""
    game, rng, moves = pyspiel.load_game(PEER_GAME), random.Random(0), 0
    for _ in range(COUNTED_GAMES):
        state = game.new_initial_state()
        while not state.is_terminal():
            state.apply_action(rng.choice(state.legal_actions()))
            moves += 1
    return moves / COUNTED_GAMES


def _rate(play: Callable[[], float]) -> Rate:
    """Return the rate of a function that plays for a while and returns how many moves."""

    def rate(seconds: float) -> tuple[float, float]:
        used, begun, moves = time.process_time(), time.perf_counter(), 0.0
        while (elapsed := time.perf_counter() - begun) < seconds:
            moves += play()
        return moves / elapsed, moves / (time.process_time() - used)

    return rate


def run(seconds: float, peer_python: str | None = None) -> None:
    """Measure ours and, where it is installed, OpenSpiel's, in turns; print and store the rates."""
    rates = {"ours_eyes": our_rate(eyes=True), "ours_uniform": our_rate(eyes=False)}
    result: dict[str, Any] = {"machine": machine_facts(), "game": GAME}
    try:
        import pyspiel
    except ImportError:
        print("playouts: open_spiel is not installed, so only ours are measured")
    else:
        result["mean_length_open_spiel"] = round(mean_length_there(pyspiel), 1)
        rates["open_spiel"] = peer_rate(pyspiel, result["mean_length_open_spiel"])
    taken = take_turns(rates, seconds / (ROUNDS * len(rates)), ROUNDS)
    result["moves_per_second"], result["moves_per_core_second"] = medians(taken)
    for name, rate in result["moves_per_core_second"].items():
        print(f"{name:<14} {rate:>12,.0f} moves a core second")
    print(f"written to {write_result('playouts_go9', result)}")
