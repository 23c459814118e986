"""`ludens trajectories`: the table, arrays and replays of matches that a run recorded."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ludens
from agents.ppo.algorithm import PPO
from agents.ppo.config import (
    EnvironmentConfig,
    LearnerConfig,
    NetworkConfig,
    PoolConfig,
    PPOConfig,
    TrajectoriesConfig,
)
from agents.ppo.playing.sampler import Returns, Sampler
from agents.running.session import Session
from agents.running.trajectories import TrajectoryLog, match_schema, stored_trajectories
from arena.play.lanes.replay import read_replay, record_match
from arena.recording import trajectories
from arena.recording.trajectories import TrajectoryError, replay_of
from envs.lanes.batch import LanesVector
from store.checkpoints import MODEL_FILE
from store.run import Run, create_run

CONFIG = PPOConfig(
    game="lanes_1v1",
    network=NetworkConfig(units=4, hidden=8, layers=1, lstm=4),
    learner=LearnerConfig(rollout=64),
    pool=PoolConfig(latest=0.5),
    environment=EnvironmentConfig(matches=4),
    trajectories=TrajectoriesConfig(matches=4),
)


class Spied(LanesVector):
    """Four matches of one hero a team; keeps the seeds and actions of those that ended."""

    def __init__(self) -> None:
        self.played: list[list[Any]] = [[], [], [], []]
        self.ended: list[tuple[int, list[Any]]] = []
        super().__init__("lanes_1v1", 4)

    def step(self, actions: Any) -> Any:
        seeds = self.matches["seed"].copy()
        for played, orders in zip(self.played, actions, strict=True):
            played.append(orders.astype(np.int8))
        steps = super().step(actions)
        for place in np.flatnonzero(steps.terminated):
            self.ended.append((int(seeds[place]), self.played[place]))
            self.played[place] = []
        return steps


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Spied]:
    """A store with a run of recorded matches of Lanes, and who saw them."""
    store = tmp_path_factory.mktemp("store")
    run = create_run(
        store, "lanes", game="lanes_1v1", algorithm="ppo", config={}, seed=0, versions={}
    )
    session = Session(run, CONFIG, PPO)
    spied = Spied()
    log = TrajectoryLog(run, session.open_episodes(match_schema(spied.spec)))
    sampler = Sampler(spied, CONFIG, number=1, device=torch.device("cpu"))
    sampler.add_opponent(4, sampler.network.state_dict())
    sampler.set_qualities({4: 0.0})
    sampler.begin(1)
    spied.played = [[] for _ in spied.played]
    version = 0
    while len(spied.ended) < 4:
        sampler.version = version
        log.add(sampler.sample(Returns(0.99, 0.95)).trajectories)
        version += 1
    session.note(version, {})
    session.save({MODEL_FILE: b"weights"})
    return store, spied


@pytest.fixture
def run(recorded: tuple[Path, Spied], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    from store.run import open_run

    monkeypatch.chdir(tmp_path)
    return open_run(recorded[0], "lanes")


def call(capsys: pytest.CaptureFixture[str], store: Path, *words: str) -> tuple[int, str, str]:
    status = ludens.main(["trajectories", *words, "--store", str(store)])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_replay_ends_as_the_match_did(
    recorded: tuple[Path, Spied], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    store, spied = recorded
    found = {one.number: one for one in stored_trajectories(run)}
    assert len(found) == len(spied.ended) >= 4
    seeds = {}
    for number in found:
        name = f"{number}.replay"
        status, out, _ = call(capsys, store, "lanes", "--replay", str(number), "--out", name)
        assert (status, out.startswith(f"{name}: lanes")) == (0, True)
        replay = read_replay(Path(name))
        seeds[replay.seed] = replay.digest
        newest = f"lanes@{found[number].versions[1]}"
        past = "lanes, past 4"
        side, opponent = found[number].side, found[number].opponent
        assert opponent in (None, 4)
        assert replay.names == {None: (newest, newest), 0: (newest, past), 1: (past, newest)}[side]
    for seed, actions in spied.ended:
        assert seeds[seed] == record_match("lanes_1v1", seed, ("", ""), actions).digest
    assert ludens.main(["play", "1.replay", "--plain"]) == 0


def test_a_match_under_other_rules_is_no_replay(run: Run) -> None:
    found = next(stored_trajectories(run))
    action = found.arrays["action"].copy()
    for step in (30, 31, 32):
        action[step, 0] = (1, action[step, 0, 1] + 1, 0)
    observation = found.arrays["observation"].copy()
    observation[20, 1, 3] ^= 1
    scores = found.arrays["fact.scores"][:, ::-1] + np.float32(0.25)
    for wrong, told in (
        ({"observation": observation}, "differs at step 20"),
        ({"action": action}, "differs at step 3"),
        ({"fact.scores": scores}, f"differs at step {found.steps}"),
        ({"fact.seed": found.arrays["fact.seed"] + np.uint64(1)}, "differs at step"),
        ({"fact.first_step": np.array([64])}, "begins at step 64"),
        ({"fact.seed": np.zeros(0, np.uint64)}, "has other arrays"),
    ):
        with pytest.raises(TrajectoryError, match=told):
            replay_of(run, replace(found, arrays={**found.arrays, **wrong}))


def test_the_table_and_its_json_have_the_newest_first(
    recorded: tuple[Path, Spied], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    store, spied = recorded
    status, out, _ = call(capsys, store, "lanes", "--limit", "3")
    assert status == 0
    lines = out.splitlines()
    assert len(lines) == 4
    assert lines[0].split()[:4] == ["number", "recorded", "version", "steps"]
    count = len(spied.ended)
    assert [int(line.split()[0]) for line in lines[1:]] == [count, count - 1, count - 2]
    document = json.loads(call(capsys, store, "lanes", "--json")[1])
    assert (document["run"], document["game"]) == ("lanes", "lanes_1v1")
    listed = document["trajectories"]
    assert [one["number"] for one in listed] == [*range(count, 0, -1)]
    assert {one["seed"] for one in listed} == {seed for seed, _ in spied.ended}
    assert all(one["ending"] == "ended" and sum(one["scores"]) == 1 for one in listed)


def test_arrays_are_loaded_without_pickles(
    recorded: tuple[Path, Spied], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = call(capsys, recorded[0], "lanes", "--npz", "2")
    assert (status, "lanes-2.npz" in out) == (0, True)
    (stored,) = (one for one in stored_trajectories(run) if one.number == 2)
    with np.load("lanes-2.npz", allow_pickle=False) as found:
        for name in ("observation", "action", "reward", "value", "action_mask", "policy_version"):
            np.testing.assert_array_equal(found[name], stored.arrays[name])
            assert found[name].dtype == stored.arrays[name].dtype
        assert found["scores"].tolist() == stored.scores
        assert int(found["seed"]) == stored.seed
        assert found["newest"].shape == (2,)
        assert int(found["number"]) == 2
    assert not list(Path().glob(".*.part"))


def test_errors_say_what_to_type(
    recorded: tuple[Path, Spied], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    store, spied = recorded
    create_run(store, "other", game="othello", algorithm="", config={}, seed=0, versions={})
    for name, game in (("none", "lanes_1v1"), ("cart", "CartPole-v1")):
        create_run(store, name, game=game, algorithm="ppo", config={}, seed=0, versions={})
    Path("taken.npz").write_bytes(b"mine")
    Path("taken.replay").write_bytes(b"mine")
    first = ("lanes", "--npz", "1", "--out")
    for words, told in (
        (("other",), "records no trajectories"),
        (("lanes", "--npz", "999"), f"no recorded match 999: expected 1 to {len(spied.ended)}"),
        (("none", "--npz", "1"), "--trajectories.matches N records"),
        ((*first, "taken.npz"), "exists: expected a new name"),
        ((*first, "a.zip"), "ends in .npz"),
        ((*first, "no/a.npz"), "there is no folder 'no'"),
        (("lanes", "--replay", "1", "--out", "taken.replay"), "exists: expected a new name"),
        (("lanes", "--replay", "1", "--out", "a.npz"), "ends in .replay"),
        (("lanes", "--out", "a.npz"), "expected --npz NUMBER or --replay NUMBER"),
        (("lanes", "--limit", "0"), "--limit 0: expected 1 or more"),
        (("absent",), "absent"),
    ):
        status, _, err = call(capsys, store, *words)
        assert status in (1, 2)
        assert told in err, words
    assert Path("taken.npz").read_bytes() == Path("taken.replay").read_bytes() == b"mine"
    status, out, _ = call(capsys, store, "none")
    assert (status, "--trajectories.matches N records" in out) == (0, True)


def test_only_matches_of_lanes_are_replays(
    recorded: tuple[Path, Spied], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = next(stored_trajectories(run))
    other = Run(run.name, run.files, replace(run.info, game="CartPole-v1"))
    with pytest.raises(TrajectoryError, match="only matches of Lanes are replays; --npz"):
        replay_of(other, found)
    assert trajectories.trajectories_table([found]).count("\n") == 1
