"""Compiled work on many positions of a game at once."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from envs.game import encode, reset, step, to_play


@njit(cache=True, nogil=True)
def encode_many(states, planes):
    """Encode records [n] into planes float32 [n, C, H, W], whatever they held."""
    for i in range(len(states)):
        planes[i] = 0.0
        encode(states[i], planes[i])


@njit(cache=True, nogil=True)
def replay_rows(scratch, moves, move_offsets, plies, ply_offsets, states, players):
    """The positions at given plies of many games: records `states` [rows], who is to move there.

    Game g has the actions `moves[move_offsets[g]:move_offsets[g + 1]]`; its rows are at the plies
    `plies[ply_offsets[g]:ply_offsets[g + 1]]`, in ascending order. `scratch` is one record [1],
    `players` int8 [rows].
    """
    for g in range(len(move_offsets) - 1):
        state = scratch[0]
        reset(state)
        ply = 0
        for row in range(ply_offsets[g], ply_offsets[g + 1]):
            while ply < plies[row]:
                step(state, moves[move_offsets[g] + ply])
                ply += 1
            states[row] = state
            players[row] = to_play(state)
