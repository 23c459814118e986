"""`ludens engine` as a process: with python-chess as the other program."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import chess
import chess.engine
import pytest
from chess.engine import Limit, SimpleEngine

import ludens
from tests.arena.engine.protocols.piped import WAIT_S, Piped, command, said_and_imported


@contextmanager
def opened(agent: str) -> Iterator[SimpleEngine]:
    engine = SimpleEngine.popen_uci(command(agent), timeout=600)
    try:
        yield engine
    finally:
        engine.quit()
    assert engine.transport.get_returncode() == 0


CLOCK = {"white_clock": 2.0, "black_clock": 1.0, "white_inc": 0.01, "black_inc": 0.0}
LIMITS = [
    Limit(time=0.02),
    Limit(**CLOCK),
    Limit(**CLOCK, remaining_moves=4),
    Limit(nodes=60),
    Limit(depth=2),
    Limit(nodes=30, time=5.0),
    Limit(),
]


def play_a_game(engine: SimpleEngine, limit: Limit, board: chess.Board, plies: int) -> None:
    """Both sides are the engine; every move has to be legal, or python-chess raises."""
    for _ in range(plies):
        if board.is_game_over():
            break
        result = engine.play(board, limit, ponder=board.ply() % 3 == 0, info=chess.engine.INFO_ALL)
        assert result.move in board.legal_moves
        board.push(result.move)


@pytest.mark.slow
def test_a_random_agent_plays_in_every_mode_of_time() -> None:
    with opened("random") as engine:
        for limit in LIMITS:
            play_a_game(engine, limit, chess.Board(), 6)
        engine.configure({"UCI_ShowWDL": True, "Temperature": "1.0", "Threads": 1})
        play_a_game(engine, Limit(nodes=1), chess.Board(), 60)
        play_a_game(engine, Limit(nodes=1), chess.Board.from_chess960_pos(17), 20)
        only = [chess.Move.from_uci("a2a3")]
        assert engine.play(chess.Board(), Limit(nodes=9), root_moves=only).move == only[0]
        with engine.analysis(chess.Board()) as analysis:  # infinite: it ends by stop
            engine.ping()
            analysis.stop()
            assert analysis.wait().move in chess.Board().legal_moves


@pytest.mark.slow  # compiles the search of chess
def test_a_search_plays_in_every_mode_of_time() -> None:
    with opened("mcts:50") as engine:
        for limit in LIMITS:
            play_a_game(engine, limit, chess.Board(), 6)
        rook = chess.Board("4k3/8/8/8/8/8/8/4K2R w K - 0 1")
        lines = engine.analyse(rook, Limit(nodes=400), multipv=3)
        assert len(lines) == len({line["pv"][0] for line in lines}) == 3
        assert all({"score", "nodes", "nps", "time", "depth", "seldepth"} <= set(i) for i in lines)
        with engine.analysis(chess.Board()) as analysis:
            assert analysis.next() is not None
            engine.ping()  # is answered while it searches
            began = time.monotonic()
            analysis.stop()
            assert analysis.wait().move is not None
            assert time.monotonic() - began < WAIT_S


@pytest.mark.slow  # compiles the search of chess
def test_a_proven_mate_is_a_mate() -> None:
    with opened("mcts:2000,solve=true,lookahead=1") as engine:
        board = chess.Board("6k1/5ppp/8/8/8/8/8/R3K3 w Q - 0 1")
        info = engine.analyse(board, Limit(mate=1))
        assert info["score"].white() == chess.engine.Mate(1)
        assert info["pv"] == [chess.Move.from_uci("a1a8")]


def test_an_agent_that_is_none_is_told_on_both_outputs() -> None:
    piped = Piped("uci", "isready", agent="randon")
    assert piped.process.wait(WAIT_S) == 2
    status, out, err = piped.ended()
    assert status == 2
    assert b"info string the agent could not be loaded: no agent 'randon'; did you mean" in out
    assert err.count(b"\n") == 1
    assert b"did you mean 'random'?" in err


def test_the_handshake_comes_before_anything_heavy() -> None:
    out = said_and_imported([], "uci\nsetoption name MultiPV value 2\nstop\nquit\n")
    assert out.endswith("uciok\n[]\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--game ches", "did you mean 'chess'?"),
        ("--game othello", "there is a protocol for chess, chess5, shogi, minishogi, go7"),
        ("--protocol xboard", "invalid choice: 'xboard'"),
        ("--protocol usi --game chess", "programs for that game speak uci"),
    ],
)
def test_mistakes_are_told_at_once(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ludens.main(["engine", "--agent", "random", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
