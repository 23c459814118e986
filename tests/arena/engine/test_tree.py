import numpy as np
import pytest

from arena.engine.tree import ROOT, branches, node_value, principal_variation
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import ROLLOUT, Search
from tests.search_setup import spread

GAME = find_game("tic_tac_toe")
CONFIG = SearchConfig(simulations=300, cache_size=0)


def searched(text: str, config: SearchConfig = CONFIG) -> tuple[Search, object]:
    search = Search(GAME, config, 1)
    search.place(np.atleast_1d(GAME.position(GAME.parse_moves(text))))
    search.begin(np.zeros(1, np.int64), config.simulations)
    search.run(ROLLOUT)
    return search, search.read(np.zeros(1, np.int64))


def test_the_moves_of_the_root_are_what_the_search_tells() -> None:
    search, found = searched("b2")
    moves = branches(search.forest, ROOT)
    visits, q = (spread(found, name, GAME)[0] for name in ("visits", "q"))
    assert {b.action: b.visits for b in moves} == {a: int(visits[a]) for a in range(9) if a != 4}
    assert [b.visits for b in moves] == sorted((b.visits for b in moves), reverse=True)
    for branch in moves:
        assert branch.value == pytest.approx(float(q[branch.action]), abs=1e-6)
        assert branch.prior == pytest.approx(1 / 8)


def test_visits_below_a_move_are_its_visits_less_its_own() -> None:
    search, _ = searched("b2", SearchConfig(simulations=300, cache_size=0, solve=False))
    checked = 0
    for branch in branches(search.forest, ROOT):
        below = branches(search.forest, branch.child)
        assert sum(b.visits for b in below) == branch.visits - 1
        value, exact, _ = node_value(search.forest, branch.child)
        assert exact is None
        assert value == pytest.approx(-branch.value)  # the other side is to move there
        checked += 1
    assert checked == 8


def test_the_line_is_a_game_that_can_be_played() -> None:
    search, found = searched("b2")
    line = principal_variation(search.forest)
    assert line[0] == found.best_action[0]
    assert len(line) > 1
    GAME.parse_moves("b2 " + GAME.format_moves(line))


def test_a_proof_leads_the_line() -> None:
    search, found = searched("a1 b1 a2 c1")  # a3 wins
    assert found.exact[0] == 1
    assert node_value(search.forest, ROOT)[1:] == (1.0, 1)
    assert GAME.format_moves(principal_variation(search.forest)) == "a3"
