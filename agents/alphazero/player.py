"""A run's checkpoint as a player: its network alone, or with search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.players import (
    MOST_TREES,
    THREADS,
    Analysis,
    Player,
    Probe,
    SearchPlayer,
    legal_lists,
    opinion,
)
from envs.batch import encode_many
from envs.game import Game
from envs.positions import Past, new_past
from mcts.config import SearchConfig
from mcts.search import Evaluator, Leaves, by_action
from store.run import Run
from store.settings import run_settings

PROBE_SIMULATIONS = 64  # a move, when a run is measured against a solver
PLAYING_SIMULATIONS = 600  # a move, unless a run was trained with more or an agent's name says so


class RawNetworkPlayer:
    """Plays the likeliest legal move of the network's policy, without search."""

    def __init__(self, game: Game, evaluator: Evaluator, name: str = "network") -> None:
        self.game = game
        self.evaluator = evaluator
        self.name = name

    def choose(
        self, states: NDArray[Any], rng: np.random.Generator, past: Past | None = None
    ) -> NDArray[np.int64]:
        """See Player; deterministic."""
        return self.analyze(states, past).best_action

    def analyze(self, states: NDArray[Any], past: Past | None = None) -> Analysis:
        """Return the network's policy over the legal moves, and its value."""
        legal_NL, count_N = legal_lists(self.game, states)
        planes = np.zeros((len(states), *self.game.planes_shape), np.float32)
        boards = (past or new_past(self.game, states)).boards
        encode_many(states, boards, planes)
        parts = [slice(i, i + MOST_TREES) for i in range(0, len(states), MOST_TREES)]
        found = [self.evaluator(Leaves(planes[p], legal_NL[p], count_N[p])) for p in parts]
        policy_NL = np.zeros(legal_NL.shape, np.float32)
        for i, (logits, _) in enumerate(found):
            policy_NL[i * MOST_TREES :][: len(logits), : logits.shape[1]] = logits
        policy_NL[np.arange(legal_NL.shape[1]) >= count_N[:, None]] = -np.inf
        odds_NL = np.exp(policy_NL - policy_NL.max(axis=1, keepdims=True))
        policy_NL = (odds_NL / odds_NL.sum(axis=1, keepdims=True)).astype(np.float32)
        policy_NA = by_action(policy_NL, legal_NL, count_N, self.game.num_actions, 0.0)
        return opinion(policy_NA, np.concatenate([values for _, values in found]))


def playing_config(run: Run) -> SearchConfig:
    """Return a run's search for playing: deeper, with proofs, without tree reuse.

    Self-play divides its simulations among many games; a single game has time for more.
    """
    config = run_settings(run, "search", SearchConfig)
    simulations = max(config.simulations, PLAYING_SIMULATIONS)
    return replace(config, simulations=simulations, solve=True, tree_reuse=False)


def network_player(
    game: Game,
    run: Run,
    step: int | None,
    config: SearchConfig | None,
    *,
    name: str,
    device: str = "auto",
) -> Player:
    """Return a checkpoint as a player: with this search, or None for the policy alone.

    Raises the store's errors if there is no such checkpoint.
    """
    from torch import set_num_threads  # seconds to import: not for the players without a network

    from agents.alphazero.inference import load_evaluator

    evaluator = load_evaluator(game, run, step, device)
    if config is None:
        return RawNetworkPlayer(game, evaluator, name)
    set_num_threads(1)  # each of the search's threads runs a network of its own
    evaluators = [evaluator, *(evaluator.replica() for _ in range(THREADS - 1))]
    return SearchPlayer(game, evaluators, config, name=name)


def probes(game: Game, search: SearchConfig, evaluator: Evaluator) -> Iterator[Probe]:
    """Return the network alone for all positions, and with a small search for some of them."""
    yield Probe("no search", RawNetworkPlayer(game, evaluator), cost=1.0, interval_s=30.0)
    config = replace(search, simulations=PROBE_SIMULATIONS, solve=True, tree_reuse=False)
    player = SearchPlayer(game, [evaluator], config)
    yield Probe(f"{PROBE_SIMULATIONS} simulations", player, cost=3.0, interval_s=60.0, positions=50)
