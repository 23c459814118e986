"""The optimisers that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.nn import Parameter

from agents.dqn.config import LearnerConfig


class CentredRMSprop(torch.optim.Optimizer):
    """RMSProp by the gradient's variance (Graves 2013, equations 38 to 41), as Mnih et al. (2015).

    g = decay g + (1 - decay) grad, likewise s of grad squared, and the weights move by
    -lr grad / sqrt(s - g^2 + epsilon). `torch.optim.RMSprop` adds epsilon after the root, which for
    small gradients makes steps ten times as large at these papers' epsilon.

    Args:
        parameters: what is trained.
        lr: learning rate.
        decay: of both means (Mnih et al.: 0.95).
        epsilon: added to the variance (Mnih et al.: 0.01, for summed gradients).
    """

    def __init__(
        self, parameters: Iterable[Parameter], lr: float, decay: float, epsilon: float
    ) -> None:
        super().__init__(parameters, {"lr": lr, "decay": decay, "epsilon": epsilon})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Any = None) -> float | None:
        """Move the parameters that have a gradient."""
        if closure is not None:
            raise ValueError("a closure is not supported: expected gradients")
        for group in self.param_groups:
            trained = [p for p in group["params"] if p.grad is not None]
            if not trained:
                continue
            for parameter in trained:
                if not self.state[parameter]:
                    self.state[parameter]["mean"] = torch.zeros_like(parameter)
                    self.state[parameter]["square"] = torch.zeros_like(parameter)
            gradients: list[Tensor] = [p.grad for p in trained]
            means = [self.state[p]["mean"] for p in trained]
            squares = [self.state[p]["square"] for p in trained]
            torch._foreach_lerp_(means, gradients, 1.0 - group["decay"])
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, gradients, gradients, 1.0 - group["decay"])
            variances = torch._foreach_addcmul(squares, means, means, -1.0)
            torch._foreach_clamp_min_(variances, 0.0)  # rounding may take it below
            torch._foreach_add_(variances, group["epsilon"])
            torch._foreach_sqrt_(variances)
            torch._foreach_addcdiv_(trained, gradients, variances, -group["lr"])
        return None


def build_optimiser(
    parameters: Iterable[Parameter], config: LearnerConfig
) -> torch.optim.Optimizer:
    """Create the optimiser of the settings, at its peak learning rate."""
    rate, epsilon = config.learning_rate, config.epsilon
    if config.optimiser == "adam":
        return torch.optim.Adam(parameters, lr=rate, eps=epsilon, fused=True)
    if config.optimiser == "radam":  # one call for all parameters: half the time
        return torch.optim.RAdam(parameters, lr=rate, eps=epsilon, foreach=True)
    return CentredRMSprop(parameters, rate, 0.95, epsilon)
