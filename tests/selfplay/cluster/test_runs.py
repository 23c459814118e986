"""A run that trains beside others, without Ray: what its process does when a stretch fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.cores import CORES_VARIABLE
from agents.progress import Progress
from agents.training import TrainConfig
from selfplay.cluster import runs
from selfplay.cluster.runs import RunNode, train_at_once
from store.errors import StoreWriteError
from tests.arena.journals import stage


def test_after_a_full_disk_it_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []

    def train(*_: Any, **given: Any) -> Iterator[Progress]:
        begun.append(given["changed_game"])
        yield stage(1.0, event="learned")
        if len(begun) == 1:
            raise StoreWriteError("no room", 28)
        yield stage(2.0, event="finished")

    monkeypatch.setattr(runs, "train", train)
    monkeypatch.setenv(CORES_VARIABLE, "1")  # which a node sets for its process
    config = TrainConfig(game="tic_tac_toe", minutes=1)
    node = RunNode(str(tmp_path), "r", config, 1, dict, changed_game=True)
    with pytest.raises(StoreWriteError, match="no room"):
        node.advance(stop=False)
    assert node.advance(stop=False).progress.event == "finished"
    assert begun == [True, True]


def test_a_run_without_an_end_is_refused_and_one_of_rows_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = TrainConfig(game="tic_tac_toe", minutes=0)

    def begin(config: TrainConfig) -> None:
        stages = train_at_once(
            {"a": config}, store_url=str(tmp_path), cores=1, facts=dict, say=print
        )
        next(stages)

    with pytest.raises(ValueError, match="run 'a': expected a budget in minutes, games or rows"):
        begin(endless)

    class ReachedError(Exception):
        pass

    def connected(*_: Any, **__: Any) -> Any:
        raise ReachedError

    monkeypatch.setattr(runs, "connected", connected)
    with pytest.raises(ReachedError):
        begin(replace(endless, rows=100))
