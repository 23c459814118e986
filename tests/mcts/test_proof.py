"""Proven results are the truth: against exhaustive search and a perfect solver."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from arena.solvers.connect_four.solver import ConnectFourSolver, plies_left
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import UNIFORM, RootResults, Search
from tests.search_setup import HashedNetwork, openings, spread

TIC_TAC_TOE, CONNECT_FOUR = find_game("tic_tac_toe"), find_game("connect_four")


def search_all(game: Any, states: Any, simulations: int, evaluator: Any, **options: Any):
    config = SearchConfig(simulations=simulations, tree_reuse=False, **options)
    search = Search(game, config, len(states))
    search.place(states)
    trees = np.arange(len(states))
    search.begin(trees, simulations)
    search.run(evaluator)
    return search.read(trees)


@cache
def every_position() -> tuple[list[Any], dict[bytes, tuple[float, int]]]:
    """Unfinished tic-tac-toe positions, and (value to play, plies to the end) of all positions.

    A winner ends the game as soon as possible, a loser as late as possible.
    """
    rules = TIC_TAC_TOE.rules
    truth: dict[bytes, tuple[float, int]] = {}
    unfinished = []

    def solve(state: Any) -> tuple[float, int]:
        if state.tobytes() in truth:
            return truth[state.tobytes()]
        if rules.is_terminal(state):
            truth[state.tobytes()] = float(rules.value_to_play(state)), 0
            return truth[state.tobytes()]
        unfinished.append(state)
        ends = []
        for action in np.flatnonzero(TIC_TAC_TOE.legal_mask(state)):
            after = state.copy()
            rules.step(after, action)
            value, plies = solve(after)
            ends.append((-value, plies + 1))
        best = max(value for value, _ in ends)
        lengths = [plies for value, plies in ends if value == best]
        truth[state.tobytes()] = best, min(lengths) if best == 1 else max(lengths)
        return truth[state.tobytes()]

    solve(TIC_TAC_TOE.new_state())
    return unfinished, truth


@pytest.mark.parametrize("options", [{}, {"lookahead": 0}, {"root": "gumbel", "lookahead": 1}])
def test_every_proof_in_tic_tac_toe_is_true(options: dict[str, Any]) -> None:
    states, truth = every_position()
    assert len(states) == 4520
    records = np.zeros(len(states), TIC_TAC_TOE.dtype)
    for i, state in enumerate(states):
        records[i] = state
    network = HashedNetwork(TIC_TAC_TOE, sharpness=0.5)
    found = search_all(TIC_TAC_TOE, records, 300, network, **options)
    for i, state in enumerate(states):
        value, plies = truth[state.tobytes()]
        if np.isnan(found.exact[i]):
            continue
        assert found.exact[i] == value
        after = state.copy()
        TIC_TAC_TOE.rules.step(after, found.best_action[i])
        assert truth[after.tobytes()][0] == -value
        if value != 0:  # a proof may know a longer way than the shortest, of the same parity
            assert found.plies[i] >= plies if value > 0 else found.plies[i] > 0
            assert found.plies[i] % 2 == plies % 2
    assert np.isnan(found.exact).mean() < 0.2


def test_short_wins_and_losses_have_their_length() -> None:
    """Within the look ahead the plies are exact: 1 for a move that wins, 2 for a lost defence."""
    states, truth = every_position()
    short = [s for s in states if truth[s.tobytes()][0] != 0 and truth[s.tobytes()][1] <= 3]
    assert {truth[s.tobytes()][1] for s in short} == {1, 2, 3}
    records = np.zeros(len(short), TIC_TAC_TOE.dtype)
    for i, state in enumerate(short):
        records[i] = state
    found = search_all(TIC_TAC_TOE, records, 1, HashedNetwork(TIC_TAC_TOE), lookahead=3)
    for i, state in enumerate(short):
        assert (found.exact[i], found.plies[i]) == truth[state.tobytes()]


@pytest.mark.parametrize("root", ["puct", "gumbel"])
def test_late_connect_four_agrees_with_the_solver(root: str) -> None:
    states = np.concatenate([openings(CONNECT_FOUR, 60, plies, seed=100) for plies in (26, 36)])
    solver = ConnectFourSolver()
    network = HashedNetwork(CONNECT_FOUR, sharpness=0.5)
    found: RootResults = search_all(CONNECT_FOUR, states, 800, network, root=root)
    proven = np.flatnonzero(~np.isnan(found.exact))
    assert len(proven) > 20
    assert len(set(found.exact[proven].tolist())) == 3  # wins, draws and losses among them
    for i in proven:
        score = solver.score_bitboards(int(states[i]["own"]), int(states[i]["mask"]))
        assert found.exact[i] == np.sign(score)
        if score > 0:  # a proof may know a longer way to win than the shortest
            quickest = plies_left(int(states[i]["ply"]), score)
            assert found.plies[i] >= quickest
            assert found.plies[i] % 2 == quickest % 2 == 1


def test_a_proven_draw_is_no_reason_to_stop_looking_for_a_win() -> None:
    """A root with proven draws stays open until a win is found or every move is proven."""
    states, truth = every_position()
    wins = [s for s in states if truth[s.tobytes()] == (1.0, 5)]
    records = np.zeros(len(wins), TIC_TAC_TOE.dtype)
    for i, state in enumerate(wins):
        records[i] = state
    # equal priors: PUCT may starve a move that a network thinks nothing of
    found = search_all(TIC_TAC_TOE, records, 2000, UNIFORM)
    assert (found.exact == 1.0).all()


def loses_at_once(state: Any, action: int) -> bool:
    """Whether the opponent can end the game with a win right after this move."""
    after = state.copy()
    TIC_TAC_TOE.rules.step(after, action)
    return every_position()[1][after.tobytes()] == (1.0, 1)


@cache
def positions_with_a_choice() -> tuple[Any, list[set[int]]]:
    """Positions where some moves lose at once and others do not, and those that lose."""
    chosen = []
    for state in every_position()[0]:
        losing = {int(a) for a in legal_of(state) if loses_at_once(state, a)}
        if 0 < len(losing) < len(legal_of(state)):
            chosen.append((state, losing))
    records = np.zeros(len(chosen), TIC_TAC_TOE.dtype)
    for i, (state, _) in enumerate(chosen):
        records[i] = state
    return records, [losing for _, losing in chosen]


@pytest.mark.parametrize("explore", [True, False])
@pytest.mark.parametrize("root", ["puct", "gumbel"])
@pytest.mark.parametrize("simulations", [1, 2, 5, 20])
@pytest.mark.parametrize("lookahead", [1, 2])
def test_no_target_and_no_move_is_a_known_loss(
    lookahead: int, simulations: int, root: Any, explore: bool
) -> None:
    """Moves that lose at once are known at two plies of look ahead, and at one when visited.

    Which they are is said by the game's solution and not by the search.
    """
    records, losing = positions_with_a_choice()
    assert len(records) > 1000
    config = SearchConfig(simulations=simulations, root=root, lookahead=lookahead)
    search = Search(TIC_TAC_TOE, config, len(records))
    search.place(records)
    trees = np.arange(len(records))
    search.begin(trees, simulations, explore, 1.0)
    search.run(HashedNetwork(TIC_TAC_TOE))
    found = search.read(trees, 1.0)
    visits, policy = (spread(found, name, TIC_TAC_TOE) for name in ("visits", "policy"))
    np.testing.assert_allclose(found.policy.sum(axis=1), 1.0, atol=1e-5)
    for i in range(len(records)):
        known = {a for a in losing[i] if lookahead == 2 or visits[i, a]}
        assert not policy[i, list(known)].any()
        assert {int(found.action[i]), int(found.best_action[i])}.isdisjoint(known)


def legal_of(state: Any) -> Any:
    return np.flatnonzero(TIC_TAC_TOE.legal_mask(state))


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_priors_decide_among_the_unvisited_where_the_visited_move_is_lost(
    temperature: float,
) -> None:
    """One simulation, whose move turns out lost: target and moves are the other moves' priors."""
    states, _ = every_position()
    network = HashedNetwork(TIC_TAC_TOE)
    for state in states:
        records = np.repeat(np.asarray(state)[None], 2000)
        once = search_all(TIC_TAC_TOE, records[:1], 1, network, lookahead=1)
        q, visits = (spread(once, name, TIC_TAC_TOE)[0] for name in ("q", "visits"))
        lost = q == -1.0
        left = TIC_TAC_TOE.legal_mask(state) & ~lost
        if np.isnan(once.exact[0]) and lost[visits > 0].all() and left.sum() >= 3:
            break
    else:
        raise AssertionError("no position whose first move searched is lost")
    prior = np.exp(network.of_state(state)[0].astype(np.float64)) * left
    policy = spread(once, "policy", TIC_TAC_TOE)[0]
    np.testing.assert_allclose(policy, prior / prior.sum(), atol=1e-6)
    search = Search(TIC_TAC_TOE, SearchConfig(simulations=1, lookahead=1), len(records))
    search.place(records)
    search.begin(np.arange(len(records)), 1)
    search.run(network)
    moves = search.read(np.arange(len(records)), temperature).action
    expected = prior ** (1 / temperature)
    share = np.bincount(moves, minlength=9) / len(records)
    np.testing.assert_allclose(share, expected / expected.sum(), atol=5 * 0.5 / np.sqrt(2000))


def test_without_solve_nothing_is_proven() -> None:
    states, _ = every_position()
    records = np.zeros(50, TIC_TAC_TOE.dtype)
    for i in range(50):
        records[i] = states[-i - 1]
    found = search_all(TIC_TAC_TOE, records, 100, HashedNetwork(TIC_TAC_TOE), solve=False)
    assert np.isnan(found.exact).all()
    assert (found.visits.sum(axis=1) == 100).all()
