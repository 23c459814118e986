"""Compiled functions over many positions of a game."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.game import (
    Game,
    advance,
    encode,
    final_ownership,
    is_terminal,
    legal_actions,
    step,
    to_play,
    value_to_play,
)


class Scratch(NamedTuple):
    """Memory for one game that is played or replayed by compiled code."""

    allowed: NDArray[np.int32]  # [max_legal]
    keys: NDArray[np.uint64]  # [max_plies + 1] position keys, in games that look back
    boards: NDArray[Any]  # records [max_plies + 1], or [1] in games that show no earlier boards


def scratch_for(game: Game) -> Scratch:
    """Allocate the scratch memory of one game."""
    plies = game.max_plies + 1
    return Scratch(
        np.zeros(game.max_legal, np.int32),
        np.zeros(plies if game.rules.remember else 1, np.uint64),
        np.zeros(plies if game.past_boards else 1, game.dtype),
    )


def no_past(game: Game, count: int) -> NDArray[Any]:
    """Return room for the earlier boards of `count` positions, records [count, past_boards]."""
    return np.zeros((count, game.past_boards), game.dtype)


@njit(cache=True, nogil=True)
def encode_many(states, past, planes):
    """Encode records [n] into planes float32 [n, C, H, W], overwriting them.

    `past` are the boards before each, records [n, past_boards], newest first.
    """
    for i in range(len(states)):
        planes[i] = 0.0
        encode(states[i], past[i], planes[i])


@njit(cache=True, nogil=True)
def legal_actions_many(states, actions, counts):
    """Write the legal actions of records [n]: int32 [n, max_legal], and their numbers [n].

    A finished game has none. Of a row's actions only the first `counts[i]` are written.
    """
    for i in range(len(states)):
        counts[i] = 0 if is_terminal(states[i]) else legal_actions(states[i], actions[i])


@njit(cache=True, nogil=True)
def replay_rows(
    scratch, starts, moves, move_offsets, plies, ply_offsets, states, past, players, legal
):
    """Write the positions at given plies of many games: `states` [rows], and who is to move.

    Game g begins at the record `starts[g]`, before which nothing is known, and has the actions
    `moves[move_offsets[g]:move_offsets[g + 1]]`, at most `max_plies`; its rows are at the plies
    `plies[ply_offsets[g]:ply_offsets[g + 1]]`, in ascending order. `past` are the boards before
    each row, records [rows, past_boards], newest first; `players` int8 [rows].

    Stored moves are not trusted: a rule given an illegal move may write out of bounds, since
    compiled code checks no index. So each move is checked before it is played. `legal` bool [games]
    marks the games whose moves were all legal; the rows of the others are left unchanged.
    """
    here = np.zeros_like(scratch.boards[:1])
    for g in range(len(move_offsets) - 1):
        here[0] = starts[g]
        state = here[0]
        ply = 0
        legal[g] = True
        for row in range(ply_offsets[g], ply_offsets[g + 1]):
            while legal[g] and ply < plies[row]:
                place = move_offsets[g] + ply
                legal[g] = place < move_offsets[g + 1] and is_legal(
                    state, moves[place], scratch.allowed
                )
                if legal[g]:
                    if past.shape[1] > 0:
                        scratch.boards[ply] = state
                    advance(state, scratch.keys, ply, moves[place])
                    ply += 1
            if not legal[g]:
                break
            states[row] = state
            players[row] = to_play(state)
            for back in range(past.shape[1]):
                past[row, back] = scratch.boards[max(ply - 1 - back, 0)] if ply > 0 else state


@njit(cache=True, nogil=True)
def is_legal(state, action, allowed):
    """Return whether an action is legal; `allowed` is scratch, int32 [max_legal]."""
    if is_terminal(state):
        return False
    for k in range(legal_actions(state, allowed)):
        if allowed[k] == action:
            return True
    return False


@njit(cache=True, nogil=True)
def statuses(states, players, over, values_to_play):
    """Write who is to move in each record [n], whether its game is over, and its result.

    Writes players int64 [n], over bool [n], values_to_play float64 [n] (0 for unfinished games).
    """
    for i in range(len(states)):
        players[i] = to_play(states[i])
        over[i] = is_terminal(states[i])
        values_to_play[i] = value_to_play(states[i]) if over[i] else 0.0


@njit(cache=True, nogil=True)
def final_areas(states, owners, leads):
    """Write who owns each cell of finished games: int8 [n, H*W] and float32 [n]; NaN if unfinished.

    See `envs.game.final_ownership`; the cells of an unfinished game are left as they are.
    """
    for i in range(len(states)):
        leads[i] = np.nan
        if is_terminal(states[i]):
            leads[i] = final_ownership(states[i], owners[i])


@njit(cache=True, nogil=True)
def play_random(scratch, states, wanted, draws, moves):
    """Play up to wanted[i] random moves on each new game [n] in place, fewer where it ends.

    Move p of record i is chosen among the legal ones by draws[i, p], uniform in [0, 1), and written
    to moves[i, p]. wanted int64 [n]; draws float64 and moves uint16 [n, longest wanted or more].
    Returns the moves played in all.
    """
    total = 0
    for i in range(len(states)):
        for ply in range(wanted[i]):
            if is_terminal(states[i]):
                break
            total += 1
            count = legal_actions(states[i], scratch.allowed)
            action = scratch.allowed[int(draws[i, ply] * count)]
            moves[i, ply] = action
            advance(states[i], scratch.keys, ply, action)
    return total


@njit(cache=True, nogil=True)
def successors(states, allowed, children):
    """Write the unfinished positions one ply after records [n]; return how many.

    `children` is a record array with room for all: n times `max_legal`; `allowed` is scratch, int32
    [max_legal]. A successor of two records is written twice; positions that end the game are left
    out.
    """
    count = 0
    for i in range(len(states)):
        if is_terminal(states[i]):
            continue
        for k in range(legal_actions(states[i], allowed)):
            children[count] = states[i]
            step(children[count], allowed[k])
            if not is_terminal(children[count]):
                count += 1
    return count
