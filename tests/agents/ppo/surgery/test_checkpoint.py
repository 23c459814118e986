"""Surgery on a run: its checkpoint, pool and optimiser go on in a new run, by the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ludens
from agents.ppo.algorithm import PPO
from agents.ppo.checkpoint_files import POOL_FILE, TRAINER_FILE, past_opponents
from agents.ppo.config import PPOConfig
from agents.ppo.surgery.blueprint import Blueprint
from agents.ppo.surgery.comparison import greatest_difference
from agents.ppo.training import Training
from agents.torch_state import load_trainer
from store import checkpoints
from store.checkpoints import MODEL_FILE, Checkpoint, tensors_from_bytes
from store.run import Run, list_runs, open_run
from store.settings import read_settings
from tests.selfplay.cluster.local_ray import local_ray

pytestmark = [
    pytest.mark.slow,  # they train on Ray first
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

SMALL = (
    "--minutes 0 --device cpu --seed 3 --environment.matches 4 --learner.rollout 16 "
    "--learner.minibatches 2 --learner.epochs 1 --pool.latest 0.5 --pool.interval 1 "
)
OF_CARTS = SMALL + "--env CartPole-v1 --rows 128 --network.hidden 16"
OF_LANES = SMALL + (
    "--rows 500 --pool.size 3 --network.units 8 --network.hidden 16 --network.layers 1 "
    "--network.lstm 8 --network.precision float32"
)
WIDE = "--network.units 12 --network.hidden 24 --network.layers 1 --network.lstm 20"


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[None]:
    with local_ray(2):
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, ray: None) -> Path:
    """With a run of Lanes and one of CartPole."""
    path = tmp_path_factory.mktemp("store")
    assert ludens.main(f"train lanes_1v1 --store {path} {OF_LANES}".split()) == 0
    assert ludens.main(f"train ppo --run carts --store {path} {OF_CARTS}".split()) == 0
    return path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], store: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a line on the store; answers standard output and standard error."""
    monkeypatch.delenv("LUDENS_DEBUG", raising=False)

    def run(line: str, status: int = 0) -> tuple[str, str]:
        found = ludens.main([*line.split(), "--store", str(store)])
        out, err = capsys.readouterr()
        assert found == status, err
        return out, err

    return run


def newest(run: Run) -> Checkpoint:
    found = checkpoints.latest_valid(run)
    assert found is not None
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def settings(run: Run) -> PPOConfig:
    return read_settings(PPOConfig, run.info.config, "it")


def blueprint(run: Run) -> Blueprint:
    config = settings(run)
    return Blueprint(PPO.environment(config), config.network, run.name)


def difference(old: Run, ours: Any, new: Run, theirs: Any) -> float:
    networks = []
    for run, weights in ((old, ours), (new, theirs)):
        network = blueprint(run).build(0)
        network.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
        networks.append(network)
    return greatest_difference(networks[0], networks[1], blueprint(old), blueprint(new))


def test_a_wider_run_of_lanes_has_all_that_the_old_one_had_and_trains_on(
    store: Path, said: Any
) -> None:
    before = files_of(store / "lanes_1v1")
    line = f"surgery lanes_1v1 --config lanes_1v1 --run wide {SMALL} --rows 700 {WIDE}"
    told = json.loads(said(f"{line} --pool.size 3 --json")[0])
    assert files_of(store / "lanes_1v1") == before
    old, new = open_run(store, "lanes_1v1"), open_run(store, "wide")
    ours, theirs = newest(old), newest(new)
    assert told["from"] == {"run": "lanes_1v1", "step": ours.step}
    assert theirs.step == ours.step > 2
    assert theirs.metadata["rest"]["surgery"] == told["from"]
    assert theirs.metadata["counters"] == ours.metadata["counters"]
    weights = [tensors_from_bytes(saved.files[MODEL_FILE]) for saved in (ours, theirs)]
    assert difference(old, weights[0], new, weights[1]) < 1e-5
    assert told["weights"] == sum(array.size for array in weights[1].values())
    past = [past_opponents(tensors_from_bytes(s.files[POOL_FILE])) for s in (ours, theirs)]
    assert past[0].keys() == past[1].keys()
    assert told["past_opponents"] == len(past[1]) == 3
    for number in past[0]:
        assert difference(old, past[0][number], new, past[1][number]) < 1e-5
    states = [load_trainer(saved.files[TRAINER_FILE]) for saved in (ours, theirs)]
    for same in ("updates", "moments", "pool"):
        assert states[0][same] == states[1][same]
    _trains_on(new, theirs)
    said(f"train lanes_1v1 --run wide {SMALL} --rows 900 --pool.size 3 {WIDE}")
    after = newest(new)
    assert after.step > theirs.step
    assert after.metadata["rest"]["surgery"] == told["from"]  # each checkpoint says it
    assert after.metadata["counters"]["rows"] > theirs.metadata["counters"]["rows"]


