"""The files of a checkpoint after surgery: weights, optimiser, qualities and past opponents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from agents.ppo.checkpoint_files import POOL_FILE, TRAINER_FILE, past_opponents, pool_tensors
from agents.ppo.config import PoolConfig
from agents.ppo.network.team_network import TeamNetwork
from agents.ppo.pool import Pool
from agents.ppo.surgery.blueprint import Blueprint
from agents.ppo.surgery.comparison import TOLERANCE, greatest_difference
from agents.ppo.surgery.transfer import Arrays, Transfer
from agents.torch_state import dump_trainer, load_trainer
from store.checkpoints import MODEL_FILE, Checkpoint, tensors_from_bytes, tensors_to_bytes
from store.errors import CheckpointError


def transferred_files(
    saved: Checkpoint, old: Blueprint, new: Blueprint, pool: PoolConfig, seed: int
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files of a checkpoint after surgery, and what there is to tell of it.

    That are the numbers of weights before and after, of past opponents, and the greatest difference
    of outputs. Of more opponents than the new settings allow, those of the lowest quality go.

    Raises:
        ValueError: something would shrink, or outputs differ.
        CheckpointError: files are missing, or are not those of the old network.
    """
    for name in (MODEL_FILE, TRAINER_FILE, POOL_FILE):
        if name not in saved.files:
            raise CheckpointError(f"checkpoint {saved.step} lacks {name!r}, which surgery needs")
    transfer = Transfer(old, new, seed)
    before = tensors_from_bytes(saved.files[MODEL_FILE])
    after = transfer.weights(before)
    difference = _difference(before, after, old, new)
    state = load_trainer(saved.files[TRAINER_FILE])
    optimisers = {name: transfer.optimiser(s) for name, s in state["optimisers"].items()}
    qualities = _bounded(state["pool"], pool)
    past = {
        number: transfer.weights(weights)
        for number, weights in past_opponents(tensors_from_bytes(saved.files[POOL_FILE])).items()
        if number in qualities["qualities"]
    }
    files = {
        MODEL_FILE: tensors_to_bytes(after),
        TRAINER_FILE: dump_trainer({**state, "optimisers": optimisers, "pool": qualities}),
        POOL_FILE: tensors_to_bytes(pool_tensors(past)),
    }
    told = {"weights_before": _count(before), "weights": _count(after)}
    return files, {**told, "past_opponents": len(past), "difference": difference}


def _difference(before: Arrays, after: Arrays, old: Blueprint, new: Blueprint) -> float:
    """Return by how much outputs differ; raises ValueError if it is more than rounding."""
    found = greatest_difference(_network(old, before), _network(new, after), old, new)
    if not found <= TOLERANCE:
        raise ValueError(
            f"outputs after surgery differ by {found:.1e}: expected {TOLERANCE:.0e} at most"
        )
    return found


def _network(blueprint: Blueprint, weights: Arrays) -> TeamNetwork:
    network = blueprint.build(seed=0)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return network


def _bounded(state: Mapping[str, Any], config: PoolConfig) -> dict[str, Any]:
    """Return the state of a pool of no more opponents than the settings allow."""
    pool = Pool(config)
    pool.load_state(state)
    while len(pool) > config.size:
        pool.remove_worst()
    return pool.state()


def _count(weights: Mapping[str, NDArray[Any]]) -> int:
    return sum(array.size for array in weights.values())
