"""What a runner hands to learners: sequences of steps, by column.

Shapes: S sequences of T steps each, H units of the memory. A row of RLlib's batch is a whole
sequence, so that nothing is split inside one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.ppo.pool import Result
from agents.running.trajectories import Arrays

OBSERVATIONS = "observations"  # [S, T, *shape]
MASKS = "masks"  # uint8 [S, T, mask_size]
STATES = "states"  # [S, T, state_size]
ACTIONS = "actions"  # int32 [S, T, heads], or float32 [S, T, size]
LOG_PROBABILITIES = "log_probabilities"  # float32 [S, T] of the actions
ADVANTAGES = "advantages"  # float32 [S, T]
TARGETS = "targets"  # float32 [S, T] of values, in units of rewards
BEGINS = "begins"  # uint8 [S, T] 1 where a step is the first of a match
LEARNS = "learns"  # float32 [S, T] 1 where a step is learned from, 0 where a past opponent acted
MEMORY_OUTPUT = "memory_output"  # float32 [S, H] of before the first step
MEMORY_CELL = "memory_cell"  # float32 [S, H]

Columns = dict[str, NDArray[Any]]


class Ended(NamedTuple):
    """The k matches that ended.

    Attributes:
        scores: float32 [k, teams], as the environment counts them.
        lengths: int64 [k] steps.
        opponents: int64 [k] the past opponent's number, or `Opponents.LATEST`.
        sides: int64 [k] the newest network's team against a past one.
    """

    scores: NDArray[np.float32]
    lengths: NDArray[np.int64]
    opponents: NDArray[np.int64]
    sides: NDArray[np.int64]

    def results(self) -> list[Result]:
        """Return how the matches against past opponents ended."""
        return [
            Result(int(self.opponents[k]), float(self.scores[k, self.sides[k]]))
            for k in np.flatnonzero(self.opponents >= 0)
        ]


class Sample(NamedTuple):
    """A rollout of a runner's matches.

    Attributes:
        columns: the sequences.
        agent_steps: steps that are learned from.
        match_steps: of all matches together.
        ended: the matches that ended.
        version: of the weights that acted: the learner's updates until then.
        seconds: that it took.
        trajectories: of recorded matches (`agents.running.trajectories`).
    """

    columns: Columns
    agent_steps: int
    match_steps: int
    ended: Ended
    version: int
    seconds: float
    trajectories: tuple[Arrays, ...] = ()


def join(samples: Sequence[Sample]) -> Columns:
    """Return the sequences of several runners as one; those of a single one as they are."""
    first = samples[0].columns
    if len(samples) == 1:
        return first
    return {name: np.concatenate([one.columns[name] for one in samples]) for name in first}


def normalised(advantages: NDArray[np.float32], learns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return advantages so that those of steps that are learned from have mean 0 and spread 1.

    In a new array: what another process sent cannot be written to.
    """
    of = advantages[learns > 0.0].astype(np.float64)
    return (advantages - np.float32(of.mean())) / np.float32(of.std() + 1e-8)


def split(columns: Mapping[str, NDArray[Any]], parts: int) -> list[Columns]:
    """Return `parts` batches of equally many sequences; what is over is left out.

    Several learners take their steps together, so each needs the same number of them.
    """
    size = len(columns[ADVANTAGES]) // parts
    return [
        {name: column[part * size : (part + 1) * size] for name, column in columns.items()}
        for part in range(parts)
    ]
