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

from agents.alphazero.episodes import SCHEMA
from agents.alphazero.shard import Shard
from selfplay.loop import train
from store import checkpoints
from store.replay.log import ReplayLog
from store.replay.walk import list_segments
from store.run import Run, open_run
from tests.selfplay.killed_run import (
    CONFIG,
    RUN,
    TIDIED,
    TIDIED_KEEPS,
    Kill,
    Nursery,
    Outcome,
    assert_acknowledged,
    assert_sound,
    contents,
    finish,
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


@pytest.mark.slow
def test_killed_again_and_again_it_loses_nothing(uncut: Uncut, tmp_path: Path) -> None:
    moments = [Kill(call=call) for call in (9, 40, 3)]
    assert kill_and_resume(uncut, tmp_path / "store", moments) == len(moments)


@pytest.mark.slow
def test_killed_at_fifty_moments_it_loses_nothing(uncut: Uncut, tmp_path: Path) -> None:
    assert_kills_lose_nothing(uncut, tmp_path, kills(uncut, by_call=30, by_time=20, seed=2))


# --- while it drops what nobody needs -------------------------------------------------------------


@pytest.fixture(scope="module")
def tidied(uncut: Uncut, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """The stores of one training that kept all and one that did not, and the latter's calls."""
    folder = tmp_path_factory.mktemp("tidied")
    finish(folder / "whole", replace(TIDIED, keep_all=True))
    outcome = uncut.nursery.train(folder / "tidied", tidied=True)
    return folder / "whole", folder / "tidied", outcome.calls


def assert_as_if_nothing_had_been_dropped(store: Path, whole: Path) -> None:
    """What is there is the same, and the newest checkpoints resume with the same games."""
    assert_sound(store)
    kept, everything = contents(store), contents(whole)
    assert kept.items() < everything.items()  # whose steps it does not have all
    run, other = open_run(store, RUN), open_run(whole, RUN)
    steps = checkpoints.steps(run)
    assert steps[-TIDIED_KEEPS:] == checkpoints.steps(other)[-TIDIED_KEEPS:]
    for step in steps[-TIDIED_KEEPS:]:
        assert _window(run, step) == _window(other, step)


def _window(run: Run, step: int) -> list[bytes]:
    log = ReplayLog(run, SCHEMA)
    cursor = checkpoints.read_metadata(run, step)["cursor"]
    rows = TIDIED.learner.window_rows
    return [batch.uuids.tobytes() for batch in log.load_newest(rows, "row_ply", cursor)]


def test_a_training_that_drops_what_nobody_needs_ends_the_same(
    tidied: tuple[Path, Path, int],
) -> None:
    whole, store, _ = tidied
    assert_as_if_nothing_had_been_dropped(store, whole)
    assert len(checkpoints.steps(open_run(store, RUN))) < len(
        checkpoints.steps(open_run(whole, RUN))
    )
    replays = [len(list_segments(open_run(s, RUN).files)) for s in (store, whole)]
    assert replays[0] < replays[1]


def assert_killed_while_dropping_goes_on(
    uncut: Uncut, tidied: tuple[Path, Path, int], folder: Path, count: int
) -> None:
    whole, _, calls = tidied
    for call in sample_of(calls, count, seed=4):
        store = folder / str(call)
        assert uncut.nursery.train(store, Kill(call=call), tidied=True).killed
        assert not uncut.nursery.train(store, tidied=True).killed
        assert_as_if_nothing_had_been_dropped(store, whole)


@pytest.mark.slow
def test_killed_at_some_moments_while_dropping_it_goes_on(
    uncut: Uncut, tidied: tuple[Path, Path, int], tmp_path: Path
) -> None:
    assert_killed_while_dropping_goes_on(uncut, tidied, tmp_path, 3)


@pytest.mark.slow
def test_killed_at_many_moments_while_dropping_it_goes_on(
    uncut: Uncut, tidied: tuple[Path, Path, int], tmp_path: Path
) -> None:
    assert_killed_while_dropping_goes_on(uncut, tidied, tmp_path, 15)


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
