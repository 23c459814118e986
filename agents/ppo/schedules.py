"""What changes in the course of a run: learning rate, entropy, team spirit and horizon.

`progress` in [0, 1] is the used share of the budget.
"""

from __future__ import annotations

from agents.ppo.config import LearnerConfig, PPOConfig, ShapingConfig


def learning_rate_at(config: LearnerConfig, progress: float) -> float:
    """Return the learning rate, which falls linearly."""
    return _linear(config.learning_rate, config.final_learning_rate, progress)


def entropy_at(config: LearnerConfig, progress: float) -> float:
    """Return the weight of the entropy."""
    return _linear(config.entropy, config.final_entropy, progress)


def team_spirit_at(config: ShapingConfig, progress: float) -> float:
    """Return the share of the team's mean in an agent's reward."""
    return _linear(config.team_spirit, config.final_team_spirit, progress)


def gamma_at(config: PPOConfig, seconds: float, progress: float) -> float:
    """Return the discount a step: 1 - seconds / horizon (OpenAI et al. 2019, section 4).

    Args:
        config: learner, shaping.
        seconds: game time of a step; 0 if that means nothing.
        progress: the used share of the budget.
    """
    shaping = config.shaping
    if not (shaping.horizon and seconds):
        return config.learner.gamma
    final = shaping.final_horizon or shaping.horizon
    return max(0.0, 1.0 - seconds / _linear(shaping.horizon, final, progress))


def _linear(start: float, end: float, over: float) -> float:
    """Interpolate from `start` at 0 or less to `end` at 1 or more, both exactly."""
    over = min(max(over, 0.0), 1.0)
    return start * (1.0 - over) + end * over
