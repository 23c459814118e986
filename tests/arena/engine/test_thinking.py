"""A search in steps is the search in one piece, and its snapshots see one moment each."""

from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agents.players import (
    ROLLOUT_CONFIG,
    Analysis,
    RandomPlayer,
    SearchPlayer,
    opinion,
    rollout_player,
)
from arena.engine import deciding, searching
from arena.engine.engine import Engine
from arena.engine.limits import Limit
from arena.engine.searching import SharedOut, batched
from arena.engine.snapshot import Snapshot
from arena.engine.thinking import Request, Thinking
from arena.solvers.players import SolverPlayer
from mcts.config import SearchConfig
from tests.arena.engine.players import GAME, PLAIN, after, preferring_low, searcher
from tests.search_setup import HashedNetwork, openings, spread

ROLLOUTS = replace(ROLLOUT_CONFIG, simulations=400)
PLAYERS = {
    "rollouts": rollout_player(GAME, ROLLOUTS),
    "rollouts, gumbel": rollout_player(GAME, replace(ROLLOUTS, root="gumbel")),
    "puct": searcher(replace(PLAIN, simulations=90)),
    "gumbel": searcher(replace(PLAIN, root="gumbel")),
    "proofs": searcher(SearchConfig(simulations=3000)),
}


def thought(player: SearchPlayer | Any, request: Request, **options: Any) -> Thinking:
    """Think to the end in this thread."""
    thinking = Engine(GAME, player, **options).think(request)
    thinking.run()
    return thinking


def to_the_end(player: SearchPlayer, text: str = "b2", **options: Any) -> Request:
    limit = Limit(player.config.simulations, early=False)
    return Request(after(text), limit, **options)


@pytest.mark.parametrize("name", list(PLAYERS))
def test_a_search_in_steps_is_the_search_in_one_piece(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "SLICE_S", 0.0)  # as many looks as there can be
    monkeypatch.setattr(searching, "STEP_S", 0.0)
    player = PLAYERS[name]
    in_batches = player
    if not name.startswith("rollouts"):
        in_batches = SearchPlayer(GAME, player.evaluators, batched(player.config))
    whole = in_batches.analyze(after("b2").state)
    thinking = thought(player, to_the_end(player), room=player.config.simulations)
    found = thinking.wait().snapshot
    assert found is not None
    visits = {c.action: c.visits for c in found.candidates}
    assert visits == {a: int(whole.visits[0, a]) for a in range(9) if a != 4}
    assert thinking.wait().best == whole.best_action[0] == found.candidates[0].action
    assert found.exact == (None if np.isnan(whole.exact[0]) else whole.exact[0])


def test_leaf_by_leaf_is_the_player_itself() -> None:
    player = PLAYERS["puct"]
    whole = player.analyze(after("b2").state)
    thinking = thought(player, to_the_end(player), leaves=1)
    assert thinking.root is not None
    assert spread(thinking.root, "visits", GAME)[0].tolist() == whole.visits[0].tolist()


def test_each_look_sees_one_moment_of_a_growing_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SLICE_S", 0.0)  # as many looks as there can be
    monkeypatch.setattr(searching, "STEP_S", 0.0)
    for name in ("rollouts", "puct"):
        player, seen = PLAYERS[name], list[Snapshot]()
        thought(player, to_the_end(player, on_info=seen.append), leaves=2)
        counts = [found.simulations for found in seen]
        assert counts == sorted(counts)
        assert counts[-1] == seen[-1].nodes == player.config.simulations
        assert len(counts) > 10
        for found in seen:
            assert sum(c.visits for c in found.candidates) == found.simulations
            assert -1 <= (found.value_to_play or 0) <= 1
            assert found.depth <= found.deepest <= 8
            GAME.parse_moves("b2 " + GAME.format_moves(found.line))


