"""Play games of an agent in a vector of environments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.environment_agents import EnvironmentAgent
from envs.pictures.pictured import Measure
from envs.vector import Steps, VectorEnvironment

Report = Callable[[int, int], None]  # games finished, of how many


class Games(NamedTuple):
    """Finished games, those of the first environment first, in their order.

    Attributes:
        scores: true returns, [n].
        lengths: agent steps, [n].
        counts: those of them that each measure counted, [n, measures].
    """

    scores: NDArray[np.float64]
    lengths: NDArray[np.int64]
    counts: NDArray[np.int64]


def games_of_each(games: int, environments: int) -> NDArray[np.int64]:
    """Share games out to environments, int64 [environments], as evenly as possible.

    Raises ValueError unless each has one at least.
    """
    if not 1 <= environments <= games:
        raise ValueError(
            f"{games} games in {environments} environments: expected a game or more in each"
        )
    shares = np.full(environments, games // environments, np.int64)
    shares[: games % environments] += 1
    return shares


def play_games(
    agent: EnvironmentAgent,
    environment: VectorEnvironment,
    games: int,
    rng: np.random.Generator,
    report: Report = lambda finished, games: None,
    measures: Sequence[Measure] = (),
) -> Games:
    """Play `games` games from the beginning, shared out to the environments before the first.

    The first games to finish would be the short ones, and their scores biased. So each environment
    plays the number of games that was set, however long they take; what it plays beyond that while
    others go on is not counted. A lost life ends no game here; only training may treat it as an end
    (Mnih et al. 2015, methods). Measures see what each step led to, the end of a game too.

    Raises ValueError unless each environment has a game at least.
    """
    missing = games_of_each(games, environment.count)
    found: list[list[tuple[float, int, NDArray[np.int64]]]] = [[] for _ in missing]
    counts = np.zeros((environment.count, len(measures)), np.int64)
    agent.begin(environment.reset())
    report(0, games)
    while missing.any():
        environment.send(agent.act(rng))
        steps = environment.receive()
        ended = steps.terminated | steps.truncated
        places = np.flatnonzero(ended)
        counts += _measured(steps, ended, measures)
        for place, score, length in zip(places, steps.scores, steps.lengths, strict=True):
            if missing[place]:
                missing[place] -= 1
                found[place].append((float(score), int(length), counts[place].copy()))
        if len(places):
            counts[places] = 0
            report(games - int(missing.sum()), games)
        agent.observe(steps.observations, ended)
    played = [game for of_one in found for game in of_one]
    scores, lengths, counted = zip(*played, strict=True)
    return Games(np.array(scores, np.float64), np.array(lengths, np.int64), np.stack(counted))


def _measured(
    steps: Steps, ended: NDArray[np.bool_], measures: Sequence[Measure]
) -> NDArray[np.bool_]:
    """Return whether each measure counts each environment's step, bool [k, measures]."""
    if not measures:
        return np.zeros((len(ended), 0), np.bool_)
    seen = steps.observations
    if ended.any():
        seen = seen.copy()
        seen[ended] = steps.last_observations
    return np.stack([measure.holds(seen) for measure in measures], axis=1)
