"""What changes in the course of a run: epsilon, the learning rate, and the priorities' beta.

`progress` in [0, 1] is the used share of the budget; rows are new rows since the run began, of all
actors together.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.dqn.config import DQNConfig, LearnerConfig, ReplayConfig


def epsilon_at(config: DQNConfig, rows: int, progress: float) -> float:
    """Return the share of random actions: constant until the learner starts, then falling linearly.

    By rows (Mnih et al. 2015, extended data table 1) or, where `decay_rows` is 0, by the share of
    the budget (PQN, Gallici et al. 2024). Without a limit on a run its budget has no share, which
    leaves `decay_rows`.
    """
    exploration = config.exploration
    started = rows - config.learner.start_rows
    if started < 0:
        return exploration.epsilon
    if exploration.decay_rows:
        over = started / exploration.decay_rows
    else:
        over = progress / exploration.decay_share if exploration.decay_share else 1.0
    return _linear(exploration.epsilon, exploration.final_epsilon, over)


def epsilons(epsilon: float, ladder: float, count: int) -> NDArray[np.float64]:
    """Return the share of random actions of each of `count` environments, float64 [count].

    Environment i has epsilon ^ (1 + ladder * i / (count - 1)) (Ape-X, Horgan et al. 2018,
    section 4).

    Args:
        epsilon: the share of the first environment.
        ladder: 0 gives all the same.
        count: environments of all actors.
    """
    places: NDArray[np.float64] = np.arange(count) / max(count - 1, 1)
    shares: NDArray[np.float64] = np.power(epsilon, 1.0 + ladder * places)
    return shares


def beta_at(config: ReplayConfig, progress: float) -> float:
    """Return how much of the sampling's bias is taken back: up to 1 (Schaul et al. 2016, 3.4)."""
    return _linear(config.priority_beta, 1.0, progress)


def learning_rate_at(config: LearnerConfig, progress: float) -> float:
    """Return the learning rate: constant until `decay_start`, then falling as the schedule says.

    Raising the budget raises the rate again (SGDR, Loshchilov & Hutter 2017).
    """
    over = (progress - config.decay_start) / max(1.0 - config.decay_start, 1e-9)
    if config.schedule == "linear":
        return _linear(config.learning_rate, config.final_learning_rate, over)
    if config.schedule == "cosine":
        over = 0.5 * (1.0 - math.cos(math.pi * min(max(over, 0.0), 1.0)))
        return _linear(config.learning_rate, config.final_learning_rate, over)
    return config.learning_rate


def _linear(start: float, end: float, over: float) -> float:
    """Interpolate from `start` at 0 or less to `end` at 1 or more, both exactly."""
    over = min(max(over, 0.0), 1.0)
    return start * (1.0 - over) + end * over
