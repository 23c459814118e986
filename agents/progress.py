"""What a training tells of itself: `selfplay` makes it, `arena` reads it, unseen by each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from agents.inference import NetworkEvaluator

Event = Literal["compiling", "started", "games", "learned", "published", "checkpoint", "finished"]
"""What has just happened; at "compiling" the budget's clock stands still, which "started" ends."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands. Totals count from the run's beginning, rates from this session's."""

    event: Event
    evaluator: NetworkEvaluator  # the network that plays; usable until the generator goes on
    elapsed_s: float
    budget_s: float  # 0 without a time limit
    games: int
    games_goal: int  # 0 without one
    positions: int  # training rows
    moves: int
    simulations: int
    evaluations: int
    cache_hits: int
    proven_leaves: int
    proven_roots: int
    simulations_per_s: float
    evaluations_per_s: float
    learner_steps: int
    policy_loss: float  # nats, of the last training
    value_loss: float
    learning_rate: float
    network_version: int  # learner steps of the network that plays
    games_in_flight: int
    mean_plies: float  # of the games finished since the last event of this kind
    resign_false_positive: float | None
    first_game_s: float | None  # from the call of `train` to this session's first finished game
    workers: int = 0  # that play now; 0 in one process
    workers_wanted: int = 0
    staleness: float = 0.0  # learner steps between the weights that play and the newest, the mean
    notices: tuple[str, ...] = ()  # what happened since the last report that a person should know
