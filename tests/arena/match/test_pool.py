"""Matches by a pool: whoever plays the batches, and in whatever order they end, nothing changes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ludens
from agents.alphazero.config import NetworkConfig
from agents.alphazero.network import build_network
from agents.players import ForfeitError, Player, RandomPlayer
from agents.torch_state import dump_state
from arena.match import workers
from arena.match.match import Match, MatchResult, play_match
from arena.match.openings import random_openings
from arena.match.pool import MatchPool
from arena.match.records import MatchKey, MatchLog
from arena.match.workers import LocalPool, RayPool
from arena.names import AgentNameError, find_agent
from arena.rating.sprt import Sprt
from envs.registry import find_game
from mcts.config import SearchConfig
from selfplay.cluster.ray_session import connected
from store import checkpoints
from store.files.local import LocalFiles
from store.run import create_run
from tests.arena.pools import ShuffledPool

GAME = find_game("tic_tac_toe")
ROOT = Path(ludens.__file__).parent
NAMES = ("mcts:20", "random")


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.match.match.PAIRS_AT_ONCE", 8)
    monkeypatch.setattr("arena.match.match.SPRT_PAIRS_AT_ONCE", 8)


def log_in(folder: Path) -> MatchLog:
    return MatchLog(LocalFiles(folder), MatchKey(GAME.name, NAMES, 3, "random:3"))


def match(pool: MatchPool | None = None, games: int = 150, **options: Any) -> MatchResult:
    first, second = (find_agent(name, GAME, "nowhere") for name in NAMES)
    return play_match(GAME, first, second, games, seed=3, pool=pool, **options)


def named(name: str) -> Player:
    player = RandomPlayer(GAME)
    player.name = name
    return player


# --- any order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [1, 3, 50])
def test_the_order_in_which_batches_end_changes_nothing(room: int, tmp_path: Path) -> None:
    pool = ShuffledPool(GAME, room)
    assert match(pool, log=log_in(tmp_path)) == match()
    assert (sorted(pool.played) == pool.played) == (room == 1)
    assert [b.first_pair for b in log_in(tmp_path).read()] == list(range(0, 75, 8))


def test_a_test_is_decided_by_the_batches_before_the_first_gap(tmp_path: Path) -> None:
    sprt = Sprt(100, 200)
    alone = match(games=2000, sprt=sprt)
    assert alone.sprt is not None
    assert alone.sprt.decision == "elo1"
    assert 32 < alone.total.games < 1000  # several batches, and far from all
    pool = ShuffledPool(GAME, 6)
    assert match(pool, games=2000, sprt=sprt, log=log_in(tmp_path)) == alone
    assert pool.cancelled
    recorded = log_in(tmp_path).read()
    assert sum(b.points.size for b in recorded) > alone.total.games  # over before it was known
    again = match(ShuffledPool(GAME, 6, plays=0), games=2000, sprt=sprt, log=log_in(tmp_path))
    assert replace(again, resumed_games=0) == alone
    assert again.resumed_games == alone.total.games


def test_the_gaps_of_a_match_that_was_cut_are_played_and_nothing_else(tmp_path: Path) -> None:
    cut = ShuffledPool(GAME, 5, plays=4)
    with pytest.raises(KeyboardInterrupt):
        match(cut, log=log_in(tmp_path))
    assert len(cut.cancelled) == 5
    gaps = log_in(tmp_path).gaps(75)
    assert len(gaps) > 1
    rest = ShuffledPool(GAME, 2)
    resumed = match(rest, log=log_in(tmp_path))
    assert resumed.resumed_games == 2 * 8 * 4
    assert sorted(cut.played + rest.played) == list(range(0, 75, 8))
    assert replace(resumed, resumed_games=0) == match()
    for path in sorted((tmp_path / "matches").iterdir())[1:6:2]:
        path.unlink()
    assert replace(match(log=log_in(tmp_path)), resumed_games=0) == match()  # without a pool too


def test_progress_counts_all_that_is_over(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    match(ShuffledPool(GAME, 3), games=40, report=lambda *numbers: told.append(numbers))
    assert told[0] in ((8, 40), (16, 40))
    assert told[-1] == (40, 40)
    assert told == sorted(told)


def test_an_agent_that_nobody_has_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(AgentNameError, match="no agent 'gone'") as raised:
        play_match(GAME, named("gone"), named("random"), 8, pool=LocalPool(GAME, str(tmp_path)))
    assert raised.value.__cause__ is None


# --- Ray ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One Ray of two cores for these tests."""
    with connected(cpus=2):
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run `r` with a tiny network at steps 3 and 7."""
    folder = tmp_path_factory.mktemp("runs")
    network = NetworkConfig(blocks=0, filters=4, head_filters=2, value_hidden=4)
    search = asdict(SearchConfig(simulations=8))
    config = {"game": GAME.name, "network": asdict(network), "search": search}
    run = create_run(folder, "r", game=GAME.name, config=config, seed=0, versions={})
    for step in (3, 7):
        weights = dump_state(build_network(GAME, network, seed=step).state_dict())
        checkpoints.save(run, step, {checkpoints.MODEL_FILE: weights})
    return folder


@contextmanager
def dying_once(marker: Path) -> Iterator[None]:
    """A guard that ends the process which enters it first."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        yield
        return
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def dying() -> Iterator[None]:
    os.kill(os.getpid(), signal.SIGKILL)
    yield


