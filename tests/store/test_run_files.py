"""The names that a run's files can have are those that the program writes, and no others."""

import re
from pathlib import Path

import numpy as np
import pytest

from arena.evaluation.records import store_evaluation
from arena.match.records import Batch, MatchKey, MatchLog
from selfplay.loop import ACTOR_FILE
from selfplay.tensorboard_log import FOLDER
from selfplay.trainer import TRAINER_FILE
from store.checkpoints import MANIFEST_FILE, MODEL_FILE
from store.files.local import LocalFiles
from store.progress.log import ProgressWriter
from store.replay.walk import walk
from store.run_files import is_run_file
from store.upkeep.keeps import NotedBest, NotedScore, keep, note_best, note_best_score
from store.upkeep.ratings import NotedRatings, note_ratings
from tests.arena.evaluation.scripted import evaluation
from tests.store.small_runs import SmallRun


def test_what_a_run_writes_is_admitted(tmp_path):
    small = SmallRun(tmp_path)
    small.segment()
    small.checkpoint(7)
    key = MatchKey("tic_tac_toe", ("r@7", "random"), 0, "random-2")
    MatchLog(small.run.files, key).write(Batch(0, np.ones((2, 2), int), np.ones((2, 2), int)))
    store_evaluation(small.run.files, evaluation([1.0, 2.0]))
    progress = ProgressWriter(small.run.files, {"host": "x"})
    progress.append({"step": 1})
    progress.flush()
    keep(small.run, 7, "a-name")
    note_best(small.run.files, NotedBest(7, 4, 10.0, 5.0, 1))
    note_best_score(small.run.files, NotedScore(7, 30, 1.5, 0.5, "nature", 0.05, 1))
    note_ratings(small.run.files, NotedRatings(100, {"random": 0.0}, []))
    keys = list(walk(small.run.files))
    assert {key.partition("/")[0] for key in keys} == {
        *("run.json", "replay", "checkpoints", "matches", "evaluations", "progress", "kept")
    }
    assert [key for key in keys if not is_run_file(key)] == []
    for name in (MODEL_FILE, TRAINER_FILE, ACTOR_FILE, MANIFEST_FILE):
        assert is_run_file(f"checkpoints/000000007/{name}")


def test_a_log_of_tensorboard_is_admitted_by_the_name_that_it_writes(tmp_path):
    writer = pytest.importorskip("tensorboard.summary.writer.event_file_writer")
    writer.EventFileWriter(str(tmp_path / FOLDER)).close()
    (key,) = walk(LocalFiles(tmp_path))
    assert is_run_file(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "run.json/x",
        "run.JSON",
        "RUN.json",
        "x.py",
        "tensorboard/events.py",
        "tensorboard/events.out.tfevents.1.host.2.0.py",
        "tensorboard/__init__.py",
        "tensorboard/x/events.out.tfevents.1.host.2.0",
        "kept/x.json",
        "kept/000000007-a.py",
        "kept/000000007-.json",
        "evaluations/x.json",
        "evaluations/0123456789abcdef-7-1.json",
        "evaluations/0123456789abcdef-000000007-1.json.py",
        "matches/x.jsonl",
        "matches/0123456789abcdef-0000000-1.jsonl.py",
        "matches/0123456789abcdef-0000000-1.jsonl\n",
        "matches/\u0660123456789abcde-0000000-1.jsonl",
        "progress/20260101T000000-0123abcd/about.py",
        "progress/about.json",
        "checkpoints/000000001/__init__.py",
        "checkpoints/000000001/x.so",
        "checkpoints/000000001/../../x.pt",
        "checkpoints/1/model.safetensors",
        "replay/x/000000000-1-00000000.arrow",
        "replay/00000000000000000000000000000000/x.arrow",
        "holds/x.json",
        "quarantine/x",
        "trainer.lock",
        "../run.json",
        "/run.json",
        "./run.json",
    ],
)
def test_all_else_is_not(key):
    assert not is_run_file(key)


def test_no_admitted_file_is_one_that_python_or_a_shell_would_run():
    source = Path(is_run_file.__code__.co_filename).read_text()
    endings = set(re.findall(r"\\\.([a-z]+)", source))
    assert not endings & {"py", "pyc", "pyd", "so", "pth", "sh", "exe", "dll", "pkl", "pickle"}
