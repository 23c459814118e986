"""Curves for TensorBoard: how often a point is written, and which."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.alphazero.metrics import METRICS
from agents.progress import Progress
from selfplay.tensorboard_log import INTERVAL_S, TensorBoardLog
from tests.arena.journals import stage

Point = tuple[str, float, int]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Log:
    """A log of which each point is noted, as TensorBoard's writer gets it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.points: list[Point] = []
        self.clock = Clock()
        self.log = TensorBoardLog(str(folder), "r", METRICS, self.clock)
        writer = SimpleNamespace(add_scalar=lambda *point: self.points.append(point))
        monkeypatch.setattr(self.log, "_opened", writer)

    def show(self, event: str, step: int) -> None:
        shown: Progress = stage(60.0, event=event, learner_steps=step, measured=())
        self.log.show(shown)

    def steps(self, curve: str) -> list[int]:
        return [step for name, _, step in self.points if name == curve]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    return Log(tmp_path, monkeypatch)


def test_rounds_of_milliseconds_make_no_more_points_than_long_ones(log: Log) -> None:
    for step in range(2001):
        log.show("learned", step)
        log.clock.now += INTERVAL_S / 1024  # without rounding
    assert log.steps("loss/policy") == [0, 1024]


def test_the_end_is_written_and_what_is_between_two_rounds_is_not(log: Log) -> None:
    log.show("learned", 1)
    log.show("games", 1)
    log.show("published", 1)
    log.show("finished", 2)
    assert log.steps("loss/policy") == [1, 2]
