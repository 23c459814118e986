"""The network's two forms agree, and the learner's mathematics hold."""

import io
import os
import pickle
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.alphazero.config import LearnerConfig, NetworkConfig
from agents.alphazero.episodes import outcome_shares
from agents.alphazero.inference import NetworkEvaluator, load_evaluator, padded
from agents.alphazero.learner import SparsePolicy, alphazero_loss
from agents.alphazero.network import (
    AuxiliaryHeads,
    PolicyValueNetwork,
    build_network,
    value_of,
)
from agents.torch_state import dump_state, dump_trainer, load_state, load_trainer
from envs.registry import find_game
from store import checkpoints
from store.errors import CheckpointError
from store.run import create_run
from tests.search_setup import with_every_action

SMALL = NetworkConfig(blocks=2, filters=8, head_filters=4, value_hidden=8, precision="float32")


def _stirred(game_name, config):
    """A network whose batch norms have seen data, so that folding has something to fold."""
    game = find_game(game_name)
    network = build_network(game, config, seed=1)
    torch.manual_seed(0)
    network.train()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    for _ in range(3):
        network(torch.rand(64, *game.planes_shape))
    return game, network.eval()


@pytest.mark.parametrize("game_name", ["connect_four", "othello6"])
@pytest.mark.parametrize("pooling", [False, True])
def test_the_folded_network_answers_as_the_trained_one(game_name, pooling):
    config = NetworkConfig(2, 8, 4, 8, global_pooling=pooling, precision="float32")
    game, network = _stirred(game_name, config)
    evaluator = NetworkEvaluator(game, config, network.state_dict(), device="cpu")
    replica = evaluator.replica()
    for rows in (1, 31, 32, 70, 130):  # one evaluator serves batches of any size
        planes = np.random.default_rng(rows).random((rows, *game.planes_shape), np.float32)
        with torch.no_grad():
            logits, outcome = network(torch.from_numpy(planes))
        leaves = with_every_action(game, planes)
        got_logits, got_values = evaluator(leaves)
        assert got_logits.shape == (rows, game.num_actions)
        assert got_values.shape == (rows,)
        np.testing.assert_allclose(got_logits, logits.numpy(), atol=2e-4, err_msg=f"{rows} rows")
        np.testing.assert_allclose(
            got_values, value_of(outcome).numpy(), atol=2e-4, err_msg=f"{rows} rows"
        )
        np.testing.assert_array_equal(replica(leaves)[0], got_logits)


@pytest.mark.parametrize(
    ("count", "rows"), [(1, 4), (4, 4), (5, 8), (16, 16), (17, 32), (32, 32), (33, 64), (128, 128)]
)
def test_few_positions_are_padded_to_few_rows(count, rows):
    assert padded(count) == rows


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_a_position_is_worth_does_not_depend_on_its_company(precision):
    game, network = _stirred("connect_four", SMALL)
    config = replace(SMALL, precision=precision)
    evaluator = NetworkEvaluator(game, config, network.state_dict(), device="cpu")
    planes = np.random.default_rng(0).random((64, *game.planes_shape), np.float32)
    together = evaluator(with_every_action(game, planes))
    for rows in (1, 4, 11, 16, 40):
        shares = [planes[i : i + rows] for i in range(0, 64, rows)]
        parts = [evaluator(with_every_action(game, share)) for share in shares]
        for whole, part in zip(together, zip(*parts, strict=True), strict=True):
            np.testing.assert_allclose(np.concatenate(part), whole, atol=1e-6)


def test_bfloat16_is_close_to_float32():
    game, network = _stirred("connect_four", SMALL)
    planes = np.random.default_rng(0).random((32, *game.planes_shape)).astype(np.float32)
    leaves = with_every_action(game, planes)
    half = NetworkConfig(2, 8, 4, 8, precision="bfloat16")
    exact = NetworkEvaluator(game, SMALL, network.state_dict(), device="cpu")(leaves)[1]
    rough = NetworkEvaluator(game, half, network.state_dict(), device="cpu")(leaves)[1]
    assert 0 < np.abs(exact - rough).max() < 0.05


