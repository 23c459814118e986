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
        lr: learning rate; as a tensor on the parameters' device it can be part of a CUDA graph.
        decay: of both means (Mnih et al.: 0.95).
        epsilon: added to the variance (Mnih et al.: 0.01, for summed gradients).
    """

    def __init__(
        self, parameters: Iterable[Parameter], lr: float | Tensor, decay: float, epsilon: float
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
            rate = group["lr"]
            if isinstance(rate, Tensor):
                steps = torch._foreach_div(gradients, variances)
                torch._foreach_mul_(steps, rate)
                torch._foreach_sub_(trained, steps)
            else:
                torch._foreach_addcdiv_(trained, gradients, variances, -rate)
        return None


def build_optimiser(
    parameters: Iterable[Parameter], config: LearnerConfig, *, capturable: bool = False
) -> torch.optim.Optimizer:
    """Create the optimiser of the settings, at its peak learning rate.

    `capturable`, on a card: its steps can be part of a CUDA graph, which reads the rate there.
    """
    trained = list(parameters)
    rate: float | Tensor = config.learning_rate
    epsilon = config.epsilon
    if capturable:
        rate = torch.tensor(rate, device=trained[0].device)
    if config.optimiser == "adam":
        return torch.optim.Adam(trained, lr=rate, eps=epsilon, fused=True, capturable=capturable)
    if config.optimiser == "radam":  # one call for all parameters: half the time
        return torch.optim.RAdam(trained, lr=rate, eps=epsilon, foreach=True, capturable=capturable)
    return CentredRMSprop(trained, rate, 0.95, epsilon)
