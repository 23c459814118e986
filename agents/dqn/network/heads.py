"""Heads: from features to the values of actions, as means or as distributions of returns.

Shapes: n observations, F features, A actions, K values of a distribution (1 where a mean is all).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from agents.dqn.config import HeadConfig, NetworkConfig


class ActionValues(NamedTuple):
    """Distributions of the returns of A actions in n observations, each over K values.

    Attributes:
        values: float32 [n, A, K], the values: quantiles, the atoms of C51, or the mean alone.
        logits: float32 [n, A, K], log-probabilities of the values up to a constant (C51); None
            where all values are equally likely.
        taus: float32 [n, K] or [1, K], the fractions whose quantiles the values are; None for
            others.
    """

    values: Tensor
    logits: Tensor | None = None
    taus: Tensor | None = None

    def means(self) -> Tensor:
        """Return Q, the mean of each action, float32 [n, A]."""
        if self.logits is None:
            return self.values.mean(2)
        return (self.logits.softmax(2) * self.values).sum(2)

    def probabilities(self) -> Tensor:
        """Return the probabilities of the values, float32 [n, A, K]."""
        if self.logits is None:
            return torch.full_like(self.values, 1.0 / self.values.shape[2])
        return self.logits.softmax(2)

    def select(self, actions: Tensor) -> ActionValues:
        """Return the values of one action in each observation: actions [n] -> [n, 1, K]."""
        index = actions.view(-1, 1, 1).expand(-1, 1, self.values.shape[2])
        logits = None if self.logits is None else self.logits.gather(1, index)
        return ActionValues(self.values.gather(1, index), logits, self.taus)


class NoisyLinear(nn.Module):
    """A linear layer with learned, factorised noise (Fortunato et al. 2018, section 3.2.b).

    y = (mu_w + sigma_w * f(e_out) f(e_in)^T) x + mu_b + sigma_b * f(e_out), f(e) = sign(e) sqrt|e|.
    Without drawn noise, as in the beginning, it is the linear layer of the means.

    Args:
        inputs: numbers in.
        outputs: numbers out.
        scale: sigma_0, of which each sigma is the inputs' square root at first.
    """

    def __init__(self, inputs: int, outputs: int, scale: float) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self.weight_scale = nn.Parameter(torch.full((outputs, inputs), scale * bound))
        self.bias_scale = nn.Parameter(torch.full((outputs,), scale * bound))
        self.noise_in: Tensor | None = None  # [inputs], or [n, inputs]: each row its own
        self.noise_out: Tensor | None = None  # [outputs], or [n, outputs]

    def draw_noise(self, rows: int | None, generator: Generator | None) -> None:
        """Draw the noise of the passes to come: one for all rows, or for each of `rows` its own."""
        outputs, inputs = self.weight.shape
        self.noise_in = self._drawn(self.noise_in, inputs, rows, generator)
        self.noise_out = self._drawn(self.noise_out, outputs, rows, generator)

    def _drawn(
        self, before: Tensor | None, size: int, rows: int | None, generator: Generator | None
    ) -> Tensor:
        shape = (size,) if rows is None else (rows, size)
        drawn = torch.randn(shape, generator=generator, device=self.weight.device)
        scaled = drawn.sign() * drawn.abs().sqrt()
        if before is None or before.shape != scaled.shape:
            return scaled
        return before.copy_(scaled)  # in place, as a captured CUDA graph reads it there

    def remove_noise(self) -> None:
        """Compute with the means alone from now on."""
        self.noise_in = self.noise_out = None

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs] -> [n, outputs]; or [n, m, inputs] -> [n, m, outputs]."""
        if self.noise_in is None or self.noise_out is None:
            return functional.linear(x, self.weight, self.bias)
        noise_in, noise_out = self.noise_in, self.noise_out
        if noise_in.ndim == 1:
            weight = self.weight + self.weight_scale * torch.outer(noise_out, noise_in)
            return functional.linear(x, weight, self.bias + self.bias_scale * noise_out)
        if x.ndim == 3:
            noise_in, noise_out = noise_in[:, None], noise_out[:, None]
        # the noise's factors are one matrix product more, instead of a matrix of weights each row
        noise = functional.linear(x * noise_in, self.weight_scale, self.bias_scale)
        return functional.linear(x, self.weight, self.bias) + noise * noise_out


