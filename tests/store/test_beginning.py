"""A run that begins with a checkpoint is there as a whole, or not at all."""

from pathlib import Path
from typing import Any

import pytest

from store import beginning, checkpoints
from store.beginning import begin_run
from store.checkpoints import MODEL_FILE, Checkpoint
from store.errors import RunExistsError
from store.run import RUN_FILE, create_run, list_runs, open_run

SAVED = Checkpoint(7, {MODEL_FILE: b"weights"}, {"cursor": {}})
INFO: dict[str, Any] = {"game": "toy", "config": {"minutes": 1}, "seed": 0, "versions": {}}


def test_a_run_begins_with_its_checkpoint(tmp_path: Path) -> None:
    run = begin_run(tmp_path, "r", SAVED, algorithm="ppo", **INFO)
    assert checkpoints.latest_valid(run) == SAVED
    assert open_run(tmp_path, "r").info.algorithm == "ppo"
    with pytest.raises(RunExistsError, match="run 'r' exists already"):
        begin_run(tmp_path, "r", SAVED, **INFO)
    assert checkpoints.latest_valid(open_run(tmp_path, "r")) == SAVED


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_beginning_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(beginning, "create_run", fail)
    with pytest.raises(error):
        begin_run(tmp_path, "r", SAVED, **INFO)
    assert list_runs(tmp_path) == []
    assert create_run(tmp_path, "r", **INFO).is_new
    open_run(tmp_path, "r").files.remove(RUN_FILE)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "lock" not in path.name]


def test_what_a_killed_beginning_left_is_no_part_of_the_next(tmp_path: Path) -> None:
    run = begin_run(tmp_path, "r", SAVED, **INFO)
    run.files.remove(RUN_FILE)  # as if it had been killed before this was written
    other = Checkpoint(3, {MODEL_FILE: b"other weights"}, {"cursor": {}})
    begun = begin_run(tmp_path, "r", other, **INFO)
    assert checkpoints.steps(begun) == [3]
    assert checkpoints.latest_valid(begun) == other
