"""Count a game's openings: the distinct positions after a number of plies."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.batch import successors
from envs.game import Game

ENOUGH = 10_000  # openings, for the pairs of the longest match by default: a test, 20,000 games
LONGEST_SHARE = 3  # random moves are at most a third of the longest game
MOST_POSITIONS = 1 << 20  # of one ply, that an exact count looks at
_CHILDREN_BYTES = 1 << 24


@cache
def enough_plies(game: Game) -> int:
    """Return the fewest plies with ENOUGH distinct openings, or the most plies allowed.

    A small game has fewer: tic-tac-toe's third is 3 plies, which lead to 252 positions.
    """
    states = game.new_states(1)
    for plies in range(max(1, game.max_plies // LONGEST_SHARE)):
        following = _one_ply_on(game, states, ENOUGH - 1)
        if following is None:
            return plies + 1
        if not len(following):
            return plies
        states = following
    return plies + 1


def distinct_openings(game: Game, plies: int) -> NDArray[Any] | None:
    """List the distinct unfinished positions [n] after exactly `plies` moves.

    They are sorted by their bytes. None where a ply on the way has over MOST_POSITIONS.
    """
    states = game.new_states(1)
    for _ in range(plies):
        following = _one_ply_on(game, states, MOST_POSITIONS)
        if following is None:
            return None
        states = following
    return states


def _one_ply_on(game: Game, states: NDArray[Any], most: int) -> NDArray[Any] | None:
    """Expand positions by one ply, without duplicates; None if more than `most` result."""
    at_once = max(1, min(4096, _CHILDREN_BYTES // (game.max_legal * game.dtype.itemsize)))
    children = np.zeros(at_once * game.max_legal, game.dtype)
    allowed = np.zeros(game.max_legal, np.int32)
    as_bytes = np.dtype((np.void, game.dtype.itemsize))
    found = children[:0].view(as_bytes)
    for first in range(0, len(states), at_once):
        count = successors(states[first : first + at_once], allowed, children)
        found = np.unique(np.concatenate([found, children[:count].view(as_bytes)]))
        if len(found) > most:
            return None
    return found.view(game.dtype)
