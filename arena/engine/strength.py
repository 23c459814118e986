"""Play at a given strength: the checkpoint of a run whose rating is the nearest.

What `ludens rate` noted of a run says how strong its checkpoints are, and with how many simulations
of a move. Nothing heavy is imported here: it is read before an engine introduces itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.upkeep.ratings import NotedRating


@dataclass(frozen=True)
class Strengths:
    """The rated checkpoints of a run that are there; at least one."""

    run: str
    simulations: int
    ratings: Sequence[NotedRating]

    @property
    def least(self) -> int:
        """Return the Elo of the weakest checkpoint, in whole points."""
        return math.floor(min(rated.elo for rated in self.ratings))

    @property
    def most(self) -> int:
        """Return the Elo of the strongest checkpoint, in whole points."""
        return math.ceil(max(rated.elo for rated in self.ratings))

    def nearest(self, elo: float) -> NotedRating:
        """Return the checkpoint whose rating is the nearest; of two the later."""
        return min(self.ratings, key=lambda rated: (abs(rated.elo - elo), -rated.step))

    def agent(self, rated: NotedRating) -> str:
        """Return the name of the agent that plays as strong as a checkpoint was rated."""
        return f"{self.run}@{rated.step}:sims={self.simulations}"


def read_strengths(agent: str, store_url: str) -> Strengths | None:
    """Read the ratings, in Elo, of the checkpoints of an agent's run; None without ratings.

    Also None if the agent is not a stored run, or its store cannot be read: loading it reports why.
    """
    from store import checkpoints
    from store.errors import StoreError
    from store.run import open_run
    from store.upkeep.ratings import read_ratings

    try:
        run = open_run(store_url, agent.partition(":")[0].partition("@")[0])
        noted = read_ratings(run.files)
        steps = {*checkpoints.steps(run)} if noted else set()
    except (OSError, StoreError):
        return None
    there = [rated for rated in noted.ratings if rated.step in steps] if noted else []
    return Strengths(run.name, noted.simulations, there) if noted and there else None
