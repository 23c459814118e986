"""Play matches of teams: pairs of matches from one seed, sides swapped, hundreds at once.

A match of teams takes the place of a board game in `arena.match`, and a seed that of an opening: so
records, evidence and resuming are the same. Points are those of the first agent, playing team 0 and
then team 1; the plies are the decisions of a match.

Shapes: n matches, k agents a team.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.match.openings import Opening, Openings
from arena.match.pool import PlannedBatch
from arena.match.records import Batch
from envs.teams import TeamAgent, TeamGame, TeamSteps

SEEDS = "seeds"  # the label in records
SEEDS_AT_ONCE = 128  # drawn


def seeds_as_openings() -> Openings:
    """Make the seeds of matches, 64 random bits each, as openings that never end."""
    return Openings(SEEDS, _seed_stream)


def _seed_stream(seed: int) -> Iterator[Opening]:
    rng = np.random.default_rng([seed, 0])
    while True:
        for drawn in rng.integers(2**64, size=SEEDS_AT_ONCE, dtype=np.uint64):
            yield Opening(np.array([drawn], np.uint64), 0)


def play_batch(
    game: TeamGame,
    agents: tuple[TeamAgent, TeamAgent],
    planned: PlannedBatch,
    threads: int = 1,
    report: Callable[[int], None] = lambda finished: None,
) -> Batch:
    """Play the pairs of a batch together, reporting the number of finished matches.

    The same batch and agents repeat it. Each place of the vector plays the one match of its seed,
    and what follows there is not counted: the first to finish would be short matches, and their
    results biased.

    Args:
        game: the game.
        agents: two, and not one twice, since an agent remembers the matches that it plays.
        planned: the pairs.
        threads: that advance the matches.
        report: called when matches end.
    """
    if agents[0] is agents[1]:
        raise ValueError(f"{agents[0].name!r} against itself: expected it to be loaded twice")
    first = planned.first_pair
    seeds = np.repeat(np.concatenate([opening.state for opening in planned.openings]), 2)
    rngs = [np.random.default_rng([planned.key.seed, 1, 2 * first, agent]) for agent in range(2)]
    sides = np.arange(len(seeds)) % 2  # of the first agent
    points, lengths = np.full(len(seeds), -1), np.zeros(len(seeds), np.int64)
    vector = game.make_vector(len(seeds), threads)
    try:
        steps = vector.start(seeds)
        begins = np.ones(len(seeds), np.bool_)
        while (points < 0).any():
            steps = vector.step(_chosen(game, agents, sides, steps, begins, rngs))
            begins = steps.terminated | steps.truncated
            ended = np.flatnonzero(begins & (points < 0))
            points[ended] = np.rint(2 * steps.scores[ended, sides[ended]])
            lengths[ended] = steps.lengths[ended]
            if len(ended):
                report(int((points >= 0).sum()))
    finally:
        vector.close()
    ids = tuple(opening.id for opening in planned.openings)
    return Batch(first, points.reshape(-1, 2), lengths.reshape(-1, 2), ids)


def _chosen(
    game: TeamGame,
    agents: tuple[TeamAgent, TeamAgent],
    sides: NDArray[np.int64],
    steps: TeamSteps,
    begins: NDArray[np.bool_],
    rngs: list[np.random.Generator],
) -> NDArray[Any]:
    """Let both agents choose the actions [n, 2 k, h] of the teams that they play."""
    places, spec = np.arange(len(sides)), game.spec
    actions = np.zeros((len(sides), 2, spec.agents, len(spec.heads)), np.int64)
    for number, (agent, rng) in enumerate(zip(agents, rngs, strict=True)):
        teams = sides ^ number
        seen, masks = (
            by_player.reshape(len(sides), 2, spec.agents, *by_player.shape[2:])[places, teams]
            for by_player in (steps.observations, steps.masks)
        )
        chosen = agent.act(seen, masks, begins, rng)
        if chosen.shape != actions[places, teams].shape:
            raise RuntimeError(
                f"{agent.name} chose actions of shape {chosen.shape}, expected "
                f"{actions[places, teams].shape}"
            )
        actions[places, teams] = chosen
    return actions.reshape(len(sides), spec.players, len(spec.heads))
