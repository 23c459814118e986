"""Tabular Q-learning under the loop that AlphaZero uses: nothing of it names an algorithm."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import ludens
from agents.running.budget import Budget
from arena.names import find_agent
from selfplay import loop
from selfplay.journal import Journal
from selfplay.loop import train
from selfplay.package_check import ROOT
from selfplay.tensorboard_log import scalars
from store import checkpoints
from store.run import open_run
from store.upkeep.keeps import kept_names
from store.upkeep.minutes import at_minutes
from tests.selfplay.cluster.test_driver import cluster  # noqa: F401
from tests.selfplay.killed_run import RUN, contents
from tests.tabular import METRICS, Lake, QConfig, QLearning

CONFIG = QConfig(minutes=0, games=600, seed=5, checkpoint_rows=400)
STATES = np.arange(16)
SHORTEST = 6  # steps from the start to the goal of the 4x4 lake


def run_to_the_end(store, config=CONFIG):
    stages = list(train(config, store_url=str(store), run_name=RUN))
    return stages[-1]


def table_of(store):
    run = open_run(str(store), RUN)
    found = checkpoints.latest_valid(run)
    return checkpoints.tensors_from_bytes(found.files[checkpoints.MODEL_FILE])["q"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    store = tmp_path_factory.mktemp("lake")
    with Journal(str(store), RUN, {"cores": 2}) as journal:
        for stage in train(CONFIG, store_url=str(store), run_name=RUN):
            journal.show(stage)
    return store, stage


def test_checkpoints_are_kept_by_name_at_the_minutes_that_an_algorithm_asks_for(
    tmp_path, monkeypatch
):
    """Also where none would be due then by the clock; a run without a clock names what it saves."""
    monkeypatch.setattr(QLearning, "keep_minutes", (0.004, 0.01, 60.0))
    by_clock = replace(CONFIG, minutes=0.02, games=0, checkpoint_rows=0, checkpoint_minutes=60.0)
    now = [0.0]
    with monkeypatch.context() as patch:
        patch.setattr(loop, "Budget", partial(Budget, clock=lambda: now[0]))
        for _ in train(by_clock, store_url=str(tmp_path / "clock"), run_name=RUN):
            now[0] += 0.05
    kept = at_minutes(kept_names(open_run(str(tmp_path / "clock"), RUN).files))
    assert list(kept) == [0.004, 0.01]
    assert kept[0.004] < kept[0.01]
    for minutes, step in kept.items():
        saved = checkpoints.read_metadata(open_run(str(tmp_path / "clock"), RUN), step)
        assert saved["elapsed_s"] >= 60.0 * minutes
    run_to_the_end(tmp_path / "games", replace(CONFIG, games=50))
    assert 60.0 not in at_minutes(kept_names(open_run(str(tmp_path / "games"), RUN).files))


def test_a_budget_in_rows_ends_a_run_and_is_extended(tmp_path):
    """A game is a segment of rows here, so a run ends with the game that reaches its limit."""
    config = replace(CONFIG, games=0, rows=1000, checkpoint_rows=0)
    last = run_to_the_end(tmp_path / "a", config)
    assert 1000 <= last.positions < 1100
    assert (last.rows_goal, last.budget_is_used) == (1000, True)
    again = run_to_the_end(tmp_path / "b", config)
    assert (again.positions, again.games) == (last.positions, last.games)
    np.testing.assert_array_equal(table_of(tmp_path / "a"), table_of(tmp_path / "b"))
    assert run_to_the_end(tmp_path / "a", config).positions == last.positions  # used up before
    stages = list(train(replace(config, rows=1500), store_url=str(tmp_path / "a"), run_name=RUN))
    (told,) = [notice for stage in stages for notice in stage.notices]
    assert told.startswith("extended from 1,000 rows to 1,500 rows")
    assert 1500 <= stages[-1].positions < 1600


def test_it_learns_the_value_that_mathematics_has(trained):
    """One reward at the end: a state d steps from the goal is worth the discount to the d - 1."""
    store, last = trained
    value = table_of(store).max(axis=1)
    assert value[0] == pytest.approx(CONFIG.discount ** (SHORTEST - 1), abs=1e-3)
    assert value[14] == pytest.approx(1.0, abs=1e-3)
    assert last.games >= 600
    assert last.metrics["td_error"] < 0.05
    assert 0.0 < last.metrics["mean_return"] < 1.0
    curves = dict(scalars(last, METRICS))
    assert curves["loss/td_error"] == last.metrics["td_error"]


KILLED = """
import os, sys
from tests.tabular import QConfig
from selfplay.loop import train
config = QConfig(minutes=0, games=600, seed=5, checkpoint_rows=400)
for number, stage in enumerate(train(config, store_url=sys.argv[1], run_name=sys.argv[2])):
    if number == int(sys.argv[3]):
        os._exit(9)
"""


@pytest.mark.slow
def test_killed_and_resumed_it_is_bit_for_bit_the_same(tmp_path):
    run_to_the_end(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    for stages in (4, 11, 20):
        store = tmp_path / str(stages)
        command = [sys.executable, "-c", KILLED, str(store), RUN, str(stages)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        assert subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode == 9
        run_to_the_end(store)
        assert contents(store) == whole


@pytest.mark.slow
def test_workers_of_ray_train_it(cluster, tmp_path):  # noqa: F811
    config = replace(CONFIG, workers=2, cluster=replace(CONFIG.cluster, segment_rows=200))
    last = run_to_the_end(tmp_path, config)
    assert last.games >= 600
    assert last.workers_wanted == 2
    assert last.learner_steps > 50
    assert table_of(tmp_path).max() > 0.6


def test_every_command_shows_it(trained, capsys, tmp_path):
    store, last = trained

    def said(*words):
        assert ludens.main([*words, "--store", str(store)]) == 0
        return capsys.readouterr().out

    assert "FrozenLake-v1" in said("runs")
    watched = said("watch", RUN, "--once")
    assert f"{last.games:,} of 600 games" in watched
    assert "return a game" in watched
    assert "simulations" not in watched
    found = json.loads(said("watch", RUN, "--once", "--json"))
    assert found["progress"]["metrics"]["td_error"] == pytest.approx(
        last.metrics["td_error"], rel=1e-5
    )
    scores = json.loads(said("evaluate", RUN, "--games", "5", "--json"))
    assert (scores["environment"], scores["games"]) == ("FrozenLake-v1", 5)
    page = tmp_path / "page.html"
    said("report", RUN, "--out", str(page))
    assert "TD error" in page.read_text()
    assert "<h2>Scores</h2>" in page.read_text()


def test_it_is_an_agent_by_its_name(trained):
    store, _ = trained
    lake = Lake("FrozenLake-v1")
    player = find_agent(RUN, lake, str(store))
    state, _ = lake.made.reset(seed=1)
    for step in range(SHORTEST):
        (action,) = player.choose(np.array([state]), np.random.default_rng(step))
        state, reward, ended, _, _ = lake.made.step(int(action))
    assert (reward, ended) == (1.0, True)
    assert player.analyze(STATES).value_to_play[0] == pytest.approx(0.95**5, abs=1e-3)


def test_a_run_of_another_algorithm_is_refused(trained):
    from agents.alphazero.config import AlphaZeroConfig
    from store.errors import RunMismatchError

    store, _ = trained
    config = AlphaZeroConfig(game="tic_tac_toe")
    with pytest.raises(RunMismatchError, match="is of game 'FrozenLake-v1'"):
        next(train(config, store_url=str(store), run_name=RUN))
