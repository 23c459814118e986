"""A run of PPO: it is saved and resumed with its pool, and its checkpoints are agents."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.ppo.algorithm import PPO, check_spec
from agents.ppo.checkpoint_files import POOL_FILE, TRAINER_FILE
from agents.ppo.config import (
    EnvironmentConfig,
    LearnerConfig,
    NetworkConfig,
    PoolConfig,
    PPOConfig,
    TrajectoriesConfig,
)
from agents.ppo.pool import Result
from agents.ppo.training import UNANSWERED_S, NoRunnerError, Training
from agents.running.trajectories import Trajectory, stored_trajectories
from agents.torch_state import load_trainer
from envs.lanes.batch import LanesVector
from envs.vector import find_environment, make_vector
from selfplay.loop import train
from store import checkpoints
from store.errors import CheckpointError, RunMismatchError
from store.replay.walk import list_segments
from store.run import open_run
from tests.selfplay.cluster.local_ray import local_ray

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SMALL = PPOConfig(
    minutes=0,
    network=NetworkConfig(units=8, hidden=16, layers=1, lstm=8),
    learner=LearnerConfig(rollout=16, minibatches=2, epochs=1),
    pool=PoolConfig(latest=0.5, interval=1, size=2),
    environment=EnvironmentConfig(matches=4),
    device="cpu",
    seed=3,
)
LANES = replace(SMALL, game="lanes_1v1", rows=300)
CARTPOLE = replace(SMALL, network=NetworkConfig(hidden=16), rows=128)


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[None]:
    with local_ray(2):
        yield


def trained(config: PPOConfig, store: Path) -> list[str]:
    return [p.event for p in train(config, store_url=str(store), run_name="run")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, ray: None) -> Path:
    """With a run of Lanes of some iterations, resumed once."""
    path = tmp_path_factory.mktemp("store")
    assert trained(LANES, path)[-1] == "finished"
    assert "learned" in trained(replace(LANES, rows=500), path)
    return path


def test_a_resumed_run_has_the_weights_optimiser_and_pool_that_were_saved(store: Path) -> None:
    saved = checkpoints.latest_valid(open_run(store, "run"))
    assert saved is not None
    training = Training(LANES, PPO.environment(LANES))
    training.load(saved)
    files = training.files()
    assert training.updates == saved.step > 2
    assert training.iterate(0.5).metrics["sample_staleness"] == 0.0
    training.close()
    assert files[checkpoints.MODEL_FILE] == saved.files[checkpoints.MODEL_FILE]
    assert files[TRAINER_FILE] == saved.files[TRAINER_FILE]
    assert files[POOL_FILE] == saved.files[POOL_FILE]
    pool = load_trainer(saved.files[TRAINER_FILE])["pool"]
    numbers = {name.partition("/")[0] for name in checkpoints.tensors_from_bytes(files[POOL_FILE])}
    assert numbers == {str(number) for number in pool["qualities"]}
    assert len(numbers) == LANES.pool.size  # the oldest have left


def test_a_run_that_has_beaten_past_opponents_is_resumed(store: Path) -> None:
    saved = checkpoints.latest_valid(open_run(store, "run"))
    assert saved is not None
    training = Training(LANES, PPO.environment(LANES))
    training.load(saved)
    pool = training._algorithm.pool
    pool.update([Result(number, 1.0) for number in pool.qualities])
    files, qualities = training.files(), dict(pool.qualities)
    training.load(replace(saved, files=files))
    assert pool.qualities == qualities
    assert max(qualities.values()) < 0.0
    assert training.files()[TRAINER_FILE] == files[TRAINER_FILE]
    training.close()


def test_a_run_whose_runners_never_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray starts them a thousand times; without a limit of minutes a run would never end."""
    training = Training(CARTPOLE, PPO.environment(CARTPOLE))
    training.iterate(0.0)
    clock = [training._answered]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    def train_nothing() -> None:
        training._algorithm.last = None

    monkeypatch.setattr("agents.ppo.training.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("agents.ppo.training.time.sleep", sleep)
    monkeypatch.setattr(training._algorithm, "train", train_nothing)
    for _ in range(int(UNANSWERED_S)):
        assert training.iterate(0.0).notices == ("no runner answered",)
    clock[0] += 1.0
    with pytest.raises(NoRunnerError, match=r"no runner has answered for 10 minutes: .* memory"):
        training.iterate(0.0)
    training.close()


def test_rllib_leaves_no_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.tune.trainable.trainable.DEFAULT_STORAGE_PATH", str(tmp_path))
    training = Training(CARTPOLE, PPO.environment(CARTPOLE))
    training.iterate(0.0)
    training.close()
    assert not [*tmp_path.iterdir()]


def test_a_run_is_not_resumed_in_an_environment_that_has_changed(store: Path) -> None:
    saved = checkpoints.latest_valid(open_run(store, "run"))
    spec = PPO.environment(LANES)
    check_spec(spec, saved, "run")
    check_spec(spec, None, "run")
    changed = replace(spec, state_size=spec.state_size + 1)
    told = rf"run 'run': its environment 'lanes_1v1' has changed \(state_size was {spec.state_size}"
    with pytest.raises(RunMismatchError, match=told):
        check_spec(changed, saved, "run")


def test_a_resumed_run_does_not_repeat_its_first_matches(store: Path) -> None:
    saved = checkpoints.latest_valid(open_run(store, "run"))
    assert saved is not None
    training = Training(LANES, PPO.environment(LANES))
    sampler = training._algorithm.env_runner_group.local_env_runner.sampler
    first = set(sampler.vector.matches["seed"])
    for _ in range(2):  # but the same ones at each resume from a checkpoint
        training.load(saved)
        resumed = set(sampler.vector.matches["seed"])
    assert not first & resumed
    assert set(sampler.opponents.qualities) == set(training._algorithm.pool.qualities)
    training.load(saved)
    assert set(sampler.vector.matches["seed"]) == resumed
    training.close()


def recorded(store: Path) -> list[Trajectory]:
    return [*stored_trajectories(open_run(store, "run"))]


def test_matches_are_recorded_over_a_resume(tmp_path: Path) -> None:
    config = replace(CARTPOLE, rows=1024)
    assert trained(config, tmp_path)[-1] == "finished"
    first = recorded(tmp_path)
    trained(replace(config, rows=2048), tmp_path)
    both = recorded(tmp_path)
    assert [one.number for one in both] == [*range(len(both), 0, -1)]
    assert [one.number for one in both[-len(first) :]] == [one.number for one in first]
    assert 3 < len(first) < len(both)
    steps = {one.versions[0] for one in both}
    assert (min(steps), max(steps) > 1024 // 64) == (0, True)  # 64 rows an iteration
    for one in both:
        assert one.scores == [one.steps]  # a step is a point, and the match is whole
        assert one.arrays["observation"].shape == (one.steps, 1, 4)
        assert (one.fact("worker"), one.fact("place")) == (0, 0)


def test_nothing_is_recorded_when_it_is_off(tmp_path: Path) -> None:
    trained(replace(CARTPOLE, trajectories=TrajectoriesConfig(matches=0), rows=1024), tmp_path)
    assert recorded(tmp_path) == []
    assert list_segments(open_run(tmp_path, "run").files) == []


@pytest.mark.slow
def test_two_workers_record_their_matches(tmp_path: Path) -> None:
    trained(replace(CARTPOLE, workers=2, rows=1024), tmp_path)
    found = recorded(tmp_path)
    assert {int(one.fact("worker")) for one in found} == {1, 2}
    assert [one.number for one in found] == [*range(len(found), 0, -1)]
    assert all(one.scores == [one.steps] for one in found)


def test_a_checkpoint_without_its_pool_is_refused(store: Path) -> None:
    saved = checkpoints.latest_valid(open_run(store, "run"))
    assert saved is not None
    training = Training(LANES, PPO.environment(LANES))
    del saved.files[POOL_FILE]  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match=r"lacks 'pool\.safetensors'"):
        training.load(saved)
    training.close()


def test_a_checkpoint_plays_a_team_and_forgets_where_a_match_begins(store: Path) -> None:
    run, game = open_run(store, "run"), LanesVector("lanes_1v1", 2)
    options = {"greedy": "true"}
    agent = PPO.team_agent(run, None, options, spec=game.spec, name="run", device="cpu")
    seen = game.reset(5)
    observations, masks = seen.observations[:, :1], seen.masks[:, :1]
    rng = np.random.default_rng(0)
    first = agent.act(observations, masks, np.ones(2, np.bool_), rng)
    assert first.shape == (2, 1, 3)
    for player in range(2):  # what it chose was allowed
        assert masks[player, 0, first[player, 0, 0]]
    agent.act(observations, masks, np.zeros(2, np.bool_), rng)
    assert agent._memory.output[0].abs().sum() > 0
    before = agent._memory
    agent.act(observations, masks, np.array([True, False]), rng)
    fresh = PPO.team_agent(run, None, options, spec=game.spec, name="run", device="cpu")
    fresh.act(observations, masks, np.ones(2, np.bool_), rng)
    assert torch.equal(agent._memory.output[0], fresh._memory.output[0])
    assert not torch.equal(agent._memory.output[1], before.output[1])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sims": "3"}, "option 'sims': expected greedy"),
        ({"greedy": "x"}, "expected true or false"),
    ],
)
def test_an_agent_refuses_options_that_it_does_not_have(
    store: Path, options: dict[str, str], told: str
) -> None:
    run, game = open_run(store, "run"), LanesVector("lanes_1v1", 1)
    with pytest.raises(ValueError, match=told):
        PPO.team_agent(run, None, options, spec=game.spec, name="run", device="cpu")


def test_a_run_of_one_agent_has_an_agent_with_scores(tmp_path: Path) -> None:
    trained(CARTPOLE, tmp_path)
    spec = find_environment("CartPole-v1")
    agent = PPO.environment_agent(
        open_run(tmp_path, "run"), None, {}, spec=spec, name="run", device="cpu"
    )
    vector = make_vector("CartPole-v1", 3, seed=1)
    agent.begin(vector.reset())
    actions = agent.act(np.random.default_rng(0))
    assert actions.shape == (3,)
    assert set(actions.tolist()) <= {0, 1}
    run, options = open_run(tmp_path, "run"), {"greedy": "true", "epsilon": "1.0"}
    drawn = PPO.environment_agent(run, None, options, spec=spec, name="run", device="cpu")
    drawn.begin(vector.reset())
    rng = np.random.default_rng(0)
    assert len({tuple(drawn.act(rng).tolist()) for _ in range(60)}) == 8  # of any action, by chance
    assert PPO.acts_in("CartPole-v1")
    assert not PPO.acts_in("lanes_1v1")
