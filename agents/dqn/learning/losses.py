"""Losses of the values of n actions against their targets, and the priorities that follow.

Every loss answers two float32 arrays [n]: what is minimised, its gradient included, and a priority
without one, at least 0. Weights and means over the batch are the learner's.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Losses(NamedTuple):
    """Losses and priorities of n transitions, each float32 [n]."""

    losses: Tensor
    priorities: Tensor


def mean_loss(means: Tensor, targets: Tensor, error_clip: float) -> Losses:
    """Return half the squared errors of means [n], linear beyond `error_clip`; 0 clips none.

    Clipping the error in the update, as Mnih et al. (2015) do (methods, "training details"), is the
    gradient of this, Huber's loss. The priority is the error's size (Schaul et al. 2016).
    """
    errors = targets - means
    losses = _half_square(errors, error_clip) if error_clip else 0.5 * errors.square()
    return Losses(losses, errors.detach().abs())


def categorical_loss(logits: Tensor, targets: Tensor) -> Losses:
    """Return the divergences KL(target || predicted) in nats, of logits and probabilities [n, K].

    Its gradient is that of the cross-entropy (Bellemare et al. 2017, algorithm 1), and it is the
    priority too (Rainbow, Hessel et al. 2018, "the integrated agent").
    """
    terms = torch.xlogy(targets, targets) - targets * functional.log_softmax(logits, 1)
    losses = terms.sum(1)
    return Losses(losses, losses.detach().clamp(min=0.0))


def quantile_loss(values: Tensor, taus: Tensor, targets: Tensor, kappa: float) -> Losses:
    """Return the quantile Huber losses of values [n, K] at fractions taus [n or 1, K].

    Summed over the values and averaged over the targets [n, J] (Dabney et al. 2018a, equation 10;
    IQN, Dabney et al. 2018b, equation 3). An error beyond `kappa` counts linearly; 0 is the plain
    quantile loss. The priority is the mean size of the K x J errors.
    """
    errors = targets.unsqueeze(1) - values.unsqueeze(2)  # [n, K, J]
    size = _half_square(errors, kappa) / kappa if kappa else errors.abs()
    weights = (taus.unsqueeze(2) - (errors.detach() < 0.0).to(taus.dtype)).abs()
    return Losses((weights * size).mean(2).sum(1), errors.detach().abs().mean((1, 2)))


def _half_square(errors: Tensor, limit: float) -> Tensor:
    """Huber's loss: half the square up to the limit, and its tangent beyond."""
    size = errors.abs()
    inside = size.clamp(max=limit)
    return inside * (size - 0.5 * inside)
