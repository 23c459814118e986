"""The residual policy/value network and its two forms: one to train, one to play with.

Shapes: N positions, C input planes, H x W board, A actions. The value head answers win, draw and
loss for the side to move.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from agents.alphazero.config import LearnerConfig, NetworkConfig
from envs.game import Game

KOMI_ROOM = 30  # points by which a lead may exceed the board (KataGo 2019, 4.1: likewise)


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


def board_of(planes: Tensor, board_plane: int | None) -> Tensor | None:
    """Return the plane [N, 1, H, W] with ones on the board; None where no cell is outside."""
    return None if board_plane is None else planes[:, board_plane : board_plane + 1]


def on_board(x: Tensor, board: Tensor | None) -> Tensor:
    """Return x [N, F, H, W] with zeros outside the board, as a convolution pads its edge."""
    return x if board is None else x * board


def board_pools(x: Tensor, board: Tensor | None) -> Tensor:
    """Return the mean and the maximum over the board, [N, 2F], of what is 0 outside and not below.

    Of a smaller board they are those of its own cells (KataGo 2019, appendix A).
    """
    if board is None:
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
    area = board.sum((2, 3)).clamp(min=1.0)  # a batch may be padded with rows of zeros
    return torch.cat([x.sum((2, 3)) / area, x.amax((2, 3))], 1)


class GlobalPooling(nn.Module):
    """Add to every cell a linear image of the board's mean and maximum (KataGo 2019, 3.3)."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * filters, filters)

    def forward(self, x: Tensor, board: Tensor | None = None) -> Tensor:
        """[N, F, H, W] -> [N, F, H, W]."""
        image = self.linear(board_pools(x, board))[:, :, None, None]
        return on_board(x + image, board)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a skip connection."""

    def __init__(self, filters: int, pooled: bool) -> None:
        super().__init__()
        self.first = ConvBlock(filters, filters, 3)
        self.pool = GlobalPooling(filters) if pooled else None
        self.second = ConvBlock(filters, filters, 3)

    def forward(self, x: Tensor, board: Tensor | None = None) -> Tensor:
        """[N, F, H, W] -> [N, F, H, W]."""
        hidden = on_board(functional.relu(self.first(x)), board)
        if self.pool is not None:
            hidden = self.pool(hidden, board)
        return on_board(functional.relu(x + self.second(hidden)), board)


def _policy_layer(
    planes_shape: tuple[int, int, int], num_actions: int, config: NetworkConfig, policy_planes: int
) -> nn.Module:
    """Return a policy head's last layer: by planes, or linear where the policy has none."""
    _, height, width = planes_shape
    if policy_planes:  # an action is a plane and a cell (AlphaZero 2018, table S2)
        return nn.Conv2d(config.head_filters, policy_planes, 1)
    return nn.Linear(config.head_filters * height * width, num_actions)


def _policy_logits(conv: ConvBlock, layer: nn.Module, x: Tensor) -> Tensor:
    """[N, F, H, W] -> [N, A]."""
    policy = functional.relu(conv(x))
    logits: Tensor = layer(policy if isinstance(layer, nn.Conv2d) else policy.flatten(1))
    return logits.flatten(1)


