"""Self-play of games with a past: rows have the boards before them, and a resume keeps it."""

import numpy as np
import pytest

from agents.alphazero.config import LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.episodes import SCHEMA, to_rows
from agents.alphazero.learner import AlphaZeroLearner
from agents.alphazero.shard import Shard
from envs.positions import past_of
from mcts.config import SearchConfig
from mcts.search import evaluate_uniformly
from store.replay.episodes import EpisodeBatch
from tests.history_games import PEBBLES, SHUTTLE

NETWORK = NetworkConfig(blocks=1, filters=4, head_filters=2, value_hidden=4)


def shard_of(game, seed=0):
    play = SelfPlayConfig(games=4, shards=1, fast_simulations=6, opening_plies=4, full_share=0.5)
    search = SearchConfig(simulations=12, cache_size=256)
    return Shard(game, search, play, 4, seed=seed, number=0)


def played(game, rows=60):
    shard = shard_of(game)
    return EpisodeBatch.of(SCHEMA, shard.play(evaluate_uniformly, rows))


@pytest.mark.parametrize("game", [SHUTTLE, PEBBLES], ids=lambda game: game.name)
def test_rows_are_the_positions_of_their_games_with_the_boards_before_them(game):
    batch = played(game)
    rows, row = to_rows(game, [batch], LearnerConfig()), 0
    moves, plies = batch.values["move"], batch.values["row_ply"]
    for i in range(len(batch)):
        line = game.line(moves[batch.offsets["move"][i] : batch.offsets["move"][i + 1]].tolist())
        for ply in plies[batch.offsets["row_ply"][i] : batch.offsets["row_ply"][i + 1]]:
            assert rows.states[row].tobytes() == line[ply].tobytes()
            known = past_of(game, [line[: ply + 1]]).boards[0]
            assert rows.past[row].tobytes() == known.tobytes()
            row += 1
    assert row == len(rows.states) >= 60


@pytest.mark.parametrize("game", [SHUTTLE, PEBBLES], ids=lambda game: game.name)
def test_the_learner_learns_from_them(game):
    settings = LearnerConfig(batch_size=16, window_rows=200, window_start_rows=200)
    learner = AlphaZeroLearner(game, NETWORK, settings, seed=0, device="cpu")
    learner.add([played(game)])
    planes, policy, outcome, *_ = learner.sample(32)
    assert planes.shape == (32, *game.planes_shape)
    assert outcome.shape == (32, 3)
    shares = np.bincount(policy.row.numpy(), weights=policy.weight.numpy(), minlength=32)
    np.testing.assert_allclose(shares, 1.0, rtol=1e-5)
    first = learner.train(10, 0.0)
    learner.train(100, 0.0)
    last = learner.train(10, 0.0)
    assert last["policy_loss"] < first["policy_loss"]
    assert last["value_loss"] < first["value_loss"]


@pytest.mark.parametrize("game", [SHUTTLE, PEBBLES], ids=lambda game: game.name)
def test_a_resumed_shard_knows_the_past_of_its_games(game):
    shard, other = shard_of(game), shard_of(game, seed=7)
    for _ in range(200):
        shard.advance(evaluate_uniformly)
    arrays = {name: array.copy() for name, array in shard.state_arrays().items()}
    other.load_state(arrays, shard.state_dict())
    shard.forget_trees()
    for slot in range(4):
        line = game.line(shard.moves[slot, : shard.ply[slot]].tolist())
        for one in (shard, other):
            forest = one.search.forest
            assert forest.states[slot, 0].tobytes() == line[-1].tobytes()
            assert forest.info["num_keys"][slot] == len(line) - 1
            past = past_of(game, [line])
            assert forest.boards[slot].tobytes() == past.boards[0].tobytes()
            count = len(line) - 1
            np.testing.assert_array_equal(forest.keys[slot, :count], past.keys[0, :count])
