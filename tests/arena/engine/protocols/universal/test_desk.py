"""What `go` asks of an engine, and what is written of its results."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.players import RandomPlayer
from arena.engine import deciding
from arena.engine.engine import Engine
from arena.engine.limits import Clock, Limit
from arena.engine.protocols.dialects import DIALECTS
from arena.engine.protocols.uci import UCI
from arena.engine.protocols.universal.desk import UniversalDesk
from arena.engine.protocols.universal.dialect import Dialect
from arena.engine.protocols.universal.go_limit import limit_of
from arena.engine.protocols.universal.grammar import PositionWords, read_go
from arena.engine.protocols.universal.options import Options
from arena.engine.snapshot import Candidate, Line, Snapshot
from arena.engine.thinking import Request, Result, Thinking
from arena.engine.threads import all_threads_end
from envs.registry import find_game
from mcts.search import MOST_VISITS
from tests.arena.engine import players

GAME = find_game("chess")
MOVES = dict(zip(("e2e4", "e7e5"), GAME.parse_moves("e2e4 e7e5")))


def limit(text: str, own_nodes: int = 800, **options: Any) -> Limit:
    return limit_of(read_go(text.split(), UCI), Options(**options), own_nodes, UCI)


def test_the_limits_of_go() -> None:
    assert limit("nodes 5") == Limit(nodes=5, early=False)
    assert limit("nodes 0") == Limit(nodes=1, early=False)
    assert limit("movetime 100") == Limit(seconds=0.05, early=False)
    assert limit("movetime 100", overhead=0) == Limit(seconds=0.1, early=False)
    assert limit("movetime 3").seconds == 0.001
    assert limit("nodes 5 movetime 150") == Limit(5, 0.1, early=False)
    assert limit("") == limit("ponder") == Limit(nodes=800, early=False)
    assert limit("depth 3").nodes == limit("mate 2").nodes == MOST_VISITS
    assert limit("infinite wtime 5 nodes 7", nodes=3).is_infinite


def test_the_clocks_of_go() -> None:
    found = limit("wtime 60000 btime -20 winc 500 movestogo 7", overhead=30)
    assert found.early
    assert found.nodes == found.seconds == 0
    assert found.clocks is not None
    assert found.clocks.first == Clock(60, 0.5, 7)
    assert found.clocks.second == Clock(-0.02, 0, 7)
    assert found.clocks.overhead == 0.03
    assert not limit("wtime 60000 btime 9", analyse=True).early
    alone = limit("btime 3000").clocks
    assert alone is not None
    assert alone.first == alone.second == Clock(3.0)


def test_the_option_nodes_is_the_most_of_every_search() -> None:
    assert limit("nodes 5", nodes=3).nodes == limit("", nodes=3).nodes == 3
    assert limit("nodes 2", nodes=3).nodes == 2
    assert limit("movetime 500", nodes=3) == Limit(3, 0.45, early=False)


class FakeEngine:
    """Notes its requests, which a test answers."""

    def __init__(self, game: Any, player: Any, **sizes: int) -> None:
        self.sizes, self.player = sizes, player
        self.requests: list[Request] = []
        self.stops = self.hits = self.closed = 0
        self.current: Any = None
        self.is_ready = False

    def get_ready(self) -> None:
        self.is_ready = True

    def start(self, request: Request) -> None:
        self.requests.append(request)
        self.current = request

    def stop(self) -> None:
        self.stops += 1

    def ponderhit(self) -> None:
        self.hits += 1

    def close(self) -> None:
        self.closed += 1


class Table:
    """A desk whose engines a test plays."""

    def __init__(self, limited: Any = None, **options: Any) -> None:
        self.options, self.written = Options(**options), list[str]()
        self.engines: list[FakeEngine] = []

        def make(*words: Any, **sizes: int) -> Any:
            self.engines.append(FakeEngine(*words, **sizes))
            return self.engines[-1]

        def write(*lines: str) -> None:
            self.written.extend(lines)

        self.desk = UniversalDesk(
            UCI, GAME, RandomPlayer(GAME), self.options, write, 0, make, limited
        )

    def go(self, text: str = "") -> Request:
        self.desk.go(read_go(text.split(), UCI))
        return self.engines[-1].requests[-1]

    def answer(self, request: Request, result: Result) -> list[str]:
        self.written.clear()
        assert request.on_result is not None
        request.on_result(result)
        return self.written


def test_a_limited_strength_is_another_player_until_it_is_not_limited() -> None:
    def limited(elo: int) -> tuple[Any, str]:
        if elo > 2000:
            raise ValueError("it was pruned")
        weaker = RandomPlayer(GAME)
        weaker.name = f"weaker {elo}"
        return weaker, f"plays at {elo}"

    table = Table(limited, elo=700)
    names = []
    for changes in ({}, {"limit_strength": True}, {}, {"elo": 1500}, {"elo": 2500}):
        for name, value in changes.items():
            setattr(table.options, name, value)
        table.go("nodes 5")
        names.append(table.engines[-1].player.name)
    assert names == ["random", "weaker 700", "weaker 700", "weaker 1500", "random"]
    # an engine per player; a new player's is made ready at once, the first one's by the caller
    assert [engine.is_ready for engine in table.engines] == [False, True, True, True]
    assert table.written == [
        "info string plays at 700",
        "info string plays at 1500",
        "info string the strength is not limited: it was pruned",
    ]
    table.options.elo = 700
    table.desk.new_game()
    assert table.engines[-1].player.name == "weaker 700"
    table.options.limit_strength = False
    table.go()
    assert table.engines[-1].player.name == "random"


def test_a_limited_strength_has_its_own_number_of_nodes_at_most() -> None:
    limited = {"limit_strength": True, "elo": 700}
    assert limit("nodes 5000", **limited).nodes == limit("", **limited).nodes == 800
    assert limit("nodes 5", **limited).nodes == 5
    timed = limit("wtime 60000 btime 60000", **limited)
    assert (timed.nodes, timed.clocks is not None) == (800, True)
    assert limit("infinite", **limited).is_infinite


def known(*words: str, exact: float | None = None, plies: int = 0) -> Snapshot:
    """A snapshot whose principal variation starts with e2e4."""
    actions = tuple(MOVES[word] for word in words)
    other = GAME.parse_moves("a2a3")[0]
    candidates = (
        Candidate(actions[0], 0.5, 50, 0.1, 0.1, None),
        Candidate(other, 0.5, 50, 0.1, 0.1, None),
    )
    line = Line(actions, 50, 0.1, exact, plies)
    return Snapshot(candidates, (line,), 100, 0, 0.1, exact, plies, 100, 1.0, len(actions))


def test_a_result_is_its_infos_and_one_best_move() -> None:
    table = Table()
    request = table.go("nodes 5")
    snapshot = known("e2e4", "e7e5")
    result = Result(MOVES["e2e4"], MOVES["e7e5"], deciding.NODES, snapshot)
    info, best = table.answer(request, result)
    assert info.startswith("info depth 2 seldepth 2 multipv 1 score cp 14 nodes 100 nps 100 ")
    assert info.endswith(" pv e2e4 e7e5")
    assert best == "bestmove e2e4 ponder e7e5"


def test_infos_are_not_repeated() -> None:
    table = Table()
    request = table.go("infinite")
    snapshot = known("e2e4")
    assert request.on_info is not None
    request.on_info(snapshot)
    request.on_info(replace(snapshot, nodes=101))  # too soon after the first
    assert len(table.written) == 1
    answer = table.answer(request, Result(MOVES["e2e4"], None, deciding.STOPPED, snapshot))
    assert answer == ["bestmove e2e4"]


def test_an_agent_without_an_opinion_says_its_move_alone() -> None:
    table = Table()
    request = table.go()
    snapshot = replace(known("e2e4"), value_to_play=None)
    assert request.on_info is not None
    request.on_info(snapshot)
    assert table.written == []
    result = Result(MOVES["e2e4"], None, deciding.ANSWERED, snapshot)
    assert table.answer(request, result) == ["bestmove e2e4"]


def test_a_finished_game_and_a_failure() -> None:
    table = Table(debug=True)
    over = Snapshot((), (), 0, 0, -1.0, -1.0, 0)
    said = table.answer(table.go(), Result(None, None, deciding.OVER, over))
    assert said[0].startswith("info depth 0 score mate 0 ")
    assert said[1:] == ["info string ended: over", "bestmove 0000"]
    failed = Result(None, None, deciding.FAILED, None, ValueError("no card"))
    said = table.answer(table.go(), failed)
    assert said[0] == "info string the agent failed: no card"
    assert said[-1].removeprefix("bestmove ") in GAME.words(
        GAME.new_state(), GAME.legal_actions(GAME.new_state())[:1].tolist()
    )


def test_only_the_moves_that_are_asked_for_and_legal() -> None:
    table = Table()
    request = table.go("searchmoves e2e4 e2e5 e2e4 nodes 3")
    assert request.only == (MOVES["e2e4"],)
    assert table.written[0].startswith("info string searchmoves: move 1, 'e2e5', is not legal")
    assert table.go("searchmoves zzz").only == ()


@pytest.mark.parametrize(("flag", "stops"), [("", 1), ("ponder", 0), ("infinite", 0)])
def test_a_depth_is_reached_by_the_principal_variation(flag: str, stops: int) -> None:
    table = Table()
    request = table.go(f"depth 2 {flag}")
    engine = table.engines[-1]
    engine.stops = 0
    assert request.on_info is not None
    request.on_info(known("e2e4"))
    assert engine.stops == 0
    request.on_info(known("e2e4", "e7e5"))
    assert engine.stops == stops
    if flag == "ponder":
        table.desk.ponderhit()
        request.on_info(known("e2e4", "e7e5"))
        assert (engine.hits, engine.stops) == (1, 1)


def test_a_mate_is_enough_when_it_is_as_short_as_asked_for() -> None:
    table = Table()
    request = table.go("mate 2")
    engine = table.engines[-1]
    engine.stops = 0
    assert request.on_info is not None
    request.on_info(known("e2e4", exact=1.0, plies=5))
    request.on_info(known("e2e4", exact=-1.0, plies=2))
    assert engine.stops == 0
    request.on_info(known("e2e4", exact=1.0, plies=3))
    assert engine.stops == 1


def test_a_temperature_draws_moves_by_their_share() -> None:
    for temperature, expected in ((0.0, {"e2e4"}), (1.0, {"e2e4", "a2a3"})):
        table = Table(temperature=temperature)
        result = Result(MOVES["e2e4"], MOVES["e7e5"], deciding.NODES, known("e2e4", "e7e5"))
        said = [table.answer(table.go(), result)[-1].split() for _ in range(40)]
        assert {words[1] for words in said} == expected
        assert all(("ponder" in words) == (words[1] == "e2e4") for words in said)
    proven = Result(MOVES["e2e4"], None, deciding.PROVEN, known("e2e4", exact=1.0, plies=3))
    answers = {table.answer(table.go(), proven)[-1] for _ in range(20)}
    assert answers == {"bestmove e2e4"}


def test_sizes_take_effect_with_the_next_go() -> None:
    table = Table()
    table.go()
    table.options.threads, table.options.hash = 2, 16
    table.go()
    old, new = table.engines
    assert (old.closed, new.closed) == (1, 0)
    assert (old.sizes["threads"], new.sizes["threads"]) == (1, 2)
    assert math.isclose(old.sizes["room"] / new.sizes["room"], 64, rel_tol=0.01)
    table.go()
    assert len(table.engines) == 2


def test_chess960_castles_by_the_rook() -> None:
    for chess960, text in ((False, "e1g1"), (True, "e1h1")):
        table = Table(chess960=chess960)
        table.desk.place(PositionWords("4k3/8/8/8/8/8/8/4K2R w K - 0 1", ()))
        request = table.go("searchmoves e1g1")
        result = Result(request.only[0], None, deciding.NODES, None)
        assert table.answer(request, result) == [f"bestmove {text}"]


# --- with real engines, in a game that is compiled in no time -------------------------------------

GOES = ("nodes 5", "movetime 1", "infinite", "ponder nodes 9", "wtime 60 btime 60", "depth 2")
STEPS = [*(f"go {go}" for go in GOES), "go searchmoves a1 nodes 3", "go ponder searchmoves b2"]
STEPS += ["stop", "ponderhit", "new_game", "place", "place a1", "place a1 b2", "place a1 a1"]
STEPS += ["place a1 b1 a2 b2 a3"]  # the game is over
STEPS += ["go mate 1", "go mate 20", "go ponder mate 5"]
ANSWERS = ("bestmove ", "checkmate ")


def follow(dialect: Dialect, player: Any, steps: list[str]) -> None:
    """Check that each `go` has one answer, and that none comes before it is asked for."""
    written = list[str]()
    desk = UniversalDesk(
        dialect,
        players.GAME,
        player,
        Options(overhead=0, hash=1),
        lambda *lines: written.extend(lines),
        seed=1,
    )
    gos, asks = 0, set[str]()  # what asks for the best move of the last go, if it waits for that
    for step in steps:
        words = step.split()
        if words[0] == "go":
            gos += 1
            asks = {"stop", "new_game"} if {"infinite", "ponder"} & set(words) else set()
            asks |= {"ponderhit"} if "ponder" in words else set()
            desk.go(read_go(words[1:], dialect))
        elif words[0] == "place":
            try:
                desk.place(PositionWords("", tuple(words[1:])))
            except ValueError:
                assert step == "place a1 a1"
        else:
            getattr(desk, words[0])()
            asks = set() if words[0] in asks else asks
        found = sum(line.startswith(ANSWERS) for line in written)
        assert gos - 1 <= found <= gos or gos == 0
        assert not asks or found == gos - 1
    desk.stop()
    desk.close()
    assert all_threads_end(players.WAIT_S)
    assert sum(line.startswith(ANSWERS) for line in written) == gos


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_each_go_has_one_answer_whatever_is_between(steps: list[str]) -> None:
    for dialect in DIALECTS.values():
        follow(dialect, RandomPlayer(players.GAME), steps)
        follow(dialect, players.searcher(), steps)


def test_a_go_ends_the_one_before_it_first() -> None:
    written = list[str]()
    desk = UniversalDesk(
        UCI, players.GAME, players.searcher(), Options(), lambda *lines: written.extend(lines), 1
    )
    desk.go(read_go(["infinite", "searchmoves", "a1"], UCI))
    desk.place(PositionWords("", ("a1",)))
    desk.go(read_go(["infinite", "searchmoves", "b2"], UCI))
    desk.stop()
    desk.close()
    moves = [line.split()[1] for line in written if line.startswith("bestmove ")]
    assert moves == ["a1", "b2"]


def test_getting_ready_writes_nothing_and_raises_what_the_agent_raises() -> None:
    written = list[str]()

    def desk_of(player: Any) -> UniversalDesk:
        return UniversalDesk(
            UCI, players.GAME, player, Options(), lambda *lines: written.extend(lines), 1
        )

    for player in (RandomPlayer(players.GAME), players.searcher()):
        desk = desk_of(player)
        desk.get_ready()
        desk.close()

    def fail(batches: int) -> None:
        raise RuntimeError("no card")

    with pytest.raises(RuntimeError, match="no card"):
        desk_of(players.searcher(evaluator=players.Calling(fail))).get_ready()
    assert written == []
    assert all_threads_end(players.WAIT_S)


def test_getting_ready_compiles_the_search_for_a_mate_too() -> None:
    class Watched(Engine):
        """An engine that keeps what was asked of it."""

        def start(self, request: Request) -> Thinking:
            asked.append(request.prove)
            return super().start(request)

    for player, kinds in (
        (RandomPlayer(players.GAME), {False}),
        (players.searcher(), {False, True}),
    ):
        asked = list[bool]()
        desk = UniversalDesk(UCI, players.GAME, player, Options(), lambda *lines: None, 1, Watched)
        desk.get_ready()
        desk.close()
        assert set(asked) == kinds
