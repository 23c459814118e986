"""Compare two networks on what the old one can see."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.ppo.network.memory import Memory
from agents.ppo.network.team_network import TeamNetwork
from agents.ppo.surgery.blueprint import Blueprint
from agents.ppo.surgery.labels import Axis, logits_axis, observation_axis, places, state_axis

ROWS, STEPS = 32, 6  # that are compared
TOLERANCE = 1e-5  # of outputs up to 1, and a share of greater ones


@torch.no_grad()
def greatest_difference(
    before: TeamNetwork, after: TeamNetwork, old: Blueprint, new: Blueprint, *, seed: int = 0
) -> float:
    """Return the greatest difference of logits and values, as a share of the greatest output.

    It takes random observations, with zeros for what the old network does not see, over some steps
    with the memory, which half of the rows lose on the way. Logits that only the new network has
    are left out. Outputs up to 1 count as 1.
    """
    rng = np.random.default_rng(seed)
    columns = torch.from_numpy(places(logits_axis(old.spec), logits_axis(new.spec)))
    memories = before.empty_memory(ROWS), after.empty_memory(ROWS)
    worst = greatest = 0.0
    for step in range(STEPS):
        seen = random_inputs(old, rng, ROWS)
        first = before.step(*seen, memories[0])
        second = after.step(*padded(seen, old, new), memories[1])
        for ours, theirs in (
            (first.logits, second.logits[:, columns]),
            (first.values, second.values),
        ):
            worst = max(worst, float((ours - theirs).abs().max()))
            greatest = max(greatest, float(ours.abs().max()))
        memories = first.memory, second.memory
        if step == STEPS // 2:
            memories = _half_forgotten(memories[0]), _half_forgotten(memories[1])
    return worst / max(1.0, greatest)


def random_inputs(
    blueprint: Blueprint, rng: np.random.Generator, count: int
) -> tuple[Tensor, Tensor]:
    """Return random observations [count, *shape] and states [count, state_size].

    Half of the slots of units are empty.
    """
    spec = blueprint.spec
    dtype = spec.observation_dtype
    observations = _random(rng, (count, *spec.observation_shape), dtype)
    flat = observations.reshape(count, -1)
    for group in spec.groups:
        for start in range(group.start, group.stop, group.features):
            flat[:, start] = rng.integers(2, size=count)
    states = _random(rng, (count, spec.state_size), dtype)
    return torch.from_numpy(observations), torch.from_numpy(states)


def padded(seen: tuple[Tensor, Tensor], old: Blueprint, new: Blueprint) -> tuple[Tensor, Tensor]:
    """Return observations and states as the new network sees them, with zeros for what is new."""
    observations, states = seen
    flat = _padded(observations.flatten(1), observation_axis(old.spec), observation_axis(new.spec))
    return (
        flat.view(len(flat), *new.spec.observation_shape),
        _padded(states, state_axis(old.spec), state_axis(new.spec)),
    )


def _padded(found: Tensor, ours: Axis, theirs: Axis) -> Tensor:
    made = found.new_zeros(len(found), len(theirs))
    made[:, torch.from_numpy(places(ours, theirs))] = found
    return made


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    least, most = (0, 255) if dtype.kind == "u" else (-127, 127)
    return rng.integers(least, most, shape, endpoint=True).astype(dtype)


def _half_forgotten(memory: Memory) -> Memory:
    kept = (torch.arange(ROWS) % 2).unsqueeze(1)
    return Memory(memory.output * kept, memory.cell * kept)
