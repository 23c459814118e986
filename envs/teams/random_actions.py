"""Choose random actions that are allowed, for many players in one compiled call.

Shapes: m matches, a players a match, h heads of an action, c choices of the first head.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.teams.steps import TeamSpec

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

UNUSED = -1


class RandomActions:
    """Chooses each head of each player's action at random among what its mask allows.

    Args:
        spec: of the environment; all its heads have choices.
        count: m.
        seed: of the choices.
        threads: that choose.

    Raises ValueError for a head of real numbers.
    """

    def __init__(self, spec: TeamSpec, count: int, *, seed: int = 0, threads: int = 1) -> None:
        for head in spec.heads:
            if head.kind != "choice":
                raise ValueError(f"head {head.name!r} has {head.kind} numbers: expected choices")
        self._starts = mask_starts(spec)
        self._sizes = np.array([head.size for head in spec.heads])
        self.count = count
        dtype = np.int8 if self._sizes.max() <= 128 else np.int32  # Lanes takes int8 without a copy
        self._actions = np.zeros((count, spec.players, len(spec.heads)), dtype)
        self._states = np.random.SeedSequence(seed).generate_state(count, np.uint64)
        threads = min(threads, count)
        bounds = np.linspace(0, count, threads + 1).astype(int)
        self._parts = [slice(a, b) for a, b in pairwise(bounds)]
        self._pool = ThreadPoolExecutor(threads, "random") if threads > 1 else None

    def choose(self, masks: NDArray[np.uint8]) -> NDArray[Any]:
        """Choose [m, a, h] by masks [m, a, mask_size]; the next call overwrites them.

        They are int8, or int32 where a head has more than 128 choices.
        """

        def run(part: slice) -> None:
            choose_all(
                self._states[part], masks[part], self._starts, self._sizes, self._actions[part]
            )

        if self._pool is None:
            run(self._parts[0])
        else:
            list(self._pool.map(run, self._parts))
        return self._actions

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()


class RandomTeam:
    """Plays a team by random actions that its masks allow; see `envs.teams.TeamAgent`.

    Real numbers are uniform within their bounds, and standard normal without.

    Args:
        spec: of the environment.
    """

    name = "random"

    def __init__(self, spec: TeamSpec) -> None:
        self._spec = spec
        self._chooser: RandomActions | None = None

    def act(
        self,
        observations: NDArray[Any],
        masks: NDArray[np.uint8],
        begins: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> NDArray[Any]:
        """See `envs.teams.TeamAgent.act`."""
        head = self._spec.heads[0]
        count, agents = observations.shape[:2]
        if head.kind == "real":
            shape = (count, agents, head.size)
            if not head.low:
                return rng.standard_normal(shape, np.float32)
            return rng.uniform(head.low, head.high, shape).astype(np.float32)
        if self._chooser is None or self._chooser.count != count:
            team = replace(self._spec, teams=1)
            self._chooser = RandomActions(team, count, seed=int(rng.integers(2**32)))
        return self._chooser.choose(masks).copy()


def mask_starts(spec: TeamSpec) -> NDArray[np.int64]:
    """Return where the mask of each head begins after each choice of the first head, [h, c].

    UNUSED where that choice does not use the head.
    """
    choices = spec.heads[0].size
    starts = np.full((len(spec.heads), choices), UNUSED, np.int64)
    start = 0
    for number, head in enumerate(spec.heads):
        used_by = range(choices) if head.used_by is None else head.used_by
        for row, choice in enumerate(used_by):
            starts[number, choice] = start + (row * head.size if head.masked_by_first else 0)
        start += head.mask_size
    return starts


@njit(cache=True, nogil=True)
def choose_all(states: Any, masks: Any, starts: Any, sizes: Any, actions: Any) -> None:
    """Choose actions; a head that is not used, or has no allowed choice, is 0.

    Args:
        states: uint64 [m], of the random numbers (SplitMix64), advanced.
        masks: uint8 [m, a, mask_size].
        starts: see `mask_starts`.
        sizes: choices of each head, [h].
        actions: integers [m, a, h], written.
    """
    for m in range(len(masks)):
        state = states[m]
        for player in range(masks.shape[1]):
            mask, first = masks[m, player], 0
            for head in range(len(sizes)):
                state += np.uint64(0x9E3779B97F4A7C15)
                start = starts[head, first]
                choice = 0
                if start != UNUSED:
                    choice = _allowed(state, mask[start : start + sizes[head]])
                actions[m, player, head] = choice
                if head == 0:
                    first = choice
        states[m] = state


@njit(cache=True, nogil=True)
def _allowed(state, mask):
    """Return one of the allowed choices of a mask."""
    count = 0
    for choice in range(len(mask)):
        count += mask[choice] != 0
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    place = np.int64((z ^ (z >> np.uint64(31))) % np.uint64(max(count, 1)))
    for choice in range(len(mask)):
        if mask[choice] != 0:
            if place == 0:
                return choice
            place -= 1
    return 0
