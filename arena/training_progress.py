"""What the arena sees of a training, which it may not import: the shape of its progress."""

from __future__ import annotations

from typing import Any, Protocol


class TrainingProgress(Protocol):
    """What a training tells of itself after each of its stages; see `selfplay.loop.Progress`."""

    event: Any
    evaluator: Any
    elapsed_s: float
    budget_s: float
    games: int
    games_goal: int
    positions: int
    moves: int
    simulations: int
    evaluations: int
    cache_hits: int
    proven_leaves: int
    proven_roots: int
    simulations_per_s: float
    evaluations_per_s: float
    learner_steps: int
    policy_loss: float
    value_loss: float
    learning_rate: float
    network_version: int
    games_in_flight: int
    mean_plies: float
    resign_false_positive: float | None
    first_game_s: float | None
