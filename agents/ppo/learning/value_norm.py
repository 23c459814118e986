"""Values in units of the spread of their targets (van Hasselt et al. 2016b, PopArt)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from agents.ppo.network.team_network import TeamNetwork

SMALLEST_SPREAD = 1e-4
SMALLEST_SHARE = 1e-2  # of the mean: targets that hardly differ are in no finer units


class TargetMoments(NamedTuple):
    """Mean and mean square of value targets, in units of rewards."""

    mean: float
    square: float

    @property
    def spread(self) -> float:
        """Their standard deviation."""
        return max(self.square - self.mean**2, 0.0) ** 0.5


class RunningMoments:
    """Moments of all targets until now, the older the less they count.

    Args:
        rate: least share of the newest iteration's targets; the first ones count as in a plain
            mean, so there is no start to correct.
    """

    def __init__(self, rate: float = 0.1) -> None:
        self.rate = rate
        self.count = 0
        self.moments = TargetMoments(0.0, 0.0)

    def update(self, targets: NDArray[np.float32]) -> TargetMoments:
        """Take in the targets of an iteration; return the moments."""
        self.count += 1
        share = max(1.0 / self.count, self.rate)
        targets = targets.astype(np.float64)
        newest = (float(targets.mean()), float(np.square(targets).mean()))
        self.moments = TargetMoments(
            *(old + share * (new - old) for old, new in zip(self.moments, newest))
        )
        return self.moments


@torch.no_grad()
def rescale_values(network: TeamNetwork, moments: TargetMoments) -> None:
    """Let the network's values be in units of these moments, without changing what they say.

    The output layer takes back what the new units change (PopArt, equation 3), so values in units
    of rewards are the same before and after.
    """
    spread = max(moments.spread, SMALLEST_SPREAD, SMALLEST_SHARE * abs(moments.mean))
    mean = torch.full_like(network.value_mean, moments.mean)
    head = network.value_head
    head.weight *= network.value_std / spread
    head.bias.copy_((network.value_std * head.bias + network.value_mean - mean) / spread)
    network.value_mean.copy_(mean)
    network.value_std.fill_(spread)
