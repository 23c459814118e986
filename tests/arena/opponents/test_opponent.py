import json
import logging
import math
import shlex
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from agents.players import ForfeitError, RandomPlayer
from arena.engine.limits import Clock, Clocks
from arena.match.match import play_out
from arena.opponents.opponent import OpponentPlayer, find_opponent
from arena.opponents.process import find_program
from envs.game import Game
from envs.positions import past_of
from envs.registry import find_game

CHESS, GO = find_game("chess"), find_game("go9")
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
RNG = np.random.default_rng(0)


def fake(how: str, query: str = "nodes=1&timeout=20", script: str = "fake_engine.py") -> str:
    protocol = "gtp" if script == "fake_go.py" else "uci"
    return f"{protocol}:{sys.executable} {shlex.quote(str(HERE / script))} {how}?{query}"


def moved(player: OpponentPlayer, game: Game, text: str = "") -> str:
    """Ask for a move after some moves, given with their past."""
    line = game.line(game.parse_moves(text))
    (action,) = player.choose(line[-1:].copy(), RNG, past_of(game, [line]))
    return game.written(line[-1], int(action))


def reason(player: OpponentPlayer, game: Game = CHESS) -> str:
    with pytest.raises(ForfeitError) as caught:
        moved(player, game)
    assert caught.value.chosen.tolist() == [-1]
    return caught.value.reasons[0]


def test_a_program_gets_the_moves_and_its_answer_is_played(tmp_path: Path) -> None:
    log = tmp_path / "lines.log"
    player = find_opponent(fake(f"good {log}"), CHESS)
    moves = "e2e4 e7e5 g1f3 b8c6 f1b5 a7a6 b5a4 g8f6 e1g1 f6e4"
    assert moved(player, CHESS, moves) == "a2a3"
    asked = [line for line in log.read_text().splitlines() if line.startswith("position")]
    assert asked == [f"position fen {CHESS.write_position(CHESS.new_state(), [])} moves {moves}"]
    assert "go nodes 1" in log.read_text().splitlines()
    player.stop()


def test_without_a_past_a_program_gets_the_position_alone(tmp_path: Path) -> None:
    log = tmp_path / "lines.log"
    player = find_opponent(fake(f"good {log}"), CHESS)
    line = CHESS.line(CHESS.parse_moves("e2e4"))
    found = player.analyze(line[-1:].copy())
    assert CHESS.written(line[-1], int(found.best_action[0])) == "a7a5"
    assert found.value_to_play[0] == pytest.approx(math.atan(1) / 1.5637541897)
    assert f"position fen {CHESS.write_position(line[-1], [])}" in log.read_text().splitlines()
    player.stop()


def test_options_are_found_in_any_case_and_checked(tmp_path: Path) -> None:
    log = tmp_path / "lines.log"
    query = "elo=1500&skill_level=3&movetime=0.2"
    find_opponent(fake(f"good {log}", query), CHESS).stop()
    sent = log.read_text().splitlines()
    assert "setoption name Skill Level value 3" in sent
    assert "setoption name UCI_Elo value 1500" in sent
    assert "setoption name UCI_LimitStrength value true" in sent
    assert "setoption name Threads value 1" in sent
    find_opponent(fake(f"good {log}", "threads=3"), CHESS).stop()
    assert "setoption name Threads value 3" in log.read_text().splitlines()


def test_a_program_forgets_earlier_games(tmp_path: Path) -> None:
    log = tmp_path / "lines.log"
    player = find_opponent(fake(f"good {log}"), CHESS)
    player.forget()
    assert moved(player, CHESS) == "a2a3"
    words = [line.split()[0] for line in log.read_text().splitlines()]
    assert words[-6:] == ["ucinewgame", "isready", "ucinewgame", "isready", "position", "go"]
    player.stop()


