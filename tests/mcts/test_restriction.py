"""What single games ask of the search: only some moves, batches by visits, visits without nodes."""

from typing import Any

import numpy as np
import pytest

from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.forest import NO_NODE
from mcts.search import Leaves, Search
from tests.search_setup import HashedNetwork, spread

GAME = find_game("connect_four")
TREE = np.zeros(1, np.int64)
OPEN = SearchConfig(simulations=60, solve=False)


def placed(moves: str = "44", config: SearchConfig = OPEN, room: int | None = None) -> Search:
    search = Search(GAME, config, 1, max_simulations=room)
    search.place(np.atleast_1d(GAME.position(GAME.parse_moves(moves))))
    return search


def test_a_restricted_root_has_these_moves_alone_and_its_priors_sum_to_one() -> None:
    search = placed()
    search.restrict(TREE, np.array([5, 2], np.int32))
    search.begin(TREE, 60)
    search.run(HashedNetwork(GAME))
    found = search.read(TREE)
    assert found.legal[0, : found.counts[0]].tolist() == [2, 5]
    assert found.visits[0, :2].sum() == 60
    assert search.forest.edges["prior"][0, :2].sum() == pytest.approx(1)
    below = search.forest.nodes["num_edges"][0, 1 : search.forest.info["num_nodes"][0]]
    assert set(below.tolist()) <= {0, 7}  # deeper positions have all of theirs


def test_a_restriction_ends_with_a_move_and_with_a_new_position() -> None:
    for leave in (
        lambda search: search.play(TREE, np.array([2])),
        lambda search: search.restart(TREE),
        lambda search: search.place(np.atleast_1d(GAME.new_state())),
    ):
        search = placed()
        search.restrict(TREE, np.array([2], np.int32))
        search.begin(TREE, 30)
        search.run(HashedNetwork(GAME))
        search.read(TREE)
        leave(search)
        search.begin(TREE, 60)
        search.run(HashedNetwork(GAME))
        assert search.read(TREE).counts[0] == 7


def test_the_cache_does_not_take_some_moves_for_all() -> None:
    """Roots restricted to as many moves, one after the other, as new searches find them."""
    network, one = HashedNetwork(GAME), placed()
    for only in ([0, 1], [3, 6], None):
        one.restart(TREE)
        new = placed()
        for search in (one, new):
            if only is not None:
                search.restrict(TREE, np.array(only, np.int32))
            search.begin(TREE, 40)
            search.run(network)
        found = [spread(search.read(TREE), "visits", GAME)[0].tolist() for search in (one, new)]
        assert found[0] == found[1]


def test_a_proof_holds_for_the_moves_of_a_restricted_root() -> None:
    search = placed("414141", SearchConfig(simulations=60, lookahead=2))  # 4 wins at once
    search.restrict(TREE, np.array([1, 2], np.int32))
    search.begin(TREE, 60)
    search.run(HashedNetwork(GAME))
    found = search.read(TREE)
    assert found.exact[0] != 1 or found.plies[0] > 1
    search.restart(TREE)
    search.begin(TREE, 60)
    search.run(HashedNetwork(GAME))
    found = search.read(TREE)
    assert (found.exact[0], found.best_action[0], found.plies[0]) == (1, 3, 1)


@pytest.mark.parametrize(
    ("actions", "told"), [([2, 9], r"actions \[9\]"), ([-1], r"actions \[-1\]"), ([], "none")]
)
def test_moves_that_are_not_legal_are_refused(actions: list[int], told: str) -> None:
    search = placed("444444")  # the column of action 3 is full
    for refused, named in ((actions, told), ([2, 3], r"actions \[3\]")):
        with pytest.raises(ValueError, match=f"expected legal actions of the root, got {named}"):
            search.restrict(TREE, np.array(refused, np.int32))


def batches(search: Search, target: int) -> list[int]:
    sizes, network = [], HashedNetwork(GAME)

    def noting(leaves: Leaves) -> Any:
        sizes.append(len(leaves.counts))
        return network(leaves)

    search.begin(TREE, target)
    search.run(noting)
    return sizes


def test_batches_grow_with_the_visits_of_the_root() -> None:
    config = SearchConfig(
        simulations=200, solve=False, leaves_per_tree=6, visits_per_leaf=10, cache_size=0
    )
    sizes = batches(placed(config=config), 200)
    visits = 0
    for size in sizes:
        assert size <= min(6, 1 + visits // 10)
        visits += size
    assert sizes[:5] == [1] * 5
    assert max(sizes) == 6


def test_fewer_leaves_can_be_asked_for_between_batches() -> None:
    search = placed(
        config=SearchConfig(simulations=200, solve=False, leaves_per_tree=6, cache_size=0)
    )
    search.limit_leaves(2)
    assert max(batches(search, 50)) == 2
    search.limit_leaves(99)
    assert max(batches(search, 200)) == 6
    with pytest.raises(ValueError, match="0 leaves"):
        search.limit_leaves(0)
    search.restart(TREE)
    search.begin(TREE, 10)
    search.select()
    with pytest.raises(RuntimeError, match="await receive"):
        search.limit_leaves(1)


def test_visits_beyond_the_room_end_where_nodes_are_needed() -> None:
    search = placed(room=30)
    with pytest.raises(ValueError, match="31 simulations: this forest takes 1 to 30"):
        search.begin(TREE, 31)
    search.begin(TREE, 10_000, until_full=True)
    search.run(HashedNetwork(GAME))
    assert search.forest.info["full"][0]
    assert search.read(TREE).visits.sum() <= 40


def deepest_path(search: Search) -> int:
    forest, depths = search.forest, {0: 0}
    for node in range(forest.info["num_nodes"][0]):
        first, count = forest.nodes[["first_edge", "num_edges"]][0, node]
        for child in forest.edges["child"][0, first : first + count]:
            if child != NO_NODE:
                depths[int(child)] = depths[node] + 1
    return max(depths.values())


def test_the_deepest_path_is_known_also_after_a_move() -> None:
    search = placed(room=400)
    search.begin(TREE, 300)
    search.run(HashedNetwork(GAME))
    assert search.forest.info["deepest"][0] == deepest_path(search) > 3
    best = search.read(TREE).best_action
    search.play(TREE, best)
    assert search.forest.info["deepest"][0] == deepest_path(search) > 1
    search.restart(TREE)
    assert search.forest.info["deepest"][0] == 0
