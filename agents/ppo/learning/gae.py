"""Generalised advantage estimation (Schulman et al. 2016) over matches that end and begin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def generalised_advantages(
    rewards: NDArray[np.float32],
    values: NDArray[np.float32],
    newest: NDArray[np.float32],
    ended: NDArray[np.bool_],
    end_values: NDArray[np.float32],
    gamma: float,
    gae_lambda: float,
    advantages: NDArray[Any],
) -> None:
    """Write the advantages of T steps of p agents.

    A step's error is its reward and the discounted value of what follows, less its own value; an
    advantage is the errors from its step on, each discounted by gamma and lambda, up to the end of
    the match (equations 11 to 16).

    Args:
        rewards: [p, T].
        values: [p, T] of the observations that were acted on.
        newest: [p] of the observations after the last step.
        ended: [p, T] whether the match ended with the step.
        end_values: [p, T] what follows where it ended: 0 by the rules, and the value of the last
            observation if a limit truncated it, as the rewards would have gone on.
        gamma: discount a step.
        gae_lambda: decay of the errors, lambda.
        advantages: float32 [p, T] to be written.
    """
    agents, steps = rewards.shape
    for agent in range(agents):
        following, value = 0.0, float(newest[agent])
        for step in range(steps - 1, -1, -1):
            if ended[agent, step]:
                following, value = 0.0, float(end_values[agent, step])
            own = float(values[agent, step])
            error = rewards[agent, step] + gamma * value - own
            following = error + gamma * gae_lambda * following
            advantages[agent, step] = following
            value = own
