"""A training on a real Ray: it ends as one in a single process, whoever is killed on the way."""

import gc
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import ray

from agents.alphazero.config import AlphaZeroConfig, LearnerConfig, NetworkConfig, SelfPlayConfig
from agents.alphazero.episodes import SCHEMA
from agents.metrics import RecentCounters
from agents.training import ClusterConfig
from mcts.config import SearchConfig
from selfplay.cluster import driver, placement
from selfplay.cluster.driver import ClusterTraining
from selfplay.cluster.placement import PlacementError
from selfplay.cluster.ray_session import worker_environment
from selfplay.cluster.supervision import CrashLoopError
from selfplay.loop import train
from selfplay.package_check import ROOT
from store import checkpoints
from store.errors import RunLockedError
from store.replay.log import ReplayLog
from store.run import open_run
from tests.selfplay.cluster.local_ray import local_ray

CONFIG = AlphaZeroConfig(
    game="tic_tac_toe",
    minutes=0,
    games=3000,
    workers=2,
    publish_rows=512,
    device="cpu",
    checkpoint_minutes=0.05,
    search=SearchConfig(simulations=16, lookahead=1, cache_size=256),
    network=NetworkConfig(1, 8, 4, 8, precision="float32"),
    learner=LearnerConfig(batch_size=64, window_rows=20_000, window_start_rows=500),
    selfplay=SelfPlayConfig(games=16, shards=2, fast_simulations=6, opening_plies=3),
    cluster=ClusterConfig(segment_rows=256),
)

# To start an actor costs several seconds of a core, most of what these tests take.
LONG = replace(CONFIG, games=60_000)  # a test stops it when what it waits for has come


@pytest.fixture(scope="module")
def cluster():
    """One Ray for these tests; it has room for a learner and three workers."""
    with local_ray(4):
        yield


def _processes(name):
    """Process ids of the Ray actors of a class that this process has started."""
    found = subprocess.run(["pgrep", "-f", f"^ray::{name}"], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split() if _is_ours(int(pid))]


def _is_ours(pid):
    while pid > 1:
        if pid == os.getpid():
            return True
        stat = Path(f"/proc/{pid}/stat").read_text()
        pid = int(stat.rpartition(")")[2].split()[1])
    return False


def _train(store, config=CONFIG, on=lambda progress: None, stop=lambda: False):
    """The last stage and all notices of a training; `on` is told of every stage."""
    notices = []
    for last in train(config, store_url=str(store), run_name="run", stop=stop):
        notices += last.notices
        on(last)
    return last, notices


def _check_store(store, last):
    """Every game that was reported is in the store, and none is there twice."""
    run = open_run(str(store), "run")
    log = ReplayLog(run, SCHEMA)
    uuids = np.concatenate([batch.uuids for batch in log.poll()])
    assert log.duplicates_dropped == 0
    assert len(uuids) >= last.games
    assert checkpoints.latest_valid(run).step == last.learner_steps
    return len(uuids)


@pytest.mark.slow
def test_two_workers_train_to_the_end_of_their_budget_and_go_on(cluster, tmp_path):
    last, notices = _train(tmp_path)
    assert last.event == "finished"
    assert last.games >= 3000
    assert last.learner_steps > 30
    assert np.isfinite(last.metrics["policy_loss"])
    assert notices == []
    assert _check_store(tmp_path, last) == last.games  # all that finished was reported
    rows = last.positions + 2000
    again, _ = _train(tmp_path, replace(CONFIG, games=0, rows=rows, workers=1))
    assert (again.rows_goal, again.positions >= rows) == (rows, True)
    assert again.learner_steps > last.learner_steps
    _check_store(tmp_path, again)
    alone, _ = _train(tmp_path, replace(CONFIG, games=again.games + 200, workers=0))
    assert alone.games >= again.games + 200
    assert len(list((tmp_path / "run" / "replay").iterdir())) == 2 + 1 + 1
    _check_store(tmp_path, alone)


