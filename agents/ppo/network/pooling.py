"""The maximum over the units of a group, with the rectifier before it, in one pass.

PyTorch takes seven passes for it and its gradient, which are a fifth of a training step.

Shapes: n observations, U slots, W features of a unit.
"""

from __future__ import annotations

from typing import Any

import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

_BITS = {torch.float32: torch.int32, torch.bfloat16: torch.int16}


def rectify_and_pool(units: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Return rectified units [n, U, W], 0 in empty slots, and their maximum over slots [n, W].

    Args:
        units: float32 or bfloat16 [n, U, W].
        present: bool [n, U] which slots hold a unit.
    """
    if units.device.type == "cpu" and units.dtype in _BITS:
        rectified, pooled = _RectifyAndPool.apply(units, present)  # type: ignore[no-untyped-call]
        return rectified, pooled
    rectified = units.relu() * present.unsqueeze(2)
    return rectified, rectified.amax(1)


class _RectifyAndPool(torch.autograd.Function):
    """The gradient of a maximum goes to the first slot that has it; that of `amax` to all such."""

    @staticmethod
    def forward(ctx: Any, units: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """See `rectify_and_pool`."""
        units = units.detach().contiguous()
        rectified = torch.empty_like(units)
        pooled = units.new_empty(len(units), units.shape[2])
        slots = torch.empty(pooled.shape, dtype=_BITS[units.dtype])
        _pool(_bits(units), present.numpy(), _bits(rectified), _bits(pooled), slots.numpy())
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(rectified, pooled, slots)
        return rectified, pooled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor, None]:
        """Return the gradient of the units."""
        rectified, pooled, slots = ctx.saved_tensors
        of_units, of_pooled = gradients
        if of_pooled is None:
            of_pooled = torch.zeros_like(pooled)
        found = torch.empty_like(rectified)
        _spread(_bits(of_pooled), _bits(pooled), slots.numpy(), _bits(found))
        if of_units is not None:
            through = torch.empty_like(rectified)
            _pass_through(_bits(of_units), _bits(rectified), _bits(through))
            found += through
        return found, None


def _bits(tensor: Tensor) -> NDArray[Any]:
    """View numbers as integers; those from 0 on have the same order as such."""
    return tensor.contiguous().view(_BITS[tensor.dtype]).numpy()


@njit(cache=True, nogil=True)
def _pool(
    units: NDArray[Any],
    present: NDArray[Any],
    rectified: NDArray[Any],
    pooled: NDArray[Any],
    slots: NDArray[Any],
) -> None:
    """Write the rectified units, their greatest and its slot, all as bits."""
    count, size, width = units.shape
    zero = units.dtype.type(0)
    for i in range(count):
        greatest, place = pooled[i], slots[i]
        for feature in range(width):
            greatest[feature] = 0
            place[feature] = 0
        for slot in range(size):
            row, out = units[i, slot], rectified[i, slot]
            if not present[i, slot]:
                for feature in range(width):
                    out[feature] = 0
                continue
            for feature in range(width):
                bits = max(row[feature], zero)  # a number below 0 has the sign bit
                out[feature] = bits
                is_greater = bits > greatest[feature]
                place[feature] = slot if is_greater else place[feature]
                greatest[feature] = bits if is_greater else greatest[feature]


@njit(cache=True, nogil=True)
def _spread(
    gradients: NDArray[Any], pooled: NDArray[Any], slots: NDArray[Any], out: NDArray[Any]
) -> None:
    """Write each gradient of a maximum above 0 to its slot, and 0 to the others, all as bits."""
    count, size, width = out.shape
    for i in range(count):
        for slot in range(size):
            row = out[i, slot]
            for feature in range(width):
                is_its = slots[i, feature] == slot and pooled[i, feature] > 0
                row[feature] = gradients[i, feature] if is_its else 0


@njit(cache=True, nogil=True)
def _pass_through(gradients: NDArray[Any], rectified: NDArray[Any], out: NDArray[Any]) -> None:
    """Write the gradients of what is above 0, and 0 elsewhere, all as bits."""
    gradients, rectified, out = gradients.ravel(), rectified.ravel(), out.ravel()
    for i in range(len(gradients)):
        out[i] = gradients[i] if rectified[i] > 0 else 0