@pytest.mark.parametrize("size", [7, 8, 9])
def test_a_smaller_board_is_seen_as_if_it_were_alone(size):
    """With the same weights, planes of 7x7 in an array of 9x9 and in one of 7x7 give one trunk."""
    config = NetworkConfig(4, 8, 4, 8, global_pooling=True, precision="float32")
    game, network = _stirred("go9_from7", config)
    alone = PolicyValueNetwork((game.planes_shape[0], size, size), size**2 + 1, config).eval()
    shared = {k: t for k, t in network.state_dict().items() if k.startswith(("stem", "blocks"))}
    assert not alone.load_state_dict(shared, strict=False).unexpected_keys
    first = 9 - size
    small = torch.rand(6, game.planes_shape[0], size, size)
    small[:, game.board_plane] = 1.0
    planes = torch.zeros(6, *game.planes_shape)
    planes[:, :, first:, :size] = small
    with torch.no_grad():
        wide = network.trunk(planes)
        torch.testing.assert_close(wide[:, :, first:, :size], alone.trunk(small))
    outside = 1.0 - planes[:, game.board_plane]
    assert not (wide * outside[:, None]).any()
    lead = AuxiliaryHeads(game, config, LearnerConfig(score_weight=0.02)).eval()
    with torch.no_grad():
        padded_rows = torch.cat([planes, torch.zeros(1, *game.planes_shape)])
        assert torch.isfinite(lead(network.trunk(padded_rows), padded_rows).lead).all()


