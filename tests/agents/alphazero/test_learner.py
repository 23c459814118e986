"""Episodes to training rows and back, and a learner that must find a known answer."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.alphazero.config import LearnerConfig, NetworkConfig
from agents.alphazero.episodes import SCHEMA, GameRecord, Policies, to_episode, to_rows
from agents.alphazero.learner import AlphaZeroLearner
from agents.torch_state import dump_trainer, load_trainer
from envs.registry import find_game
from store.replay.episodes import EpisodeBatch

SMALL = NetworkConfig(blocks=1, filters=16, head_filters=4, value_hidden=16, precision="float32")


@pytest.fixture(autouse=True)
def _one_thread():
    """Steps this small lose more to two threads' waiting than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _record(game, text, plies, exact=None, outcome=1.0):
    moves = np.array(game.parse_moves(text), np.uint16)
    count = len(plies)
    return GameRecord(
        moves=moves,
        opening_plies=0,
        outcome=outcome,
        network_step=5,
        row_ply=np.array(plies, np.uint16),
        policies=Policies.of(
            np.tile(np.array([0, 2, 4], np.uint16), (count, 1)),
            np.tile(np.array([0.0, 0.25, 0.75], np.float32), (count, 1)),
        ),
        row_value=np.full(count, 0.2, np.float32),
        row_exact=np.array(exact if exact else [np.nan] * count, np.float32),
    )


def _batch(*records):
    return EpisodeBatch.of(
        SCHEMA, [to_episode(record, bytes([i] * 16)) for i, record in enumerate(records)]
    )


def test_rows_hold_the_positions_the_policies_and_the_movers_value():
    game = find_game("connect_four")
    batch = _batch(
        _record(game, "4455667", [0, 1, 6]),
        _record(game, "1212121", [2, 3], exact=[np.nan, -1.0], outcome=-1.0),
    )
    rows = to_rows(game, [batch], LearnerConfig(search_value_share=0.25))
    expected = [("", 1), ("4", -1), ("445566", 1), ("12", -1), ("121", 1)]
    for state, (text, _) in zip(rows.states, expected, strict=True):
        assert state == game.position(game.parse_moves(text))
    mixed = [0.75 * outcome + 0.25 * 0.2 for _, outcome in expected]
    value = rows.outcome[:, 0] - rows.outcome[:, 2]
    np.testing.assert_allclose(value[:4], mixed[:4], rtol=1e-6)
    assert value[4] == -1.0  # proven: the outcome and the search's value do not count
    np.testing.assert_allclose(rows.outcome.sum(1), 1.0, rtol=1e-6)
    assert rows.policy_count.tolist() == [2] * 5
    assert rows.policy_action.tolist() == [2, 4] * 5
    np.testing.assert_allclose(rows.policy_weight, [0.25, 0.75] * 5)


def test_a_win_that_the_search_had_as_a_loss_is_no_draw():
    game = find_game("connect_four")
    record = replace(_record(game, "4455667", [0]), row_value=np.array([-1.0], np.float32))
    half = {"search_value_share": 0.5}
    by_outcomes = to_rows(game, [_batch(record)], LearnerConfig(**half))
    np.testing.assert_allclose(by_outcomes.outcome, [[0.5, 0.0, 0.5]])
    by_scalar = to_rows(game, [_batch(record)], LearnerConfig(**half, value_mixing="scalar"))
    np.testing.assert_allclose(by_scalar.outcome, [[0.0, 1.0, 0.0]])


