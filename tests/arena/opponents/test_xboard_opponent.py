"""Programs of XBoard's protocol as opponents: what they are told, and which answers are refused."""

import shlex
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from agents.players import ForfeitError
from arena.opponents import xboard_engine
from arena.opponents.opponent import OpponentPlayer, find_opponent
from arena.opponents.process import Program, find_program
from envs.positions import past_of
from envs.registry import find_game

CHESS, SHOGI = find_game("chess"), find_game("shogi")
FAKE = shlex.quote(str(Path(__file__).parent / "fake_xboard.py"))
RNG = np.random.default_rng(0)
BARE = "4k3/8/8/8/8/8/4P3/4K2R w K - 0 1"


@pytest.fixture(autouse=True)
def _has_time_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake is Python, which a busy machine starts slowly."""
    monkeypatch.setattr(xboard_engine, "FEATURES_S", 60.0)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "lines.log"


def fake(how: str, log: Path, query: str = "depth=1") -> str:
    return f"xboard:{sys.executable} {FAKE} {how} {shlex.quote(str(log))}?{query}"


def move_after(player: OpponentPlayer, moves: str) -> str:
    line = CHESS.line(CHESS.parse_moves(moves))
    (action,) = player.choose(line[-1:].copy(), RNG, past_of(CHESS, [line]))
    return CHESS.written(line[-1], int(action))


def reason(player: OpponentPlayer, moves: str = "e2e4") -> str:
    with pytest.raises(ForfeitError) as caught:
        move_after(player, moves)
    player.stop()
    return caught.value.reasons[0]


def test_a_program_is_told_its_features_the_moves_and_the_limit(log: Path) -> None:
    player = find_opponent(fake("good", log, "depth=3&movetime=2"), CHESS)
    assert move_after(player, "e2e4 e7e5 g1f3 g8f6 f1c4 f8c5 e1h1") == "a7a5"  # castling is e1g1
    player.stop()
    assert log.read_text().splitlines() == [
        *("xboard", "protover 2"),
        *("accepted myname", "accepted ping", "accepted setboard", "accepted usermove"),
        *("rejected option", "accepted done", "new", "easy", "force", "ping 1"),
        *("force", "new", "easy", "force", "usermove e2e4", "usermove e7e5", "usermove g1f3"),
        *("usermove g8f6", "usermove f1c4", "usermove f8c5", "usermove e1g1", "ping 2"),
        *("st 2", "sd 3", "go"),
    ]


def test_a_game_that_begins_at_a_position_is_set_up(log: Path) -> None:
    player = find_opponent(fake("good", log), CHESS)
    state = CHESS.read_position(BARE)[0]
    assert state is not None
    (action,) = player.choose(np.array([state]), RNG)
    assert CHESS.written(state, int(action)) == "e1d1"
    player.stop()
    assert f"setboard {CHESS.format_position(state)}" in log.read_text().splitlines()


def test_a_program_without_features_plays_from_the_start_only(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xboard_engine, "FEATURES_S", 0.3)
    player = find_opponent(fake("plain", log), CHESS)
    assert move_after(player, "e2e4 e7e5") == "a2a3"
    assert "e2e4" in log.read_text().splitlines()
    state = CHESS.read_position(BARE)[0]
    assert state is not None
    with pytest.raises(ForfeitError) as caught:
        player.choose(np.array([state]), RNG)
    player.stop()
    assert "it cannot begin at a position, '4k3/8" in caught.value.reasons[0]


def test_a_program_that_asks_for_time_to_load_gets_it(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[float] = []
    read_line = Program.read_line

    def noted(program: Program, deadline: float) -> str:
        left.append(deadline - time.monotonic())
        return read_line(program, deadline)

    monkeypatch.setattr(Program, "read_line", noted)
    monkeypatch.setattr(xboard_engine, "START_S", 500.0)
    player = find_opponent(fake("slow-start", log), CHESS)
    move_after(player, "e2e4")
    player.stop()
    assert "usermove e2e4" in log.read_text()
    assert left[0] <= 60.0 < left[1]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cheat", "it answered 'a1a8', which is not a legal move"),
        ("resign", "it resigned"),
        ("draw", "it ended the game: '1/2-1/2 {I say so}'"),
        ("refuse", "it answered 'Illegal move: e2e4'"),
    ],
)
def test_what_is_no_move_forfeits_the_game(log: Path, how: str, message: str) -> None:
    assert message in reason(find_opponent(fake(how, log), CHESS))


def test_no_answer_in_time_forfeits_the_game(log: Path) -> None:
    assert "no answer in time" in reason(find_opponent(fake("hang", log, "timeout=0.2"), CHESS))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("elo=1500", "elo=1500: expected one of depth, movetime, timeout"),
        ("movetime=0.1", "movetime=0.1: expected a whole number above 0"),
    ],
)
def test_other_options_are_refused(log: Path, query: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_opponent(fake("good", log, query), CHESS)


def test_it_plays_chess_and_shogi(log: Path) -> None:
    with pytest.raises(ValueError, match="plays chess and shogi, not 'go9'"):
        find_opponent(fake("good", log), find_game("go9"))


def play_out(player: OpponentPlayer, plies: int) -> int:
    """Return the plies of a game against random moves; every move of the program was legal."""
    game, moves = player.game, list[int]()
    for ply in range(plies):
        line = game.line(moves)
        if game.rules.is_terminal(line[-1]):
            break
        if ply % 2:
            (action,) = player.choose(line[-1:].copy(), RNG, past_of(game, [line]))
        else:
            action = RNG.choice(game.legal_actions(line[-1]))
        moves.append(int(action))
    player.stop()
    return len(moves)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("gnushogi", "xboard:gnushogi?depth=1"),
        ("gnushogi", "xboard:gnushogi"),
        ("hoichess", "xboard:hoichess?depth=2"),
        ("gnuchess", "uci:gnuchess --uci?depth=1"),
    ],
)
def test_programs_of_others_play_legal_moves(program: str, name: str) -> None:
    if find_program(program) is None:
        pytest.skip(f"{program} is not installed")
    assert play_out(find_opponent(name, SHOGI if program == "gnushogi" else CHESS), 24) >= 12
