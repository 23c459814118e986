"""The engine's threads: each start has one result, from whatever state it is stopped."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Lock
from typing import Any

import numpy as np
import pytest

from agents.players import ROLLOUT_CONFIG, RandomPlayer, SearchPlayer, rollout_player
from arena.engine import deciding, searching
from arena.engine.engine import Engine
from arena.engine.limits import Clock, Clocks, Limit
from arena.engine.position import position_after, position_of
from arena.engine.thinking import Request, Result
from arena.engine.threads import THREAD_NAME, all_threads_end
from envs.game import GameError
from envs.registry import find_game
from mcts.config import SearchConfig
from tests.arena.engine.players import (
    GAME,
    PLAIN,
    WAIT_S,
    Calling,
    FakeClock,
    HeldEvaluator,
    HeldPlayer,
    after,
    preferring_low,
    searcher,
)
from tests.history_games import SHUTTLE

LARGE = find_game("connect_four")
OPEN = replace(PLAIN, lookahead=0)  # nothing is proven, so a search does not end by itself


@contextmanager
def engine_of(player: Any, **options: Any) -> Iterator[Engine]:
    with Engine(GAME, player, **options) as engine:
        yield engine
    assert all_threads_end(WAIT_S)


class Results:
    """What an engine reports, and a request that reports to it."""

    def __init__(self) -> None:
        self.all: list[Result] = []

    def request(self, text: str = "b2", limit: Limit | None = None, **options: Any) -> Request:
        return Request(after(text), limit or Limit(), on_result=self.all.append, **options)


# --- stopping -------------------------------------------------------------------------------------


def stopped_before_it_runs(engine: Engine, request: Request) -> Result:
    thinking = engine.think(request)
    thinking.stop()
    thinking.run()
    return thinking.wait(WAIT_S)


def stopped_after_a_look(engine: Engine, request: Request) -> Result:
    looked = Event()
    thinking = engine.start(replace(request, on_info=lambda snapshot: looked.set()))
    assert looked.wait(WAIT_S)
    thinking.stop()
    return thinking.wait(WAIT_S)


def stopped_while_it_waits(engine: Engine, request: Request) -> Result:
    """A proven root has nothing left to search, and its result waits for the stop."""
    proven = replace(request, position=after("a1 b1 a2 c1"))
    looks: list[Any] = []
    known = Event()

    def look(snapshot: Any) -> None:
        looks.append(snapshot)
        if snapshot.exact is not None:
            known.set()

    thinking = engine.start(replace(proven, on_info=look))
    assert known.wait(WAIT_S)
    assert not thinking.finished.is_set()
    thinking.stop()
    return thinking.wait(WAIT_S)


def stopped_twice(engine: Engine, request: Request) -> Result:
    thinking = engine.start(request)
    engine.stop()
    engine.stop()
    first = thinking.wait(WAIT_S)
    engine.stop()
    return first


def stopped_by_the_next_start(engine: Engine, request: Request) -> Result:
    thinking = engine.start(request)
    engine.start(Request(request.position, Limit(nodes=5))).wait(WAIT_S)
    return thinking.wait(WAIT_S)


STOPS = [
    stopped_before_it_runs,
    stopped_after_a_look,
    stopped_while_it_waits,
    stopped_twice,
    stopped_by_the_next_start,
]


@pytest.mark.parametrize("ponder", [False, True])
@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("kind", ["search", "rollouts"])
def test_a_stop_brings_one_result_from_every_state(
    kind: str, stop: Callable[[Engine, Request], Result], ponder: bool
) -> None:
    config = SearchConfig(lookahead=1)
    player = searcher(config)
    if kind == "rollouts":
        player = rollout_player(GAME, replace(ROLLOUT_CONFIG, solve=True, lookahead=1))
    results = Results()
    with engine_of(player, room=1 << 12) as engine:
        result = stop(engine, results.request(ponder=ponder))
    assert results.all == [result]
    assert result.best in range(9)
    assert result.snapshot is not None
    assert result.snapshot.nodes >= 0


def test_a_stop_comes_between_two_batches() -> None:
    stopper: list[Any] = []

    def call(batches: int) -> None:
        if batches == 7:
            stopper[0].stop()

    evaluator = Calling(call)
    with engine_of(searcher(OPEN, evaluator)) as engine:
        stopper.append(engine.think(Request(after(), Limit(nodes=100_000))))
        stopper[0].run()
    assert len(evaluator.batches) == 7
    assert stopper[0].wait().reason == deciding.STOPPED


def test_a_stop_that_comes_before_the_first_evaluation_waits_for_it() -> None:
    held = HeldEvaluator()
    with engine_of(searcher(OPEN, held)) as engine:
        thinking = engine.start(Request(after()))
        assert held.began.wait(WAIT_S)
        thinking.stop()
        assert not thinking.finished.is_set()
        held.free.set()
        assert thinking.wait(WAIT_S).best in range(9)


def test_each_of_many_starts_has_one_result() -> None:
    results = Results()
    with engine_of(searcher(OPEN), room=500) as engine:
        for i in range(20):
            engine.start(results.request("b2" if i % 2 else "", ponder=i % 3 == 0))
            if i % 5 == 0:
                engine.ponderhit()
        engine.stop()
        engine.wait(WAIT_S)
    assert len(results.all) == 20
    assert all(found.best in range(9) for found in results.all)


def test_an_infinite_search_says_that_it_is_full_once_it_is_stopped() -> None:
    full = Event()

    def look(snapshot: Any) -> None:
        if snapshot.share_of_memory == 1.0:
            full.set()

    with engine_of(searcher(OPEN), room=60) as engine:
        thinking = engine.start(Request(after(), on_info=look))
        assert full.wait(WAIT_S)
        assert not thinking.finished.is_set()
        engine.stop()
        assert engine.wait(WAIT_S).reason == deciding.FULL


# --- time -----------------------------------------------------------------------------------------


def timed(limit: Limit, seconds_a_batch: float, **options: Any) -> tuple[Result, FakeClock]:
    """Think with an evaluator whose every batch takes that long by a fake clock.

    In a game that is large enough to need it all the time.
    """
    clock = FakeClock()

    def call(batches: int) -> None:
        clock.seconds += seconds_a_batch

    player = SearchPlayer(LARGE, [Calling(call)], OPEN)
    engine = Engine(LARGE, player, now=clock, **options)
    thinking = engine.think(Request(after("4", LARGE), limit))
    thinking.run()
    return thinking.wait(), clock


@pytest.mark.parametrize("took", [0.01, 0.3, 0.7])
def test_seconds_are_not_exceeded_by_the_batch_that_would(took: float) -> None:
    result, clock = timed(Limit(seconds=2.0, early=False), took)
    assert result.reason == deciding.TIME
    assert 2.0 - 2 * took <= clock.seconds <= 2.0 + 1e-9


@pytest.mark.parametrize("left", [0.02, 1.0, 60.0])
def test_clocks_are_kept(left: float) -> None:
    clocks = Clocks(Clock(9999), Clock(left), overhead=0.05)  # the second side is to move
    result, clock = timed(Limit(clocks=clocks), 0.01)
    assert result.reason in (deciding.TIME, deciding.DECIDED)
    assert clock.seconds <= max(left, 0.02)  # one batch is always evaluated


def test_batches_that_hold_up_a_stop_become_smaller() -> None:
    clock, seen = FakeClock(), list[int]()

    def slow(leaves: Any) -> Any:
        seen.append(len(leaves.counts))
        clock.seconds += 0.02 * len(leaves.counts)
        return preferring_low(leaves)

    engine = Engine(LARGE, SearchPlayer(LARGE, [slow], OPEN), now=clock)
    engine.think(Request(after("4", LARGE), Limit(seconds=20, early=False))).run()
    assert max(seen) > 1
    assert set(seen[-20:]) == {1}
    count = len(seen)
    engine.think(Request(after("5", LARGE), Limit(nodes=300, early=False))).run()
    assert max(seen[count:]) > 4  # where nodes are the limit, they do not depend on the time


def test_one_slow_batch_says_nothing_of_the_network() -> None:
    clock, seen = FakeClock(), list[int]()

    def slow_at_times(leaves: Any) -> Any:
        seen.append(len(leaves.counts))
        clock.seconds += 0.5 if len(seen) % 8 == 0 else 0.01
        return preferring_low(leaves)

    engine = Engine(LARGE, SearchPlayer(LARGE, [slow_at_times], OPEN), now=clock)
    engine.think(Request(after("4", LARGE), Limit(seconds=20, early=False))).run()
    assert set(seen[-20:]) == {searching.LEAVES}


# --- pondering ------------------------------------------------------------------------------------


def test_pondering_ends_by_its_limit_after_the_hit() -> None:
    for limit in (Limit(nodes=30), Limit(seconds=0.001), Limit(clocks=Clocks(Clock(1), Clock(1)))):
        results = Results()
        with engine_of(searcher(OPEN), room=300) as engine:
            thinking = engine.start(results.request(limit=limit, ponder=True))
            assert results.all == []
            engine.ponderhit()
            result = engine.wait(WAIT_S)
        assert thinking.finished.is_set()
        assert results.all == [result]


def test_pondering_does_not_end_by_itself() -> None:
    clock, hit = FakeClock(), Event()

    def call(batches: int) -> None:
        clock.seconds += 1.0
        if batches == 40:
            hit.set()
            engine.ponderhit()

    evaluator = Calling(call)
    with Engine(LARGE, SearchPlayer(LARGE, [evaluator], OPEN), now=clock) as engine:
        limit = Limit(seconds=10.0, early=False)
        engine.start(Request(after("4", LARGE), limit, ponder=True))
        assert hit.wait(WAIT_S)
        engine.wait(WAIT_S)
    assert 40 < len(evaluator.batches) <= 51


# --- the tree -------------------------------------------------------------------------------------


def visits_at_start(engine: Engine, text: str, **options: Any) -> int:
    """Think a little about a position; return the visits that were there before."""
    engine.start(Request(after(text), Limit(nodes=20, early=False), **options))
    found = engine.wait(WAIT_S).snapshot
    assert found is not None
    assert found.nodes == 20
    return found.simulations - found.nodes


def test_a_game_that_goes_on_keeps_what_it_knows() -> None:
    with engine_of(searcher(OPEN)) as engine:
        engine.start(Request(after(""), Limit(nodes=3000, early=False)))
        line = engine.wait(WAIT_S).snapshot.line
        words = [GAME.format_action(action) for action in line]
        assert visits_at_start(engine, " ".join(words[:2])) > 50
        assert visits_at_start(engine, " ".join(words[:2])) > 70  # the same position
        assert visits_at_start(engine, " ".join(words[:3])) > 5
        assert visits_at_start(engine, "") == 0  # an earlier one
        assert visits_at_start(engine, "c3 a2") == 0 or words[0] == "c3"


def test_what_does_not_continue_begins_again() -> None:
    with engine_of(searcher(OPEN)) as engine:
        engine.start(Request(after("b2"), Limit(nodes=300, early=False)))
        engine.wait(WAIT_S)
        state = GAME.position(GAME.parse_moves("b2 a1"))
        engine.start(Request(position_of(GAME, state), Limit(nodes=5, early=False)))
        assert engine.wait(WAIT_S).snapshot.simulations == 5
        assert visits_at_start(engine, "b2 a1") == 0


def test_other_moves_to_search_begin_again_and_the_same_go_on() -> None:
    with engine_of(searcher(OPEN)) as engine:
        assert visits_at_start(engine, "b2", only=(0, 1)) == 0
        assert visits_at_start(engine, "b2", only=(0, 1)) == 20
        assert visits_at_start(engine, "b2", only=(0, 3)) == 0
        assert visits_at_start(engine, "b2") == 0
        assert visits_at_start(engine, "b2 a1") > 0


@pytest.mark.slow  # compiles the search of another game
def test_a_kept_tree_has_the_past_of_the_game() -> None:
    """The third time of a position is a draw, in a tree moved on as in a new one."""
    there_and_back = [0, 0, 1, 1, 0, 0, 1]
    player = SearchPlayer(SHUTTLE, [_even], SearchConfig(cache_size=0))
    for starts in ([there_and_back[:5], there_and_back], [there_and_back]):
        with Engine(SHUTTLE, player, room=3000) as engine:
            engine.get_ready()
            for moves in starts:
                position = position_after(SHUTTLE, moves)
                engine.start(Request(position, Limit(nodes=100, early=False)))
                snapshot = engine.wait(WAIT_S).snapshot
        assert snapshot is not None
        exact = {c.action: c.exact for c in snapshot.candidates}
        assert exact[1] == 0.0
        assert exact[0] != 0.0


def _even(leaves: Any) -> Any:
    return np.zeros(leaves.actions.shape, np.float32), np.zeros(len(leaves.counts), np.float32)


def test_a_failure_is_the_result_and_the_next_start_begins_again() -> None:
    def call(batches: int) -> None:
        if batches == 3:
            raise ValueError("no such device")

    results = Results()
    with engine_of(searcher(OPEN, Calling(call))) as engine:
        engine.start(results.request(limit=Limit(nodes=50)))
        with pytest.raises(ValueError, match="no such device"):
            engine.wait(WAIT_S)
        assert [(r.best, r.reason, str(r.error)) for r in results.all] == [
            (None, deciding.FAILED, "no such device")
        ]
        assert visits_at_start(engine, "b2") == 0


# --- threads --------------------------------------------------------------------------------------


def ours() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("ludens-")]


def test_no_thread_is_left_after_closing() -> None:
    assert all_threads_end(WAIT_S)
    before = ours()
    player = SearchPlayer(GAME, [preferring_low, preferring_low], OPEN)
    with engine_of(player, threads=2, room=2000) as engine:
        looked = Event()
        engine.start(Request(after(), on_info=lambda snapshot: looked.set()))
        assert looked.wait(WAIT_S)
        assert THREAD_NAME in ours()
    assert ours() == before


@pytest.mark.parametrize("threads", [1, 2])
def test_two_engines_use_no_more_threads_than_asked(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "ROWS_A_THREAD", 1)  # every batch is shared out
    used: list[set[int]] = [set(), set()]

    def noting(of: set[int]) -> Any:
        def evaluate(leaves: Any) -> Any:
            of.add(threading.get_ident())
            return preferring_low(leaves)

        return evaluate

    players = [SearchPlayer(GAME, [noting(of)] * 3, OPEN) for of in used]
    with engine_of(players[0], threads=threads) as one, engine_of(players[1], threads=threads) as b:
        for engine in (one, b):
            engine.start(Request(after(), Limit(nodes=300, early=False)))
        for engine in (one, b):
            engine.wait(WAIT_S)
    assert [len(of) for of in used] == [threads, threads]


def test_players_that_serve_one_thread_take_turns() -> None:
    turn, held = Lock(), HeldPlayer()
    with engine_of(held, turn=turn) as engine, engine_of(RandomPlayer(GAME), turn=turn) as other:
        engine.start(Request(after(), Limit(nodes=1)))
        assert held.began.wait(WAIT_S)
        waiting = other.start(Request(after(), Limit(nodes=1)))
        assert not waiting.finished.is_set()
        held.free.set()
        assert waiting.wait(WAIT_S).best in range(9)


def test_what_an_engine_does_not_take() -> None:
    for wrong in ({"threads": 0}, {"leaves": 0}):
        with pytest.raises(ValueError, match="= 0: expected 1 or more"):
            Engine(GAME, searcher(), **wrong)
    engine = Engine(GAME, searcher())
    with pytest.raises(ValueError, match="multipv = 0"):
        engine.start(Request(after(), multipv=0))
    for action in (4, 99, -1):
        with pytest.raises(GameError, match=f"only move {action} .* is not legal"):
            engine.start(Request(after("b2"), only=(action,)))
    with pytest.raises(GameError, match="move 2 of tic_tac_toe, action 4, is not legal"):
        position_after(GAME, [4, 4])
    with pytest.raises(RuntimeError, match="nothing was started"):
        engine.wait()
    with pytest.raises(TimeoutError, match="no result after"):
        engine.think(Request(after())).wait(0.0)


def test_getting_ready_leaves_nothing_behind() -> None:
    with engine_of(searcher(OPEN)) as engine:
        engine.get_ready()
        assert visits_at_start(engine, "") == 0
