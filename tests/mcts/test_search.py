"""The search as Python drives it: its errors, its limits, and that nothing depends on company."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

from envs.registry import find_game
from mcts import kernels
from mcts.config import SearchConfig
from mcts.forest import CACHE, EXPANDED, MOST_CACHE_BYTES, NO_NODE, cache_shape
from mcts.search import (
    ROLLOUT,
    UNIFORM,
    RootResults,
    Search,
    evaluate_uniformly,
    run_parallel,
)
from tests.search_setup import HashedNetwork, openings, play_searches
from tests.wide_game import GAME as LEAP

CONNECT_FOUR = find_game("connect_four")


def new_search(trees: int = 3, simulations: int = 20, **options: Any) -> Search:
    search = Search(CONNECT_FOUR, SearchConfig(simulations=simulations, **options), trees)
    search.place(openings(CONNECT_FOUR, trees, 5))
    return search


def assert_equal_results(left: RootResults, right: RootResults) -> None:
    for name, a, b in zip(RootResults._fields, left, right):
        np.testing.assert_array_equal(a, b, name)


def test_a_cache_has_the_entries_asked_for_where_they_fit_into_its_memory() -> None:
    asked = SearchConfig(cache_size=200_000)
    assert cache_shape(CONNECT_FOUR, asked) == (7, 1 << 18)
    assert cache_shape(CONNECT_FOUR, SearchConfig(cache_size=0)) == (7, 0)
    width, entries = cache_shape(LEAP, asked)
    assert (width, entries.bit_count()) == (600, 1)
    assert MOST_CACHE_BYTES / 2 < entries * (4 * width + CACHE.itemsize) <= MOST_CACHE_BYTES


# --- independence ---------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["puct", "gumbel"])
def test_a_tree_does_not_depend_on_its_neighbours(root: Any) -> None:
    """Alone or among trees of other ages, budgets and finished games: the same search."""
    config = SearchConfig(root=root)
    states = np.concatenate([openings(CONNECT_FOUR, 3, 25, seed=5), openings(CONNECT_FOUR, 3, 2)])
    budgets = [1, 40, 7, 40, 13, 40]
    together: dict[tuple[int, int], RootResults] = {}
    for ply, (_, trees, found) in enumerate(
        play_searches(CONNECT_FOUR, config, states, 4, simulations=budgets, explore=True)
    ):
        for i, t in enumerate(trees.tolist()):
            together[ply, t] = RootResults(*(part[i : i + 1] for part in found))
    streams = np.random.SeedSequence(1).generate_state(len(states), np.uint64)
    for t in range(len(states)):
        search = Search(CONNECT_FOUR, config, 1, max_simulations=40)
        search.forest.info["stream"][0] = streams[t]
        search.place(states[t : t + 1])
        for ply in range(4):
            if (ply, t) not in together:
                break
            search.begin(np.arange(1), budgets[t], explore=True)
            search.run(HashedNetwork(CONNECT_FOUR))
            found = search.read(np.arange(1))
            assert_equal_results(found, together[ply, t])
            search.play(np.arange(1), found.action)


@pytest.mark.parametrize("options", [{}, {"root": "gumbel"}, {"solve": False}])
def test_the_cache_changes_nothing_but_the_evaluations(options: dict[str, Any]) -> None:
    results, evaluations = [], []
    for size in (0, 1 << 18):  # far more entries than positions
        config = SearchConfig(cache_size=size, **options)
        games = play_searches(
            CONNECT_FOUR, config, openings(CONNECT_FOUR, 6, 1), 6, simulations=60, explore=True
        )
        played = list(games)
        results.append([found for _, _, found in played])
        evaluations.append(played[-1][0].counters()["evaluations"])
    for left, right in zip(*results, strict=True):
        assert_equal_results(left, right)
    assert evaluations[1] < evaluations[0]


def test_threads_change_nothing() -> None:
    def searched(parallel: bool) -> list[RootResults]:
        searches = [new_search(8, 100, dirichlet_alpha=0.3) for _ in range(3)]
        for search in searches:
            search.begin(np.arange(8), 100, explore=True)
        evaluators = [UNIFORM, ROLLOUT, HashedNetwork(CONNECT_FOUR)]
        if parallel:
            run_parallel(searches, evaluators)
        else:
            for search, evaluator in zip(searches, evaluators):
                search.run(evaluator)
        return [search.read(np.arange(8)) for search in searches]

    for left, right in zip(searched(True), searched(False)):
        assert_equal_results(left, right)


def test_an_error_in_a_thread_is_raised_when_all_have_ended() -> None:
    def broken(planes: Any) -> Any:
        raise OSError("the network is gone")

    searches = [new_search(), new_search()]
    for search in searches:
        search.begin(np.arange(3), 10)
    with pytest.raises(OSError, match="the network is gone"):
        run_parallel(searches, [UNIFORM, broken])
    assert searches[0].done().tolist() == [0, 1, 2]


def test_the_compiled_uniform_evaluator_is_the_uniform_evaluator() -> None:
    results = []
    for evaluator in (UNIFORM, evaluate_uniformly):
        search = new_search(6, 200, cache_size=0)
        search.begin(np.arange(6), 200)
        search.run(evaluator)
        results.append(search.read(np.arange(6)))
    assert_equal_results(*results)


def test_rollouts_value_a_won_position_higher() -> None:
    """Two in a row in the middle, open on both sides, against stones at the edges."""
    values = []
    for moves in ([0, 3, 6, 2, 0], [3, 0, 2, 6, 5]):
        search = Search(CONNECT_FOUR, SearchConfig(solve=False), 16)
        search.place(np.repeat(np.asarray(CONNECT_FOUR.position(moves))[None], 16))
        search.begin(np.arange(16), 100)
        search.run(ROLLOUT)
        values.append(search.read(np.arange(16)).value_to_play.mean())
    assert values[0] > values[1] + 0.2


# --- errors and limits ----------------------------------------------------------------------


def test_errors_name_what_is_wrong() -> None:
    search = new_search(trees=3, simulations=20)
    trees = np.arange(3)
    with pytest.raises(ValueError, match="21 simulations: this forest takes 1 to 20"):
        search.begin(trees, 21)
    with pytest.raises(ValueError, match="0 simulations"):
        search.begin(trees, np.array([5, 0, 5], np.int32))
    with pytest.raises(ValueError, match="trees 0 to 3: there are 3"):
        search.begin(np.arange(4), 5)
    with pytest.raises(ValueError, match="trees -1 to 0: there are 3"):
        search.play(np.array([-1, 0]), np.array([0, 0]))
    with pytest.raises(ValueError, match="trees 0 to 3: there are 3"):
        search.place(openings(CONNECT_FOUR, 4, 1))
    with pytest.raises(ValueError, match="2 states for 1 trees"):
        search.place(openings(CONNECT_FOUR, 2, 1), np.array([0]))
    with pytest.raises(ValueError, match="expected positions of connect_four"):
        search.place(find_game("tic_tac_toe").new_states(3))
    with pytest.raises(ValueError, match="1 actions for 2 trees"):
        search.play(np.array([0, 1]), np.array([0]))
    with pytest.raises(ValueError, match="tree 0 has no search"):
        search.read(trees)


def test_evaluations_must_fit_the_leaves() -> None:
    search = new_search(trees=3)
    search.begin(np.arange(3), 20)
    assert len(search.select()) == 3
    with pytest.raises(RuntimeError, match="3 leaves still await"):
        search.select()
    for logits, values in [((2, 7), (2,)), ((3, 6), (3,)), ((3, 7), (2,)), ((3, 7), (3, 1))]:
        with pytest.raises(ValueError, match="3 leaves wait"):
            search.receive(np.zeros(logits, np.float32), np.zeros(values, np.float32))
    search.receive(np.zeros((3, 7), np.float32), np.zeros(3, np.float32))
    assert len(search.select()) == 3


def test_other_kinds_of_arrays_compile_nothing_anew() -> None:
    """Double precision, a slice, a read-only array: converted, not another kernel of 20 s."""
    search = new_search(trees=3)
    search.begin(np.arange(3, dtype=np.int32), 20)
    search.select()
    search.receive(np.zeros((3, 7), np.float32), np.zeros(3, np.float32))
    known = len(kernels.receive_batch.signatures)
    search.select()
    search.receive(np.zeros((6, 14))[::2, ::2], np.broadcast_to(0.0, (3,)))
    assert len(kernels.receive_batch.signatures) == known


def test_a_finished_game_is_not_searched() -> None:
    search = Search(CONNECT_FOUR, SearchConfig(), 2)
    won = CONNECT_FOUR.position(CONNECT_FOUR.parse_moves("1212121"))
    search.place(np.stack([np.asarray(won), np.asarray(CONNECT_FOUR.new_state())]))
    search.begin(np.arange(2), 10)
    search.run(UNIFORM)
    assert search.done().tolist() == [0, 1]
    with pytest.raises(ValueError, match="tree 0 has no search"):
        search.read(np.arange(2))
    assert search.read(np.array([1])).visits.sum() == 10


def test_a_full_tree_ends_its_search_early() -> None:
    """Reached only by asking a kernel for more than the forest was made for."""
    search = new_search(trees=2, simulations=20, solve=False)
    trees = np.arange(2)
    counts = np.array([500, 10], np.int32)
    kernels.begin(search.forest, trees, counts, np.zeros(2, np.uint8), np.zeros(2))
    search.run(HashedNetwork(CONNECT_FOUR))
    assert search.done().tolist() == [0, 1]
    found = search.read(trees)
    assert search.forest.info["full"][:2].tolist() == [1, 0]
    assert 20 <= found.visits[0].sum() < 500
    assert found.visits[1].sum() == 10
    np.testing.assert_allclose(found.policy.sum(axis=1), 1, atol=1e-6)
    search.play(trees, found.action)
    assert not search.forest.info["full"][:2].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"simulations": 0}, "search.simulations = 0: expected a whole number, 1 to 10000000"),
        ({"root": "ucb"}, "'puct', 'gumbel'"),
        ({"dirichlet_fraction": 1.5}, "a number, 0 to 1"),
        ({"lookahead": 7}, "a whole number, -1 to 6"),
    ],
)
def test_configs_are_validated(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchConfig(**options)


# --- invariants -----------------------------------------------------------------------------

CONFIGS = st.builds(
    SearchConfig,
    root=st.sampled_from(["puct", "gumbel"]),
    fpu=st.sampled_from(["fixed", "reduction"]),
    fpu_value=st.floats(-1, 1),
    noisy_root_fpu=st.booleans(),
    c_init=st.floats(0.1, 5),
    dirichlet_alpha=st.floats(0.03, 10),
    dirichlet_fraction=st.floats(0, 1),
    forced_playouts=st.floats(0, 5),
    solve=st.booleans(),
    lookahead=st.integers(0, 3),
    tree_reuse=st.booleans(),
    cache_size=st.sampled_from([0, 16, 4096]),
    considered_actions=st.integers(1, 16),
    value_scale=st.floats(0, 1),
    leaves_per_tree=st.integers(1, 5),
    virtual_loss=st.floats(0, 3),
    visits_per_leaf=st.integers(0, 9),
)


def assert_tree_is_sound(search: Search, t: int) -> None:
    """Counts add up, values are in bounds, and proofs agree with what they are made of."""
    forest, info = search.forest, search.forest.info[t]
    assert not info["full"]
    children = []
    for n, node in enumerate(forest.nodes[t][: info["num_nodes"]]):
        edges = forest.edges[t][node["first_edge"] :][: node["num_edges"]]
        kept_children = edges["child"][edges["child"] != NO_NODE]
        children.extend(kept_children.tolist())
        assert (kept_children > n).all()
        exact = edges["exact"]
        if node["stage"] == EXPANDED:
            np.testing.assert_allclose(edges["prior"].sum(), 1, atol=1e-4)
            if np.isnan(node["exact"]):
                assert node["visits"] - 1 == edges["visits"].sum()
        assert abs(node["value_sum"]) <= node["visits"] + 1e-6
        assert (np.abs(edges["value_sum"]) <= edges["visits"] * (1 + 1e-9) + 1e-6).all()
        if not np.isnan(node["exact"]) and len(edges):
            assert node["exact"] == np.nanmax(exact)
            assert node["exact"] == 1 or not np.isnan(exact).any()
    assert sorted(children) == list(range(1, info["num_nodes"]))


@settings(max_examples=40, deadline=None)
@given(
    config=CONFIGS, seed=st.integers(0, 1000), plies=st.integers(0, 30), budget=st.integers(1, 80)
)
def test_trees_are_sound(config: SearchConfig, seed: int, plies: int, budget: int) -> None:
    states = openings(CONNECT_FOUR, 2, plies, seed)
    for search, trees, found in play_searches(
        CONNECT_FOUR, config, states, 3, simulations=budget, explore=True, seed=seed
    ):
        for i, t in enumerate(trees):
            assert_tree_is_sound(search, t)
            open_root = np.isnan(found.exact[i])
            total = found.visits[i].sum()
            assert total == budget if open_root else total <= budget + config.leaves_per_tree
            assert abs(found.policy[i].sum() - 1) < 1e-5
            assert np.nanmax(np.abs(found.q[i]), initial=0) <= 1 + 1e-6
            assert abs(found.value_to_play[i]) <= 1 + 1e-6
            best = found.legal[i].tolist().index(found.best_action[i])
            assert open_root or found.q[i, best] == found.exact[i]


def test_the_kernels_are_the_same_for_every_game() -> None:
    counts = []
    for name in ("connect_four", "tic_tac_toe"):  # boards of other shapes, records of other sizes
        game = find_game(name)
        search = Search(game, SearchConfig(simulations=4), 2)
        search.place(game.new_states(2))
        for evaluator in (evaluate_uniformly, ROLLOUT):
            search.begin(np.arange(2), 4)
            search.run(evaluator)
            search.play(np.arange(2), search.read(np.arange(2)).action)
        compiled = [entry for entry in vars(kernels).values() if isinstance(entry, Dispatcher)]
        counts.append([len(entry.overloads) for entry in compiled])
    assert counts[0] == counts[1]
    assert any(counts[0])


# --- the kernels on disk --------------------------------------------------------------------

SECOND_PROCESS = """
import json, numpy as np
from envs.registry import find_game
from mcts import kernels
from mcts.config import SearchConfig
from mcts.search import Search
game = find_game("connect_four")
search = Search(game, SearchConfig(root="gumbel"), 4, seed=3)
search.place(game.new_states(4))
search.begin(np.arange(4), 30, explore=True)
def evaluate(leaves):
    logits = leaves.planes[:, 0, :1].reshape(len(leaves.counts), 7)
    return np.take_along_axis(logits, leaves.actions, 1), leaves.planes[:, 1, 5, 3] / 2
search.run(evaluate)
found = search.read(np.arange(4))
search.play(np.arange(4), found.action)
used = ("simulate_batch", "receive_batch", "begin", "place_roots", "read_roots", "play_roots")
stats = [getattr(kernels, name).stats for name in used]
print(json.dumps({
    "hits": sum(sum(s.cache_hits.values()) for s in stats),
    "misses": sum(sum(s.cache_misses.values()) for s in stats),
    "visits": found.visits.tolist(),
}))
"""


def test_a_second_process_loads_every_kernel_and_searches_the_same() -> None:
    answers = []
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-c", SECOND_PROCESS], capture_output=True, text=True, check=True
        )
        answers.append(json.loads(ran.stdout))
    assert answers[1]["misses"] == 0
    assert answers[1]["hits"] == 6
    assert answers[0]["visits"] == answers[1]["visits"]
