"""Positions with the game before them: what repetition, superko and history planes need."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.batch import no_past, replay_rows, scratch_for
from envs.game import Game, GameError, position_key


def played(game: Game, moves: NDArray[Any]) -> NDArray[Any]:
    """Return the positions of a game, from the start to after `moves` [n], records [n + 1].

    Raises GameError for a move that is not legal. Compiled, unlike `Game.line`.
    """
    states, plies = game.new_states(len(moves) + 1), np.arange(len(moves) + 1)
    legal = np.zeros(1, np.bool_)
    replay_rows(
        scratch_for(game),
        np.asarray(moves, np.int64),
        np.array([0, len(moves)]),
        plies,
        np.array([0, len(plies)]),
        states,
        no_past(game, len(plies)),
        np.zeros(len(plies), np.int8),
        legal,
    )
    if not legal[0]:
        raise GameError(f"the moves {np.asarray(moves).tolist()} are no game of {game.name}")
    return states


@njit(cache=True, nogil=True)
def _keys_of(states, keys):
    for i in range(len(states)):
        keys[i] = position_key(states[i])


def pasts_of(
    game: Game, games: Sequence[NDArray[Any]]
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[Any]]:
    """Return what lies before the last position of each of n games.

    A game is its positions from the first on, records [plies + 1]. Returns the position keys
    uint64 [n, most plies], oldest first and none in games that do not look back; their numbers
    int64 [n]; and the earlier boards, records [n, past_boards], newest first. The boards of a young
    game end with its first one again.
    """
    counts = np.array([len(line) - 1 for line in games], np.int64)
    looks_back = game.rules.remember is not None
    keys = np.zeros((len(games), int(counts.max(initial=0)) if looks_back else 0), np.uint64)
    boards = np.zeros((len(games), game.past_boards), game.dtype)
    for i, line in enumerate(games):
        if looks_back and counts[i]:
            _keys_of(np.ascontiguousarray(line[:-1]), keys[i])
        for back in range(game.past_boards):
            boards[i, back] = line[max(len(line) - 2 - back, 0)]
    return keys, counts, boards
