"""Drawing actions of several heads by their logits and masks.

The same distributions as in `agents.ppo.learning.losses`, computed once a step for all agents.

Shapes: n agents, H heads, L logits of all heads one after another, M entries of all masks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.teams import ActionHead

ALL = -1  # in a table of users: the head is used by all choices of head 0
UNUSED = -2  # there: not by this one


class Drawn(NamedTuple):
    """Actions and the logarithms of their probabilities.

    Attributes:
        actions: int64 [n, H], or float32 [n, size] of the one head of real numbers.
        log_probabilities: float32 [n].
    """

    actions: NDArray[Any]
    log_probabilities: NDArray[np.float32]


class ActionDrawer:
    """Draws actions for the heads of an environment.

    Args:
        heads: all of choices, or one of real numbers.
        rng: to draw with.

    Raises:
        ValueError: heads of both kinds, or several of real numbers.
    """

    def __init__(self, heads: Sequence[ActionHead], rng: np.random.Generator) -> None:
        self.heads = heads
        self.rng = rng
        self.real = heads[0].kind == "real"
        if len({head.kind for head in heads}) > 1 or (self.real and len(heads) > 1):
            kinds = [head.kind for head in heads]
            raise ValueError(f"heads of the kinds {kinds}: expected choices alone, or one 'real'")
        self.sizes = np.array([head.size for head in heads])
        self.mask_sizes = np.array([head.mask_size for head in heads])
        self.users = _users(heads)
        self.by_first = np.array([head.masked_by_first for head in heads])

    def bounded(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Return actions as the environment takes them: real numbers within their bounds.

        What is learned from are the numbers that were drawn.
        """
        head = self.heads[0]
        if not (self.real and head.low):
            return actions
        return np.clip(actions, np.array(head.low, np.float32), np.array(head.high, np.float32))

    def draw(
        self, logits: NDArray[np.float32], masks: NDArray[np.uint8], greedy: bool = False
    ) -> Drawn:
        """Draw an action for each agent, or take the likeliest choices.

        Args:
            logits: [n, L].
            masks: [n, M]; where all choices of a head are forbidden, all are allowed.
            greedy: take the likeliest choice of each head.
        """
        count = len(logits)
        actions = np.zeros((count, len(self.heads)), np.int64)
        log_probabilities = np.zeros(count, np.float32)
        uniform = self.rng.random((count, len(self.heads)), np.float32)
        if greedy:
            uniform.fill(-1.0)
        _draw(
            *(logits, masks, uniform, self.sizes, self.mask_sizes, self.users, self.by_first),
            *(actions, log_probabilities),
        )
        return Drawn(actions, log_probabilities)

    def draw_real(
        self, means: NDArray[np.float32], log_spread: NDArray[np.float32], greedy: bool = False
    ) -> Drawn:
        """Draw real numbers [n, size] from independent normal distributions, or take the means."""
        noise = self.rng.standard_normal(means.shape, np.float32)
        if greedy:
            noise.fill(0.0)
        actions = means + noise * np.exp(log_spread)
        terms = 0.5 * np.square(noise) + log_spread + 0.5 * math.log(2.0 * math.pi)
        return Drawn(actions.astype(np.float32), -terms.sum(1, dtype=np.float32))


def _users(heads: Sequence[ActionHead]) -> NDArray[np.int64]:
    """Return a table [H, choices of head 0]: ALL, UNUSED, or which row of the mask is meant."""
    users = np.full((len(heads), heads[0].size), UNUSED)
    for number, head in enumerate(heads):
        if head.used_by is None:
            users[number] = ALL
        else:
            users[number, list(head.used_by)] = np.arange(len(head.used_by))
    return users


@njit(cache=True, nogil=True)
def _draw(
    logits: NDArray[np.float32],
    masks: NDArray[np.uint8],
    uniform: NDArray[np.float32],
    sizes: NDArray[np.int64],
    mask_sizes: NDArray[np.int64],
    users: NDArray[np.int64],
    by_first: NDArray[np.bool_],
    actions: NDArray[np.int64],
    log_probabilities: NDArray[np.float32],
) -> None:
    """Draw each used head by the inverse of its distribution function; see `ActionDrawer.draw`."""
    weights = np.empty(sizes.max(), np.float32)
    for agent in range(len(logits)):
        column, row, total = 0, 0, np.float32(0.0)
        for head in range(len(sizes)):
            size = sizes[head]
            user = ALL if head == 0 else users[head, actions[agent, 0]]
            if user != UNUSED:
                start = row + user * size if by_first[head] else row
                allowed = masks[agent, start : start + size]
                choices = logits[agent, column : column + size]
                choice, log_probability = _choose(choices, allowed, uniform[agent, head], weights)
                actions[agent, head] = choice
                total += log_probability
            column += size
            row += mask_sizes[head]
        log_probabilities[agent] = total


@njit(cache=True, nogil=True)
def _choose(
    logits: NDArray[np.float32],
    allowed: NDArray[np.uint8],
    uniform: np.float32,
    weights: NDArray[np.float32],
) -> tuple[int, np.float32]:
    """Return a choice and its log-probability; the likeliest one for a `uniform` below 0."""
    size = len(logits)
    any_allowed = False
    for choice in range(size):
        any_allowed |= allowed[choice] != 0
    best, greatest = 0, np.float32(-np.inf)
    for choice in range(size):
        if (allowed[choice] != 0 or not any_allowed) and logits[choice] > greatest:
            best, greatest = choice, logits[choice]
    total = np.float32(0.0)
    for choice in range(size):
        is_allowed = allowed[choice] != 0 or not any_allowed
        weights[choice] = np.exp(logits[choice] - greatest) if is_allowed else np.float32(0.0)
        total += weights[choice]
    chosen = best
    if uniform >= 0.0:
        left = uniform * total
        for choice in range(size):
            if weights[choice] > 0.0:
                chosen = choice
                left -= weights[choice]
                if left < 0.0:
                    break
    return chosen, logits[chosen] - greatest - np.log(total)
