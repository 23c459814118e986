"""A run may be deleted, and its name be given to another: games of the one say nothing of it."""

import json
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import ludens
import store.run
from agents.alphazero.config import NetworkConfig
from agents.alphazero.network import build_network
from agents.torch_state import dump_state
from arena.match.origins import Origins
from arena.match.records import Batch, MatchKey, MatchLog, read_matches
from arena.teams.ladder import TeamLadder, TeamLadderSettings
from arena.teams.playing import SEEDS
from envs.registry import find_game
from mcts.config import SearchConfig
from store import checkpoints
from store.run import Run, create_run
from tests.arena import team_games
from tests.arena.ladders import make_ladder, make_run, use_skilled_players
from tests.arena.team_games import toy

__all__ = ["toy"]
GAME = find_game("tic_tac_toe")
LONG_AGO = "2020-01-02T03:04:05+00:00"
LATER = datetime(2100, 1, 2, tzinfo=UTC)
WINS = Batch(0, np.full((4, 2), 2), np.full((4, 2), 9))


def made(folder: Path, name: str) -> Run:
    """Make a run that plays, with a tiny network at step 3."""
    network = NetworkConfig(blocks=0, filters=4, head_filters=2, value_hidden=4)
    search = asdict(SearchConfig(simulations=8))
    config = {"game": "tic_tac_toe", "network": asdict(network), "search": search}
    run = create_run(folder, name, game="tic_tac_toe", config=config, seed=0, versions={})
    weights = dump_state(build_network(GAME, network, seed=3).state_dict())
    checkpoints.save(run, 3, {checkpoints.MODEL_FILE: weights})
    return run


def test_agents_have_the_time_when_their_run_was_created(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 3)
    origins = Origins(tmp_path)
    assert origins.created("r@3:sims=64") == run.info.created != ""
    assert Origins(tmp_path / "nowhere", [run]).created("r@3") == run.info.created
    for agent in ("mcts:100", "random", "none@3", "uci:r@3?nodes=5", "../r@3"):
        assert origins.created(agent) == ""
    key = origins.key("tic_tac_toe", ("random", "r@3"), 7, "random:1")
    assert key.created == ("", run.info.created)
    assert origins.are_of(key)
    assert origins.are_of(key.not_dated())
    assert not origins.are_of(replace(key, created=("", LONG_AGO)))


@pytest.mark.parametrize(("created", "games"), [("today", 8), ("", 8), (LONG_AGO, 0)])
def test_a_ladder_leaves_out_games_of_a_run_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, created: str, games: int
) -> None:
    use_skilled_players(monkeypatch)
    one, other = make_run(tmp_path, "a", 10), make_run(tmp_path, "b", 10)
    dates = (one.info.created, other.info.created if created == "today" else created)
    key = MatchKey("tic_tac_toe", ("a@10:sims=64", "b@10:sims=64"), 0, "random:3", dates)
    MatchLog(one.files, key).write(WINS)
    ladder = make_ladder(tmp_path, "a", "b", games=64)
    assert ladder.results.games_and_score("a@10:sims=64")[0] == games
    assert any(ladder.play())
    assert {key.created for key, _ in read_matches(one.files) if any(key.created)} <= {
        dates,
        (one.info.created, other.info.created),
    }


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(("created", "pairs"), [("today", 4), ("", 4), (LONG_AGO, 0)])
def test_a_ladder_of_teams_does_too(tmp_path: Path, created: str, pairs: int) -> None:
    one, other = (team_games.make_run(tmp_path, name, 2) for name in ("a", "b"))
    dates = (one.info.created, other.info.created if created == "today" else created)
    MatchLog(one.files, MatchKey("toy", ("a@2", "b@2"), 0, SEEDS, dates)).write(WINS)
    ladder = TeamLadder(team_games.TOY, str(tmp_path), [one, other], TeamLadderSettings(games=16))
    assert ladder.results.pairs("a@2", "b@2") == pairs
    assert [*ladder.play()][-1].finished
    assert ladder.results.pairs("a@2", "b@2") == 8


def test_a_match_is_played_again_with_the_next_run_of_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["match", "tic_tac_toe", "a:sims=8", "b:sims=8", "--games", "4", "--json"]

    def resumed() -> int:
        assert ludens.main([*words, "--store", str(tmp_path)]) == 0
        found: int = json.loads(capsys.readouterr().out)["resumed_games"]
        return found

    made(tmp_path, "a")
    made(tmp_path, "b")
    assert [resumed(), resumed()] == [0, 4]
    shutil.rmtree(tmp_path / "b")
    monkeypatch.setattr(store.run, "datetime", SimpleNamespace(now=lambda zone: LATER))
    made(tmp_path, "b")
    assert [resumed(), resumed()] == [0, 4]
