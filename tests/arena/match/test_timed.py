"""Games by the clock; here time passes as a test says."""

import json
import logging
import shlex
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import chess.pgn
import numpy as np
import pytest

import ludens
from agents.players import RandomPlayer
from arena.engine.engine import Engine
from arena.engine.limits import Limit
from arena.engine.thinking import Request, Thinking
from arena.game_records import RecordFile
from arena.match.clock import TimeControl
from arena.match.kept_games import KeptGames
from arena.match.match import Match, play_match
from arena.match.openings import position_opening, random_openings
from arena.match.pool import PlannedBatch
from arena.match.records import Batch, MatchKey
from arena.match.text import summary
from arena.match.timed import play_timed
from arena.names import find_agent
from arena.opponents.opponent import find_opponent
from arena.opponents.process import find_program
from envs.notation.records import MoveNote
from envs.registry import find_game

GAME = find_game("tic_tac_toe")


def named(name: str) -> RandomPlayer:
    player = RandomPlayer(GAME)
    player.name = name
    return player


def ticking(seconds: float) -> Callable[[], float]:
    """Return a clock on which so much time passes between two looks."""
    looks = count()
    return lambda: seconds * next(looks)


def planned(control: TimeControl, pairs: int = 2) -> PlannedBatch:
    openings = random_openings(GAME, 0)
    key = MatchKey(GAME.name, ("one", "other"), 0, openings.label)
    return Match(key, openings, control).plan(0, pairs)


def played(control: TimeControl, second_s: float = 1.0) -> Batch:
    players = named("one"), named("other")
    return play_timed(GAME, players, planned(control), now=ticking(second_s))


def test_who_oversteps_loses_whatever_the_board_says() -> None:
    """A second a move: the third move of the first player comes before any game can be over."""
    batch = played(TimeControl(2.5))
    assert batch.late is not None
    assert batch.late.tolist() == [[1, 2], [1, 2]]
    assert batch.points.tolist() == [[0, 2], [0, 2]]
    assert batch.plies.tolist() == [[4, 4], [4, 4]]


def test_an_increment_comes_after_the_move_and_not_before() -> None:
    batch = played(TimeControl(1.5, 1.0))
    assert batch.late is not None
    assert not batch.late.any()
    assert batch.notes is not None
    assert {note.seconds for notes in batch.notes for note in notes} == {1.5}
    late = played(TimeControl(0.5, 10.0)).late
    assert late is not None
    assert late.tolist() == [[1, 2], [1, 2]]


def test_clocks_run_for_the_side_to_move_alone() -> None:
    batch = played(TimeControl(100.0))
    assert batch.notes is not None
    seconds = [note.seconds for note in batch.notes[0]]
    assert seconds == [99.0, 99.0, 98.0, 98.0, 97.0, 97.0, 96.0, 96.0, 95.0][: len(seconds)]
    assert len(batch.notes[0]) == len((batch.moves or ((),))[0])


def test_a_match_counts_losses_on_time(caplog: pytest.LogCaptureFixture) -> None:
    one, other = named("one"), named("other")
    result = play_match(GAME, one, other, 4, clock=TimeControl(1e-9))
    assert result.lost_on_time == (2, 2)
    assert (result.total.wins, result.total.losses) == (2, 2)
    assert result.to_json()["lost_on_time"] == (2, 2)
    assert "clock          1e-09+0 seconds; lost on time: 2 by one, 2 by other" in summary(result)


def test_our_agents_are_told_both_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[Limit] = []

    class NotingEngine(Engine):
        def start(self, request: Request) -> Thinking:
            limits.append(request.limit)
            return super().start(request)

    monkeypatch.setattr("arena.match.timed.Engine", NotingEngine)
    searcher = find_agent("mcts:20", GAME, "nowhere")
    batch = play_timed(
        GAME, (searcher, named("other")), planned(TimeControl(0.4, 0.02), 1), now=ticking(0.03)
    )
    assert batch.late is not None
    assert not batch.late.any()
    told = [limit.clocks for limit in limits if limit.clocks is not None]
    seconds = [(clocks.first.remaining, clocks.second.remaining) for clocks in told]
    expected = [(0.4, 0.4), (0.39, 0.4), (0.39, 0.39), (0.38, 0.39)]
    assert seconds[:4] == [pytest.approx(pair) for pair in expected]
    assert {clocks.first.increment for clocks in told} == {0.02}