@pytest.mark.parametrize("value_mixing", ["outcomes", "scalar"])
@pytest.mark.parametrize("searched", [-1.0, -0.25, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("outcome", [-1.0, 0.0, 1.0])
def test_a_mixed_outcome_has_the_mixed_value_as_its_mean(value_mixing, searched, outcome):
    game = find_game("connect_four")
    record = _record(game, "4455667", [0], outcome=outcome)
    record = replace(record, row_value=np.array([searched], np.float32))
    config = LearnerConfig(search_value_share=0.3, value_mixing=value_mixing)
    (shares,) = to_rows(game, [_batch(record)], config).outcome
    assert shares.min() >= 0.0
    assert shares.sum() == pytest.approx(1.0)
    assert shares[0] - shares[2] == pytest.approx(0.7 * outcome + 0.3 * searched, abs=1e-6)


def test_a_proven_loss_can_teach_its_value_alone():
    game = find_game("connect_four")
    batch = _batch(_record(game, "4455667", [0, 1, 2, 3], exact=[np.nan, -1.0, 0.0, 1.0]))
    taught = to_rows(game, [batch], LearnerConfig(lost_policy=False))
    assert taught.policy_count.tolist() == [2, 0, 2, 2]
    assert taught.policy_action.tolist() == [2, 4] * 3
    every = to_rows(game, [batch], LearnerConfig())
    assert every.policy_count.tolist() == [2] * 4


def _forged(record, **arrays):
    """The episode of a game with some of its stored arrays changed."""
    episode = to_episode(record, b"f" * 16)
    changed = {name: np.array(a, episode.arrays[name].dtype) for name, a in arrays.items()}
    return replace(episode, arrays={**episode.arrays, **changed})


@pytest.mark.parametrize(
    "arrays",
    [
        {"move": [3, 3, 3, 3, 3, 3, 3, 3]},  # a seventh stone in a column
        {"move": [65535, 0, 0, 0]},  # far beyond the board: compiled rules check no index
        {"move": [3, 0, 3, 0, 3, 0, 3, 0]},  # on after a win
        {"move": [3]},  # rows after the last move
        {"move": []},
        {"row_ply": [0, 65535]},
        {"row_ply": [1]},
        {"row_value": [0.0]},
        {"row_exact": [0.0, 0.0, 0.0]},
        {"policy_count": [1, 2]},
        {"policy_count": [65535, 2]},
        {"policy_action": [2, 7, 2, 4]},
        {"policy_action": [2, 4]},
        {"policy_weight": [0.5, 0.5]},
        {"policy_weight": [0.5, 0.5, np.nan, 0.5]},
        {"policy_weight": [0.5, 0.5, np.inf, 0.5]},
        {"policy_weight": [0.5, 0.5, -1.0, 0.5]},
        {"outcome": []},
        {"outcome": [1.0, 1.0]},
        {"outcome": [np.nan]},
        {"outcome": [100.0]},
        {"row_value": [0.0, np.nan]},
        {"row_value": [0.0, -7.0]},
        {"row_exact": [np.nan, np.inf]},
        {"opening_plies": []},
    ],
    ids=str,
)
def test_a_stored_game_that_could_not_be_played_is_left_out(arrays, caplog):
    game = find_game("connect_four")
    good = _record(game, "44556611", [0, 8])
    forged = _forged(good, **arrays)
    intact = [to_episode(good, bytes([i] * 16)) for i in range(2)]
    rows = to_rows(game, [EpisodeBatch.of(SCHEMA, [intact[0], forged, intact[1]])], LearnerConfig())
    alone = to_rows(game, [EpisodeBatch.of(SCHEMA, intact)], LearnerConfig())
    for got, wanted in zip(rows, alone, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert "1 stored games are none of this game and left out" in caplog.text


def _learner(game, **changes):
    settings = {"batch_size": 64, "learning_rate": 5e-3, "window_rows": 1000, "averaging": 0.9}
    return AlphaZeroLearner(game, SMALL, LearnerConfig(**settings | changes), seed=0, device="cpu")


def test_the_learner_finds_the_policy_and_value_it_is_shown():
    """Three positions with known answers must be answered so, under their mirror images too."""
    game = find_game("connect_four")
    learner = _learner(game)
    batch = _batch(_record(game, "4455667", [0, 2, 4], exact=[1.0, 0.0, -1.0]))
    learner.add([batch])
    learner.train(150, progress=0.0)
    learner.averaged.eval()
    planes = np.stack([game.encode(game.position(game.parse_moves(t))) for t in ("", "44", "4455")])
    with torch.no_grad():
        logits, outcome = learner.averaged(torch.from_numpy(planes))
    share = outcome.softmax(1)
    assert share.argmax(1).tolist() == [0, 1, 2]
    assert share.max(1).values.min() > 0.9
    policy = logits.softmax(1)
    # the empty board is its own mirror image: its target is the mean of the two
    np.testing.assert_allclose(policy[0, [2, 4]].numpy(), [0.5, 0.5], atol=0.06)


def test_the_learning_rate_falls_by_a_cosine():
    config = LearnerConfig(learning_rate=5e-3, decay_start=0.5, final_learning_rate=1e-4)
    rates = [config.learning_rate_at(p) for p in (0.0, 0.5, 0.75, 1.0)]
    np.testing.assert_allclose(rates, [5e-3, 5e-3, (5e-3 + 1e-4) / 2, 1e-4])


def test_a_restored_learner_goes_on_exactly():
    game = find_game("connect_four")
    batch = _batch(_record(game, "4455667", [0, 1, 2, 3, 4, 5]))
    learner = _learner(game)
    learner.add([batch])
    learner.train(5, 0.0)
    saved = learner.state()
    frozen = load_trainer(dump_trainer(saved))
    learner.train(5, 0.0)
    other = _learner(game)
    other.load_state(frozen, [batch])
    other.train(5, 0.0)
    for name, tensor in learner.network.state_dict().items():
        assert torch.equal(tensor, other.network.state_dict()[name]), name
