"""The residual policy/value network and its two forms: one to train, one to play with.

Shapes: N positions, C input planes, H x W board, A actions. The value head answers win, draw and
loss for the side to move.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from agents.alphazero.config import NetworkConfig
from envs.game import Game


class ConvBlock(nn.Module):
    """Convolution and batch norm, which `fold` merges into one convolution."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        out: Tensor = self.norm(self.conv(x))
        return out

    def fold(self) -> None:
        """Fold the norm's running statistics into the convolution's weights and bias."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class GlobalPooling(nn.Module):
    """Add to every cell a linear image of the board's mean and maximum (KataGo 2019, 3.3)."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * filters, filters)

    def forward(self, x: Tensor) -> Tensor:
        """[N, F, H, W] -> [N, F, H, W]."""
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        return x + self.linear(pooled)[:, :, None, None]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a skip connection."""

    def __init__(self, filters: int, pooled: bool) -> None:
        super().__init__()
        self.first = ConvBlock(filters, filters, 3)
        self.pool: nn.Module = GlobalPooling(filters) if pooled else nn.Identity()
        self.second = ConvBlock(filters, filters, 3)

    def forward(self, x: Tensor) -> Tensor:
        """[N, F, H, W] -> [N, F, H, W]."""
        return functional.relu(x + self.second(self.pool(functional.relu(self.first(x)))))


class PolicyValueNetwork(nn.Module):
    """Planes [N, C, H, W] -> policy logits [N, A] and win/draw/loss logits [N, 3].

    With P policy planes the policy is a convolution, and A = P * H * W: action
    `plane * H * W + row * W + column`.
    """

    def __init__(
        self,
        planes_shape: tuple[int, int, int],
        num_actions: int,
        config: NetworkConfig,
        policy_planes: int = 0,
    ) -> None:
        super().__init__()
        channels, height, width = planes_shape
        filters, head = config.filters, config.head_filters
        self.stem = ConvBlock(channels, filters, 3)
        self.blocks = nn.ModuleList(
            ResidualBlock(filters, config.global_pooling and i >= config.blocks // 2)
            for i in range(config.blocks)
        )
        self.policy_conv = ConvBlock(filters, head, 1)
        self.policy_out: nn.Module
        if policy_planes:  # an action is a plane and a cell (AlphaZero 2018, table S2)
            self.policy_out = nn.Conv2d(head, policy_planes, 1)
        else:
            self.policy_out = nn.Linear(head * height * width, num_actions)
        self.policy_planes = policy_planes
        self.value_conv = ConvBlock(filters, head, 1)
        self.value_hidden = nn.Linear(head * height * width, config.value_hidden)
        self.value_out = nn.Linear(config.value_hidden, 3)
        for block in self.blocks:  # each block begins as the identity, so that depth costs nothing
            nn.init.zeros_(block.second.norm.weight)  # type: ignore[union-attr, arg-type]

    def forward(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        x = functional.relu(self.stem(planes))
        for block in self.blocks:
            x = block(x)
        policy = functional.relu(self.policy_conv(x))
        if self.policy_planes:
            policy = self.policy_out(policy).flatten(1)
        else:
            policy = self.policy_out(policy.flatten(1))
        hidden = functional.relu(self.value_conv(x)).flatten(1)
        value = self.value_out(functional.relu(self.value_hidden(hidden)))
        return policy, value

    def fold(self) -> None:
        """Fold every batch norm into its convolution, for inference only."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvBlock):
                module.fold()


def build_network(game: Game, config: NetworkConfig, seed: int) -> PolicyValueNetwork:
    """Create a network for a game, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PolicyValueNetwork(
            game.planes_shape, game.num_actions, config, game.policy_planes
        )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def value_of(win_draw_loss: Tensor) -> Tensor:
    """Return value_to_play [N] in [-1, 1] from win/draw/loss logits [N, 3]."""
    share = win_draw_loss.softmax(1)
    return share[:, 0] - share[:, 2]
