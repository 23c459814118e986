"""The root: the schedule of sequential halving, noise and moves by temperature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from envs.registry import find_game
from mcts import root
from mcts.config import SearchConfig
from mcts.search import UNIFORM, Search
from tests.reference_mcts import halving_schedule
from tests.search_setup import HashedNetwork, openings, spread


@njit
def plan(sequence, considered, simulations):
    root.plan_halving(sequence, considered, simulations)


@pytest.mark.parametrize("considered", [1, 2, 3, 5, 7, 16, 33])
@pytest.mark.parametrize("simulations", [1, 2, 16, 50, 200])
def test_plan_halving_is_the_schedule_of_mctx(considered: int, simulations: int) -> None:
    sequence = np.full(simulations, -1, np.int32)
    plan(sequence, considered, simulations)
    assert sequence.tolist() == halving_schedule(considered, simulations)


def test_plan_halving_by_hand() -> None:
    """16 simulations of 4 moves: all four twice, then the better two four times more."""
    sequence = np.zeros(16, np.int32)
    plan(sequence, 4, 16)
    assert sequence.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_gumbel_visits_follow_the_schedule() -> None:
    game = find_game("connect_four")
    search = Search(game, SearchConfig(root="gumbel", solve=False, considered_actions=4), 1)
    search.place(game.new_states(1))
    search.begin(np.arange(1), 16, explore=True)
    search.run(HashedNetwork(game))
    visits = search.read(np.arange(1)).visits[0]
    assert sorted(visits[visits > 0].tolist()) == [2, 2, 6, 6]


@pytest.mark.parametrize("fraction", [0.25, 1.0])
def test_root_noise_is_mixed_in_once_and_sums_to_one(fraction: float) -> None:
    game = find_game("connect_four")
    config = SearchConfig(dirichlet_fraction=fraction, dirichlet_alpha=0.5, cache_size=0)
    search = Search(game, config, 400, max_simulations=2)
    search.place(game.new_states(400))
    search.begin(np.arange(400), 2, explore=True)
    search.run(UNIFORM)
    priors = search.forest.edges["prior"][:400, :7]
    np.testing.assert_allclose(priors.sum(axis=1), 1, atol=1e-5)
    noise = (priors - (1 - fraction) / 7) / fraction
    assert noise.min() > -1e-6
    # The variance of one share of Dirichlet(0.5) over 7 moves: (1/7)(6/7) / (7 * 0.5 + 1).
    assert abs(noise.var() / (6 / 49 / 4.5) - 1) < 0.2


def test_without_exploration_there_is_no_noise() -> None:
    game = find_game("connect_four")
    search = Search(game, SearchConfig(), 2)
    search.place(game.new_states(2))
    search.begin(np.arange(2), 50, explore=False)
    search.run(UNIFORM)
    np.testing.assert_allclose(search.forest.edges["prior"][:2, :7], 1 / 7)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_moves_are_sampled_by_their_visits(temperature: float) -> None:
    """Many trees over one position and evaluator differ only in the move sampled."""
    game = find_game("connect_four")
    trees = np.arange(4000)
    search = Search(game, SearchConfig(tree_reuse=False), len(trees), max_simulations=30)
    search.place(np.repeat(openings(game, 1, 4), len(trees)))
    search.begin(trees, 30)
    search.run(HashedNetwork(game, sharpness=0.5))
    found = search.read(trees, temperature)
    assert (found.visits == found.visits[0]).all()
    expected = spread(found, "visits", game)[0] ** (1 / temperature)
    expected /= expected.sum()
    share = np.bincount(found.action, minlength=7) / len(trees)
    np.testing.assert_allclose(share, expected, atol=5 * 0.5 / np.sqrt(len(trees)))
    assert (found.best_action == found.legal[0, found.visits[0].argmax()]).all()


@pytest.mark.parametrize(("explore", "temperature"), [(False, 0.5), (False, 1.0), (True, 1.0)])
def test_gumbel_roots_sample_their_moves(explore: bool, temperature: float) -> None:
    """Where no move is better than another, moves are samples of the prior at the temperature."""
    game, trees = find_game("connect_four"), np.arange(4000)
    logits = np.array([0.0, 1.5, -1.0, 0.5, 0.2, -0.5, 1.0], np.float32)
    config = SearchConfig(root="gumbel", cache_size=0)
    search = Search(game, config, len(trees), max_simulations=16)
    search.place(game.new_states(len(trees)))
    search.begin(trees, 16, explore, temperature)
    search.run(lambda x: (logits[x.actions], np.zeros(len(x.counts), np.float32)))
    moves = search.read(trees, temperature).action
    expected = np.exp(logits / temperature)
    share = np.bincount(moves, minlength=7) / len(trees)
    np.testing.assert_allclose(share, expected / expected.sum(), atol=5 * 0.5 / np.sqrt(len(trees)))


@pytest.mark.parametrize("explore", [False, True])
def test_gumbel_roots_leave_nothing_to_chance_at_temperature_zero(explore: bool) -> None:
    """The best improved logit among the most visited, whatever noise found them."""
    game, trees = find_game("connect_four"), np.arange(300)
    search = Search(game, SearchConfig(root="gumbel"), len(trees), max_simulations=16)
    search.place(np.repeat(openings(game, 1, 4), len(trees)))
    search.begin(trees, 16, explore, 0.0)
    search.run(HashedNetwork(game))
    found = search.read(trees, 0.0)
    best = np.where(found.visits == found.visits.max(axis=1, keepdims=True), found.policy, -1.0)
    np.testing.assert_array_equal(found.action, found.legal[trees, best.argmax(axis=1)])
    np.testing.assert_array_equal(found.best_action, found.action)
    assert (len(np.unique(found.visits, axis=0)) > 1) == explore  # noise in the search alone


def test_first_play_reduction_can_be_off_under_noise() -> None:
    """Two simulations ask for it at the root alone: then it is a reduction of 0."""
    game, trees = find_game("connect_four"), np.arange(200)

    def visits(explore: bool, **options: Any) -> Any:
        search = Search(game, SearchConfig(**options), len(trees), max_simulations=2)
        search.place(openings(game, len(trees), 4))
        search.begin(trees, 2, explore)
        search.run(HashedNetwork(game))
        return search.read(trees).visits

    reduced, off = {"fpu_value": 0.9}, {"fpu_value": 0.9, "noisy_root_fpu": False}
    np.testing.assert_array_equal(visits(True, **off), visits(True, fpu_value=0.0))
    assert (visits(True, **off) != visits(True, **reduced)).any()
    np.testing.assert_array_equal(visits(False, **off), visits(False, **reduced))


@pytest.mark.parametrize("cache_size", [0, 256])
def test_a_root_tells_its_prior_without_the_noise(cache_size: int) -> None:
    """The second search finds the evaluation in its cache, where it has one."""
    game = find_game("connect_four")
    network = HashedNetwork(game)
    states = openings(game, 5, 4)
    logits = np.stack([network.of_state(state)[0] for state in states])
    expected = np.where([game.legal_mask(s) for s in states], np.exp(logits), 0.0)
    expected /= expected.sum(axis=1, keepdims=True)
    search = Search(game, SearchConfig(cache_size=cache_size, solve=False), 5)
    for _ in range(2):
        search.place(states)
        search.begin(np.arange(5), 20, explore=True)
        search.run(network)
        found = search.read(np.arange(5))
        np.testing.assert_allclose(spread(found, "prior", game), expected, atol=1e-6)
    mixed = search.forest.edges["prior"][0, : found.counts[0]]
    assert np.abs(mixed - found.prior[0, : found.counts[0]]).max() > 1e-3


def test_a_root_that_was_proven_without_an_evaluation_has_no_prior() -> None:
    game = find_game("connect_four")
    search = Search(game, SearchConfig(), 1)
    search.place(game.line(game.parse_moves("112233"))[-1:])
    search.begin(np.arange(1), 20)
    search.run(HashedNetwork(game))
    found = search.read(np.arange(1))
    assert found.exact[0] == 1.0
    assert np.isnan(found.prior).all()
