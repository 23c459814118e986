"""Compiling everything that a run uses, or loading it from the cache, before its clock starts.

Each kernel is called once on throwaway objects, with the types that training uses.
Nothing is trained here: autograd would not survive the fork of a process that has used it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agents.alphazero.config import LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.episodes import SCHEMA, GameRecord, Policies, to_episode
from agents.alphazero.learner import AlphaZeroLearner
from agents.alphazero.shard import Shard
from agents.cores import give_back_memory
from envs.game import Game
from mcts.config import SearchConfig
from mcts.search import evaluate_uniformly
from store.replay.episodes import EpisodeBatch

SMALL_NETWORK = NetworkConfig(blocks=0, filters=1, head_filters=1, value_hidden=1)
SMALL_LEARNER = LearnerConfig(batch_size=2, window_rows=2, window_start_rows=2)


def warm_up_playing(game: Game, search: SearchConfig) -> None:
    """Compile all that self-play needs, or load it from the cache on disk."""
    few = replace(search, simulations=4, cache_size=min(search.cache_size, 64))
    play = SelfPlayConfig(games=2, shards=1, fast_simulations=2, opening_share=1.0)
    Shard(game, few, play, 2, seed=0, number=0).play(evaluate_uniformly, 1)
    give_back_memory()


def warm_up_learning(game: Game) -> None:
    """Compile all that a learner needs to make batches of stored games, or load it."""
    legal = game.legal_actions(game.new_state())[:1].astype(np.uint16)
    unknown = np.full(1, np.nan, np.float32)
    record = GameRecord(
        moves=legal,
        opening_plies=0,
        outcome=0.0,
        network_step=0,
        row_ply=np.zeros(1, np.uint16),
        policies=Policies.of(legal[None], np.ones((1, 1), np.float32)),
        row_value=np.zeros(1, np.float32),
        row_exact=unknown,
    )
    learner = AlphaZeroLearner(game, SMALL_NETWORK, SMALL_LEARNER, seed=0, device="cpu")
    learner.add([EpisodeBatch.of(SCHEMA, [to_episode(record, bytes(16))])])
    learner.sample(2)
