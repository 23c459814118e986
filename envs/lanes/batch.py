"""Many matches of Lanes side by side, as a vector of team environments."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.lanes import stepping
from envs.lanes.rules import MODES, Mode, RewardWeights
from envs.lanes.state import (
    HERO,
    MASK,
    MATCH,
    OBSERVATION,
    ROW,
    SEEN,
    TARGETS,
    UNIT,
    layout_of,
    spec_of,
)
from envs.teams.steps import TeamSteps


def find_mode(name: str) -> Mode:
    """Return a mode of Lanes by its name; raises ValueError with the nearest one."""
    if name in MODES:
        return MODES[name]
    near = get_close_matches(name, list(MODES), n=1, cutoff=0.3)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown game {name!r}: expected one of {', '.join(MODES)}{hint}")


class LanesVector:
    """m matches that advance in one compiled call a thread; see `envs.teams.TeamVector`.

    Everything that is written for the players is in one array, `rows` int8 [m, players, ROW]; what
    a step answers are views of it.

    Args:
        name: a mode, "lanes_5v5".
        count: m.
        seed: of the first matches; each later one's seed follows from that before it.
        threads: that advance them.
        weights: of the rewards.
    """

    def __init__(
        self,
        name: str,
        count: int,
        *,
        seed: int = 0,
        threads: int = 1,
        weights: RewardWeights | None = None,
    ) -> None:
        if count < 1:
            raise ValueError(f"count = {count}: expected 1 or more matches")
        mode = find_mode(name)
        self.name, self.count = name, count
        self.spec, self.layout = spec_of(mode), layout_of(mode)
        self._weights = (weights or RewardWeights()).as_array()
        players, units = self.spec.players, self.layout.units
        places = self.layout.agents + self.layout.towers + units - self.layout.neutrals
        self.matches = np.zeros(count, MATCH)
        self.units = np.zeros((count, units), UNIT)
        self.heroes = np.zeros((count, players), HERO)
        self.seen = np.zeros((count, 2, places), SEEN)
        self.visible = np.zeros((count, 2, units), np.uint8)
        self.targets = np.zeros((count, players, TARGETS), np.int16)
        self.rows = np.zeros((count, players, ROW), np.int8)
        self.rewards = np.zeros((count, players), np.float32)
        self.winners = np.zeros(count, np.int8)
        self.lengths = np.zeros(count, np.int64)
        threads = min(threads, count)
        bounds = np.linspace(0, count, threads + 1).astype(int)
        self._parts = [slice(a, b) for a, b in pairwise(bounds)]
        self._pool = ThreadPoolExecutor(threads, "lanes") if threads > 1 else None
        self.reset(seed)

    @property
    def seeds(self) -> NDArray[np.uint64]:
        """Return the seed of each running match, [m], a view."""
        seeds: NDArray[np.uint64] = self.matches["seed"]
        return seeds

    def reset(self, seed: int | None = None) -> TeamSteps:
        """Start a new match in each place, by a seed or by those that follow from the old ones."""
        if seed is None:
            seeds = np.array([stepping.next_seed(old) for old in self.matches["seed"]], np.uint64)
        else:
            drawn = np.random.SeedSequence(seed).generate_state(self.count, np.uint64)
            seeds = drawn.astype(np.uint64)
        return self.start(seeds)

    def start(self, seeds: NDArray[np.uint64]) -> TeamSteps:
        """Start the matches of these seeds, [m]."""
        self._each(stepping.start_all, self.rows, seeds)
        self.rewards[:], self.winners[:], self.lengths[:] = 0, -1, 0
        return self._steps()

    def step(self, actions: NDArray[Any]) -> TeamSteps:
        """Advance each match by a decision of its heroes; see `TeamVector.step`.

        A hero holds if its mask forbids the primary action, or a target or direction it needs.
        """
        shape = (self.count, self.spec.players, 3)
        if actions.shape != shape:
            raise ValueError(f"actions of shape {actions.shape}: expected {shape}")
        actions = actions.astype(np.int8, copy=False)
        self._each(
            stepping.step_all,
            self.rows,
            actions,
            self.rewards,
            self.winners,
            self.lengths,
            whole=(self._weights,),
        )
        return self._steps()

    def _each(self, kernel: Any, *arrays: Any, whole: tuple[Any, ...] = ()) -> None:
        """Call a kernel for the matches of each thread."""
        state = (self.matches, self.units, self.heroes, self.seen, self.visible, self.targets)

        def run(part: slice) -> None:
            kernel(*(array[part] for array in (*state, *arrays)), *whole, self.layout)

        if self._pool is None:
            run(self._parts[0])
        else:
            list(self._pool.map(run, self._parts))

    def _steps(self) -> TeamSteps:
        ended = self.winners >= 0
        scores = np.zeros((self.count, 2), np.float32)
        scores[:, 0] = np.where(ended, (self.winners == 0) + 0.5 * (self.winners == 2), 0)
        scores[:, 1] = np.where(ended, 1 - scores[:, 0], 0)
        stop = OBSERVATION + MASK
        none = self.rows[:0]
        return TeamSteps(
            observations=self.rows[..., :OBSERVATION],
            masks=self.rows[..., OBSERVATION:stop].view(np.uint8),
            states=self.rows[..., stop:],
            rewards=self.rewards,
            terminated=ended,
            truncated=np.zeros(self.count, np.bool_),
            last_observations=none[..., :OBSERVATION],
            last_states=none[..., stop:],
            scores=scores,
            lengths=self.lengths,
        )

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()
