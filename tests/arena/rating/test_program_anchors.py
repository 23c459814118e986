"""Ladders with other programs as anchors, which here play tic-tac-toe by chance."""

import json
import logging
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ludens
from agents.alphazero.config import NetworkConfig
from agents.alphazero.network import build_network
from agents.torch_state import dump_state
from arena.match.match import PROGRAM_PAIRS_AT_ONCE
from arena.match.pool import UnplayableError
from arena.match.records import Batch, MatchKey, MatchLog
from arena.match.workers import LoadedAgents
from arena.names import AgentNameError
from arena.opponents.opponent import OpponentPlayer
from arena.opponents.process import find_program
from envs.game import Game
from envs.registry import find_game
from mcts.config import SearchConfig
from store import checkpoints
from store.run import create_run
from tests.arena.ladders import make_ladder, make_run, skilled, use_skilled_players

PROGRAM = "uci:fake?elo=1500"
FAKE = Path(__file__).parents[1] / "opponents/fake_engine.py"


class Started:
    """Stands for `find_agent`; notes which programs are started, and has them only when asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs: list[str] = []
        self.is_there = True
        use_skilled_players(monkeypatch)
        for module in ("rating.ladder", "match.workers"):
            monkeypatch.setattr(f"arena.{module}.find_agent", self)

    def __call__(self, text: str, game: Game, store_url: str, *, programs: bool = False) -> Any:
        if text.startswith("uci:"):
            assert programs
            self.programs.append(text)
            if not self.is_there:
                raise AgentNameError(f"agent {text!r}: there is no such program")
        return skilled(text, game, store_url)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(monkeypatch)


def test_a_program_fixes_the_scale_and_its_games_are_small_batches(
    started: Started, tmp_path: Path
) -> None:
    run = make_run(tmp_path, "r", 10, 50)
    ladder = make_ladder(tmp_path, anchors={PROGRAM: 1500.0}, games=600, width=90.0)
    last = list(ladder.play())[-1]
    elo = dict(zip(last.ratings.agents, last.ratings.elo.tolist()))
    assert elo[PROGRAM] == 1500.0
    assert 1400 < elo["r@10:sims=64"] < elo["r@50:sims=64"] < 2300
    played = [json.loads(run.files.read(f"matches/{name}")) for name in run.files.names("matches")]
    with_program = [len(d["points"]) for d in played if PROGRAM in d["agents"]]
    assert with_program
    assert max(with_program) <= PROGRAM_PAIRS_AT_ONCE


def test_recorded_games_rate_without_the_program(
    started: Started, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(tmp_path, "r", 10, 50)
    key = MatchKey("tic_tac_toe", ("r@10:sims=64", PROGRAM), 0, "random:3")
    points = np.resize([[2, 2], [1, 0], [0, 1], [1, 1]], (200, 2))
    MatchLog(run.files, key).write(Batch(0, points, np.full((200, 2), 7)))
    started.is_there = False
    ladder = make_ladder(tmp_path, anchors={PROGRAM: 1500.0}, games=0)
    state = ladder.state()
    assert started.programs == []
    elo = dict(zip(state.ratings.agents, state.ratings.elo.tolist()))
    assert elo[PROGRAM] == 1500.0
    assert elo["r@10:sims=64"] == pytest.approx(1500.0, abs=60)
    with caplog.at_level(logging.WARNING, "ludens.arena"):  # the others play on
        last = list(make_ladder(tmp_path, anchors={PROGRAM: 1500.0}, width=70.0).play())[-1]
    assert caplog.text.count("plays no more: agent 'uci:fake?elo=1500': there is no such") <= 1
    assert last.widest <= 70.0
    assert last.ratings.elo[last.ratings.agents.index(PROGRAM)] == 1500.0


def test_a_program_that_was_never_played_must_be_there(started: Started, tmp_path: Path) -> None:
    make_run(tmp_path, "r", 10, 50)
    started.is_there = False
    with pytest.raises(AgentNameError, match="there is no such program"):
        make_ladder(tmp_path, anchors={PROGRAM: 1500.0})


def test_a_recorded_name_is_neither_started_nor_trusted(started: Started, tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 10, 50)
    for number, name in enumerate(("uci:evil", "uci:", "a:b@c", "uci:'x")):
        key = MatchKey("tic_tac_toe", ("r@10:sims=64", name), number, "random:3")
        wins = Batch(0, np.full((4, 2), 2), np.full((4, 2), 9))
        MatchLog(run.files, key).write(wins)
    ladder = make_ladder(tmp_path, games=64)
    assert ladder.results.agents() == []
    list(ladder.play())
    assert started.programs == []


def test_only_the_names_that_were_passed_on_start_programs() -> None:
    name = f"uci:{sys.executable} {shlex.quote(str(FAKE))} good?nodes=1"
    game = find_game("chess")
    with pytest.raises(UnplayableError, match="which this command does not start"):
        LoadedAgents(game, "nowhere", frozenset(["uci:other"])).load(name)
    player = LoadedAgents(game, "nowhere", frozenset([name])).load(name)
    assert isinstance(player, OpponentPlayer)
    player.stop()


@pytest.mark.slow
@pytest.mark.skipif(find_program("stockfish") is None, reason="stockfish is not installed")
def test_the_command_takes_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run without a network to speak of loses to both, on their scale."""
    network = NetworkConfig(blocks=0, filters=4, head_filters=2, value_hidden=4)
    search = asdict(SearchConfig(simulations=8))
    config = {"game": "chess", "network": asdict(network), "search": search}
    run = create_run(tmp_path, "r", game="chess", config=config, seed=0, versions={})
    weights = dump_state(build_network(find_game("chess"), network, seed=0).state_dict())
    checkpoints.save(run, 5, {checkpoints.MODEL_FILE: weights})
    programs = [f"uci:stockfish?elo={elo}&nodes=20" for elo in (1400, 1700)]
    anchors = ",".join(f"{name}={elo}" for name, elo in zip(programs, (1400, 1700)))
    words = ["rate", "r", "--store", str(tmp_path), "--anchors", anchors, "--simulations", "0"]
    words += ["--games", "16", "--json"]
    assert ludens.main(words) == 0
    rows = {row["agent"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert [rows[name]["elo"] for name in programs] == [1400.0, 1700.0]
    assert rows["r@5:sims=0"]["elo"] < 1400
