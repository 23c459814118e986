"""A training killed at any moment and resumed: nothing acknowledged is lost, nothing is doubled.

The end is bit for bit that of the training that was never cut: every segment, every checkpoint.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from selfplay.games import Shard
from selfplay.loop import train
from tests.selfplay.killed_run import (
    CONFIG,
    RUN,
    Kill,
    Nursery,
    Outcome,
    assert_acknowledged,
    assert_sound,
    contents,
)
from tests.store.faulty_files import sample_of


@dataclass(frozen=True)
class Uncut:
    """The training that nobody killed."""

    nursery: Nursery
    outcome: Outcome
    contents: dict[str, str]


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uncut]:
    nursery = Nursery()
    store = tmp_path_factory.mktemp("uncut") / "store"
    outcome = nursery.train(store)
    assert not outcome.killed
    assert_sound(store)
    yield Uncut(nursery, outcome, contents(store))
    nursery.close()


def kills(uncut: Uncut, by_call: int, by_time: int, seed: int) -> list[Kill]:
    """Moments spread over the whole life of the training, among them torn writes."""
    rng = random.Random(seed)
    moments = [Kill(call=call) for call in sample_of(uncut.outcome.calls, by_call, seed)]
    part = uncut.outcome.seconds / max(by_time, 1)
    moments += [Kill(seconds=(i + rng.random()) * part) for i in range(by_time)]
    return moments


def kill_and_resume(uncut: Uncut, store: Path, moments: list[Kill]) -> int:
    """Kill at each moment in turn, then finish; how often it was still alive to be killed."""
    killed = 0
    acknowledged: list[str] = []
    for kill in moments:
        outcome = uncut.nursery.train(store, kill)
        killed += outcome.killed
        acknowledged += outcome.acknowledged
        assert_acknowledged(store, list(dict.fromkeys(acknowledged)))
    uncut.nursery.train(store)
    assert_sound(store)
    assert contents(store) == uncut.contents, f"cut at {moments}"
    return killed


def assert_kills_lose_nothing(uncut: Uncut, folder: Path, moments: list[Kill]) -> None:
    counts = [kill_and_resume(uncut, folder / str(i), [kill]) for i, kill in enumerate(moments)]
    by_call = sum(kill.call is not None for kill in moments)
    assert sum(counts[:by_call]) == by_call  # those by the clock may come after the end


def test_the_training_is_long_enough_to_be_cut(uncut: Uncut) -> None:
    segments = [a for a in uncut.outcome.acknowledged if a.startswith("replay/")]
    saved = [a for a in uncut.outcome.acknowledged if a.startswith("checkpoints/")]
    assert len(segments) >= 6
    assert len(saved) >= 3
    assert uncut.outcome.calls > 100


def test_killed_at_some_moments_it_loses_nothing(uncut: Uncut, tmp_path: Path) -> None:
    assert_kills_lose_nothing(uncut, tmp_path, kills(uncut, by_call=2, by_time=1, seed=1))


def test_killed_again_and_again_it_loses_nothing(uncut: Uncut, tmp_path: Path) -> None:
    moments = [Kill(call=call) for call in (9, 40, 3)]
    assert kill_and_resume(uncut, tmp_path / "store", moments) == len(moments)


@pytest.mark.slow
def test_killed_at_a_hundred_moments_it_loses_nothing(uncut: Uncut, tmp_path: Path) -> None:
    assert_kills_lose_nothing(uncut, tmp_path, kills(uncut, by_call=60, by_time=40, seed=2))


def test_which_shard_is_slower_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for slow in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(Shard, "advance", slowed(slow))
            store = tmp_path / str(slow)
            selfplay = replace(CONFIG.selfplay, shards=2)
            config = replace(CONFIG, games=20, selfplay=selfplay)
            for _ in train(config, store_url=str(store), run_name=RUN):
                pass
        ends.append(contents(store))
    assert ends[0] == ends[1]


def slowed(number: int) -> Any:
    """`Shard.advance`, late in one shard."""
    advance = Shard.advance

    def late(shard: Shard, *arguments: Any) -> Any:
        if shard.number == number:
            time.sleep(0.005)
        return advance(shard, *arguments)

    return late
