"""Compiled functions over many positions of a game."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from envs.game import encode, is_terminal, legal_actions, reset, step, to_play, value_to_play


@njit(cache=True, nogil=True)
def encode_many(states, planes):
    """Encode records [n] into planes float32 [n, C, H, W], overwriting them."""
    for i in range(len(states)):
        planes[i] = 0.0
        encode(states[i], planes[i])


@njit(cache=True, nogil=True)
def replay_rows(scratch, mask, moves, move_offsets, plies, ply_offsets, states, players, legal):
    """Write the positions at given plies of many games: `states` [rows], and who is to move.

    Game g has the actions `moves[move_offsets[g]:move_offsets[g + 1]]`; its rows are at the plies
    `plies[ply_offsets[g]:ply_offsets[g + 1]]`, in ascending order. `scratch` is one record [1],
    `mask` bool [actions], `players` int8 [rows].

    Stored moves are not trusted: a rule given an illegal move may write out of bounds, since
    compiled code checks no index. So each move is checked before it is played. `legal` bool [games]
    marks the games whose moves were all legal; the rows of the others are left unchanged.
    """
    for g in range(len(move_offsets) - 1):
        state = scratch[0]
        reset(state)
        ply = 0
        legal[g] = True
        for row in range(ply_offsets[g], ply_offsets[g + 1]):
            while legal[g] and ply < plies[row]:
                place = move_offsets[g] + ply
                legal[g] = place < move_offsets[g + 1] and _is_legal(state, moves[place], mask)
                if legal[g]:
                    step(state, moves[place])
                    ply += 1
            if not legal[g]:
                break
            states[row] = state
            players[row] = to_play(state)


@njit(cache=True, nogil=True)
def _is_legal(state, action, mask):
    if action < 0 or action >= len(mask) or is_terminal(state):
        return False
    mask[:] = False
    legal_actions(state, mask)
    return mask[action]


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
def play_random(states, wanted, draws, num_actions, moves):
    """Play up to wanted[i] random moves on each record [n] in place, fewer where the game ends.

    Move p of record i is chosen among the legal ones by draws[i, p], uniform in [0, 1), and written
    to moves[i, p]. wanted int64 [n]; draws float64 and moves uint16 [n, longest wanted or more].
    """
    mask = np.zeros(num_actions, np.bool_)
    legal = np.zeros(num_actions, np.int64)
    for i in range(len(states)):
        for ply in range(wanted[i]):
            if is_terminal(states[i]):
                break
            mask[:] = False
            legal_actions(states[i], mask)
            count = 0
            for action in range(num_actions):
                if mask[action]:
                    legal[count] = action
                    count += 1
            action = legal[int(draws[i, ply] * count)]
            moves[i, ply] = action
            step(states[i], action)


@njit(cache=True, nogil=True)
def successors(states, num_actions, children):
    """Write the unfinished positions one ply after records [n]; return how many.

    `children` is a record array with room for all: n times `max_legal`. A successor of two records
    is written twice; positions that end the game are left out.
    """
    mask = np.zeros(num_actions, np.bool_)
    count = 0
    for i in range(len(states)):
        if is_terminal(states[i]):
            continue
        mask[:] = False
        legal_actions(states[i], mask)
        for action in range(num_actions):
            if mask[action]:
                children[count] = states[i]
                step(children[count], action)
                if not is_terminal(children[count]):
                    count += 1
    return count
