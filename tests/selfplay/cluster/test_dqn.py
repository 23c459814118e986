"""DQN on a real Ray: workers share a ladder, the ratio of samples holds, and streams never mix."""

from __future__ import annotations

import math
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.cores import allowed_cores
from agents.dqn.algorithm import DQN_FAMILY
from agents.dqn.config import DQNConfig
from agents.progress import Progress
from configs.loader import load_config_of
from selfplay.cluster.runs import train_at_once
from selfplay.loop import train
from selfplay.trainer import Trainer
from store import checkpoints
from store.memory.frames import ERROR
from store.replay.episodes import EpisodeBatch
from store.replay.log import ReplayLog
from store.run import open_run
from tests.selfplay.cluster.local_ray import local_ray

RUN = "pole"
ENVIRONMENTS = 3
CONFIG = load_config_of(
    DQNConfig,
    "dqn",
    {
        "minutes": "0",
        "games": "400",
        "workers": "2",
        "checkpoint_minutes": "0.02",
        "network.hidden": "16",
        "target.n_steps": "3",
        "learner.passes": "4",
        "learner.start_rows": "500",
        "learner.learning_rate": "1e-9",  # games stay short
        "exploration.final_epsilon": "0.4",
        "exploration.ladder": "7",
        "replay.rows": "4000",
        "replay.priority_exponent": "0.6",
        "replay.first_priority": "actors",
        "environment.environments": str(ENVIRONMENTS),
        "cluster.segment_rows": "120",
        "keep_all": "true",
        "device": "cpu",
    },
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with local_ray(3):
        yield


def stages(
    store: Path, config: DQNConfig, on: Callable[[Progress], None] = lambda progress: None
) -> list[Progress]:
    found = []
    for progress in train(config, store_url=str(store), run_name=RUN):
        found.append(progress)
        on(progress)
    return found


def kill_one(name: str) -> None:
    """Kill an actor of a class that this process started: a child of the raylet, which is ours."""
    found = subprocess.run(["pgrep", "-f", f"^ray::{name}"], capture_output=True, text=True)
    ours = [pid for pid in map(int, found.stdout.split()) if os.getpid() in ancestors(pid)]
    os.kill(ours[0], signal.SIGKILL)


def ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        yield pid


def stored(store: Path) -> list[EpisodeBatch]:
    log = ReplayLog(open_run(str(store), RUN), DQN_FAMILY.schema(CONFIG))
    batches = log.poll()
    assert log.duplicates_dropped == 0
    return batches


def assert_streams_are_whole(store: Path) -> None:
    """Each writer has streams of its own, whose pieces follow each other without a gap."""
    at: dict[int, tuple[int, int]] = {}  # the next piece of a stream: episode, first step
    for batch in stored(store):
        names = (batch.values[name].tolist() for name in ("stream", "episode", "first_step"))
        ended, steps = batch.values["ending"] != 0, batch.lengths("action")
        for i, (stream, episode, first) in enumerate(zip(*names, strict=True)):
            assert at.get(stream, (0, 0)) == (episode, first)
            at[stream] = (episode + 1, 0) if ended[i] else (episode, first + int(steps[i]))
    assert len(at) == ENVIRONMENTS * len(writers(store))


def writers(store: Path) -> list[str]:
    return sorted(path.name for path in (store / RUN / "replay").iterdir())


def assert_the_ratio_holds(store: Path, last: Progress) -> None:
    """learner steps x batch = passes x rows, but for what workers may be ahead."""
    rows = sum(batch.rows("action") for batch in stored(store))
    run = open_run(str(store), RUN)
    with run.lock_trainer():
        trainer = Trainer(run, CONFIG)
    assert trainer.learner.rows_added == rows
    after_start = rows - CONFIG.learner.start_rows
    trained = trainer.learner.steps * CONFIG.learner.batch_size
    assert trainer.learner.steps == last.learner_steps
    assert trainer.limiter.credit == CONFIG.learner.passes * after_start - trained
    ahead = after_start - trained / CONFIG.learner.passes
    segments = 2 * CONFIG.workers * (CONFIG.cluster.segment_rows + ENVIRONMENTS)
    assert abs(ahead) <= CONFIG.replay.rows // 8 + segments
    assert trainer.learner.ring.check_valid() == (True, "")


def assert_scores_are_of_some_games(last: Progress) -> None:
    score, greedy = last.metrics["score"], last.metrics["greedy_score"]
    assert score is not None
    assert greedy is not None
    assert 5.0 < greedy < 500.0
    assert not math.isclose(score, greedy)  # of one environment in six, and of all


@pytest.mark.slow
def test_a_worker_is_killed_and_the_run_goes_on_and_is_resumed(
    cluster: None, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill(progress: Progress) -> None:
        if not killed and progress.learner_steps > 20:
            killed.append(progress.games)
            kill_one("Worker")

    before = stages(tmp_path, CONFIG, kill)
    assert killed
    notices = [notice for progress in before for notice in progress.notices]
    assert any(notice.startswith("worker") and "replaced" in notice for notice in notices)
    assert before[-1].games >= CONFIG.games
    assert_streams_are_whole(tmp_path)
    assert_the_ratio_holds(tmp_path, before[-1])
    assert_scores_are_of_some_games(before[-1])
    earlier = writers(tmp_path)
    after = stages(tmp_path, replace(CONFIG, games=before[-1].games + 100))
    assert after[-1].learner_steps > before[-1].learner_steps
    assert set(writers(tmp_path)) > set(earlier)  # none of before goes on
    assert_streams_are_whole(tmp_path)
    assert_the_ratio_holds(tmp_path, after[-1])
    errors = np.concatenate([batch.values[ERROR] for batch in stored(tmp_path)])
    assert np.isfinite(errors).mean() > 0.9  # the others are of games that were cut off


# --- a sweep's runs at once -----------------------------------------------------------------------

ALONE = replace(CONFIG, workers=0, games=80, checkpoint_rows=500)
SWEEP = {"a": ALONE, "b": replace(ALONE, seed=1), "c": replace(ALONE, seed=2)}


def facts() -> dict[str, Any]:
    return {"cores": allowed_cores()}


class Sweep:
    """Train three runs on three cores; `on` gets each answer, and stops them by returning True."""

    def __init__(self, store: Path, configs: Mapping[str, DQNConfig] = SWEEP) -> None:
        self.store = store
        self.configs = configs
        self.notices: list[str] = []
        self.stopped = False
        self.last: dict[str, Progress] = {}

    def train(self, on: Callable[[], bool] = lambda: False) -> None:
        stages = train_at_once(
            self.configs,
            store_url=str(self.store),
            cores=1,
            facts=facts,
            say=self.notices.append,
            stop=lambda: self.stopped,
        )
        for run, progress in stages:
            assert progress.policy is None
            self.last[run] = progress
            self.stopped = self.stopped or on()

    def all_have(self, what: Callable[[Progress], bool]) -> bool:
        return len(self.last) == len(self.configs) and all(map(what, self.last.values()))

    def assert_saved(self) -> None:
        for run, progress in self.last.items():
            assert progress.event == "finished"  # for now
            newest = checkpoints.latest_valid(open_run(str(self.store), run))
            assert newest is not None
            assert newest.step == progress.learner_steps > 0


@pytest.mark.slow
def test_runs_at_once_are_those_of_each_alone(cluster: None, tmp_path: Path) -> None:
    sweep = Sweep(tmp_path / "sweep")
    sweep.train()
    assert sweep.notices == []
    for run, config in SWEEP.items():
        assert sweep.last[run].event == "finished"
        assert sweep.last[run].games >= config.games
    *_, alone = train(SWEEP["b"], store_url=str(tmp_path), run_name="b")
    same = ("games", "positions", "learner_steps")
    assert [getattr(sweep.last["b"], n) for n in same] == [getattr(alone, n) for n in same]
    assert sweep.last["b"].metrics["loss"] == alone.metrics["loss"]
    again = Sweep(sweep.store)
    again.train()  # each has all it needs, and says so
    assert {run: p.positions for run, p in again.last.items()} == {
        run: p.positions for run, p in sweep.last.items()
    }


@pytest.mark.slow
def test_runs_at_once_are_stopped_killed_and_go_on(cluster: None, tmp_path: Path) -> None:
    endless = {name: replace(config, games=10**6) for name, config in SWEEP.items()}
    first = Sweep(tmp_path, endless)
    first.train(lambda: first.all_have(lambda p: p.learner_steps > 20))
    assert first.stopped
    first.assert_saved()
    killed: list[bool] = []

    def kill() -> bool:
        if not killed and second.all_have(lambda p: p.event != "compiling"):
            killed.append(True)
            second.last.clear()
            kill_one("RunNode")
        failed = any("failed" in notice for notice in second.notices)
        return failed and len(second.last) == 3 and all(map(has_gone_on, second.last))

    def has_gone_on(run: str) -> bool:
        return second.last[run].learner_steps > first.last[run].learner_steps

    second = Sweep(tmp_path, endless)
    second.train(kill)
    assert any("failed" in notice and "goes on" in notice for notice in second.notices)
    second.assert_saved()
    for run, progress in second.last.items():
        assert progress.positions > first.last[run].positions
        assert progress.learner_steps > first.last[run].learner_steps


def test_what_cannot_train_at_once_is_refused(tmp_path: Path) -> None:
    for config, message in (
        (replace(ALONE, games=0), "expected a budget"),
        (replace(ALONE, workers=2), "workers = 2: expected 0"),
    ):
        stages = train_at_once(
            {"a": config}, store_url=str(tmp_path), cores=1, facts=facts, say=print
        )
        with pytest.raises(ValueError, match=f"run 'a': {message}"):
            next(stages)
