from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agents import players
from agents.alphazero.player import RawNetworkPlayer
from agents.players import (
    FULL_BATCH,
    ROLLOUT_CONFIG,
    RandomPlayer,
    SearchPlayer,
    rollout_player,
    side_by_side,
    trees_that_fit,
)
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import Leaves

TIC_TAC_TOE = find_game("tic_tac_toe")
CONFIG = SearchConfig(simulations=24, tree_reuse=False, cache_size=64)


def states_after(*games: str) -> NDArray[Any]:
    positions = [TIC_TAC_TOE.position(TIC_TAC_TOE.parse_moves(game)) for game in games]
    return np.concatenate([np.atleast_1d(position) for position in positions])


def prefers_high_actions(leaves: Leaves) -> tuple[NDArray[Any], NDArray[Any]]:
    """A network whose logits rise with the action; its value is the stones' difference / 9."""
    planes = leaves.planes
    values = (planes[:, 0] - planes[:, 1]).reshape(len(planes), -1).sum(axis=1) / 9
    return leaves.actions.astype(np.float32), values.astype(np.float32)


def test_random_player_plays_every_legal_move_and_no_other() -> None:
    states = np.repeat(states_after("a1 b1 c1 a2 b2"), 300)
    chosen = RandomPlayer(TIC_TAC_TOE).choose(states, np.random.default_rng(0))
    assert set(chosen.tolist()) == set(TIC_TAC_TOE.legal_actions(states[0]).tolist())
    again = RandomPlayer(TIC_TAC_TOE).choose(states, np.random.default_rng(0))
    np.testing.assert_array_equal(chosen, again)


def test_network_alone_plays_its_likeliest_legal_move() -> None:
    player = RawNetworkPlayer(TIC_TAC_TOE, prefers_high_actions)
    found = player.analyze(states_after("a1", "c3", "c3 b3"))
    assert [TIC_TAC_TOE.format_action(a) for a in found.best_action] == ["c3", "b3", "a3"]
    np.testing.assert_allclose(found.policy.sum(axis=1), 1.0, rtol=1e-6)
    assert found.policy[0, TIC_TAC_TOE.parse_action("a1")] == 0
    np.testing.assert_allclose(found.value_to_play, [-1 / 9, -1 / 9, 0], atol=1e-6)


def test_network_alone_judges_more_positions_than_one_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states = states_after("a1", "c3", "c3 b3", "", "b2")
    whole = RawNetworkPlayer(TIC_TAC_TOE, prefers_high_actions).analyze(states)
    monkeypatch.setattr(players, "MOST_TREES", 2)
    parts = RawNetworkPlayer(TIC_TAC_TOE, prefers_high_actions).analyze(states)
    np.testing.assert_array_equal(whole.policy, parts.policy)


@pytest.mark.parametrize(("threads", "at_once"), [(1, 512), (2, 512), (2, 1), (3, 2)])
def test_search_answers_alike_however_positions_are_shared_out(
    monkeypatch: pytest.MonkeyPatch, threads: int, at_once: int
) -> None:
    states = states_after("a1", "b2", "c3 b3", "", "b2 a1")
    wanted = [
        SearchPlayer(TIC_TAC_TOE, [prefers_high_actions], CONFIG).analyze(s[None]) for s in states
    ]
    monkeypatch.setattr(players, "MOST_TREES", at_once)
    player = SearchPlayer(TIC_TAC_TOE, [prefers_high_actions] * threads, CONFIG)
    for found in (player.analyze(states), player.analyze(states)):  # nothing is kept in between
        for row, one in enumerate(wanted):
            np.testing.assert_array_equal(found.visits[row], one.visits[0])
            np.testing.assert_array_equal(found.best_action[row], one.best_action[0])
    assert (found.visits.sum(axis=1) == CONFIG.simulations).all()


def test_search_finds_the_win_that_the_network_does_not_see() -> None:
    states = states_after("a1 c3 b1 b3", "a1 c3 a2")  # c1 wins; a3 must be stopped
    chosen = SearchPlayer(TIC_TAC_TOE, [prefers_high_actions], CONFIG).choose(
        states, np.random.default_rng(0)
    )
    assert [TIC_TAC_TOE.format_action(a) for a in chosen] == ["c1", "a3"]


def test_search_of_nothing_answers_nothing() -> None:
    player = SearchPlayer(TIC_TAC_TOE, [prefers_high_actions], CONFIG)
    assert player.choose(states_after("a1")[:0], np.random.default_rng(0)).shape == (0,)


def test_rollouts_come_from_the_seed_alone() -> None:
    config = SearchConfig(**{**vars(ROLLOUT_CONFIG), "simulations": 40})
    states = np.repeat(states_after("a1"), 30)

    def values(seed: int) -> list[int]:
        player = rollout_player(TIC_TAC_TOE, config)
        return player.choose(states, np.random.default_rng(seed)).tolist()

    assert values(1) == values(1)
    assert values(1) != values(2)
    assert len(set(values(1))) > 1  # trees do not share their chance


def test_forests_stay_within_their_memory() -> None:
    othello = find_game("othello")
    few = trees_that_fit(othello, SearchConfig(simulations=100_000))
    many = trees_that_fit(TIC_TAC_TOE, SearchConfig(simulations=10))
    assert (few, many) == (1, players.MOST_TREES)


@pytest.mark.parametrize("positions", [1, FULL_BATCH, 2 * FULL_BATCH - 1, 2 * FULL_BATCH])
def test_few_positions_leave_a_thread_to_the_other_player(positions: int) -> None:
    player = SearchPlayer(
        TIC_TAC_TOE, [prefers_high_actions, prefers_high_actions], SearchConfig(simulations=8)
    )
    narrow = side_by_side(player, positions)
    assert len(narrow.evaluators) == (2 if positions >= 2 * FULL_BATCH else 1)
    states = states_after(*["", "b2", "a1", "a1 b2"] * 3)
    rng = np.random.default_rng(0)
    assert narrow.choose(states, rng).tolist() == player.choose(states, rng).tolist()


def test_others_think_as_they_do_alone() -> None:
    rollouts = rollout_player(TIC_TAC_TOE, ROLLOUT_CONFIG)
    assert side_by_side(rollouts, 1) is rollouts
    chance = RandomPlayer(TIC_TAC_TOE)
    assert side_by_side(chance, 1) is chance