def test_means_of_the_newest_games_begin_where_a_resumed_run_has_come(monkeypatch):
    """The first report is made before the learner says what was before: else old games count."""
    for notice in ("extension_notice", "start_notice"):
        monkeypatch.setattr(driver, notice, lambda *_: ())
    training = Mock(learned=None, counts={}, notices=[], newest_games=RecentCounters())
    training.newest_games.add({})
    before = {"games": 10_000, "score": 50_000.0}
    saved = {"counters": before, "elapsed_s": 60.0}
    ClusterTraining._take_learned(training, Mock(saved=saved, trained=0, version=0))
    assert training.newest_games.add(training.counts) == {"games": 0, "score": 0.0}
    later = {"games": 10_050, "score": 50_000.0 + 50 * 300.0}
    assert training.newest_games.add(later) == {"games": 50, "score": 15_000.0}


@pytest.mark.slow
def test_killed_actors_are_replaced_and_nothing_reported_is_lost(cluster, tmp_path):
    steps, heard, healed = {}, [], []  # steps of the learner when each was killed

    def kill(progress):
        heard.extend(progress.notices)
        if "Worker" not in steps and progress.games > 500 and progress.learner_steps > 0:
            steps["Worker"] = progress.learner_steps
            os.kill(_processes("Worker")[0], signal.SIGKILL)
        elif "LearnerNode" not in steps and _tells(heard, "worker") and progress.workers == 2:
            steps["LearnerNode"] = progress.learner_steps
            os.kill(_processes("LearnerNode")[0], signal.SIGKILL)
        elif _tells(heard, "the learner on ") and progress.event == "learned":
            healed.append(progress.learner_steps)

    last, notices = _train(tmp_path, LONG, kill, lambda: bool(healed))
    assert steps["LearnerNode"] > steps["Worker"]
    assert healed
    assert any(n.startswith("worker") and "died" in n and "replaced" in n for n in notices)
    assert any(n.startswith("the learner on ") and " died" in n for n in notices)
    _check_store(tmp_path, last)


def _tells(notices, who):
    """Whether one of the notices is of the death of a member."""
    return any(notice.startswith(who) and " died" in notice for notice in notices)


