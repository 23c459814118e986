"""The log of recorded matches: numbers over sessions and kills, its bound on disk, its reader."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.ppo.algorithm import PPO
from agents.ppo.config import PPOConfig, TrajectoriesConfig
from agents.running import episode_log
from agents.running.session import Session
from agents.running.trajectories import (
    NO_OPPONENT,
    Trajectory,
    TrajectoryLog,
    match_schema,
    stored_trajectories,
)
from envs.teams import ActionHead, TeamSpec
from store.checkpoints import MODEL_FILE
from store.errors import SchemaError
from store.memory.frames import GOES_ON, TERMINATED
from store.replay.episodes import Episode, EpisodeSchema
from store.replay.segments import SegmentWriter
from store.replay.walk import list_segments
from store.run import Run, create_run

SPEC = TeamSpec("t", "lanes", 2, 1, (3,), np.dtype(np.int8), (ActionHead("choice", 3),))
CONFIG = PPOConfig(minutes=0, rows=10**9, trajectories=TrajectoriesConfig(steps=100))


def arrays(steps: int = 10, ending: int = TERMINATED, first: int = 0) -> dict[str, Any]:
    """A trajectory of SPEC whose observations count its steps."""
    number = np.arange(first, first + steps)
    facts = {"worker": 0, "place": 0, "first_step": first, "opponent": NO_OPPONENT, "side": 0}
    zeros = np.zeros((steps, 2), np.float32)
    return {
        "present": np.ones((steps, 2), np.bool_),
        "policy_version": number // 5,
        "ending": np.array([ending], np.uint8),
        "observation": np.repeat(number, 6).reshape(steps, 2, 3).astype(np.int8),
        "action_mask": np.ones((steps, 2, 3), np.uint8),
        "action": np.zeros((steps, 2, 1), np.int32),
        **dict.fromkeys(("reward", "log_probability", "value"), zeros),
        **{f"fact.{name}": np.array([fact]) for name, fact in facts.items()},
        "fact.newest": np.ones((1, 2), np.bool_),
        "fact.scores": np.array([[1, 0]], np.float32),
        "fact.end_value": np.zeros((1, 2), np.float32),
        "fact.seed": np.array([5], np.uint64),
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(
        tmp_path, "r", game="lanes_1v1", algorithm="ppo", config={}, seed=0, versions={}
    )


class Going:
    """A session of a run, which makes a checkpoint on request."""

    def __init__(self, run: Run, config: PPOConfig = CONFIG) -> None:
        self.session = Session(run, config, PPO)
        self.log = TrajectoryLog(run, self.session.open_episodes(match_schema(SPEC)))

    def save(self) -> None:
        self.session.note(self.session.steps + 1, {})
        self.session.save({MODEL_FILE: b"weights"})


def numbers(run: Run) -> list[int]:
    return [found.number for found in stored_trajectories(run)]


def test_matches_wait_for_a_checkpoint_or_for_a_segment_to_fill(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = Going(run)
    going.log.add([arrays(), arrays()])
    assert numbers(run) == []
    going.save()
    assert numbers(run) == [2, 1]
    monkeypatch.setattr(episode_log, "SEGMENT_BYTES", 1000)
    going.log.add([arrays(), arrays(), arrays()])
    assert numbers(run) == [4, 3, 2, 1]  # two fill a segment, and the third waits
    assert len(list_segments(run.files)) == 2


def test_a_stored_match_is_what_was_added(run: Run) -> None:
    going = Going(run)
    going.log.add([arrays(12), arrays(7, GOES_ON, first=64)])
    going.save()
    piece, whole = stored_trajectories(run)
    for name, array in arrays(12).items():
        np.testing.assert_array_equal(whole.arrays[name], array)
    assert whole.to_json() == {
        **{"number": 1, "recorded": whole.recorded, "version": (0, 2), "first_step": 0},
        **{"steps": 12, "ending": "ended", "scores": [1.0, 0.0], "opponent": None},
        **{"side": None, "worker": 0, "place": 0, "seed": 5},
    }
    assert (piece.first_step, piece.scores, piece.ending) == (64, None, "goes on")


def test_numbers_go_on_after_a_kill_and_only_what_waited_is_lost(run: Run) -> None:
    going = Going(run)
    going.log.add([arrays()])
    going.save()
    going.log.add([arrays()])
    going.log._episodes.commit()  # a segment was full
    going.log.add([arrays()])  # and it is killed
    resumed = Going(run)
    assert numbers(run) == [2, 1]
    resumed.log.add([arrays()])
    resumed.save()
    assert numbers(run) == [3, 2, 1]


@pytest.mark.parametrize("killed", [False, True])
def test_the_disk_is_bound_over_many_short_sessions(run: Run, killed: bool) -> None:
    for number in range(30):
        going = Going(run)
        going.log.add([arrays(20)])
        if killed and number % 2:
            going.log._episodes.commit()
        else:
            going.save()
    found = numbers(run)
    assert found == [*range(30, 30 - len(found), -1)]  # the newest, without gaps
    assert 100 <= 20 * len(found) <= 100 + 12 * 20  # what stays, and 5 checkpoints


def test_all_stays_if_all_is_to_be_kept(run: Run) -> None:
    for _ in range(12):
        going = Going(run, replace(CONFIG, keep_all=True))
        going.log.add([arrays(20)])
        going.save()
    assert len(numbers(run)) == 12


def test_other_episodes_are_passed_over_and_wrong_ones_with_a_warning(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    going = Going(run)
    going.log.add([arrays()])
    going.save()
    other = EpisodeSchema("other/1", {"present": (np.dtype(np.bool_), (2,))})
    writer = SegmentWriter(run, other)
    writer.append(Episode(bytes(16), {"present": np.ones((1, 2), np.bool_)}))
    writer.commit()
    wrong = {**arrays(), "fact.number": np.array([2**62])}
    writer = SegmentWriter(run, match_schema(SPEC))
    writer.append(Episode(bytes(16), wrong))
    writer.commit()
    with caplog.at_level(logging.WARNING):
        assert numbers(run) == [1]
    assert caplog.text.count("is passed over: a trajectory of the number") == 1
    assert Going(run).log._number == 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"reward": np.zeros((3, 2), np.float32)}, "different lengths"),
        ({"fact.side": np.zeros(0, np.int64)}, "other facts"),
        ({"fact.seed": np.zeros(2, np.uint64)}, "other facts"),
        ({"ending": np.array([9], np.uint8)}, "ending 9"),
        ({"fact.number": np.array([0])}, "the number 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(wrong: dict[str, Any], told: str) -> None:
    right = {**arrays(), "fact.number": np.array([1])}
    Trajectory(right, 0.0)
    with pytest.raises(SchemaError, match=told):
        Trajectory({**right, **wrong}, 0.0)
