"""Matches of any kind side by side, stepped in turns in one process.

A match writes into its row of the vector's arrays, and the vector begins the next one in the step
in which it ended (Gymnasium's SAME_STEP): no transition from one match into the next is ever seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.teams.steps import ActionHead, TeamSpec, TeamSteps
from envs.vector.steps import seeds_of


class Row(NamedTuple):
    """What one match shows, views into the arrays of the vector: a agents, with equal shapes."""

    observations: NDArray[Any]  # [a, *shape]
    masks: NDArray[np.uint8]  # [a, mask_size]
    states: NDArray[np.float32]  # [a, state_size]
    rewards: NDArray[np.float32]  # [a]


class Match(Protocol):
    """One match at a time, again and again."""

    def begin(self, row: Row, seed: int | None) -> None:
        """Begin a match and write what it shows at first; rewards stay as they are.

        Its random numbers follow from `seed`, or go on from the match before if it is None.
        """

    def step(self, actions: NDArray[Any], row: Row) -> tuple[bool, bool]:
        """Act by [a, h] numbers and write what followed; return (ended, cut off by a limit)."""

    def close(self) -> None:
        """Give back memory and windows."""


class MatchVector:
    """The `TeamVector` of some matches. A team's score is the mean of its agents' returns.

    Args:
        spec: of each match.
        matches: one for each place.
        seed: of all, one for each match drawn from it.
    """

    def __init__(self, spec: TeamSpec, matches: Sequence[Match], *, seed: int) -> None:
        if not matches:
            raise ValueError("count = 0: expected 1 or more matches")
        self.spec = spec
        self.count = len(matches)
        self._matches = matches
        self._seeds: Sequence[int] | None = seeds_of(seed, self.count)
        places = (self.count, spec.players)
        self._all = Row(
            np.zeros((*places, *spec.observation_shape), spec.observation_dtype),
            np.ones((*places, spec.mask_size), np.uint8),
            np.zeros((*places, spec.state_size), np.float32),
            np.zeros(places, np.float32),
        )
        self._rows = [Row(*(array[i] for array in self._all)) for i in range(self.count)]
        self._returns = np.zeros((self.count, spec.teams), np.float64)
        self._lengths = np.zeros(self.count, np.int64)
        self._is_reset = False

    @property
    def seeds(self) -> NDArray[np.uint64] | None:
        """Return None: most matches go on with the random numbers of the one before."""
        return None

    def reset(self, seed: int | None = None) -> TeamSteps:
        """Start a new match in each place; see the protocol."""
        if seed is not None:
            self._seeds = seeds_of(seed, self.count)
        for i, (match, row) in enumerate(zip(self._matches, self._rows, strict=True)):
            match.begin(row, None if self._seeds is None else self._seeds[i])
        self._seeds = None
        self._all.rewards[:] = 0.0
        self._returns[:] = 0.0
        self._lengths[:] = 0
        self._is_reset = True
        none = np.zeros(self.count, np.bool_)
        return self._answer(none, none.copy(), [])

    def step(self, actions: NDArray[Any]) -> TeamSteps:
        """Advance each match; see the protocol.

        Raises ValueError also for a choice that its head lacks and for a number that is not finite,
        and RuntimeError before the first `reset`.
        """
        if not self._is_reset:
            raise RuntimeError("step() without running matches: expected reset() before")
        actions = checked_actions(self.spec, self.count, actions)
        terminated = np.zeros(self.count, np.bool_)
        truncated = np.zeros(self.count, np.bool_)
        last: list[tuple[NDArray[Any], NDArray[Any]]] = []
        for i, (match, row) in enumerate(zip(self._matches, self._rows, strict=True)):
            ended, truncated[i] = match.step(actions[i], row)
            terminated[i] = ended and not truncated[i]
            if truncated[i]:
                last.append((row.observations.copy(), row.states.copy()))
            if ended:
                match.begin(row, None)
        teams = self._all.rewards.reshape(self.count, self.spec.teams, self.spec.agents)
        self._returns += teams.mean(axis=2, dtype=np.float64)
        self._lengths += 1
        return self._answer(terminated, truncated, last)

    def _answer(
        self,
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        last: list[tuple[NDArray[Any], NDArray[Any]]],
    ) -> TeamSteps:
        """Return the arrays of now; the scores and lengths of matches that ended start again."""
        ended = terminated | truncated
        scores = np.where(ended[:, None], self._returns, 0.0).astype(np.float32)
        lengths = np.where(ended, self._lengths, 0)
        self._returns[ended] = 0.0
        self._lengths[ended] = 0
        observations, masks, states, rewards = self._all
        return TeamSteps(
            observations,
            masks,
            states,
            rewards,
            terminated,
            truncated,
            np.stack([seen for seen, _ in last]) if last else observations[:0],
            np.stack([state for _, state in last]) if last else states[:0],
            scores,
            lengths,
        )

    def close(self) -> None:
        """Close each match."""
        for match in self._matches:
            match.close()
        self._matches = []
        self._is_reset = False


def checked_actions(spec: TeamSpec, count: int, actions: NDArray[Any]) -> NDArray[Any]:
    """Return actions of `count` matches as int64 [m, a, h], or float32 [m, a, size].

    Raises ValueError, with the action, for a wrong shape or dtype, a choice that its head lacks,
    and a number that is not finite.
    """
    actions = np.asarray(actions)
    are_real = spec.heads[0].kind == "real"
    width = spec.heads[0].size if are_real else len(spec.heads)
    shape = (count, spec.players, width)
    if actions.shape != shape or actions.dtype.kind not in ("fiu" if are_real else "iu"):
        what = "real" if are_real else "whole"
        raise ValueError(
            f"actions of shape {actions.shape} and dtype {actions.dtype}: {spec.name} expects "
            f"{what} numbers of shape {shape}, a match, an agent and a head each"
        )
    if are_real:
        if not np.isfinite(actions).all():
            raise ValueError(f"an action of {spec.name} is not finite: expected real numbers")
        return actions.astype(np.float32, copy=False)
    for i, head in enumerate(spec.heads):
        _check_choices(spec, head, actions[:, :, i])
    return actions.astype(np.int64, copy=False)


def _check_choices(spec: TeamSpec, head: ActionHead, chosen: NDArray[Any]) -> None:
    if chosen.min() < 0 or chosen.max() >= head.size:
        wrong = chosen[(chosen < 0) | (chosen >= head.size)][0]
        raise ValueError(
            f"action {wrong} of the head {head.name!r}: {spec.name} has {head.size} there, 0 to "
            f"{head.size - 1}"
        )
