"""What the networks and the learner can be told; neither torch nor numba is imported."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class NetworkConfig:
    """A residual policy/value network (AlphaGo Zero 2017, figure 1, in small)."""

    blocks: int = 2
    """Residual blocks of two 3x3 convolutions (AlphaZero: 19)."""
    filters: int = 32
    """Channels of the trunk (AlphaZero: 256)."""
    head_filters: int = 16
    """Channels of the 1x1 convolutions before the two heads (AlphaZero: 2 and 1)."""
    value_hidden: int = 64
    """Hidden units of the value head (AlphaZero: 256)."""
    global_pooling: bool = False
    """Add the board's mean and maximum to the second half of the blocks (KataGo 2019, 3.3)."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Inference precision; `auto` is bfloat16 where the processor computes in it, else float32."""

    def __post_init__(self) -> None:
        for name in ("filters", "head_filters", "value_hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"network.{name} = {getattr(self, name)}: expected at least 1")
        if self.blocks < 0:
            raise ValueError(f"network.blocks = {self.blocks}: expected 0 or more")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(
                f"network.precision = {self.precision!r}: expected 'auto', 'float32' or 'bfloat16'"
            )


@dataclass(frozen=True)
class LearnerConfig:
    """How the network is trained (AlphaZero's loss)."""

    batch_size: int = 1024
    """Rows of a training step (AlphaZero: 4096)."""
    learning_rate: float = 2e-3
    """Peak learning rate of AdamW."""
    final_learning_rate: float = 1e-4
    """Learning rate at the end of training, reached by a cosine from `decay_start` on."""
    decay_start: float = 0.4
    """Share of the training after which the learning rate falls. A run that is extended goes on
    with the rate of a training of its new length, which is higher again."""
    weight_decay: float = 1e-4
    """Decoupled weight decay of the convolutions' and linear layers' weights."""
    value_weight: float = 1.0
    """Weight of the value loss beside the policy loss (AlphaZero: 1)."""
    search_value_share: float = 0.5
    """Share of the search's value in the value target, the rest being the game's outcome; a proven
    result is the whole target either way (Willemsen et al. 2021 compare such mixtures)."""
    value_mixing: Literal["outcomes", "scalar"] = "outcomes"
    """What is mixed: `outcomes` mixes two distributions over win, draw and loss, `scalar` the two
    values, so that a win that the search had as a loss becomes a certain draw."""
    lost_policy: bool = True
    """Learn a policy from proven losses too (the longest defence), not their value alone; without
    it Connect Four measured worse (docs/benchmarks.md)."""
    gradient_clip: float = 2.0
    """Largest norm of the gradient."""
    window_rows: int = 400_000
    """Newest training rows to sample from (AlphaZero: 1 M games)."""
    window_start_rows: int = 50_000
    """Size of the window in the beginning; it grows to `window_rows` as half of all rows made."""
    passes: float = 4.0
    """Training rows per new row at most (KataGo: 4)."""
    averaging: float = 0.99
    """Decay per step of the averaged weights that play and are published; 0 is off."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "window_rows", "window_start_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"learner.{name} = {getattr(self, name)}: expected at least 1")
        for name in ("learning_rate", "passes", "gradient_clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"learner.{name} = {getattr(self, name)}: expected more than 0")
        for name in ("search_value_share", "decay_start", "averaging"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"learner.{name} = {getattr(self, name)}: expected 0 to 1")
        if self.value_mixing not in ("outcomes", "scalar"):
            raise ValueError(
                f"learner.value_mixing = {self.value_mixing!r}: expected 'outcomes' or 'scalar'"
            )

    def learning_rate_at(self, progress: float) -> float:
        """Constant until `decay_start`, then a cosine down to `final_learning_rate`.

        `progress` in [0, 1] is the share of the budget that is used, so raising the budget raises
        the rate again: without that, little more is learned (SGDR, Loshchilov & Hutter 2017).
        """
        start = self.decay_start
        over = min(max((progress - start) / max(1.0 - start, 1e-9), 0.0), 1.0)
        share = 0.5 * (1.0 + math.cos(math.pi * over))
        return self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * share