def test_looks_are_as_far_apart_on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock hours pass between two looks, of processor time nothing."""
    clock = SimpleNamespace(thread_time=lambda: 0.0, monotonic=count(0.0, 3600.0).__next__)
    monkeypatch.setattr(searching, "time", clock)
    seen: list[Snapshot] = []
    player = PLAYERS["rollouts"]
    thought(player, to_the_end(player, on_info=seen.append))
    assert [found.simulations for found in seen] == [16, 48, 112, 240, 400, 400]


def test_a_slow_evaluator_elsewhere_is_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(thread_time=lambda: 0.0, monotonic=count(0.0, 0.1).__next__)
    monkeypatch.setattr(searching, "time", clock)
    seen: list[Snapshot] = []
    player = PLAYERS["puct"]
    thought(player, to_the_end(player, on_info=seen.append), leaves=1)
    assert 10 < len(seen) < player.config.simulations


@pytest.mark.parametrize("lines", [1, 3, 99])
@pytest.mark.parametrize("name", ["puct", "proofs", "rollouts"])
@pytest.mark.parametrize("text", ["", "b2", "a1 b1 a2 c1", "a1 b2 c3 c1 a3 a2"])
def test_lines_are_games_and_sorted(name: str, text: str, lines: int) -> None:
    player = PLAYERS[name]
    found = thought(player, to_the_end(player, text, multipv=lines)).wait().snapshot
    assert found is not None
    assert 1 <= len(found.lines) <= min(lines, len(found.candidates))
    assert len({line.moves[0] for line in found.lines}) == len(found.lines)
    known = [c.action for c in found.candidates if c.visits or c.exact is not None]
    assert [line.moves[0] for line in found.lines] == known[:lines]
    for line in found.lines:
        GAME.parse_moves(f"{text} {GAME.format_moves(line.moves)}".strip())  # raises otherwise
        assert (line.exact == line.value_to_play) or line.exact is None
    others = [(line.exact == -1.0, -line.visits) for line in found.lines[1:]]
    assert others == sorted(others)
    if found.exact is None:
        assert found.lines[0].visits == max(line.visits for line in found.lines)


def test_a_proven_root_ends_early_with_its_plies() -> None:
    result = thought(PLAYERS["proofs"], to_the_end(PLAYERS["proofs"], "a1 b1 a2 c1")).wait()
    assert (result.reason, result.best) == (deciding.PROVEN, GAME.parse_action("a3"))
    assert result.snapshot is not None
    assert (result.snapshot.exact, result.snapshot.plies) == (1.0, 1)
    assert result.snapshot.lines[0].plies == 1
    assert result.snapshot.nodes < 50


def test_a_full_tree_ends_the_thinking_and_says_so() -> None:
    player = searcher(replace(PLAIN, lookahead=0))
    thinking = thought(player, Request(after(), Limit(nodes=100_000)), room=40)
    result = thinking.wait()
    assert result.reason == deciding.FULL
    assert result.snapshot is not None
    assert result.snapshot.share_of_memory == 1.0
    assert result.best in range(9)
    assert thinking.forest is not None
    assert thinking.forest.info["num_nodes"][0] <= thinking.forest.nodes.shape[1] < 100


def test_known_positions_take_visits_but_no_room() -> None:
    """Six moves lead to at most 1,957 positions, so a small tree has all of them."""
    player = searcher(replace(PLAIN, lookahead=0))
    result = thought(player, Request(after("a1 b1 c1"), Limit(60_000, early=False)), room=5000)
    found = result.wait().snapshot
    assert found is not None
    assert (found.nodes, result.wait().reason) == (60_000, deciding.NODES)
    assert found.share_of_memory < 0.5


def test_only_some_moves_are_searched() -> None:
    for name, player in PLAYERS.items():
        wanted = to_the_end(player, "a1 b1 a2 c1", only=(4, 8))  # a3 would win
        found = thought(player, wanted).wait()
        assert found.best in (4, 8), name
        assert found.snapshot is not None
        assert {c.action for c in found.snapshot.candidates} == {4, 8}
        assert found.snapshot.exact != 1.0 or found.snapshot.plies > 1


def test_a_proof_of_only_some_moves_is_theirs() -> None:
    """X threatens a3: who may not block it is lost, though b2 could."""
    player = PLAYERS["proofs"]
    everything = thought(player, to_the_end(player, "a1 b1 a2")).wait().snapshot
    some = thought(player, to_the_end(player, "a1 b1 a2", only=(4, 5))).wait().snapshot
    assert everything is not None
    assert some is not None
    assert some.exact == -1.0
    assert some.plies == 2
    assert {c.action for c in everything.candidates} == {2, 4, 5, 6, 7, 8}


def test_the_leading_move_of_a_play_is_decided_early() -> None:
    player, limit = searcher(replace(PLAIN, lookahead=0)), Limit(nodes=2000)
    early = thought(player, Request(after("b2"), limit)).wait()
    late = thought(player, Request(after("b2"), replace(limit, early=False))).wait()
    lines = thought(player, Request(after("b2"), limit, multipv=2)).wait()
    assert early.snapshot is not None
    assert late.snapshot is not None
    assert lines.snapshot is not None
    assert early.snapshot.nodes <= late.snapshot.nodes == lines.snapshot.nodes == 2000
    only = thought(player, Request(after("b2"), limit, only=(0,))).wait()
    assert (only.reason, only.best) == (deciding.DECIDED, 0)


def test_an_agent_without_search_answers_what_it_knows() -> None:
    won = thought(SolverPlayer(GAME), Request(after("a1 b1 a2 b2"), Limit(nodes=5), multipv=2))
    found = won.wait().snapshot
    assert found is not None
    assert (found.target, found.exact, won.wait().best) == (0, 1.0, GAME.parse_action("a3"))
    assert won.wait().reason == deciding.ANSWERED
    assert {c.action for c in found.candidates} == {2, 5, 6, 7, 8}
    assert (found.line, len(found.lines)) == ((GAME.parse_action("a3"),), 2)
    drawn = Request(after("b2"), Limit(nodes=5), seed=[0, 1], only=(7,))
    result = thought(RandomPlayer(GAME), drawn).wait()
    assert (result.best, result.ponder) == (7, None)
    assert result.snapshot is not None
    assert result.snapshot.value_to_play is None


def test_an_agent_with_all_weight_on_one_move_is_asked_once() -> None:
    """Another program thinks as long again for each question, and may answer another move."""

    class Changeable(RandomPlayer):
        asked = 0

        def analyze(self, states: Any, past: Any = None) -> Analysis:
            self.asked += 1
            policy = np.zeros((1, GAME.num_actions), np.float32)
            policy[0, self.asked] = 1
            return opinion(policy, np.full(1, 0.5, np.float32))

        def choose(self, states: Any, rng: Any, past: Any = None) -> Any:
            return self.analyze(states).best_action

    player = Changeable(GAME)
    found = thought(player, Request(after("b2"), Limit(nodes=1), seed=[3])).result
    assert found is not None
    assert found.snapshot is not None
    assert player.asked == found.best == found.snapshot.candidates[0].action == 1


def test_a_game_that_is_over_has_its_result_and_no_move() -> None:
    for player in (PLAYERS["puct"], SolverPlayer(GAME)):
        result = thought(player, Request(after("a1 b1 a2 b2 a3"), Limit(nodes=5))).wait()
        assert (result.best, result.ponder, result.reason) == (None, None, deciding.OVER)
        assert result.snapshot is not None
        assert (result.snapshot.exact, result.snapshot.candidates) == (-1.0, ())


def test_shared_out_evaluations_are_those_of_one() -> None:
    from envs.registry import find_game
    from mcts.search import Search

    game = find_game("othello6")  # whose positions differ in their numbers of moves
    search = Search(game, SearchConfig(solve=False), 21)
    search.place(openings(game, 21, 9))
    search.begin(np.arange(21), 5)
    leaves = search.select()
    network = HashedNetwork(game)
    shared = SharedOut([network, network])
    try:
        logits, values = shared(leaves)
        alone = network(leaves)
    finally:
        shared.close()
    for row, width in enumerate(leaves.counts):
        np.testing.assert_array_equal(logits[row, :width], alone[0][row, :width])
    np.testing.assert_array_equal(values, alone[1])


def test_the_smallest_trees_have_the_smallest_batches() -> None:
    seen: list[int] = []

    def noting(leaves: Any) -> Any:
        seen.append(len(leaves.counts))
        return preferring_low(leaves)

    thought(searcher(PLAIN, noting), Request(after(), Limit(400, early=False)))
    assert seen[:3] == [1, 1, 1]
    assert max(seen[:10]) <= 3
    assert 8 <= max(seen) <= searching.LEAVES
