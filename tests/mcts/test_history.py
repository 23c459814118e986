"""Rules that look back, inside the tree: equal to a search that carries each node's whole past."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.checks.contract import check
from envs.checks.perft import perft
from envs.game import Game, remember
from envs.positions import past_of
from mcts.config import SearchConfig
from mcts.search import ROLLOUT, Search, evaluate_uniformly
from tests.history_games import PASS, PEBBLES, SHUTTLE
from tests.mcts.test_against_reference import compare
from tests.search_setup import HashedNetwork, spread
from tests.wide_game import GAME as LEAP

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "plain": {"solve": False, "tree_reuse": False, "cache_size": 0, "forced_playouts": 0.0},
    "lookahead": {"lookahead": 1},
    "leaves": {"leaves_per_tree": 4, "cache_size": 0},
    "gumbel": {"root": "gumbel"},
    "gumbel_leaves": {"root": "gumbel", "leaves_per_tree": 3, "cache_size": 0},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("game", [SHUTTLE, PEBBLES], ids=lambda game: game.name)
def test_a_search_with_a_past_is_the_slow_one(game: Game, options: dict[str, Any]) -> None:
    compare(game, SearchConfig(**options), plies=12, trees=3, opening_plies=2, simulations=60)


@pytest.mark.parametrize("options", ["default", "gumbel"])
def test_a_wide_search_is_the_slow_one(options: str) -> None:
    compare(LEAP, SearchConfig(**OPTIONS[options]), plies=2, trees=2, simulations=30)


@pytest.mark.slow
@pytest.mark.parametrize("game", [SHUTTLE, PEBBLES, LEAP], ids=lambda game: game.name)
def test_the_games_pass_the_contract(game: Game) -> None:
    report = check(game, games=10)
    assert report.ok, report


def count_by_hand(game: Game, depth: int, line: list[int]) -> int:
    state = game.position(line)
    if depth == 0:
        return 1
    return sum(count_by_hand(game, depth - 1, [*line, int(a)]) for a in game.legal_actions(state))


@pytest.mark.parametrize(("game", "depth"), [(SHUTTLE, 7), (PEBBLES, 6)])
def test_perft_knows_the_past(game: Game, depth: int) -> None:
    assert perft(game, depth) == count_by_hand(game, depth, [])


def searched(game: Game, moves: list[int], with_past: bool, simulations: int = 400) -> Any:
    line = game.line(moves)
    search = Search(game, SearchConfig(cache_size=0), 1, max_simulations=simulations)
    state = line[-1:].copy()
    if with_past:
        search.place(state, past=past_of(game, [line]))
    else:
        remember(state[0], np.zeros(0, np.uint64), 0)
        search.place(state)
    search.begin(np.zeros(1, np.int64), simulations)
    search.run(evaluate_uniformly)
    return search.read(np.zeros(1, np.int64))


def test_a_point_that_superko_forbids_is_no_edge_of_the_root_nor_below() -> None:
    """Black 1, White 2 takes nothing; the recapture of a single stone would repeat the board."""
    game, found = PEBBLES, None
    rng = np.random.default_rng(0)
    for _ in range(500):  # a line whose end has a point forbidden by superko alone
        moves: list[int] = []
        while not game.rules.is_terminal(game.position(moves)):
            legal = game.legal_actions(game.position(moves))
            moves.append(int(rng.choice(legal)))
            state = game.position(moves)
            if state["banned"].any() and not game.rules.is_terminal(state):
                bare = state.copy()
                remember(bare, np.zeros(0, np.uint64), 0)
                if len(game.legal_actions(bare)) > len(game.legal_actions(state)):
                    found = list(moves)
        if found:
            break
    assert found
    known, bare_search = (searched(game, found, with_past) for with_past in (True, False))
    assert set(known.legal[0, : known.counts[0]]) < set(
        bare_search.legal[0, : bare_search.counts[0]]
    )
    assert PASS in known.legal[0]


def test_a_repetition_in_the_tree_is_a_draw_there() -> None:
    """Both stand still on even cells: the third time is a draw, which the past makes nearer."""
    moves = SHUTTLE.parse_moves("0 0 1 1 0 0 1")  # the answer 1 repeats the start a third time
    known, bare = (searched(SHUTTLE, moves, with_past) for with_past in (True, False))
    q = [spread(found, "q", SHUTTLE)[0, 1] for found in (known, bare)]
    assert q[0] == 0.0
    assert SHUTTLE.rules.is_terminal(SHUTTLE.position([*moves, 1]))
    assert not SHUTTLE.rules.is_terminal(bare_after(moves, 1))
    assert q[1] != 0.0 or np.isnan(bare.exact[0])


def bare_after(moves: list[int], action: int) -> Any:
    state = SHUTTLE.position(moves).copy()
    SHUTTLE.rules.step(state, action)
    return state


def test_the_tree_keeps_its_past_when_the_root_moves_on() -> None:
    """Played move by move in one search, or placed with the whole game: the same answers."""
    rng, trees = np.random.default_rng(3), np.zeros(1, np.int64)
    for game in (SHUTTLE, PEBBLES):
        config = SearchConfig(tree_reuse=False, cache_size=0)
        search = Search(game, config, 1, max_simulations=80)
        search.place(game.new_states(1))
        moves: list[int] = []
        network = HashedNetwork(game)
        while True:
            search.begin(trees, 80)
            search.run(network)
            one = search.read(trees)
            again = Search(game, config, 1, max_simulations=80)
            line = game.line(moves)
            assert line[-1] == search.roots(trees)[0]
            again.place(line[-1:].copy(), past=past_of(game, [line]))
            again.begin(trees, 80)
            again.run(network)
            for mine, theirs in zip(one, again.read(trees), strict=True):
                np.testing.assert_array_equal(mine, theirs)
            moves.append(int(rng.choice(game.legal_actions(line[-1]))))
            search.play(trees, np.array(moves[-1:]))
            if game.rules.is_terminal(game.position(moves)):
                break
        assert len(moves) > 3


def test_rollouts_end_in_games_that_look_back() -> None:
    for game in (SHUTTLE, PEBBLES, LEAP):
        search = Search(game, SearchConfig(cache_size=0), 2, max_simulations=20)
        search.place(game.new_states(2))
        search.begin(np.arange(2), 20)
        search.run(ROLLOUT)
        assert (search.read(np.arange(2)).visits.sum(axis=1) == 20).all()