class PolicyValueNetwork(nn.Module):
    """Planes [N, C, H, W] -> policy logits [N, A] and win/draw/loss logits [N, 3].

    With P policy planes the policy is a convolution, and A = P * H * W: action
    `plane * H * W + row * W + column`. With a `board_plane` (`envs.game.Game`) what the blocks see
    is 0 outside the board, whose edge so looks the same on all sides.
    """

    def __init__(
        self,
        planes_shape: tuple[int, int, int],
        num_actions: int,
        config: NetworkConfig,
        policy_planes: int = 0,
        board_plane: int | None = None,
    ) -> None:
        super().__init__()
        self.board_plane = board_plane
        channels, height, width = planes_shape
        filters, head = config.filters, config.head_filters
        self.stem = ConvBlock(channels, filters, 3)
        self.blocks = nn.ModuleList(
            ResidualBlock(filters, config.global_pooling and i >= config.blocks // 2)
            for i in range(config.blocks)
        )
        self.policy_conv = ConvBlock(filters, head, 1)
        self.policy_out = _policy_layer(planes_shape, num_actions, config, policy_planes)
        self.value_conv = ConvBlock(filters, head, 1)
        self.value_hidden = nn.Linear(head * height * width, config.value_hidden)
        self.value_out = nn.Linear(config.value_hidden, 3)
        for block in self.blocks:  # each block begins as the identity, so that depth costs nothing
            nn.init.zeros_(block.second.norm.weight)  # type: ignore[union-attr, arg-type]

    def forward(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.answer(self.trunk(planes))

    def trunk(self, planes: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, F, H, W], what all heads see."""
        board = board_of(planes, self.board_plane)
        x = on_board(functional.relu(self.stem(planes)), board)
        for block in self.blocks:
            x = block(x, board)
        return x

    def answer(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return policy and win/draw/loss logits of the trunk's [N, F, H, W]."""
        policy = _policy_logits(self.policy_conv, self.policy_out, x)
        hidden = functional.relu(self.value_conv(x)).flatten(1)
        value = self.value_out(functional.relu(self.value_hidden(hidden)))
        return policy, value

    def fold(self) -> None:
        """Fold every batch norm into its convolution, for inference only."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvBlock):
                module.fold()


class Guesses(NamedTuple):
    """What the auxiliary heads answer; None of a head that is not there."""

    reply: Tensor | None  # [N, A] logits of the next ply's policy
    ownership: Tensor | None  # [N, H*W] logits of a point being the mover's in the end
    lead: Tensor | None  # [N, S] logits of the mover's lead, see `AuxiliaryHeads.lead_bins`


class AuxiliaryHeads(nn.Module):
    """Heads that only training has: what they must predict shapes the trunk (KataGo 2019)."""

    def __init__(self, game: Game, network: NetworkConfig, learner: LearnerConfig) -> None:
        super().__init__()
        filters, head = network.filters, network.head_filters
        shape, actions = game.planes_shape, game.num_actions
        self.board_plane = game.board_plane
        self.turned = [axis + 1 for axis in game.turned_axes]
        self.most_lead = shape[1] * shape[2] + KOMI_ROOM
        if learner.reply_weight > 0.0:  # 3.4
            self.reply_conv = ConvBlock(filters, head, 1)
            self.reply_out = _policy_layer(shape, actions, network, game.policy_planes)
        if learner.ownership_weight > 0.0:  # 4.1
            self.ownership_out = nn.Conv2d(filters, 1, 1)
        if learner.score_weight > 0.0:  # 4.1
            self.lead_hidden = nn.Linear(2 * filters, network.value_hidden)
            self.lead_out = nn.Linear(network.value_hidden, 2 * self.most_lead)

    def forward(self, x: Tensor, planes: Tensor) -> Guesses:
        """Trunk [N, F, H, W] of planes [N, C, H, W] -> guesses."""
        reply = ownership = lead = None
        if hasattr(self, "reply_out"):
            seen = x.flip(self.turned) if self.turned else x  # as who replies sees the board
            reply = _policy_logits(self.reply_conv, self.reply_out, seen)
        if hasattr(self, "ownership_out"):
            ownership = self.ownership_out(x).flatten(1)
        if hasattr(self, "lead_out"):
            pools = board_pools(x, board_of(planes, self.board_plane))
            lead = self.lead_out(functional.relu(self.lead_hidden(pools)))
        return Guesses(reply, ownership, lead)

    def lead_bins(self, lead: Tensor) -> Tensor:
        """Return the bins int64 [N] of leads in points [N]; bin b is [b - S/2, b - S/2 + 1)."""
        bins = torch.floor(lead).long() + self.most_lead
        return bins.clamp(0, 2 * self.most_lead - 1)


def build_heads(
    game: Game, network: NetworkConfig, learner: LearnerConfig, seed: int
) -> AuxiliaryHeads | None:
    """Create the auxiliary heads, the same for the same seed; None if the settings ask for none."""
    if not (learner.reply_weight > 0.0 or learner.counts_points):
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        return AuxiliaryHeads(game, network, learner)


def build_network(game: Game, config: NetworkConfig, seed: int) -> PolicyValueNetwork:
    """Create a network for a game, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PolicyValueNetwork(
            game.planes_shape, game.num_actions, config, game.policy_planes, game.board_plane
        )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def value_of(win_draw_loss: Tensor) -> Tensor:
    """Return value_to_play [N] in [-1, 1] from win/draw/loss logits [N, 3]."""
    share = win_draw_loss.softmax(1)
    return share[:, 0] - share[:, 2]