def _trains_on(run: Run, saved: Checkpoint) -> None:
    """Check that an iteration from the checkpoint has finite losses, and moves what is new."""
    config = settings(run)
    training = Training(config, PPO.environment(config))
    training.load(saved)
    state = load_trainer(training.files()[TRAINER_FILE])
    loaded = load_trainer(saved.files[TRAINER_FILE])
    ((_, adam),) = state["optimisers"].items()
    ((_, before),) = loaded["optimisers"].items()
    assert adam["state"].keys() == before["state"].keys()
    for number, moments in before["state"].items():
        for name, value in moments.items():
            assert np.array_equal(adam["state"][number][name], value)
    assert any(moments["exp_avg"].any() for moments in before["state"].values())
    done = training.iterate(0.5)
    files = training.files()
    training.close()
    assert training.updates == saved.step + 1
    assert all(np.isfinite(value) for value in done.metrics.values())
    assert done.metrics["kl"] < 0.5  # it goes on from what it was, and does not begin again
    heads = [tensors_from_bytes(f[MODEL_FILE])["heads.weight"][:, 8:] for f in (saved.files, files)]
    assert not heads[0].any()  # of new units of the memory
    assert heads[1].any()


def test_a_run_of_carts_becomes_wider_and_trains_on(store: Path, said: Any) -> None:
    out, _ = said(f"surgery carts --config ppo {OF_CARTS} --rows 256 --network.hidden 24")
    old, new = open_run(store, "carts"), open_run(store, "carts-surgery")
    step = newest(old).step
    assert f"run 'carts-surgery' begins with checkpoint {step} of run 'carts': " in out
    assert f"train it:  ludens train ppo --run carts-surgery --store {store}\n" in out
    said(f"train ppo --run carts-surgery {OF_CARTS} --rows 256 --network.hidden 24")
    assert newest(new).step > step
    again = said(f"surgery carts --config ppo {OF_CARTS} --network.hidden 24", status=1)[1]
    assert "run 'carts-surgery' exists already" in again


def test_a_run_goes_on_in_a_larger_team_with_a_budget_of_its_own(store: Path, said: Any) -> None:
    step = newest(open_run(store, "lanes_1v1")).step
    line = f"surgery lanes_1v1@{step} --config lanes_5v5 --run five {SMALL} --new-budget"
    out, _ = said(f"{line} --network.layers 1 --pool.size 2")
    assert "with 2 past opponents" in out  # no more than the new settings allow
    new = open_run(store, "five")
    assert new.info.game == "lanes_5v5"
    found = newest(new)
    assert (found.step, found.metadata["counters"], found.metadata["elapsed_s"]) == (step, {}, 0.0)
    state = load_trainer(found.files[TRAINER_FILE])
    numbers = past_opponents(tensors_from_bytes(found.files[POOL_FILE])).keys()
    assert state["pool"]["qualities"].keys() == numbers


def test_a_run_whose_environment_has_changed_is_read_by_what_its_checkpoint_says(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CartPole sees one entry more, and has one action more, than when the run was trained."""
    from dataclasses import replace

    from envs.teams import ActionHead, find_team

    run = open_run(store, "carts")
    config = settings(run)
    was = find_team("CartPole-v1")
    now = replace(was, observation_shape=(5,), heads=(ActionHead("action", 3),))
    monkeypatch.setattr(type(PPO), "environment", lambda self, config: now)
    made = PPO.surgery(run, None, config).checkpoint
    weights = tensors_from_bytes(made.files[MODEL_FILE])
    assert weights["encoder.layers.0.weight"].shape == (16, 5)
    assert not weights["encoder.layers.0.weight"][:, 4].any()
    assert weights["heads.weight"].shape == (3, 16)
    assert made.metadata["rest"]["spec"]["observation_shape"] == (5,)


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        (
            f"surgery carts --config ppo {OF_CARTS} --network.hidden 8 --run less",
            1,
            "layer 1 of encoder (network.hidden): 16 in run 'carts', 8 in the new settings",
        ),
        ("surgery cats --config ppo", 1, "no run 'cats'"),
        ("surgery carts@x --config ppo", 2, "'carts@x': expected RUN or RUN@STEP"),
        (f"surgery carts@77 --config ppo {OF_CARTS} --run less", 1, "no checkpoint 77 of run"),
        ("surgery carts --config pppo", 2, "no preset 'pppo'"),
        ("surgery carts --config ppo --run fighter", 2, "is an agent's name"),
        ("surgery carts", 2, "required: --config"),
        ("surgery carts --config dqn --run less", 1, "expected a preset of 'ppo'"),
        (
            f"surgery lanes_1v1 --config ppo {OF_CARTS} --network.layers 1 --run less",
            1,
            "network.activation is 'relu' in run 'lanes_1v1', and 'tanh' in the new settings",
        ),
    ],
)
def test_a_mistake_is_one_clear_line_and_makes_no_run(
    store: Path, said: Any, line: str, status: int, told: str
) -> None:
    before = list_runs(store)
    _, err = said(line, status=status)
    assert told in err
    assert err.count("\n") == 1
    assert list_runs(store) == before
