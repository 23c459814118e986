"""Compare a match whose games are played together with the same games played one at a time."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.inference import NetworkEvaluator
from agents.alphazero.network import build_network
from agents.players import THREADS, Player, SearchPlayer
from arena.match.match import Match, play_out
from arena.match.openings import Opening, random_openings
from arena.match.records import MatchKey
from benchmarks.machine import machine_facts, write_result
from configs.loader import load_config_of
from envs.game import Game
from envs.registry import find_game

PRESET = "connect_four"
GAMES, SIMULATIONS = 200, 400
ROUNDS = 3  # both alternate, so that other work on the machine slows both


def measure(seconds: float = 30.0, games: int = GAMES) -> dict[str, Any]:
    """Measure games/s of two untrained networks; one at a time for about `seconds`.

    With one game at a time a player has the networks of all its threads but only one tree.
    """
    facts = machine_facts()
    torch.set_num_threads(1)
    game = find_game(load_config_of(AlphaZeroConfig, PRESET).game)
    players = _player(game, 0), _player(game, 1)
    openings = random_openings(game)
    key = MatchKey(game.name, (players[0].name, players[1].name), 0, openings.label)
    pairs = Match(key, openings).plan(0, games // 2).openings
    _play(game, players, pairs[:1])  # compiles
    together, alone = [], []
    for i in range(ROUNDS):
        together.append(games / _play(game, players, pairs))
        alone.append(_one_at_a_time(game, players, pairs[i::ROUNDS], seconds / ROUNDS))
    speeds = statistics.median(together), statistics.median(alone)
    return {
        "preset": PRESET,
        "games": games,
        "simulations": SIMULATIONS,
        "together_games_per_s": _rounded(together),
        "one_at_a_time_games_per_s": _rounded(alone),
        "ratio": round(speeds[0] / speeds[1], 1),
        "machine": facts,
    }


def _player(game: Game, seed: int) -> Player:
    config = load_config_of(AlphaZeroConfig, PRESET)
    state = build_network(game, config.network, seed).state_dict()
    evaluators = [NetworkEvaluator(game, config.network, state) for _ in range(THREADS)]
    search = replace(config.search, simulations=SIMULATIONS, tree_reuse=False)
    return SearchPlayer(game, evaluators, search, name=f"fresh-{seed}")


def _play(game: Game, players: tuple[Player, Player], openings: Sequence[Opening]) -> float:
    """Return the seconds that it takes to play these pairs together."""
    states = np.repeat(np.concatenate([opening.state for opening in openings]), 2)
    began = time.perf_counter()
    for _ in play_out(game, players, states, _chances()):
        pass
    return time.perf_counter() - began


def _one_at_a_time(
    game: Game, players: tuple[Player, Player], openings: Sequence[Opening], seconds: float
) -> float:
    """Return games/s over as many whole pairs as fit in `seconds`, at least one."""
    began, count, elapsed = time.perf_counter(), 0, 0.0
    for opening in openings:
        for seats in (players, players[::-1]):
            for _ in play_out(game, seats, opening.state.copy(), _chances()):
                pass
            count += 1
        elapsed = time.perf_counter() - began
        if elapsed >= seconds:
            break
    return count / elapsed if elapsed else math.nan


def _chances() -> list[np.random.Generator]:
    return [np.random.default_rng(agent) for agent in range(2)]


def _rounded(speeds: Sequence[float]) -> list[float]:
    return [round(speed, 3) for speed in speeds]


def run(seconds: float, peer_python: str | None) -> None:
    """Measure, print a line and write results/matches.json."""
    result = measure(seconds)
    path = write_result("matches", result)
    print(
        f"matches {PRESET}: {GAMES} games, {SIMULATIONS} simulations a move: together "
        f"{statistics.median(result['together_games_per_s']):.2f} games/s, one at a time "
        f"{statistics.median(result['one_at_a_time_games_per_s']):.3f}: {result['ratio']}x"
    )
    print(f"  -> {path}")
