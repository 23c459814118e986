"""Encoders: from observations to features.

Shapes: n observations, F features, U slots of units of W features each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.ppo.config import NetworkConfig
from agents.ppo.network.pooling import rectify_and_pool
from envs.teams import TeamSpec, UnitGroup

NATURE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""Filters, size and stride of the convolutions of Mnih et al. (2015)."""
SMALL = ((16, 3, 2), (32, 3, 2))
"""The same for pictures that are too small for them."""


def scale_of(dtype: np.dtype[np.generic]) -> float:
    """Return what the entries of an observation are multiplied with: 1/127 for int8."""
    return {"int8": 1.0 / 127.0, "uint8": 1.0 / 255.0}.get(np.dtype(dtype).name, 1.0)


def activation_of(config: NetworkConfig) -> nn.Module:
    """Create the activation of a layer."""
    return nn.Tanh() if config.activation == "tanh" else nn.ReLU()


class ScaledLinear(nn.Linear):
    """A layer that takes its inputs times a constant: bytes as shares of their greatest value.

    The constant goes into the weights, of which there are fewer than inputs. Besides, whole numbers
    up to 256 are exact in bfloat16, and most of their shares are not.
    """

    def __init__(self, inputs: int, outputs: int, scale: float) -> None:
        super().__init__(inputs, outputs)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        weight = self.weight if self.scale == 1.0 else self.weight * self.scale
        return functional.linear(x, weight, self.bias)


def layers(
    inputs: int, config: NetworkConfig, scale: float = 1.0, count: int | None = None
) -> nn.Sequential:
    """Create hidden layers with activations; the first takes its inputs times `scale`."""
    parts: list[nn.Module] = []
    for number in range(config.layers if count is None else count):
        linear = nn.Linear(inputs, config.hidden) if number else None
        parts += [linear or ScaledLinear(inputs, config.hidden, scale), activation_of(config)]
        inputs = config.hidden
    return nn.Sequential(*parts)


class VectorEncoder(nn.Module):
    """Hidden layers over all entries of an observation: [n, *shape] -> [n, F], no units."""

    def __init__(self, spec: TeamSpec, config: NetworkConfig, scale: float) -> None:
        super().__init__()
        self.features = config.hidden
        self.layers = layers(math.prod(spec.observation_shape), config, scale)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """See the class."""
        return self.layers(x.flatten(1)), None


class PictureEncoder(nn.Module):
    """Convolutions and a hidden layer: [n, height, width, colours] -> [n, F], no units."""

    def __init__(self, spec: TeamSpec, config: NetworkConfig, scale: float) -> None:
        super().__init__()
        channels = spec.observation_shape[2]
        parts: list[nn.Module] = []
        for filters, size, stride in filters_of(spec):
            parts += [nn.Conv2d(channels, filters, size, stride), nn.ReLU()]
            channels = filters
        height, width = filtered_size(spec)
        if min(height, width) < 1:
            raise ValueError(
                f"observations of the shape {list(spec.observation_shape)}: expected pictures of "
                "7x7 pixels or more, [height, width, colours]"
            )
        self.scale = scale
        self.features = config.hidden
        self.convolutions = nn.Sequential(*parts)
        self.layers = layers(channels * height * width, config, count=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """See the class."""
        pictures = (x * self.scale).movedim(3, 1)
        return self.layers(self.convolutions(pictures).flatten(1)), None


def filters_of(spec: TeamSpec) -> tuple[tuple[int, int, int], ...]:
    """Return filters, size and stride of the convolutions over a picture."""
    return NATURE if min(spec.observation_shape[:2]) >= 36 else SMALL


def filtered_size(spec: TeamSpec) -> tuple[int, int]:
    """Return height and width of what the convolutions make of a picture."""
    height, width = spec.observation_shape[:2]
    for _, size, stride in filters_of(spec):
        height, width = (height - size) // stride + 1, (width - size) // stride + 1
    return height, width


class UnitEncoder(nn.Module):
    """One encoder a group of units, whose features are pooled by their maximum, and a trunk.

    OpenAI et al. (2019), appendix H: the same encoder for each unit of a group, and the maximum
    over those that there are. [n, entries] -> [n, F], and units [n, U, W] of the groups that are
    targets, in order.
    """

    def __init__(self, spec: TeamSpec, config: NetworkConfig, scale: float) -> None:
        super().__init__()
        self.groups = spec.groups
        self.own = tuple((start, stop) for start, stop, _ in own_entries(spec))
        inputs = sum(stop - start for start, stop in self.own) + len(self.groups) * config.units
        self.features = config.hidden
        self.units = nn.ModuleList(
            ScaledLinear(group.features, config.units, scale) for group in self.groups
        )
        self.scale = scale
        self.layers = layers(inputs, config)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """See the class."""
        targets, pooled = [], []
        for group, encoder in zip(self.groups, self.units, strict=True):
            slots = x[:, group.start : group.stop].reshape(len(x), group.slots, group.features)
            units, greatest = rectify_and_pool(encoder(slots), slots[:, :, 0] != 0)
            pooled.append(greatest)
            if group.target is not None:
                targets.append(units)
        own = [x[:, start:stop] * self.scale for start, stop in self.own]
        features = self.layers(torch.cat([*own, *pooled], 1))
        return features, torch.cat(targets, 1) if targets else None


Encoder = VectorEncoder | PictureEncoder | UnitEncoder


def build_encoder(spec: TeamSpec, config: NetworkConfig) -> Encoder:
    """Create the encoder that observations ask for.

    Raises ValueError for pictures that are too small.
    """
    return encoder_class(spec)(spec, config, scale_of(spec.observation_dtype))


def encoder_class(spec: TeamSpec) -> type[VectorEncoder | PictureEncoder | UnitEncoder]:
    """Return which encoder observations ask for."""
    if spec.groups:
        return UnitEncoder
    is_picture = spec.observation_dtype == np.uint8 and len(spec.observation_shape) == 3
    return PictureEncoder if is_picture else VectorEncoder


def own_entries(spec: TeamSpec) -> Iterator[tuple[int, int, str]]:
    """Yield the stretches (start, stop) of an observation that belong to no group of units.

    With each comes the name of the group before it; "" for the first.
    """
    done, before = 0, ""
    for group in sorted(spec.groups, key=_start):
        if group.start > done:
            yield done, group.start, before
        done, before = group.stop, group.name
    if (entries := math.prod(spec.observation_shape)) > done:
        yield done, entries, before


def _start(group: UnitGroup) -> int:
    return group.start


def target_choices(groups: Sequence[UnitGroup]) -> list[int]:
    """Return which choice of a target each unit is, in the order of `UnitEncoder`."""
    return [
        group.target + slot
        for group in groups
        if group.target is not None
        for slot in range(group.slots)
    ]
