"""Two writers and a learner killed at any moment: what resumes is what was lost.

All but the rows of pieces that were not committed: the ring by the keys of its rows, priorities,
generators, the samples an insert, and the rows that the exploration schedule goes by.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.dqn.algorithm import DQN_FAMILY
from agents.dqn.schedules import epsilon_at
from selfplay.trainer import Trainer
from store.memory.frames import GOES_ON, TERMINATED
from store.replay.episodes import EpisodeBatch
from store.replay.log import ReplayLog
from store.run import Run
from tests.selfplay.killed_writers import (
    CONFIG,
    ENVIRONMENTS,
    STACK,
    STEPS,
    Kennel,
    Trial,
    opened,
    portrait,
    reward_of,
    trainer_counters,
)

Key = tuple[int, int, int]  # environment, episode, step


@pytest.fixture(scope="module")
def kennel() -> Iterator[Kennel]:
    found = Kennel()
    yield found
    found.close()


def stored(run: Run) -> list[EpisodeBatch]:
    log = ReplayLog(run, DQN_FAMILY.schema(CONFIG))
    batches = log.poll()
    assert log.duplicates_dropped == 0
    return batches


def assert_resumed_as_it_was(store: Path) -> int:
    """Check all that a resumed trainer has; return the steps of its checkpoint, -1 without one."""
    run = opened(store)
    with run.lock_trainer():
        trainer = Trainer(run, CONFIG)
        if trainer.checkpoint is not None:
            lost = json.loads(Path(f"{store}.portrait-{trainer.saved_step}").read_text())
            assert trainer.saved["counters"] == {"rows": lost.pop("counted")}
            assert portrait(trainer) == lost
        counters = trainer_counters(trainer)
        assert_ratio_and_schedule(run, trainer, counters)
        assert_the_ring_is_of_stored_rows(run, trainer)
        assert_no_transition_bridges_a_gap(trainer)
        assert_everything_noted_is_there(store, trainer)
    return trainer.saved_step


def assert_ratio_and_schedule(run: Run, trainer: Trainer, counters: dict[str, int]) -> None:
    rows = sum(batch.rows("action") for batch in stored(run))
    assert trainer.learner.rows_added == rows
    earned = CONFIG.learner.passes * max(0, rows - CONFIG.learner.start_rows)
    spent = trainer.learner.steps * CONFIG.learner.batch_size
    assert trainer.limiter.credit == earned - spent
    assert counters["rows"] == rows
    assert epsilon_at(CONFIG, counters["rows"], 0.0) == epsilon_at(CONFIG, rows, 0.0)


def keys_of(frames: Any) -> list[Key]:
    return [(number, episode, step) for number, episode, step in frames.astype(int).tolist()]


def assert_the_ring_is_of_stored_rows(run: Run, trainer: Trainer) -> None:
    """Each row held is one that was committed, once, with its action and its reward."""
    known: dict[Key, tuple[int, float] | None] = {}
    streams: dict[int, int] = {}
    for batch in stored(run):
        frames, steps = batch.offsets["frame"].tolist(), batch.offsets["action"].tolist()
        for i in range(len(batch)):
            keys = keys_of(batch.values["frame"][frames[i] : frames[i + 1]])
            for place, key in enumerate(keys):
                assert key not in known
                at = steps[i] + place
                has_action = at < steps[i + 1]
                known[key] = (int(batch.values["action"][at]), 0.0) if has_action else None
            stream = int(batch.values["stream"][i])
            assert streams.setdefault(stream, keys[0][0]) == keys[0][0]  # never another's
    assert len(set(streams.values())) == len(streams)
    assert len(streams) % ENVIRONMENTS == 0
    learner: Any = trainer.learner
    rows = np.arange(learner.ring.ring.oldest, learner.ring.ring.total_added)
    held = learner.ring.steps_at(rows)
    keys = keys_of(learner.ring.ring.gather(rows, ["frame"])["frame"])
    assert len(set(keys)) == len(keys) == min(len(known), CONFIG.replay.rows)
    for key, acted, action, reward in zip(
        keys, held["acted"], held["action"], held["reward"], strict=True
    ):
        found = known[key]
        assert bool(acted) == (found is not None)
        if found is not None:
            assert (int(action), float(reward)) == (found[0], reward_of(key[2], found[0]))


def assert_no_transition_bridges_a_gap(trainer: Trainer) -> None:
    """What can be sampled is what the keys of the held rows say, and has their rewards."""
    learner: Any = trainer.learner
    ring = learner.ring
    assert ring.check_valid() == (True, "")
    rows = np.arange(ring.ring.oldest, ring.ring.total_added)
    if not len(rows):
        return
    columns = ring.steps_at(rows)
    keys = keys_of(ring.ring.gather(rows, ["frame"])["frame"])
    place = {key: i for i, key in enumerate(keys)}
    expected: dict[int, tuple[float, float]] = {}  # row: its return and discount
    for row, key in zip(rows.tolist(), keys, strict=True):
        target = target_of(key, place, columns)
        if target is not None:
            expected[row] = target
    assert rows[ring.can_sample(rows)].tolist() == list(expected)
    chosen = np.array(list(expected), np.int64)
    if not len(chosen):
        return
    drawn = ring.transitions(chosen, np.ones(len(chosen), np.float32))
    np.testing.assert_allclose(drawn.returns, [r for r, _ in expected.values()], rtol=1e-5)
    np.testing.assert_allclose(drawn.discounts, [d for _, d in expected.values()], rtol=1e-6)
    for i, row in enumerate(chosen.tolist()):
        number, episode, step = keys[row - int(rows[0])]
        stack = [(number, episode, at) if at >= 0 else (0, 0, 0) for at in before(step)]
        assert keys_of(drawn.stacks[i]) == stack
        if drawn.discounts[i]:
            after = [(number, episode, at) if at >= 0 else (0, 0, 0) for at in before(step + STEPS)]
            assert keys_of(drawn.next_stacks[i]) == after


def before(step: int) -> list[int]:
    return list(range(step - STACK + 1, step + 1))


def target_of(
    key: Key, place: dict[Key, int], columns: dict[str, Any]
) -> tuple[float, float] | None:
    """Return the n-step return and the discount from a row; None if rows are missing for them."""
    number, episode, step = key
    if any((number, episode, at) not in place for at in before(step) if at >= 0):
        return None
    total, gamma = 0.0, CONFIG.target.gamma
    for ahead in range(STEPS):
        at = place.get((number, episode, step + ahead))
        if at is None or not columns["acted"][at]:
            return None
        if (number, episode, step + ahead + 1) not in place:
            return None
        total += gamma**ahead * float(columns["reward"][at])
        if columns["ending"][at] == TERMINATED:
            return total, 0.0
        if columns["ending"][at] != GOES_ON and ahead < STEPS - 1:
            return None
    return total, gamma**STEPS


def assert_everything_noted_is_there(store: Path, trainer: Trainer) -> None:
    noted = Path(f"{store}.noted")
    for key in set(noted.read_text().splitlines() if noted.exists() else []):
        assert trainer.run.files.exists(key), f"lost: {key}"


def trials(count: int, seed: int) -> list[Trial]:
    """Random moments; a trial of one process ends with a kill of all, so that it counts as two."""
    rng = random.Random(seed)
    victims = ("all", "learner", "0", "1")
    return [
        Trial(
            victims[i % 4],
            (rng.randrange(100), rng.randrange(100)),
            (rng.random() * 0.05, rng.random() * 0.05),
        )
        for i in range(count)
    ]


def assert_kills_lose_nothing(kennel: Kennel, store: Path, moments: list[Trial]) -> list[int]:
    saved = []
    for trial in moments:
        kennel.run(store, trial)
        saved.append(assert_resumed_as_it_was(store))
    return saved


@pytest.mark.slow
def test_killed_at_some_moments_what_resumes_is_what_was_lost(
    kennel: Kennel, tmp_path: Path
) -> None:
    moments = [Trial("all", (80, 0)), Trial("learner", (20, 60)), Trial("0", (9, 60))]
    saved = assert_kills_lose_nothing(kennel, tmp_path / "store", moments)
    assert -1 < saved[0] < saved[-1]


@pytest.mark.slow
def test_killed_at_thirty_random_moments_what_resumes_is_what_was_lost(
    kennel: Kennel, tmp_path: Path
) -> None:
    moments, saved = trials(30, seed=10), []
    for first in range(0, len(moments), 6):  # a run's beginning has moments of its own
        store = tmp_path / str(first)
        saved += assert_kills_lose_nothing(kennel, store, moments[first : first + 6])
    assert len(Counter(saved)) > 10  # checkpoints, each resumed from
