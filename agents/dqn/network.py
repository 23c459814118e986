"""The Q-network: an encoder and a head, and the copy of it that targets are computed with.

Shapes: n observations of S stacked frames, A actions, K values of a distribution.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Generator, Tensor, nn

from agents.dqn.config import DQNConfig, TargetConfig
from agents.dqn.encoders import arrange, build_encoder
from agents.dqn.heads import ActionValues, NoisyLinear, build_head
from agents.torch_device import choose_precision


class QNetwork(nn.Module):
    """Observations [n, S, *frame shape] -> distributions of returns [n, A, K].

    Observations come as they are stored: uint8 counts as a share of 255, and pictures are laid out
    channels last inside.

    Args:
        observation_shape: [S, *frame shape].
        observation_dtype: uint8, or a dtype of numbers taken as they are.
        num_actions: A.
        config: network, head.
        device: where it will run, which decides the precision `auto`.

    Raises:
        ValueError: the encoder does not fit the observations.
    """

    def __init__(
        self,
        observation_shape: tuple[int, ...],
        observation_dtype: DTypeLike,
        num_actions: int,
        config: DQNConfig,
        device: torch.device,
    ) -> None:
        super().__init__()
        scale = 1.0 / 255.0 if np.dtype(observation_dtype) == np.uint8 else 1.0
        self.pictures = config.network.encoder != "mlp"
        self.precision = choose_precision(config.network.precision, device)
        self.encoder = build_encoder(observation_shape, config.network, scale)
        self.head = build_head(self.encoder.features, num_actions, config.network, config.head)

    def forward(self, observations: Tensor, taus: Tensor | None = None) -> ActionValues:
        """Return the values of all actions, float32.

        Args:
            observations: [n, S, *frame shape].
            taus: float32 [n, K], the fractions of an IQN head; None is evenly spaced ones.
        """
        device = observations.device.type
        low = self.precision is not torch.float32
        x = arrange(observations, self.pictures, self.precision)
        with torch.autocast(device, self.precision, enabled=low):
            values: ActionValues = self.head(self.encoder(x), taus)
        return values

    def draw_noise(self, rows: int | None = None, generator: Generator | None = None) -> None:
        """Draw the noise of noisy layers for the passes to come; without such layers, do nothing.

        Args:
            rows: of the passes to come, each of which gets noise of its own, as environments that
                act side by side should; None is one noise for all.
            generator: on the network's device, what is drawn with.
        """
        for layer in self.noisy_layers():
            layer.draw_noise(rows, generator)

    def remove_noise(self) -> None:
        """Act by the means of noisy layers from now on, as in evaluation."""
        for layer in self.noisy_layers():
            layer.remove_noise()

    def noisy_layers(self) -> list[NoisyLinear]:
        """Return the layers with noise, from the input to the output."""
        return [module for module in self.modules() if isinstance(module, NoisyLinear)]


def build_network(
    observation_shape: tuple[int, ...],
    observation_dtype: DTypeLike,
    num_actions: int,
    config: DQNConfig,
    *,
    seed: int,
    device: torch.device,
) -> QNetwork:
    """Create a network on a device, the same for the same seed; see `QNetwork`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = QNetwork(observation_shape, observation_dtype, num_actions, config, device)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


class TargetNetwork:
    """The network that values the next observations (Mnih et al. 2015, algorithm 1).

    Attributes:
        network: a copy of the online network, or that itself for the kind "none".
    """

    def __init__(self, online: QNetwork, config: TargetConfig) -> None:
        self.online = online
        self.config = config
        self.network = online if config.network == "none" else _frozen_copy(online)

    @torch.no_grad()
    def follow(self, steps: int) -> None:
        """Move towards the online network after the learner's step number `steps`, from 1 on."""
        if self.config.network == "hard" and steps % self.config.period == 0:
            self.network.load_state_dict(self.online.state_dict())
        elif self.config.network == "soft":
            for own, other in zip(self.network.parameters(), self.online.parameters()):
                own.lerp_(other, self.config.rate)
            for buffer, newest in zip(self.network.buffers(), self.online.buffers()):
                buffer.copy_(newest)  # a spectral norm's vectors, which have the length 1


def _frozen_copy(online: QNetwork) -> QNetwork:
    """Copy a network, without gradients and with a spectral norm that stays as it is."""
    return copy.deepcopy(online).requires_grad_(False).eval()