def test_one_that_resigns_runs_on_and_one_that_was_killed_starts_before_the_clock_runs(
    tmp_path: Path,
) -> None:
    log = tmp_path / "lines.log"

    def starts() -> int:
        return log.read_text().splitlines().count("uci")

    player = find_opponent(fake(f"resign {log}"), CHESS)
    for _ in range(2):
        assert reason(player) == "it resigned"
        with pytest.raises(ForfeitError, match="it resigned"):
            player.choose_by_clock(CHESS.new_states(1), None, Clocks(Clock(60.0), Clock(60.0)))
        player.forget()
    assert starts() == 1
    player.stop()
    player.forget()
    assert starts() == 2
    player.stop()


def test_a_program_is_told_both_clocks_and_its_own_limits(tmp_path: Path) -> None:
    log = tmp_path / "lines.log"
    clocks = Clocks(Clock(9.5, 0.1), Clock(0.25, 0.1))
    line = CHESS.line(CHESS.parse_moves("e2e4"))
    asked = []
    for query in ("nodes=7", "elo=1500"):
        player = find_opponent(fake(f"good {log}", query), CHESS)
        past = past_of(CHESS, [line])
        action, value, mate, seconds = player.choose_by_clock(line[-1:], past, clocks)
        assert CHESS.written(line[-1], action) == "a7a5"
        assert 0.0 < seconds < 60.0
        assert (value, mate) == (pytest.approx(math.atan(1) / 1.5637541897), 0)
        player.stop()
        asked = [text for text in log.read_text().splitlines() if text.startswith("go")]
    told = "go wtime 9500 btime 250 winc 100 binc 100"
    assert asked == [f"{told} nodes 7", told]


def test_who_is_much_too_late_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.opponents.universal_engine.LATE_S", 0.1)
    player = find_opponent(fake("hang"), CHESS)
    clocks = Clocks(Clock(0.1), Clock(60.0))
    with pytest.raises(ForfeitError, match="no answer in time"):
        player.choose_by_clock(CHESS.new_states(1), None, clocks)
    player.stop()


def test_gnu_go_is_told_to_capture_what_is_dead(tmp_path: Path) -> None:
    """The score counts the board as it stands, and GNU Go passes when it has won."""
    log, script = tmp_path / "words.log", tmp_path / "gnugo"
    player = shlex.join([sys.executable, str(HERE / "fake_go.py"), "D4"])
    script.write_text(f'#!/bin/sh\necho "$@" >{shlex.quote(str(log))}\nexec {player}\n')
    script.chmod(0o755)
    found = find_opponent(f"gtp:{shlex.quote(str(script))}?level=1", GO)
    assert moved(found, GO) == "D4"
    found.stop()
    assert "--capture-all-dead" in log.read_text().split()
    assert log.read_text().endswith("--level 1\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (fake("good", "elo=500"), "UCI_Elo: expected 1320 to 3190, got '500'"),
        (fake("good", "skil_level=3"), "no option 'skil_level'; did you mean 'skill_level'"),
        (fake("good", "nodes=many"), "nodes=many: expected a whole number above 0"),
        (fake("good", "movetime=0"), "movetime=0: expected seconds above 0"),
        (fake("wont-start"), "ended with status 1; it wrote: no licence found"),
        ("uci:no_such_engine", "there is no program 'no_such_engine'"),
        ("uci:", "expected a program after uci:"),
        ("uci:x?nodes", "expected OPTION=VALUE"),
        ("uci:'x", "No closing quotation"),
        ("gtp:gnugo", "plays Go, not 'chess'"),
    ],
)
def test_what_cannot_be_started_says_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="agent") as caught:
        find_opponent(text, CHESS)
    assert message in str(caught.value)


def test_a_crash_is_forgiven_once(tmp_path: Path) -> None:
    player = find_opponent(fake(f"crash-once {tmp_path / 'mark'}"), CHESS)
    assert moved(player, CHESS) == "a2a3"
    player.stop()


