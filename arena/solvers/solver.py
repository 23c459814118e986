"""The interface of a game's solver, for matches, ratings and screens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

NOT_LEGAL = -(1 << 15)


class Solved(NamedTuple):
    """Exact scores of n positions' moves, for the mover: higher is better, the sign is the result.

    Legal moves of equal score are equally good; between wins the sooner scores higher, between
    losses the later, where the solver can tell.
    """

    scores: NDArray[np.int64]  # [n, A], NOT_LEGAL for illegal moves
    plies: NDArray[np.int16]  # [n] plies to the end under perfect play, 0 where not known


@dataclass(frozen=True)
class SolvedSet:
    """N positions and the moves that keep their game-theoretic result."""

    name: str
    states: NDArray[Any]  # records [N]
    good: NDArray[np.bool_]  # [N, A]

    def first(self, count: int) -> SolvedSet:
        """Take `count` positions, spread evenly over the set."""
        chosen = np.unique(np.linspace(0, len(self.states) - 1, count).astype(np.int64))
        return SolvedSet(self.name, self.states[chosen], self.good[chosen])


class Solver(Protocol):
    """Solves positions of one game. Construction is cheap: the first `solve` builds the tables.

    One solver serves one thread.

    Attributes:
        prompt_from: plies played from which `solve` takes milliseconds a position; earlier ones
            may take minutes.
    """

    prompt_from: int

    def solve(self, states: NDArray[Any]) -> Solved:
        """Compute exact scores of all moves of n unfinished positions, records [n]."""

    def solved_sets(self) -> list[SolvedSet]:
        """Return the test positions with known best moves, by set; never trained on."""

    def drawn_openings(self) -> list[tuple[int, ...]]:
        """Return the moves that lead to stored drawn positions, for balanced openings.

        [] where the solver has none: even positions are then chosen among random ones.
        """
