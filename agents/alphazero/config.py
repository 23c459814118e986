"""Settings of AlphaZero: network, learner, self-play; neither torch nor numba is imported."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.training import TrainConfig
from envs.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PositiveShare,
    Settings,
    Share,
)
from mcts.config import SearchConfig


@dataclass(frozen=True)
class NetworkConfig(Settings):
    """A residual policy/value network (AlphaGo Zero 2017, figure 1, in small)."""

    table: ClassVar[str] = "network"

    blocks: NonNegativeInt = 2
    """Residual blocks of two 3x3 convolutions (AlphaZero: 19)."""
    filters: PositiveInt = 32
    """Channels of the trunk (AlphaZero: 256)."""
    head_filters: PositiveInt = 16
    """Channels of the 1x1 convolutions before the two heads (AlphaZero: 2 and 1)."""
    value_hidden: PositiveInt = 64
    """Hidden units of the value head (AlphaZero: 256)."""
    global_pooling: bool = False
    """Add the board's mean and maximum to the second half of the blocks (KataGo 2019, 3.3)."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of inference, and on a card of training; `auto` is bfloat16 where the device
    computes in it, else float32."""


@dataclass(frozen=True)
class LearnerConfig(Settings):
    """Settings of the learner (AlphaZero's loss)."""

    table: ClassVar[str] = "learner"

    batch_size: PositiveInt = 1024
    """Training rows per step (AlphaZero: 4096)."""
    learning_rate: PositiveFloat = 2e-3
    """Peak learning rate of AdamW."""
    final_learning_rate: NonNegativeFloat = 1e-4
    """Learning rate at the end of training, reached by a cosine from `decay_start` on."""
    decay_start: Share = 0.4
    """Share of the budget after which the learning rate falls. An extended run continues with the
    rate of a run of its new length, which is higher again."""
    weight_decay: NonNegativeFloat = 1e-4
    """Decoupled weight decay of the convolutions' and linear layers' weights."""
    value_weight: NonNegativeFloat = 1.0
    """Weight of the value loss beside the policy loss (AlphaZero: 1)."""
    search_value_share: Share = 0.5
    """Share of the search's value in the value target; the rest is the game's outcome. A proven
    result is the whole target either way (Willemsen et al. 2021 compare such mixtures)."""
    value_mixing: Literal["outcomes", "scalar"] = "outcomes"
    """What is mixed: `outcomes` mixes two distributions over win, draw and loss; `scalar` mixes the
    two values, which turns a win that the search took for a loss into a certain draw."""
    lost_policy: bool = True
    """Learn a policy from proven losses too (the longest defence), not their value alone; without
    it Connect Four measured worse (docs/benchmarks.md)."""
    surprise_share: Share = 0.0
    """Share of a game's weight in the loss that its rows have in proportion to their surprise, the
    divergence of the search's policy from the network's (KataGo, "Other methods": 0.5); 0 is off.
    """
    reply_weight: NonNegativeFloat = 0.0
    """Weight of predicting the policy of the next ply, the opponent's reply, where that was
    searched in full (KataGo 2019, 3.4: 0.15); 0 is off."""
    ownership_weight: NonNegativeFloat = 0.0
    """Weight of predicting who owns each point of the finished board, in games that count points
    and were played to their end (KataGo 2019, 4.1: 1.5); 0 is off."""
    score_weight: NonNegativeFloat = 0.0
    """Weight of predicting the lead in points at the end, likewise, as a distribution and by its
    cumulative sums (KataGo 2019, 4.1: 0.02); 0 is off."""
    gradient_clip: PositiveFloat = 2.0
    """Largest norm of the gradient."""
    window_rows: PositiveInt = 400_000
    """Newest training rows to sample from (AlphaZero: 1 M games)."""
    window_start_rows: PositiveInt = 50_000
    """Size of the window in the beginning; it grows to `window_rows` as half of all rows made."""
    passes: PositiveFloat = 4.0
    """Training rows per new row at most (KataGo: 4)."""
    averaging: Share = 0.99
    """Decay per step of the averaged weights that play and are published; 0 is off."""

    @property
    def counts_points(self) -> bool:
        """Whether rows need the points of the finished board."""
        return self.ownership_weight > 0.0 or self.score_weight > 0.0

    def learning_rate_at(self, progress: float) -> float:
        """Constant until `decay_start`, then a cosine down to `final_learning_rate`.

        `progress` in [0, 1] is the share of the budget that is used, so raising the budget raises
        the rate again: otherwise training would gain little more (SGDR, Loshchilov & Hutter 2017).
        """
        start = self.decay_start
        over = min(max((progress - start) / max(1.0 - start, 1e-9), 0.0), 1.0)
        share = 0.5 * (1.0 + math.cos(math.pi * over))
        return self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * share


@dataclass(frozen=True)
class SelfPlayConfig(Settings):
    """Settings of self-play."""

    table: ClassVar[str] = "selfplay"

    games: PositiveInt = 256
    """Games in progress at once, over all shards."""
    shards: PositiveInt = 2
    """Groups of games, each searched in a thread of its own."""
    full_share: PositiveShare = 0.25
    """Share of the moves searched in full and learned from (KataGo's playout cap: 0.25)."""
    fast_simulations: PositiveInt = 32
    """Simulations of the other moves, without the noise that is for learning."""
    fresh_full_searches: bool = False
    """Full searches begin on a fresh tree, so that all of their simulations are new and made under
    noise (KataGo's self-play); fast ones reuse what the last search left. false reuses in both, and
    measured better on Connect Four (docs/benchmarks.md)."""
    proven_row_share: Share = 0.0
    """Share of the proven positions of fast searches that are learned from as well. At 0 proven
    positions come at the rate of all others (KataGo 2019, 3.1: full searches alone); 1 takes all,
    some 30% of the rows of Connect Four."""
    temperature: NonNegativeFloat = 1.0
    """Temperature of a game's first move after its opening."""
    final_temperature: NonNegativeFloat = 0.2
    """Temperature that it falls towards."""
    temperature_halflife: PositiveFloat = 8.0
    """Plies in which the temperature's excess halves."""
    opening_share: Share = 0.5
    """Share of games that begin with random moves."""
    opening_plies: NonNegativeInt = 16
    """Most random moves of such an opening; their number is uniform from 1 on."""
    opening_moves: Literal["uniform", "policy"] = "uniform"
    """What those moves are drawn from: all legal ones alike, or the network's policy without a
    search (KataGo 2019, appendix D), in which openings stay as sound as the network plays."""
    opening_temperature: PositiveFloat = 1.0
    """Temperature of the policy in `opening_moves = "policy"` (KataGo 2019: 1)."""
    starts: str = ""
    """Positions to begin games from, one a line, as the game writes them (FEN, say) or as the moves
    that lead there; "" is none. A position that is no list of moves has no past."""
    starts_share: Share = 1.0
    """Share of games that begin from one of `starts`, drawn uniformly, and then without a random
    opening; the others begin at the game's start."""
    resign_value: Annotated[float, Meta(ge=-1, le=1)] = -1.0
    """Resign below this value on two own moves in a row; -1 never resigns."""
    resign_playout_share: Share = 0.1
    """Share of games never resigned, which measure the false positives (AlphaGo Zero: 0.1)."""
    proof_playout_share: Share = 0.2
    """Share of games played on after the root is proven; the others end with the proven result."""

    def check_combination(self) -> None:
        """Raise ValueError where the shards cannot have equally many games."""
        if self.games % self.shards:
            raise ValueError(
                f"selfplay.games = {self.games} in selfplay.shards = {self.shards}: expected a "
                "multiple of the shards"
            )


@dataclass(frozen=True)
class AlphaZeroConfig(TrainConfig):
    """Settings of an AlphaZero run (Silver et al. 2018)."""

    algorithm: ClassVar[str] = "alphazero"

    game: str = "connect_four"
    """A game's name, or the path of a file that defines one."""
    search: SearchConfig = field(default_factory=SearchConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    selfplay: SelfPlayConfig = field(default_factory=SelfPlayConfig)


TECHNIQUES: dict[str, dict[str, str]] = {
    "playout_cap": {"selfplay.full_share": "1"},
    "forced_playouts": {"search.forced_playouts": "0"},
    "noise": {"search.dirichlet_fraction": "0"},
    "cache": {"search.cache_size": "0"},
    "proofs": {"search.solve": "false"},
    "lookahead": {"search.lookahead": "0"},
    "tree_reuse": {"search.tree_reuse": "false"},
    "openings": {"selfplay.opening_share": "0"},
    "search_value": {"learner.search_value_share": "0"},
    "averaging": {"learner.averaging": "0"},
    "rate_decay": {"learner.decay_start": "1"},
    "global_pooling": {"network.global_pooling": "false"},
    "policy_openings": {"selfplay.opening_moves": "uniform"},
    "surprise": {"learner.surprise_share": "0"},
    "reply": {"learner.reply_weight": "0"},
    "points": {"learner.ownership_weight": "0", "learner.score_weight": "0"},
}
"""What a preset has instead when an ablation leaves a technique out."""
