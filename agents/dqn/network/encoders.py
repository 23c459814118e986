"""Encoders: from observations to features.

Shapes: n observations of S stacked frames, C input channels, H x W pixels, F features. Pictures are
laid out channels last, which oneDNN and cuDNN compute faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from agents.dqn.config import NetworkConfig
from agents.dqn.network.pixels import can_interleave, interleaved

NIPS2013 = ((16, 8, 4), (32, 4, 2))
"""Filters, size and stride of the convolutions of Mnih et al. (2013), section 4.1."""
NATURE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""The same of Mnih et al. (2015), methods, "model architecture"."""
IMPALA = (16, 32, 32)
"""Filters of the three sections of Espeholt et al. (2018), figure 3."""


class InputScale(nn.Module):
    """The first layer, which takes its inputs times a constant: 1/255 for uint8.

    The constant goes into the weights, of which there are fewer than pixels. Besides, whole numbers
    up to 256 are exact in bfloat16, and most of their 255ths are not.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear, scale: float) -> None:
        super().__init__()
        self.layer = layer
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """[n, C, H, W] or [n, inputs] -> what the layer makes of `scale` times it."""
        weight = self.layer.weight * self.scale
        if isinstance(self.layer, nn.Conv2d):
            layer = self.layer
            return functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding)
        return functional.linear(x, weight, self.layer.bias)


class ConvolutionEncoder(nn.Module):
    """Convolutions, each with an activation: [n, C, H, W] -> [n, F]."""

    def __init__(
        self,
        picture: tuple[int, int, int],
        layers: Sequence[tuple[int, int, int]],
        config: NetworkConfig,
        scale: float,
    ) -> None:
        super().__init__()
        channels, *size = picture
        parts: list[nn.Module] = []
        for number, (filters, kernel, stride) in enumerate(layers):
            filters = _widened(filters, config)
            convolution = nn.Conv2d(channels, filters, kernel, stride)
            parts.append(convolution if number else InputScale(convolution, scale))
            parts += [*_norm_of(filters, config), nn.ReLU()]
            channels, size = filters, [(side - kernel) // stride + 1 for side in size]
            _check_size(size, picture, config)
        self.layers = nn.Sequential(*parts, *_pooling(config))
        self.features = channels * _cells(size, config)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.layers(x).flatten(1)
        return out


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a skip connection, activations before them."""

    def __init__(self, filters: int, config: NetworkConfig) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for _ in range(2):
            convolution: nn.Module = nn.Conv2d(filters, filters, 3, padding=1)
            if config.spectral_norm:
                convolution = parametrizations.spectral_norm(convolution)
            parts += [*_norm_of(filters, config), nn.ReLU(), convolution]
        self.layers = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """[n, filters, H, W] -> the same shape."""
        out: Tensor = x + self.layers(x)
        return out


class ImpalaEncoder(nn.Module):
    """Three sections of a convolution, a pooling by two and two residual blocks.

    Espeholt et al. (2018), figure 3, right: [n, C, H, W] -> [n, F].
    """

    def __init__(self, picture: tuple[int, int, int], config: NetworkConfig, scale: float) -> None:
        super().__init__()
        channels, *size = picture
        parts: list[nn.Module] = []
        for number, filters in enumerate(IMPALA):
            filters = _widened(filters, config)
            convolution = nn.Conv2d(channels, filters, 3, padding=1)
            parts.append(convolution if number else InputScale(convolution, scale))
            parts.append(nn.MaxPool2d(3, 2, padding=1))
            parts += [ResidualBlock(filters, config) for _ in range(2)]
            channels, size = filters, [(side + 1) // 2 for side in size]
        parts += [*_norm_of(channels, config), nn.ReLU()]
        self.layers = nn.Sequential(*parts, *_pooling(config))
        self.features = channels * _cells(size, config)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.layers(x).flatten(1)
        return out


class VectorEncoder(nn.Module):
    """One hidden layer over all numbers of an observation: [n, inputs] -> [n, F]."""

    def __init__(self, inputs: int, config: NetworkConfig, scale: float) -> None:
        super().__init__()
        self.features = config.hidden
        norm = [nn.LayerNorm(config.hidden)] if config.layer_norm else []
        first = InputScale(nn.Linear(inputs, config.hidden), scale)
        self.layers = nn.Sequential(first, *norm, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.layers(x)
        return out


Encoder = ConvolutionEncoder | ImpalaEncoder | VectorEncoder


def build_encoder(shape: tuple[int, ...], config: NetworkConfig, scale: float) -> Encoder:
    """Create an encoder of observations [S, *frame shape], which `arrange` has prepared.

    Args:
        shape: of one observation: S stacked frames [H, W] or [H, W, colours], or S vectors.
        config: which encoder.
        scale: what the numbers are multiplied with.

    Raises:
        ValueError: the encoder is for pictures, and these are none or too small.
    """
    if config.encoder == "mlp":
        return VectorEncoder(math.prod(shape), config, scale)
    if len(shape) not in (3, 4):
        raise ValueError(
            f"network.encoder = {config.encoder!r} with observations of the shape {list(shape)}: "
            "expected pictures, [frames, height, width]; for vectors use 'mlp'"
        )
    stack, height, width, *colours = shape
    picture = (stack * math.prod(colours), height, width)
    if config.encoder == "impala":
        return ImpalaEncoder(picture, config, scale)
    layers = NIPS2013 if config.encoder == "nips2013" else NATURE
    return ConvolutionEncoder(picture, layers, config, scale)


def check_encoder(shape: tuple[int, ...], config: NetworkConfig) -> None:
    """Raise ValueError as `build_encoder` does, without memory or time for weights."""
    with torch.device("meta"):
        build_encoder(shape, replace(config, spectral_norm=False), scale=1.0)


def arrange(observations: Tensor, pictures: bool, dtype: torch.dtype) -> Tensor:
    """Bring observations [n, S, *frame shape] in the form of encoders, of the given dtype.

    Pictures [n, S, H, W] or [n, S, H, W, colours] become [n, C, H, W], channels last in memory; all
    else becomes [n, inputs].
    """
    if not pictures:
        return observations.flatten(1).to(dtype)
    if observations.ndim == 5:
        observations = observations.movedim(4, 2).flatten(1, 2)
    elif can_interleave(observations, dtype):
        return interleaved(observations, dtype)
    return observations.to(dtype).contiguous(memory_format=torch.channels_last)


def _widened(filters: int, config: NetworkConfig) -> int:
    return max(1, round(filters * config.width))


def _norm_of(filters: int, config: NetworkConfig) -> list[nn.Module]:
    """Layer norm (Ba et al. 2016) over all units of a layer, with a gain and a bias each filter.

    As one group of a group norm it takes an eighth of the time of `nn.LayerNorm` over the filters
    of each cell.
    """
    return [nn.GroupNorm(1, filters)] if config.layer_norm else []


def _pooling(config: NetworkConfig) -> list[nn.Module]:
    return [nn.AdaptiveMaxPool2d(config.max_pool)] if config.max_pool else []


def _cells(size: Sequence[int], config: NetworkConfig) -> int:
    return config.max_pool**2 if config.max_pool else math.prod(size)


def _check_size(size: Sequence[int], picture: tuple[int, int, int], config: NetworkConfig) -> None:
    if min(size) < 1:
        raise ValueError(
            f"network.encoder = {config.encoder!r} with pictures of {picture[1]}x{picture[2]} "
            "pixels: they are too small for its convolutions; use 'impala' or 'mlp'"
        )