class Stream(nn.Module):
    """A hidden layer and an output layer: [..., inputs] -> float32 [..., outputs].

    The output layer computes in float32 at any precision of the rest. In bfloat16 a value of 4 has
    neighbours 1/32 apart, where the values of two actions often differ by less.
    """

    def __init__(self, inputs: int, outputs: int, network: NetworkConfig, head: HeadConfig) -> None:
        super().__init__()
        hidden = network.hidden
        norm = [nn.LayerNorm(hidden)] if network.layer_norm else []
        self.layers = nn.Sequential(
            _linear(inputs, hidden, head), *norm, nn.ReLU(), _linear(hidden, outputs, head)
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        hidden: Tensor = self.layers[:-1](x)
        with torch.autocast(x.device.type, enabled=False):
            out: Tensor = self.layers[-1](hidden.float())
        return out


class Streams(nn.Module):
    """Outputs of K numbers for each of A actions: [..., inputs] -> float32 [..., A, K].

    Dueling, they are the state's K numbers plus an advantage each action, less the mean advantage
    (Wang et al. 2016, equation 9; over distributions, Rainbow, Hessel et al. 2018).
    """

    def __init__(
        self, inputs: int, actions: int, outputs: int, network: NetworkConfig, head: HeadConfig
    ) -> None:
        super().__init__()
        self.actions = actions
        self.advantage = Stream(inputs, actions * outputs, network, head)
        self.value = Stream(inputs, outputs, network, head) if head.dueling else None

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.advantage(x)
        out = out.reshape(*out.shape[:-1], self.actions, -1)
        if self.value is None:
            return out
        state: Tensor = self.value(x)
        return state.unsqueeze(-2) + out - out.mean(-2, keepdim=True)


class PlainHead(nn.Module):
    """The mean return of each action (Mnih et al. 2015)."""

    def __init__(
        self, features: int, actions: int, network: NetworkConfig, head: HeadConfig
    ) -> None:
        super().__init__()
        self.streams = Streams(features, actions, 1, network, head)

    def forward(self, x: Tensor, taus: Tensor | None = None) -> ActionValues:
        """[n, F] -> values [n, A, 1]."""
        return ActionValues(self.streams(x))


class CategoricalHead(nn.Module):
    """Probabilities of evenly spaced atoms (C51, Bellemare et al. 2017, section 4)."""

    support: Tensor

    def __init__(
        self, features: int, actions: int, network: NetworkConfig, head: HeadConfig
    ) -> None:
        super().__init__()
        self.streams = Streams(features, actions, head.atoms, network, head)
        support = torch.linspace(head.v_min, head.v_max, head.atoms)
        self.register_buffer("support", support, persistent=False)

    def forward(self, x: Tensor, taus: Tensor | None = None) -> ActionValues:
        """[n, F] -> values and logits [n, A, atoms]."""
        logits: Tensor = self.streams(x)
        return ActionValues(self.support.expand_as(logits), logits)


class QuantileHead(nn.Module):
    """Quantiles at the middles of equal shares (QR-DQN, Dabney et al. 2018a, lemma 2)."""

    taus: Tensor

    def __init__(
        self, features: int, actions: int, network: NetworkConfig, head: HeadConfig
    ) -> None:
        super().__init__()
        self.streams = Streams(features, actions, head.quantiles, network, head)
        self.register_buffer("taus", _middles(head.quantiles), persistent=False)

    def forward(self, x: Tensor, taus: Tensor | None = None) -> ActionValues:
        """[n, F] -> values [n, A, quantiles]."""
        return ActionValues(self.streams(x), taus=self.taus)


class ImplicitHead(nn.Module):
    """The quantile function at any fractions (IQN, Dabney et al. 2018b, section 3.1)."""

    taus: Tensor
    frequencies: Tensor

    def __init__(
        self, features: int, actions: int, network: NetworkConfig, head: HeadConfig
    ) -> None:
        super().__init__()
        self.streams = Streams(features, actions, 1, network, head)
        self.embedding = nn.Linear(head.cosines, features)
        frequencies = math.pi * torch.arange(head.cosines, dtype=torch.float32)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.register_buffer("taus", _middles(head.acting_taus), persistent=False)

    def forward(self, x: Tensor, taus: Tensor | None = None) -> ActionValues:
        """[n, F] and fractions [n, K] -> values [n, A, K]; evenly spaced fractions if None."""
        taus = self.taus if taus is None else taus
        cosines = torch.cos(taus.unsqueeze(2) * self.frequencies)  # [n or 1, K, cosines]
        embedded = functional.relu(self.embedding(cosines))  # [n or 1, K, F]; equation 4
        values: Tensor = self.streams(x.unsqueeze(1) * embedded)  # [n, K, A, 1]
        return ActionValues(values.squeeze(3).transpose(1, 2), taus=taus)


Head = PlainHead | CategoricalHead | QuantileHead | ImplicitHead

_HEADS: dict[str, type[Head]] = {
    "plain": PlainHead,
    "c51": CategoricalHead,
    "quantile": QuantileHead,
    "iqn": ImplicitHead,
}


def build_head(features: int, actions: int, network: NetworkConfig, head: HeadConfig) -> Head:
    """Create the head of that kind, from F features to A actions."""
    return _HEADS[head.kind](features, actions, network, head)


def _linear(inputs: int, outputs: int, head: HeadConfig) -> nn.Module:
    return NoisyLinear(inputs, outputs, head.noise) if head.noisy else nn.Linear(inputs, outputs)


def _middles(count: int) -> Tensor:
    """Return the middles of `count` equal shares of [0, 1], float32 [1, count]."""
    return ((torch.arange(count, dtype=torch.float32) + 0.5) / count).unsqueeze(0)