@pytest.mark.slow
def test_a_learner_without_a_core_is_given_that_of_a_worker(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("selfplay.cluster.driver.UNPLACED_S", 1.0)
    everywhere = ray.remote(num_cpus=1)(_Idle)
    blocker, steps, resumed = [], [], []

    def block(progress):
        if not blocker and progress.games > 1000:
            steps.append(progress.learner_steps)
            blocker.append(everywhere.remote())  # gets the first core that is free
            os.kill(_processes("LearnerNode")[0], signal.SIGKILL)
        if blocker and progress.event == "learned":
            resumed.append(progress.workers)

    waiting = replace(CONFIG.cluster, backlog_rows=4096)  # without a learner the workers stop
    config = replace(CONFIG, games=6000, workers=3, cluster=waiting)
    last, notices = _train(tmp_path, config, block)
    ray.kill(blocker[0])
    assert any("gives its place to the learner" in notice for notice in notices)
    assert last.learner_steps > steps[0]
    assert resumed[-1] == 2  # the third has no place any more
    _check_store(tmp_path, last)


class _Idle:
    """An actor that only takes its core."""


@pytest.mark.slow
def test_an_inference_actor_serves_all_workers_and_may_die(cluster, tmp_path):
    shared = replace(CONFIG.cluster, inference_actors=1, inference_gpus=0.0)
    killed = []

    def kill(progress):
        if not killed and progress.games > 300:
            killed.append(1)
            os.kill(_processes("InferenceServer")[0], signal.SIGKILL)

    last, _ = _train(tmp_path, replace(CONFIG, games=1500, cluster=shared), kill)
    assert killed
    assert last.learner_steps > 10
    _check_store(tmp_path, last)
    steps = {
        int(step)
        for batch in ReplayLog(open_run(str(tmp_path), "run"), SCHEMA).poll()
        for step in batch.values["network_step"]
    }
    assert len(steps) > 1  # new weights reached the games


@pytest.mark.slow
def test_an_inference_actor_that_no_node_can_take_ends_the_training_with_the_reason(
    cluster, tmp_path, monkeypatch
):
    monkeypatch.setattr(placement, "UNPLACED_S", 0.0)
    asking = replace(CONFIG.cluster, inference_actors=1, inference_timeout_s=2.0)
    seen = []
    with pytest.raises(PlacementError, match="no node of the cluster has 1 GPU"):
        _train(tmp_path, replace(CONFIG, cluster=asking), seen.append)
    assert {progress.event for progress in seen} == {"compiling"}
    (notice,) = [notice for progress in seen for notice in progress.notices]
    assert notice.startswith("inference actor 0 has found no place")
    assert "no node of the cluster has 1 GPU" in notice


@pytest.mark.slow
def test_a_budget_shorter_than_the_start_trains_something_all_the_same(cluster, tmp_path):
    events = []
    config = replace(CONFIG, games=0, minutes=0.001)
    last, _ = _train(tmp_path, config, lambda progress: events.append(progress.event))
    assert events[0] == "compiling"
    assert events.index("started") > 0
    assert "compiling" not in events[events.index("started") :]
    assert last.learner_steps > 0
    again, _ = _train(tmp_path, config, lambda progress: events.append(progress.event))
    assert again.learner_steps == last.learner_steps  # used up before


@pytest.mark.slow
def test_a_second_training_of_the_run_is_refused(cluster, tmp_path):
    stages = train(CONFIG, store_url=str(tmp_path), run_name="run")
    for progress in stages:
        if progress.games:
            break
    with pytest.raises(RunLockedError, match="is being trained"):
        _train(tmp_path)
    stages.close()


@pytest.mark.slow
def test_workers_that_can_never_work_stop_the_training_with_the_reason(cluster, tmp_path):
    stages = train(CONFIG, store_url=str(tmp_path), run_name="run")
    next(stages)
    (tmp_path / "run" / "run.json").rename(tmp_path / "run" / "moved.json")
    with pytest.raises(CrashLoopError, match=r"failed [56] times in a row.*no run 'run'"):
        for _ in stages:
            pass


@pytest.mark.slow
def test_a_killed_driver_is_resumed_by_the_same_command(tmp_path):
    command = [sys.executable, str(ROOT / "ludens.py"), "train", "tic_tac_toe", "--workers", "2"]
    command += ["--minutes", "0", "--store", str(tmp_path), "--run", "run"]
    command += ["--checkpoint-minutes", "0.05", "--cluster.segment-rows", "512"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(
        [*command, "--games", "1000000"], env=environment, stdout=subprocess.PIPE, text=True
    )
    for line in first.stdout:
        games = int(line.split()[1].replace(",", "")) if " games " in line else 0
        if games > 2000:
            break
    acknowledged = games
    first.kill()
    first.wait()
    first.stdout.close()
    time.sleep(5)  # its Ray goes down with it
    more = acknowledged + 8_000
    done = subprocess.run(
        [*command, "--games", str(more)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    run = open_run(str(tmp_path), "run")
    log = ReplayLog(run, SCHEMA)
    assert sum(len(batch) for batch in log.poll()) >= more
    assert log.duplicates_dropped == 0
    assert not _processes("Worker")


@pytest.mark.slow
def test_a_node_is_lost_with_all_that_ran_on_it(tmp_path):
    from ray.cluster_utils import Cluster

    ray.shutdown()  # the Ray of the tests before, if they ran
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    lost = nodes.add_node(num_cpus=2)
    ray.init(
        address=nodes.address,
        runtime_env={"env_vars": worker_environment()},
        log_to_driver=False,
        logging_level="error",
    )
    state = {"removed": 0.0}

    def lose(progress):
        if not state["removed"] and progress.games > 1500:
            nodes.remove_node(lost)
            nodes.add_node(num_cpus=2)
            state["removed"] = progress.games

    try:
        last, notices = _train(tmp_path, replace(CONFIG, games=6_000), lose)
        assert state["removed"]
        assert sum("replaced" in notice for notice in notices) >= 2
        _check_store(tmp_path, last)
    finally:
        ray.shutdown()
        nodes.shutdown()
        with warnings.catch_warnings():  # Ray's test cluster leaves a socket to the collector
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
