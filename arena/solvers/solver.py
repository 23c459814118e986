"""What a solver of a game offers to matches, ratings and screens."""

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
        """`count` of its positions, spread evenly over the set."""
        chosen = np.unique(np.linspace(0, len(self.states) - 1, count).astype(np.int64))
        return SolvedSet(self.name, self.states[chosen], self.good[chosen])


class Solver(Protocol):
    """Solves positions of one game. To make one is cheap: tables are built at the first `solve`.

    One solver serves one thread.

    Attributes:
        prompt_from: plies played from which `solve` takes milliseconds a position; earlier ones
            may take minutes.
    """

    prompt_from: int

    def solve(self, states: NDArray[Any]) -> Solved:
        """Exact scores of all moves of n unfinished positions, records [n]."""

    def solved_sets(self) -> list[SolvedSet]:
        """The test positions whose best moves are known, by set; never trained on."""

    def drawn_openings(self) -> list[tuple[int, ...]]:
        """The moves that lead to stored drawn positions, to begin balanced games from.

        [] where the solver has none: then even positions are looked for among random ones.
        """
