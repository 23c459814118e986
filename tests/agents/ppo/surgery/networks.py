"""Networks before and after surgery, with weights as of after some training."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from agents.ppo.config import NetworkConfig
from agents.ppo.network.team_network import TeamNetwork
from agents.ppo.surgery.blueprint import Blueprint
from agents.ppo.surgery.transfer import Transfer
from envs.teams import ActionHead, TeamSpec, UnitGroup
from tests.agents.ppo import cartpole, duel

MLP = NetworkConfig(units=8, hidden=16, layers=2, precision="float32")
LSTM = replace(MLP, lstm=12, activation="relu")
WIDER = {"units": 13, "hidden": 24}
VECTOR = replace(cartpole.SPEC, observation_shape=(5,))
MATRIX = replace(cartpole.SPEC, observation_shape=(2, 3))
PICTURE = replace(
    cartpole.SPEC, observation_shape=(14, 12, 2), observation_dtype=np.dtype(np.uint8)
)
REAL = replace(cartpole.SPEC, heads=(ActionHead("force", 2, "real", (-1,) * 2, (1,) * 2),))
UNITS = duel.SPEC


def units(
    own: int, *groups: tuple[str, int, int, int | None], last: int = 0, **changes: Any
) -> TeamSpec:
    """Return the spec of a duel with `own` entries, these groups, and `last` entries after them."""
    made, start = [], own
    for name, slots, features, target in groups:
        made.append(UnitGroup(name, start, slots, features, target))
        start = made[-1].stop
    return replace(
        duel.SPEC, observation_shape=(start + last,), groups=tuple(made), own=(0, own), **changes
    )


def heads(primary: int, direction: int, target: int, *more: ActionHead) -> tuple[ActionHead, ...]:
    return (
        ActionHead("primary", primary),
        ActionHead("direction", direction, used_by=(2,)),
        ActionHead("target", target, used_by=(1,), masked_by_first=True),
        *more,
    )


def old_and_new(
    old: tuple[TeamSpec, NetworkConfig], new: tuple[TeamSpec, NetworkConfig]
) -> tuple[Blueprint, Blueprint]:
    return Blueprint(*old, "run 'old'"), Blueprint(*new, "the new settings")


def trained(blueprint: Blueprint, seed: int = 0) -> TeamNetwork:
    """Return a network whose weights are all different, and whose heads say something."""
    network = blueprint.build(seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=generator)
        network.value_mean.fill_(3.0)
        network.value_std.fill_(2.0)
    return network


def moved(old: Blueprint, new: Blueprint, seed: int = 1) -> tuple[TeamNetwork, TeamNetwork]:
    """Return a trained network, and what surgery makes of it."""
    before = trained(old)
    arrays = {name: tensor.numpy() for name, tensor in before.state_dict().items()}
    after = new.build(seed=9)
    made = Transfer(old, new, seed).weights(arrays)
    after.load_state_dict({name: torch.from_numpy(array) for name, array in made.items()})
    return before, after
