"""Shogi programs as opponents: what they are told and how their answers are taken."""

import json
import math
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agents.players import ForfeitError
from arena.opponents.opponent import OpponentPlayer, find_opponent
from arena.opponents.process import find_program
from envs.game import Game
from envs.positions import past_of
from envs.registry import find_game

SHOGI, MINISHOGI = find_game("shogi"), find_game("minishogi")
FAKE = shlex.quote(str(Path(__file__).parent / "fake_shogi.py"))
ROOT = Path(__file__).parents[3]
RNG = np.random.default_rng(0)
START = "rbsgk/4p/5/P4/KGSBR b - 1"


def fake(answer: str, log: Path, query: str = "nodes=1", score: str = "") -> str:
    return f"usi:{sys.executable} {FAKE} {answer} {shlex.quote(str(log))} {score}?{query}"


def reason(player: OpponentPlayer) -> str:
    with pytest.raises(ForfeitError) as caught:
        player.choose(MINISHOGI.new_states(1), RNG)
    player.stop()
    return caught.value.reasons[0]


def test_a_program_is_told_its_variant_its_options_and_the_moves(tmp_path: Path) -> None:
    log = tmp_path / "lines.log"
    player = find_opponent(fake("3e3d", log, "nodes=7&hash=32&style=Risky"), MINISHOGI)
    line = MINISHOGI.line(MINISHOGI.parse_moves("5d5c 1b1c"))
    (action,) = player.choose(line[-1:].copy(), RNG, past_of(MINISHOGI, [line]))
    assert MINISHOGI.written(line[-1], int(action)) == "3e3d"
    player.stop()
    assert log.read_text().splitlines() == [
        "usi",
        "setoption name USI_Variant value minishogi",
        "setoption name USI_Hash value 32",
        "setoption name Style value Risky",
        "usinewgame",
        "isready",
        f"position sfen {START} moves 5d5c 1b1c",
        "go nodes 7",
    ]


@pytest.mark.parametrize(
    ("query", "go"),
    [
        ("", "go btime 0 wtime 0 byoyomi 100"),
        ("byoyomi=2", "go btime 0 wtime 0 byoyomi 2000"),
        ("movetime=0.5", "go movetime 500"),
        ("nodes=3&depth=2", "go nodes 3 depth 2"),
    ],
)
def test_limits_of_a_move(tmp_path: Path, query: str, go: str) -> None:
    log = tmp_path / "lines.log"
    player = find_opponent(fake("3e3d", log, query), MINISHOGI)
    player.choose(MINISHOGI.new_states(1), RNG)
    player.stop()
    assert log.read_text().splitlines()[-1] == go


@pytest.mark.parametrize(
    ("score", "value"),
    [
        ("cp 600", math.tanh(0.5)),
        ("cp -1200 upperbound", -math.tanh(1.0)),
        ("mate 5", 1.0),
        ("mate +", 1.0),
        ("mate -4", -1.0),
        ("mate -", -1.0),
        ("bound 5", math.nan),
    ],
)
def test_a_score_is_a_value_for_the_side_to_move(tmp_path: Path, score: str, value: float) -> None:
    player = find_opponent(fake("3e3d", tmp_path / "log", score=score), MINISHOGI)
    found = player.analyze(MINISHOGI.new_states(1))
    assert float(found.value_to_play[0]) == pytest.approx(value, nan_ok=True)
    player.stop()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("resign", "it resigned"),
        ("win", "it declared a win, which the rules here do not give it"),
        ("7g7f", "it answered '7g7f', which is not a legal move"),
    ],
)
def test_what_is_no_move_forfeits(tmp_path: Path, answer: str, told: str) -> None:
    assert told in reason(find_opponent(fake(answer, tmp_path / "log"), MINISHOGI))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("style=Riski", "Style: expected one of Normal, Risky, got 'Riski'; did you mean 'Risky'"),
        ("variant=gomoku", "USI_Variant: expected one of shogi, minishogi, got 'gomoku'"),
        ("hash=0", "USI_Hash: expected 1 to 1024, got '0'"),
        ("has=3", "no option 'has'; did you mean"),
    ],
)
def test_options_are_checked(tmp_path: Path, query: str, told: str) -> None:
    with pytest.raises(ValueError, match="agent") as caught:
        find_opponent(fake("3e3d", tmp_path / "log", query), MINISHOGI)
    assert told in str(caught.value)


def test_a_game_of_another_protocol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plays shogi and minishogi, not 'chess'"):
        find_opponent(fake("3e3d", tmp_path / "log"), find_game("chess"))


# --- real programs --------------------------------------------------------------------------------

FAIRY = "usi:fairy-stockfish?nodes=2000"
needs_fairy = pytest.mark.skipif(
    find_program("fairy-stockfish") is None, reason="fairy-stockfish is not installed"
)

needs_gps = pytest.mark.skipif(find_program("gpsusi") is None, reason="gpsusi is not installed")


@needs_fairy
@pytest.mark.parametrize(
    ("game", "sfen"),
    [(MINISHOGI, "4k/5/4G/5/K4 b G 1"), (SHOGI, "8k/9/8G/9/9/9/9/9/4K4 b G 1")],
)
def test_fairy_stockfish_mates(game: Game, sfen: str) -> None:
    player = find_opponent(FAIRY, game)
    assert game.parse_position is not None
    states = np.array([game.parse_position(sfen)], game.dtype)
    found = player.analyze(states)
    assert found.value_to_play[0] == 1.0
    game.rules.step(states[0], int(found.best_action[0]))
    assert game.rules.is_terminal(states[0])
    player.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("game", "program"),
    [
        pytest.param("minishogi", "fairy-stockfish?nodes=500", marks=needs_fairy),
        pytest.param("shogi", "fairy-stockfish?nodes=500", marks=needs_fairy),
        pytest.param("shogi", "gpsusi?byoyomi=0.1&limitdepth=4&timeout=60", marks=needs_gps),
    ],
)
def test_a_match_by_the_command_is_won_by_another_program(game: str, program: str) -> None:
    words = ["match", game, "random", f"usi:{program}", "--games", "2", "--json"]
    command = [sys.executable, "ludens.py", *words]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["total"] == {"wins": 0, "draws": 0, "losses": 2}
    assert "forfeits" not in found.stderr
