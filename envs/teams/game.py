"""A game that two teams play against each other: its matches, and the scripted players it has.

A match is decided by its seed and the actions of both teams, so the same seed can be played from
both sides. `envs.registry` knows the games of teams by name, beside the board games.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from envs.teams.agent import TeamAgent
from envs.teams.steps import TeamSpec, TeamSteps, TeamVector


class SeededVector(TeamVector, Protocol):
    """A vector whose matches are started by their own seeds."""

    def start(self, seeds: NDArray[np.uint64]) -> TeamSteps:
        """Start the matches of these seeds, [m]; rewards are 0 and nothing ended."""


class TeamGame(ABC):
    """A game of two teams.

    Attributes:
        name: that it is registered under, "lanes_5v5".
        title: for people.
        spec: what is known of a match.
        scripts: names of its scripted players, the weakest first.
        relatives: names of the games whose agents can play this one too, its own among them: each
            player of a team sees and does the same there.
    """

    name: str
    title: str
    spec: TeamSpec
    scripts: Sequence[str]
    relatives: Sequence[str]

    @abstractmethod
    def make_vector(self, count: int, threads: int = 1) -> SeededVector:
        """Make `count` matches that are stepped together, on that many threads."""

    @abstractmethod
    def make_script(self, name: str) -> TeamAgent:
        """Make a scripted player; raises ValueError for a name that is not in `scripts`."""
