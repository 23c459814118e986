"""What USI has of its own: its words, clocks with byo-yomi, scores, options and answers."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.players import RandomPlayer
from arena.engine import deciding
from arena.engine.deciding import budget_for
from arena.engine.engine import Engine
from arena.engine.limits import Clock, Limit
from arena.engine.protocols.universal.answers import Answers
from arena.engine.protocols.universal.desk import UniversalDesk
from arena.engine.protocols.universal.go_limit import limit_of
from arena.engine.protocols.universal.grammar import (
    PositionWords,
    command_of,
    read_go,
    read_position,
)
from arena.engine.protocols.universal.info import info_lines
from arena.engine.protocols.universal.options import (
    OptionError,
    Options,
    default_options,
    set_option,
)
from arena.engine.protocols.usi import USI, centipawns, checkmate, plies_to_mate, value_of
from arena.engine.snapshot import Line, Snapshot
from arena.engine.thinking import Result
from arena.engine.threads import all_threads_end
from envs.registry import find_game
from mcts.search import MOST_VISITS
from tests.arena.engine import players

GAME = find_game("minishogi")
SFEN = "4k/5/4G/5/K4 b G 1"


def limit(text: str, own_nodes: int = 800, **options: Any) -> Limit:
    return limit_of(read_go(text.split(), USI), Options(**options), own_nodes, USI)


# --- words ----------------------------------------------------------------------------------------


def test_commands_are_those_of_usi() -> None:
    assert command_of("joho usinewgame", USI) == ["usinewgame"]
    assert command_of("gameover win", USI) == ["gameover", "win"]
    assert command_of("uci", USI) == command_of("ucinewgame", USI) == []


def test_a_position_is_an_sfen() -> None:
    words = f"sfen {SFEN} moves G*1b".split()
    assert read_position(words, USI) == PositionWords(SFEN, ("G*1b",))
    assert read_position(["startpos", "moves", "3e3d"], USI).moves == ("3e3d",)
    with pytest.raises(ValueError, match="expected startpos or sfen, then moves"):
        read_position(["fen", SFEN], USI)


@pytest.mark.parametrize(
    ("text", "numbers", "flags"),
    [
        ("btime 1 wtime 2 byoyomi 3", {"btime": 1, "wtime": 2, "byoyomi": 3}, set()),
        ("btime 1 wtime 2 binc 3 winc 4", {"btime": 1, "wtime": 2, "binc": 3, "winc": 4}, set()),
        ("ponder byoyomi 7", {"byoyomi": 7}, {"ponder"}),
        ("mate 5000", {"mate": 5000}, {"mate"}),
        ("mate infinite", {}, {"mate"}),
        ("mate", {}, {"mate"}),
        ("infinite", {}, {"infinite"}),
        ("searchmoves 3e3d mate 5", {"mate": 5}, {"mate"}),
    ],
)
def test_go(text: str, numbers: dict[str, int], flags: set[str]) -> None:
    found = read_go(text.split(), USI)
    assert (found.numbers, found.flags, found.ignored) == (numbers, flags, ())


# --- time -----------------------------------------------------------------------------------------


def test_black_moves_first_and_byoyomi_is_of_both() -> None:
    clocks = limit("btime 60000 wtime 30000 byoyomi 10000", overhead=100).clocks
    assert clocks is not None
    assert clocks.first == Clock(60, period=10)
    assert clocks.second == Clock(30, period=10)
    assert clocks.overhead == 0.1
    fischer = limit("btime 60000 wtime 30000 binc 5000 winc 2000").clocks
    assert fischer is not None
    assert (fischer.first, fischer.second) == (Clock(60, 5), Clock(30, 2))
    alone = limit("byoyomi 3000").clocks
    assert alone is not None
    assert alone.first == alone.second == Clock(0, period=3)


def test_a_search_for_a_mate_has_its_time_or_none() -> None:
    assert limit("mate 2000") == Limit(MOST_VISITS, 1.95, early=False)
    assert limit("mate infinite") == limit("mate") == Limit(MOST_VISITS, early=False)
    assert limit("mate infinite", nodes=7).nodes == 7


@settings(max_examples=30, deadline=None)
@given(
    main=st.integers(0, 600_000),
    byoyomi=st.sampled_from([0, 500, 1000, 10_000, 60_000]),
    gained=st.sampled_from([0, 100, 5000]),
    overhead=st.integers(0, 300),
    late=st.lists(st.floats(0, 1), min_size=30, max_size=30),
)
def test_no_game_is_lost_on_time(
    main: int, byoyomi: int, gained: int, overhead: int, late: list[float]
) -> None:
    """Each move takes the most of its budget, and loses a share of the overhead on its way."""
    left = main
    for share in late:
        words = f"btime {left} wtime 9 binc {gained} winc 9 byoyomi {byoyomi}"
        budget = budget_for(limit(words, overhead=overhead), 0, 30)
        used = math.ceil(1000 * budget.maximum)
        if budget.maximum > 0:  # else there is not even the overhead left
            used += math.floor(share * overhead)
            assert used <= left + byoyomi + 1  # a millisecond of rounding
        left = max(0, left - used) + gained


# --- scores ---------------------------------------------------------------------------------------


def test_centipawns_are_odd_rise_with_the_value_and_end() -> None:
    values = [i / 100 for i in range(-100, 101)]
    found = [centipawns(value) for value in values]
    assert found == sorted(set(found))
    assert found == [-cp for cp in reversed(found)]
    won = 1 / (1 + math.exp(-1))  # of a score of 600
    assert centipawns(2 * won - 1) == 600
    assert centipawns(1.0) == centipawns(1.5) == 30_000
    assert [value_of(cp) for cp in found] == pytest.approx(values, abs=1e-3)


def test_a_mate_is_counted_in_plies_with_its_sign() -> None:
    assert [plies_to_mate(1.0, plies) for plies in (1, 3, 0)] == ["1", "3", "+"]
    assert [plies_to_mate(-1.0, plies) for plies in (2, 4, 0)] == ["-2", "-4", "-"]


def test_infos_of_several_lines() -> None:
    lines = (Line((1, 2, 3), 60, 0.5, 1.0, 3), Line((4,), 40, 0.2, None, 0))
    snapshot = Snapshot((), lines, 100, 0, 0.4, 1.0, 3, 100, 0.5, 7, 0.25)
    found = info_lines(snapshot, lambda moves: [f"m{m}" for m in moves], USI, False)
    effort = "nodes 100 nps 200 hashfull 250 time 500"
    assert found == [
        f"info depth 3 seldepth 7 multipv 1 score mate 3 {effort} pv m1 m2 m3",
        f"info depth 1 seldepth 7 multipv 2 score cp 243 {effort} pv m4",
    ]


# --- options --------------------------------------------------------------------------------------


def test_names_of_options_have_no_spaces() -> None:
    offered = USI.options_of("shogi")
    assert not any(" " in option.name for option in offered)
    lines = {o.name: o.line(getattr(default_options(offered), o.field)) for o in offered}
    assert lines["USI_Variant"] == "option name USI_Variant type combo default shogi var shogi"
    assert lines["USI_Hash"] == "option name USI_Hash type spin default 1024 min 1 max 65536"
    assert lines["USI_Ponder"] == "option name USI_Ponder type check default false"


def test_options_are_set_by_their_names() -> None:
    offered = USI.options_of("minishogi")
    options = default_options(offered)
    for words in ("name USI_Hash value 32", "name networkdelay value 200", "name MultiPV value 3"):
        set_option(words.split(), offered, options)
    assert (options.hash, options.overhead, options.multipv) == (32, 200, 3)
    with pytest.raises(OptionError, match="expected minishogi"):
        set_option(["name", "USI_Variant", "value", "shogi"], offered, options)


# --- answers --------------------------------------------------------------------------------------

MOVES = dict(zip(("3e3d", "3a3b"), GAME.parse_moves("3e3d 3a3b")))


def known(value: float, exact: float | None = None) -> Snapshot:
    line = Line(tuple(MOVES.values()), 50, value, exact, 0)
    return Snapshot((), (line,), 100, 0, value, exact, 0)


def said(words: str, result: Result, **options: Any) -> str:
    """Return the last line that is written about a `go` at the start."""
    written = list[str]()
    answers = Answers(
        GAME,
        GAME.new_state(),
        read_go(words.split(), USI),
        Options(**options),
        dialect=USI,
        proves=True,
        rng=None,  # type: ignore[arg-type]  # nothing is drawn
        write=lambda *lines: written.extend(lines),
    )
    answers.decide(result)
    return written[-1]


def over(value: float) -> Result:
    return Result(None, None, deciding.OVER, Snapshot((), (), 0, 0, value, value, 0))


def test_a_game_that_is_over_is_resigned_or_declared_won() -> None:
    assert said("byoyomi 1", over(-1.0)) == "bestmove resign"
    assert said("byoyomi 1", over(1.0)) == "bestmove win"
    assert said("mate 1", over(-1.0)) == "checkmate nomate"
    assert said("mate 1", over(1.0)) == "checkmate nomate"


def test_it_resigns_below_a_value_in_a_game_alone() -> None:
    def moved(value: float) -> Result:
        return Result(MOVES["3e3d"], MOVES["3a3b"], deciding.TIME, known(value))

    assert centipawns(-0.7) < -1000 < centipawns(-0.6)
    best = "bestmove 3e3d ponder 3a3b"
    assert said("byoyomi 1", moved(-0.7), resign=1000) == "bestmove resign"
    assert said("byoyomi 1", moved(-0.6), resign=1000) == best
    assert said("byoyomi 1", moved(-1.0)) == best
    assert said("infinite", moved(-1.0), resign=1000) == best
    assert said("byoyomi 1", moved(-1.0), resign=1000, analyse=True) == best


@pytest.mark.parametrize(
    ("exact", "proves", "answer"),
    [
        (1.0, True, "checkmate 3e3d 3a3b"),
        (1.0, False, "checkmate 3e3d 3a3b"),
        (0.0, True, "checkmate nomate"),
        (-1.0, True, "checkmate nomate"),
        (None, True, "checkmate timeout"),
        (None, False, "checkmate notimplemented"),
    ],
)
def test_what_a_search_for_a_mate_found(exact: float | None, proves: bool, answer: str) -> None:
    def words_of(moves: Any) -> list[str]:
        return GAME.words(GAME.new_state(), moves)

    assert checkmate(known(0.1, exact), proves, words_of) == answer
    assert checkmate(None, proves, words_of) == checkmate(known(0.1), proves, words_of)


def test_a_game_goes_on_at_a_drop_told_as_text() -> None:
    written = list[str]()
    desk = UniversalDesk(
        USI, GAME, RandomPlayer(GAME), Options(), lambda *lines: written.extend(lines), 1
    )
    desk.place(PositionWords(SFEN, ()))
    desk.go(read_go(["searchmoves", "G*3b", "nodes", "1"], USI))
    assert all_threads_end(players.WAIT_S)
    desk.close()
    assert written == ["bestmove G*3b"]


@pytest.mark.parametrize(
    ("moves", "plies"),
    [
        ("a1 b1 a2 c1", 1),  # a3 wins
        ("a1 b1", 5),  # by a fork
        ("a1 b2 b1 c1 a3 a2 c2 b3", 0),  # only c3 is left: a draw
        ("a1 b1 a2 c1 b2", 0),  # two lines are open to the other side
    ],
)
def test_a_search_proves_mates_whatever_its_config(moves: str, plies: int) -> None:
    written = list[str]()
    game, player = players.GAME, players.searcher()
    assert not player.config.solve
    desk = UniversalDesk(
        USI, game, player, Options(hash=1), lambda *lines: written.extend(lines), 1
    )
    desk.place(PositionWords("", tuple(moves.split())))
    desk.go(read_go(["mate", "infinite"], USI))
    assert all_threads_end(players.WAIT_S)
    desk.close()
    if not plies:
        assert written[-1] == "checkmate nomate"
        return
    line = written[-1].removeprefix("checkmate ")
    assert len(line.split()) == plies
    end = game.position(game.parse_moves(f"{moves} {line}"))
    assert game.rules.is_terminal(end)
    assert game.rules.value_to_play(end) == -1
    assert f" score mate {plies} " in written[-2]


def test_gameover_ends_a_thought_with_its_move() -> None:
    """The session calls `stop` for it; an agent that cannot be hurried answers when it can."""
    written = list[str]()
    player = players.HeldPlayer(GAME)
    desk = UniversalDesk(USI, GAME, player, Options(), lambda *lines: written.extend(lines), 1)
    desk.go(read_go(["ponder"], USI))
    assert player.began.wait(60)
    player.free.set()
    desk.stop()
    assert all_threads_end(players.WAIT_S)
    desk.close()
    assert [line.split()[0] for line in written] == ["bestmove"]


@pytest.mark.parametrize(
    ("words", "most"),
    [
        ("btime 0 wtime 0 byoyomi 300", 0.25),
        ("ponder btime 0 wtime 0 byoyomi 300", 0.25),
        ("btime 100 wtime 0 byoyomi 200", 0.25),
        ("movetime 150", 0.1),
        ("mate 200", 0.15),
    ],
)
def test_a_move_ends_before_its_time_less_the_overhead(words: str, most: float) -> None:
    clock, written = players.FakeClock(), list[str]()

    def pass_time(batches: int) -> None:
        clock.seconds += 0.02

    def make(*args: Any, **sizes: Any) -> Engine:
        return Engine(*args, **sizes, now=clock)

    def write(*lines: str) -> None:
        written.extend(lines)

    player = players.searcher(evaluator=players.Calling(pass_time))
    options = Options(overhead=50, hash=1, analyse=True)  # all of the time
    desk = UniversalDesk(USI, players.GAME, player, options, write, 1, make)
    desk.go(read_go(words.split(), USI))
    desk.ponderhit()
    began = clock.seconds if "ponder" in words else 0.0
    assert all_threads_end(players.WAIT_S)
    assert most / 2 < clock.seconds <= began + most + 0.02
    assert written[-1].startswith(("bestmove", "checkmate"))
    desk.close()
