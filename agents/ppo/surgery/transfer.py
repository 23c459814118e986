"""Move weights, and an optimiser's moments, into a wider network that answers the same.

OpenAI et al. (2019), appendix B: random weights into a new unit, and zeros out of it, so nothing is
different at first; the weights out of it have a gradient at once, and then those into it. Entries
that are new get zeros in Adam's moments.

The logit of a target is a product of the query with a unit, divided by the root of their width. So
the query is multiplied with what the greater width takes away; its new entries are zero, since
those of units are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.ppo.surgery.blueprint import Blueprint, check_widens
from agents.ppo.surgery.labels import Weight, places
from store.errors import CheckpointError

Arrays = Mapping[str, NDArray[Any]]
STEP, POWERS = "step", {"exp_avg": -1, "exp_avg_sq": -2}  # of Adam: how a moment goes by a weight


class Transfer:
    """From one network to a wider one.

    Args:
        old, new: the networks.
        seed: of the new weights.

    Raises ValueError where something would shrink, or change otherwise.
    """

    def __init__(self, old: Blueprint, new: Blueprint, seed: int) -> None:
        check_widens(old, new)
        self._old, self._new = old, new
        network = new.build(seed)
        self._fresh = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        self._learned = [name for name, _ in network.named_parameters()]
        self._learned_before = [name for name, _ in old.build(seed).named_parameters()]
        self._names = {weight.key: name for name, weight in old.weights.items()}
        for name, array in self._fresh.items():
            if name not in new.weights or array.shape != new.weights[name].shape:
                raise ValueError(
                    f"the weight {name!r} of the shape {list(array.shape)} is of a layer that "
                    "surgery does not know"
                )

    def weights(self, found: Arrays) -> dict[str, NDArray[Any]]:
        """Return a network's weights in the new one.

        Raises CheckpointError for weights that are not those of the old one.
        """
        self._check_shapes(found)
        made = {}
        for name, fresh in self._fresh.items():
            weight, before = self._new.weights[name], self._before(name)
            if before is None:
                made[name] = np.zeros_like(fresh) if weight.is_silent else fresh.copy()
            else:
                old = self._old.weights[before]
                start = np.zeros_like(fresh) if weight.is_silent else fresh
                made[name] = placed(found[before], old, weight, start, 1)
        return made

    def optimiser(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return Adam's state, as PyTorch has it, for the new network; weights are in order.

        Of a weight that is wholly new no step was taken. Raises CheckpointError for another state.
        """
        if len(state["param_groups"]) != 1:
            raise CheckpointError(f"{len(state['param_groups'])} groups of weights: expected 1")
        known = next(iter(state["state"].values()), None)
        moments: dict[int, dict[str, Any]] = {}
        for number, name in enumerate(self._learned):
            before = self._before(name)
            if before is None:
                if known is not None:
                    zeros = {moment: torch.zeros(self._fresh[name].shape) for moment in POWERS}
                    moments[number] = {STEP: 0 * known[STEP], **zeros}
                continue
            place = self._learned_before.index(before)
            if place in state["state"]:
                moments[number] = self._moments(state["state"][place], before, name)
        group = {**state["param_groups"][0], "params": list(range(len(self._learned)))}
        return {"state": moments, "param_groups": [group]}

    def _moments(self, found: Mapping[str, Any], before: str, name: str) -> dict[str, Any]:
        old, new = self._old.weights[before], self._new.weights[name]
        made = {}
        for moment, value in found.items():
            if moment == STEP:
                made[moment] = value
                continue
            if moment not in POWERS or tuple(value.shape) != old.shape:
                raise CheckpointError(
                    f"the optimiser's {moment!r} of {before!r} is not of Adam, or not of the shape "
                    f"{list(old.shape)}"
                )
            zeros = np.zeros(new.shape, np.float32)
            made[moment] = torch.from_numpy(placed(value.numpy(), old, new, zeros, POWERS[moment]))
        return made

    def _before(self, name: str) -> str | None:
        """Return the name in the old network of a weight of the new one."""
        return self._names.get(self._new.weights[name].key)

    def _check_shapes(self, found: Arrays) -> None:
        for name, weight in self._old.weights.items():
            shape = found[name].shape if name in found else None
            if shape != weight.shape:
                told = "is not there" if shape is None else f"has the shape {list(shape)}"
                raise CheckpointError(
                    f"{self._old.whose}: its weight {name!r} {told}, and not {list(weight.shape)}; "
                    f"its environment {self._old.spec.name!r} is not what it was"
                )


def placed(
    found: NDArray[Any], old: Weight, new: Weight, start: NDArray[Any], power: int
) -> NDArray[Any]:
    """Return an array of the new shape that has the entries of `found` where their labels are.

    What is new of an old output is zero, and the rest is `start`. What depends on the width is
    multiplied with that change to the power of `power`.
    """
    made = start.copy()
    factor = (new.divisor / old.divisor) ** power
    if not old.axes:
        return np.asarray(found * factor, start.dtype)
    where = [places(ours, theirs) for ours, theirs in zip(old.axes, new.axes, strict=True)]
    made[where[0]] = 0
    made[np.ix_(*where)] = found * factor
    return made