def test_games_by_the_clock_never_count_as_repeated() -> None:
    """The same two agents from one opening: without a clock a second pair would say nothing."""
    one, other = named("a@1"), named("b@1")
    opening = position_opening(GAME, "startpos")
    assert play_match(GAME, one, other, 6, openings=opening).total.games == 2
    timed = play_match(GAME, one, other, 6, openings=opening, clock=TimeControl(60.0))
    assert timed.total.games == 6


def test_the_command_says_what_is_wrong_with_a_clock(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["match", "tic_tac_toe", "random", "random", "--games", "2"]
    assert ludens.main([*words, "--clock", "10,5"]) == 2
    assert "clock '10,5': expected seconds and an increment" in capsys.readouterr().err
    assert ludens.main([*words, "--clock", "20+0.1"]) == 0
    assert "lost on time: 0 by random, 0 by random" in capsys.readouterr().out


def kept(path: Path, notes: tuple[MoveNote, ...], late: list[int]) -> chess.pgn.Game:
    """Write a pair of games of two moves after an opening of one, and read the first."""
    found = find_game("chess")
    opening = next(random_openings(found, 1).stream(0))._replace(moves=None)
    key = MatchKey("chess", ("one", "other"), 0, "random:1")
    line = [int(a) for a in found.parse_moves("e2e4 e7e5")]
    opening = opening._replace(state=np.atleast_1d(found.line([], None)[-1]), moves=())
    batch = PlannedBatch(key, 0, (opening,), TimeControl(10.0, 0.1))
    file = RecordFile(found, path)
    points, plies = np.array([[2, 1]]), np.array([[2, 2]])
    games: Any = (tuple(line), tuple(line))
    both = Batch(0, points, plies, None, games, (notes, notes), np.array([late]))
    KeptGames(found, file)(batch, both)
    with path.open() as text:
        game = chess.pgn.read_game(text)
    assert game is not None
    return game


def test_pgn_has_clocks_and_scores(tmp_path: Path) -> None:
    notes = MoveNote(9.5, centipawns=35), MoveNote(8.25, mate=-3)
    game = kept(tmp_path / "games.pgn", notes, [2, 0])
    assert game.headers["TimeControl"] == "10+0.1"
    assert game.headers["Termination"] == "time forfeit"
    moves = list(game.mainline())
    assert [move.clock() for move in moves] == [9.5, 8.25]
    scores = [move.eval() for move in moves]
    assert scores[0] == chess.engine.PovScore(chess.engine.Cp(35), chess.WHITE)
    assert scores[1] == chess.engine.PovScore(chess.engine.Mate(-3), chess.WHITE)


def test_pgn_of_an_agent_without_opinion_has_clocks_alone(tmp_path: Path) -> None:
    game = kept(tmp_path / "games.pgn", (MoveNote(9.5), MoveNote(8.25)), [0, 0])
    assert game.headers["Termination"] == "normal"
    assert [move.eval() for move in game.mainline()] == [None, None]


@pytest.mark.slow
@pytest.mark.skipif(find_program("stockfish") is None, reason="stockfish is not installed")
def test_the_command_plays_a_program_by_the_clock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "games.pgn"
    words = ["match", "chess", "mcts:50", "uci:stockfish?nodes=500", "--games", "2", "--json"]
    with caplog.at_level(logging.WARNING):
        assert ludens.main([*words, "--clock", "4+0.2", "--records", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["total"].values()) == 2
    assert found["clock"] == "4+0.2"
    with path.open() as text:
        game = chess.pgn.read_game(text)
    assert game is not None
    moves = list(game.mainline())
    timed = [move for move in moves if move.clock() is not None]
    assert all(move.eval() is not None for move in timed)
    assert timed


def test_a_program_pays_for_its_own_time_alone() -> None:
    """A look at the clock takes a second here, so our agent is late at its third move."""
    fake = Path(__file__).parents[1] / "opponents" / "fake_engine.py"
    chess_game = find_game("chess")
    program = find_opponent(f"uci:{sys.executable} {shlex.quote(str(fake))} good", chess_game)
    openings = random_openings(chess_game, 0)
    key = MatchKey("chess", ("random", program.name), 0, openings.label)
    batch = Match(key, openings, TimeControl(2.5)).plan(0, 1)
    found = play_timed(chess_game, (RandomPlayer(chess_game), program), batch, now=ticking(1.0))
    program.stop()
    assert found.late is not None
    assert found.late.tolist() == [[1, 1]]