@pytest.mark.slow
def test_workers_play_the_same_games_though_one_dies(cluster: None, tmp_path: Path) -> None:
    guard = partial(dying_once, tmp_path / "dead")
    pool = RayPool(2, GAME.name, str(tmp_path), guard)
    assert match(pool, log=log_in(tmp_path)) == match()
    assert (tmp_path / "dead").exists()
    assert not pool.in_flight


@pytest.mark.slow
def test_the_command_says_the_same_with_workers(
    cluster: None, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["match", "tic_tac_toe", "r@3:sims=8", "r@7:sims=0", "--games", "60", "--json"]
    answers = []
    for more in ([], ["--workers", "2"]):
        assert ludens.main([*words, "--store", str(store), "--no-record", *more]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]
    assert ludens.main([*words, "--store", str(store), "--workers", "-1"]) == 2
    assert "--workers -1: expected 0 or more" in capsys.readouterr().err


@pytest.mark.slow
def test_a_checkpoint_that_is_gone_is_told_as_in_one_process(cluster: None, store: Path) -> None:
    errors = []
    for pool in (RayPool(2, GAME.name, str(store)), LocalPool(GAME, str(store))):
        with pytest.raises(AgentNameError, match="has no checkpoint 5; it has 3, 7") as raised:
            play_match(GAME, named("random"), named("r@5"), 40, pool=pool)
        errors.append(str(raised.value))
        assert not pool.in_flight
    assert errors[0] == errors[1]


@pytest.mark.slow
def test_a_ladder_climbs_with_workers(
    cluster: None, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["rate", "r", "--store", str(store), "--anchors", "random", "--simulations", "0"]
    words += ["--games", "320", "--width", "1", "--json", "--workers", "2"]
    assert ludens.main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["new_games"] == 320
    files = (store / "r/matches").iterdir()
    assert sum(len(json.loads(path.read_text())["points"]) for path in files) == 160


@pytest.mark.slow
def test_a_batch_of_which_every_worker_dies_is_named(
    cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.match.workers.RETRIES", 1)
    pool = RayPool(1, GAME.name, str(tmp_path), dying)
    told = "mcts:20 against random, pairs 0 to 7: no worker could play them, in up to 2 attempts: "
    with pytest.raises(ChildProcessError, match=told):
        match(pool)


@pytest.mark.slow
def test_ctrl_c_ends_a_match_soon_with_its_records(store: Path) -> None:
    words = ["match", "tic_tac_toe", "r@3:sims=200", "mcts:2000", "--games", "20000"]
    command = [sys.executable, str(ROOT / "ludens.py"), *words, "--store", str(store)]
    before = set((store / "r").glob("matches/*"))
    process = subprocess.Popen(
        [*command, "--workers", "2"], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and len(set((store / "r").glob("matches/*")) - before) < 3:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (130, "")
    assert len(set((store / "r").glob("matches/*")) - before) >= 3


def test_an_agent_that_forfeits_its_first_question_loses_a_game_and_not_the_match(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Forfeits(RandomPlayer):
        def choose(self, *_: Any) -> Any:
            raise ForfeitError(self.name, np.array([-1]), {0: "it resigned"})

    player = Forfeits(GAME)
    player.name = "gives up"
    monkeypatch.setattr(workers, "find_agent", lambda *_, **__: player)
    openings = random_openings(GAME, 0)
    planned = Match(MatchKey(GAME.name, ("gives up",) * 2, 0, openings.label), openings).plan(0, 1)
    workers.LoadedAgents(GAME, "nowhere").warm(planned)
