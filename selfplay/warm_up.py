"""Compiling everything that a training runs, or loading it from the cache, before its clock runs.

Each kernel is called once on throwaway objects, with the types that the training calls it with.
Nothing is trained here: autograd would not survive the fork of a process that has used it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.alphazero.episodes import SCHEMA, GameRecord, to_episode
from agents.alphazero.learner import Learner
from agents.config import LearnerConfig, NetworkConfig
from envs.game import Game
from mcts.config import SearchConfig
from selfplay.config import SelfPlayConfig
from selfplay.games import Shard
from store.replay.episodes import EpisodeBatch

SMALL_NETWORK = NetworkConfig(blocks=0, filters=1, head_filters=1, value_hidden=1)
SMALL_LEARNER = LearnerConfig(batch_size=2, window_rows=2, window_start_rows=2)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keeps the other processes of this machine waiting that share its kernel cache.

    Several that compile at once would write the same files.
    """
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    with (folder / "compiling.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def warm_up_playing(game: Game, search: SearchConfig) -> None:
    """Compile all that self-play needs, or load it from the cache on disk."""

    def evaluate(planes: Any) -> tuple[Any, Any]:
        count = len(planes)
        return np.zeros((count, game.num_actions), np.float32), np.zeros(count, np.float32)

    few = replace(search, simulations=4, cache_size=min(search.cache_size, 64))
    play = SelfPlayConfig(games=2, shards=1, fast_simulations=2, opening_share=1.0)
    Shard(game, few, play, 2, seed=0, number=0).play(evaluate, 1)


def warm_up_learning(game: Game) -> None:
    """Compile all that a learner needs to make batches of stored games, or load it."""
    policy = np.zeros((1, game.num_actions), np.float32)
    policy[0, np.flatnonzero(game.legal_mask(game.new_state()))[0]] = 1.0
    unknown = np.full(1, np.nan, np.float32)
    record = GameRecord(
        moves=np.array([policy[0].argmax()], np.uint16),
        opening_plies=0,
        outcome=0.0,
        network_step=0,
        row_ply=np.zeros(1, np.uint16),
        row_policy=policy,
        row_value=np.zeros(1, np.float32),
        row_exact=unknown,
    )
    learner = Learner(game, SMALL_NETWORK, SMALL_LEARNER, seed=0, device="cpu")
    learner.add([EpisodeBatch.of(SCHEMA, [to_episode(record, bytes(16))])])
    learner.sample(2)


def warm_up(game: Game, search: SearchConfig) -> None:
    """Compile all of a training in one process, while no other process of the machine does."""
    with one_at_a_time():
        warm_up_playing(game, search)
        warm_up_learning(game)
