"""The progress of a run: `selfplay` makes it, `arena` shows it; neither imports the other.

Counters that every algorithm has are fields; an algorithm's own figures are metrics by name, which
its `MetricSpec`s describe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Event = Literal["compiling", "started", "games", "learned", "published", "checkpoint", "finished"]
"""What has just happened; at "compiling" the budget's clock stands still, which "started" ends."""


class Elapsed(NamedTuple):
    """The part of a run that is over, for schedules, and the actor that they are for.

    Attributes:
        share: of its budget, 0 to 1; 0 where it has no limit.
        rows: training rows of all actors since the run began.
        actor: number of the actor among those of the run, from 0.
        actors: how many the run has.
    """

    share: float = 0.0
    rows: int = 0
    actor: int = 0
    actors: int = 1


AT_START = Elapsed()


@dataclass(frozen=True)
class Measured:
    """A measurement of the policy that acts: a share for each of several sets of positions.

    Attributes:
        name: how it was measured, as a column's title: "no search".
        at_s: seconds of training when it was made; -1 before the first.
        shares: the share by the set's name.
    """

    name: str
    at_s: float = -1.0
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """State of a training run. Totals count from the run's beginning, rates from this session's.

    Attributes:
        policy: what acts now (`Actor.policy`); usable until the generator resumes.
        budget_s, games_goal, rows_goal: the budget; 0 without one.
        positions: training rows.
        network_version: learner steps of the weights that act.
        games_in_flight: games in progress at once.
        first_game_s: from the call of `train` to this session's first finished game.
        metrics: the algorithm's metrics; None or NaN for what is not known yet.
        measured: the newest measurements of the policy, if any.
        workers: that act now; 0 in one process.
        staleness: learner steps between the weights that act and the newest, the mean.
        notices: what happened since the last report that a person should know.
    """

    event: Event
    policy: Any
    elapsed_s: float
    budget_s: float
    games: int
    games_goal: int
    positions: int
    learner_steps: int
    network_version: int
    games_in_flight: int
    first_game_s: float | None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    measured: tuple[Measured, ...] = ()
    workers: int = 0
    workers_wanted: int = 0
    staleness: float = 0.0
    notices: tuple[str, ...] = ()
    rows_goal: int = 0

    @property
    def budget_is_used(self) -> bool:
        """Whether the minutes, the games or the rows of the budget are used up."""
        limits = (
            (self.budget_s, self.elapsed_s),
            (self.games_goal, self.games),
            (self.rows_goal, self.positions),
        )
        return any(0 < limit <= used for limit, used in limits)
