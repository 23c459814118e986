"""The compiled search equals its slow twin visit for visit (tests/reference_mcts.py)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from envs.game import Game
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import RootResults
from tests.reference_mcts import ReferenceTree, Result
from tests.search_setup import GAMES, CompiledNoise, HashedNetwork, openings, play_searches, spread

# Each option away from its default at least once; named for the test's report.
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "plain": {"solve": False, "tree_reuse": False, "cache_size": 0, "forced_playouts": 0.0},
    "fixed_fpu": {"fpu": "fixed", "fpu_value": -1.0, "c_init": 2.5, "c_base": 50.0},
    "solve_without_lookahead": {"lookahead": 0},
    "shallow": {"lookahead": 1, "forced_playouts": 6.0},
    "deep": {"lookahead": 3, "fpu_value": 0.4},
    "no_fpu_under_noise": {"noisy_root_fpu": False, "fpu_value": 0.5},
    "leaves": {"leaves_per_tree": 4, "cache_size": 0},
    "leaves_strong_loss": {"leaves_per_tree": 7, "virtual_loss": 3.0, "cache_size": 0},
    "leaves_by_visits": {"leaves_per_tree": 6, "visits_per_leaf": 5, "cache_size": 0},
    "gumbel": {"root": "gumbel"},
    "gumbel_plain": {"root": "gumbel", "solve": False, "cache_size": 0, "considered_actions": 4},
    "gumbel_scales": {"root": "gumbel", "maxvisit_init": 10.0, "value_scale": 1.0},
    "gumbel_leaves": {"root": "gumbel", "leaves_per_tree": 3, "cache_size": 0},
}
SIMULATIONS = 40


def twin_of(
    game: Game, config: SearchConfig, state: Any, stream: int, network: HashedNetwork
) -> ReferenceTree:
    twin = ReferenceTree(game, config, network.of_state, CompiledNoise(stream))
    twin.place(state)
    return twin


def assert_same(found: RootResults, i: int, twin: Result, game: Game, where: str) -> None:
    num_actions = game.num_actions
    visits, q, policy = np.zeros(num_actions), np.full(num_actions, np.nan), np.zeros(num_actions)
    for action in twin.visits:
        visits[action], q[action] = twin.visits[action], twin.q[action]
        policy[action] = twin.policy[action]
    ours = {name: spread(found, name, game)[i] for name in ("visits", "q", "policy")}
    np.testing.assert_array_equal(ours["visits"], visits, where)
    np.testing.assert_allclose(ours["q"], q, atol=1e-6, err_msg=where)
    np.testing.assert_allclose(ours["policy"], policy, atol=1e-6, err_msg=where)
    np.testing.assert_allclose(found.value_to_play[i], twin.value_to_play, atol=1e-6, err_msg=where)
    assert found.best_action[i] == twin.best_action, where
    assert found.action[i] == twin.action, where
    exact = math.nan if twin.exact is None else twin.exact
    np.testing.assert_equal(float(found.exact[i]), exact, where)
    assert twin.exact is None or found.plies[i] == twin.plies, where


def compare(
    game: Game,
    config: SearchConfig,
    *,
    trees: int = 2,
    plies: int = 4,
    opening_plies: int = 3,
    simulations: int = SIMULATIONS,
    temperature: float = 0.0,
    explore: bool = True,
    seed: int = 1,
) -> None:
    states = openings(game, trees, opening_plies, seed)
    network = HashedNetwork(game)
    twins: list[ReferenceTree] = []
    searches = play_searches(
        game,
        config,
        states,
        plies,
        simulations=simulations,
        explore=explore,
        temperature=temperature,
        seed=seed,
    )
    streams = np.random.SeedSequence(seed).generate_state(trees, np.uint64)
    twins = [twin_of(game, config, states[t], streams[t], network) for t in range(trees)]
    for ply, (_, playing, found) in enumerate(searches):
        for i, t in enumerate(playing):
            twins[t].begin(simulations, explore, temperature)
            twins[t].run()
            where = f"ply {ply}, tree {t}"
            assert_same(found, i, twins[t].read(temperature), game, where)
            twins[t].play(int(found.action[i]))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_connect_four(options: dict[str, Any]) -> None:
    compare(find_game("connect_four"), SearchConfig(**options), plies=6, trees=3)


@pytest.mark.parametrize("name", [name for name in GAMES if name != "connect_four"])
@pytest.mark.parametrize("options", ["default", "gumbel"])
def test_other_games(name: str, options: str) -> None:
    compare(find_game(name), SearchConfig(**OPTIONS[options]), plies=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in GAMES if name != "connect_four"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_other_games_in_full(name: str, options: dict[str, Any]) -> None:
    compare(find_game(name), SearchConfig(**options), plies=6, trees=3)


@pytest.mark.parametrize("root", ["puct", "gumbel"])
def test_late_positions_where_proofs_matter(root: Any) -> None:
    game = find_game("connect_four")
    config = SearchConfig(root=root, lookahead=1)
    compare(game, config, trees=12, opening_plies=22, plies=6, simulations=60)


def test_othello_endings_with_passes_and_draws() -> None:
    game = find_game("othello6")
    config = SearchConfig(lookahead=2)
    compare(game, config, trees=8, opening_plies=26, plies=6, simulations=60)


@pytest.mark.parametrize("root", ["puct", "gumbel"])
def test_without_exploration(root: Any) -> None:
    compare(find_game("connect_four"), SearchConfig(root=root), explore=False)


@pytest.mark.parametrize("explore", [True, False])
@pytest.mark.parametrize("root", ["puct", "gumbel"])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_moves_sampled_by_temperature(temperature: float, root: Any, explore: bool) -> None:
    config, game = SearchConfig(root=root), find_game("connect_four")
    compare(game, config, plies=6, trees=4, temperature=temperature, explore=explore)


@pytest.mark.parametrize("root", ["puct", "gumbel"])
@pytest.mark.parametrize("simulations", [1, 3])
def test_where_the_visited_moves_are_proven_losses(root: Any, simulations: int) -> None:
    game, config = find_game("connect_four"), SearchConfig(root=root, lookahead=1)
    compare(game, config, trees=20, opening_plies=22, simulations=simulations, temperature=1.0)


def test_several_leaves_with_a_cache() -> None:
    """One tree: with several leaves a tree, hits made by other trees change its order."""
    compare(find_game("connect_four"), SearchConfig(leaves_per_tree=3), trees=1, plies=8)


@pytest.mark.slow
@pytest.mark.parametrize("root", ["puct", "gumbel"])
@pytest.mark.parametrize("name", GAMES)
def test_large_searches(name: str, root: Any) -> None:
    compare(find_game(name), SearchConfig(root=root), simulations=300, plies=10, opening_plies=5)