def test_the_same_seed_gives_the_same_network():
    game = find_game("tic_tac_toe")
    first, again, other = (build_network(game, SMALL, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stem.conv.weight"], other["stem.conv.weight"])


def test_weights_survive_their_bytes():
    _, network = _stirred("tic_tac_toe", SMALL)
    loaded = load_state(dump_state(network.state_dict()))
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in network.state_dict().items())


def test_trainer_state_is_not_unpickled():
    assert load_trainer(dump_trainer({"steps": 3}))["steps"] == 3
    with pytest.raises(CheckpointError, match=r"not a trainer's state.*UnpicklingError"):
        load_trainer(_saved({"evil": NetworkEvaluator}))


@pytest.mark.parametrize("value", [NetworkEvaluator, np.zeros(3), object(), {1, 2}])
def test_what_could_not_be_read_back_is_not_saved(value):
    with pytest.raises(TypeError, match="expected tensors, numbers, strings and containers"):
        dump_trainer({"one": [{"two": value}]})


@pytest.mark.parametrize("value", [np.float64(-0.05), np.float32(0.5), np.int64(7), np.True_])
def test_numbers_of_numpy_are_saved_as_python_s(value):
    loaded = load_trainer(dump_trainer({"pool": {3: value}}))["pool"][3]
    assert loaded == value
    assert type(loaded) in (float, int, bool)


@pytest.mark.parametrize("value", [np.float64(-0.05), np.float32(0.5), np.int64(7), np.int32(-7)])
def test_numbers_of_numpy_that_older_programs_saved_are_read(value):
    loaded = load_trainer(_saved({"format": "ludens-trainer/1", "pool": {3: value}}))["pool"][3]
    assert loaded == value
    assert type(loaded) in (float, int)


class _Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


class _NumberOf:
    """Is stored as one of NumPy's numbers."""

    def __init__(self, dtype, data):
        self.parts = (dtype, data)

    def __reduce__(self):
        dtype, data = self.parts
        return np.float64(0).__reduce__()[0], (_NamedType(dtype), data)


class _NamedType:
    """Is stored as a dtype of this name."""

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return np.dtype, (self.name, False, True)


def _saved(state, **options):
    buffer = io.BytesIO()
    torch.save(state, buffer, **options)
    return buffer.getvalue()


def _compressed(data):
    """The same archive with its parts deflated, which the reader of tensors would inflate."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for part in old.infolist():
            new.writestr(part.filename, old.read(part), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def test_a_forged_trainer_runs_nothing_and_fills_no_memory(tmp_path):
    folder = str(tmp_path / "ran")
    forged = {
        "a call in the archive": _saved({"evil": _Evil(folder)}),
        "a call in the old format": _saved(
            {"evil": _Evil(folder)}, _use_new_zipfile_serialization=False
        ),
        "a bare pickle": pickle.dumps(_Evil(folder)),
        "a compressed archive": _compressed(_saved({"zeros": torch.zeros(10**6)})),
        "a tensor repeated by its stride": _saved({"wide": torch.zeros(1).expand(10**15)}),
        "a number of an object": _saved({"evil": _NumberOf("O8", _Evil(folder))}),
        "a number as long as memory": _saved({"long": _NumberOf("V1000000000000", b"")}),
        "no dict": _saved([1, 2]),
        "no archive": b"PK\3\4" + bytes(100),
        "nothing": b"",
        "a cut archive": _saved({"steps": 3})[:-30],
    }
    for what, data in forged.items():
        with pytest.raises(CheckpointError, match="not a trainer's state"):
            load_trainer(data)
        assert not Path(folder).exists(), what


def test_a_trainers_state_survives_its_bytes_with_tensors_inside():
    shared = torch.arange(6.0).reshape(2, 3)
    state = {"steps": 3, "groups": [{"lr": 0.5, "moments": shared}], "again": (shared, shared[1:])}
    loaded = load_trainer(dump_trainer(state))
    assert loaded["steps"] == 3
    assert torch.equal(loaded["groups"][0]["moments"], shared)
    assert torch.equal(loaded["again"][1], shared[1:])


def test_a_network_is_not_built_wider_than_its_weights(tmp_path):
    game = find_game("tic_tac_toe")
    weights = dump_state(build_network(game, SMALL, seed=0).state_dict())
    for number, changed in enumerate(({"filters": 10**9}, {"blocks": 10**9}, {})):
        config = {"network": {**asdict(SMALL), **changed}}
        run = create_run(tmp_path, f"r{number}", game=game.name, config=config, seed=0, versions={})
        checkpoints.save(run, 1, {checkpoints.MODEL_FILE: weights})
        if changed:
            with pytest.raises(CheckpointError, match="which are no network of"):
                load_evaluator(game, run, device="cpu")
        else:
            assert load_evaluator(game, run, device="cpu").step == 1


@pytest.mark.parametrize("value", [-1.0, -0.3, 0.0, 0.5, 1.0])
def test_outcome_shares_have_the_value_as_their_mean(value):
    (share,) = outcome_shares(np.array([value]))
    assert share.sum() == pytest.approx(1.0)
    assert (share >= 0).all()
    assert share[0] - share[2] == pytest.approx(value)


def sparse(policy):
    """The entries of a dense policy [N, A]."""
    row, action = policy.nonzero(as_tuple=True)
    return SparsePolicy(row, action, policy[row, action])


def test_the_loss_is_least_at_the_targets_and_then_their_entropy():
    shares = torch.tensor([[0.5, 0.25, 0.25]])
    policy = sparse(shares)
    outcome = torch.tensor([[0.5, 0.5, 0.0]])
    best_policy, best_outcome = shares.log(), torch.tensor([[0.5, 0.5, 1e-9]]).log()
    policy_loss, value_loss = alphazero_loss(best_policy, best_outcome, policy, outcome)
    assert policy_loss.item() == pytest.approx(1.5 * np.log(2), abs=1e-6)
    assert value_loss.item() == pytest.approx(np.log(2), abs=1e-6)
    worse, _ = alphazero_loss(torch.zeros(1, 3), best_outcome, policy, outcome)
    assert worse > policy_loss


def test_a_row_without_a_policy_moves_no_policy_and_thins_no_loss():
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.3, 0.2, 0.1]], requires_grad=True)
    policy = torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 0.0]])
    outcome = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    both, _ = alphazero_loss(logits, torch.zeros(2, 3), sparse(policy), outcome)
    alone, _ = alphazero_loss(logits[:1], torch.zeros(1, 3), sparse(policy[:1]), outcome[:1])
    assert both.item() == pytest.approx(alone.item())
    both.backward()
    assert logits.grad[0].abs().sum() > 0
    assert not logits.grad[1].any()
    none, _ = alphazero_loss(logits[1:], torch.zeros(1, 3), sparse(policy[1:]), outcome[1:])
    assert none.item() == 0.0


def test_augmentation_is_the_games_own_symmetry():
    game = find_game("connect_four")
    moves = game.parse_moves("1123")
    mirrored = game.encode(game.position([6 - m for m in moves]))
    planes = game.encode(game.position(moves))[None]
    chosen = np.array([1])
    np.testing.assert_array_equal(game.symmetries.transform(planes, chosen)[0], mirrored)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NetworkConfig(filters=0), "network.filters = 0"),
        (lambda: NetworkConfig(precision="half"), "'half'"),
        (lambda: LearnerConfig(passes=0), "learner.passes = 0"),
        (lambda: LearnerConfig(averaging=1.5), "learner.averaging = 1.5"),
    ],
)
def test_bad_settings_are_quoted(make, message):
    with pytest.raises(ValueError, match=message):
        make()