@pytest.mark.parametrize(
    ("how", "query", "message"),
    [
        ("crash", "nodes=1", "ended with status 1; it wrote: out of luck"),
        ("hang", "nodes=1&timeout=0.3", "no answer in time"),
        ("chatter", "nodes=1&timeout=0.3", "no answer in time"),
        ("cheat", "nodes=1", "it answered 'a1a8', which is not a legal move"),
        ("long-line", "nodes=1", "wrote a line over"),
    ],
)
def test_what_fails_forfeits(how: str, query: str, message: str) -> None:
    player = find_opponent(fake(how, query), CHESS)
    assert message in reason(player)
    player.stop()


def test_a_flood_of_errors_is_read_and_not_kept() -> None:
    player = find_opponent(fake("flood"), CHESS)
    moved(player, CHESS)  # loads the kernels
    tracemalloc.start()
    assert moved(player, CHESS) == "a2a3"  # 20 MB
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    player.stop()


def test_a_forfeit_loses_that_game_alone(caplog: pytest.LogCaptureFixture) -> None:
    player = find_opponent(fake("cheat"), CHESS)
    starts = CHESS.new_states(2)
    with caplog.at_level(logging.WARNING, "ludens.arena"):
        rngs = [np.random.default_rng(i) for i in range(2)]
        *_, (scores, plies) = play_out(CHESS, (player, RandomPlayer(CHESS)), starts, rngs)
    assert scores.tolist() == [0.0, 0.0]
    assert plies.tolist() == [0, 1]
    assert caplog.text.count("forfeits a game") == 2
    player.stop()


def test_go_answers_are_checked() -> None:
    good = find_opponent(fake("D4", "timeout=20", "fake_go.py"), GO)
    assert moved(good, GO) == "D4"
    resigning = find_opponent(fake("resign", "timeout=20", "fake_go.py"), GO)
    assert reason(resigning, GO) == "it resigned"
    refusing = find_opponent(fake("refuse", "timeout=20", "fake_go.py"), GO)
    assert "'genmove b' was answered '? cannot'" in reason(refusing, GO)
    for player in (good, resigning, refusing):
        player.stop()


@pytest.mark.skipif(find_program("stockfish") is None, reason="stockfish is not installed")
def test_stockfish_mates() -> None:
    player = find_opponent("uci:stockfish?nodes=2000", CHESS)
    assert moved(player, CHESS, "f2f3 e7e5 g2g4") == "d8h4"
    player.stop()


@pytest.mark.skipif(find_program("gnugo") is None, reason="gnugo is not installed")
def test_gnu_go_captures() -> None:
    player = find_opponent("gtp:gnugo?level=1", GO)
    assert moved(player, GO, "E5 E4 A1 E6 A9 D5 J1") == "F5"
    player.stop()


@pytest.mark.slow
@pytest.mark.skipif(find_program("gnugo") is None, reason="gnugo is not installed")
def test_gnugo_plays_on_the_board_of_each_game() -> None:
    """A game of several sizes: seven rows, nine, and seven again."""
    game = find_game("go9_from7")
    player = find_opponent("gtp:gnugo?level=1", game)
    for text in ("7/7/7/7/7/7/7 b", "9/9/9/9/9/9/9/9/9 b", "7/3X3/7/2X4/7/7/7 w"):
        state, _ = game.read_position(text)
        assert state is not None
        (action,) = player.choose(np.array([state]), RNG)
        assert action in game.legal_actions(state)
    player.stop()


@pytest.mark.skipif(find_program("stockfish") is None, reason="stockfish is not installed")
def test_a_match_by_the_command_is_won_by_stockfish() -> None:
    words = ["match", "chess", "random", "uci:stockfish?nodes=50", "--games", "2", "--json"]
    command = [sys.executable, "ludens.py", *words]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["total"] == {"wins": 0, "draws": 0, "losses": 2}
