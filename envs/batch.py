"""Compiled functions over many positions of a game.

Positions are records [n] that lie one after the other. The kernels see them as bytes and call the
game's rules by their addresses, so they are compiled once for all games.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.compiled import rule_table
from envs.compiled.jitable import jitable
from envs.compiled.rows import bytes_of, part_of, pointer_of, row_of, rows_of, states_of, states_row
from envs.compiled.rule_table import table_of
from envs.game import Game, game_of


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


def encode_many(states: NDArray[Any], past: NDArray[Any], planes: NDArray[np.float32]) -> None:
    """Encode records [n] into planes float32 [n, C, H, W], overwriting them.

    `past` are the boards before each, records [n, past_boards], newest first.
    """
    _encode_many(table_of(game_of(states)), bytes_of(states), bytes_of(past), planes)


@njit(cache=True, nogil=True)
def _encode_many(table, states, past, planes):
    shape = planes.shape[1:]
    positions, written = states_of(states), rows_of(planes)
    size = shape[0] * shape[1] * shape[2]
    for i in range(len(states)):
        planes[i] = 0.0
        boards, place = states_row(past, i), pointer_of(part_of(written, i * size, size))
        rule_table.encode(table, positions[i], boards[0], len(boards), place, shape)


def legal_actions_many(
    states: NDArray[Any], actions: NDArray[np.int32], counts: NDArray[np.int32]
) -> None:
    """Write the legal actions of records [n]: int32 [n, max_legal], and their numbers [n].

    A finished game has none. Of a row's actions only the first `counts[i]` are written.
    """
    _legal_actions_many(table_of(game_of(states)), bytes_of(states), actions, counts)


@jitable
def _legal_at(table, state, actions):
    """Write the legal actions of a position, none if its game is over; return their number."""
    if not np.isnan(rule_table.result(table, state)):
        return 0
    return rule_table.legal_actions(table, state, pointer_of(actions), len(actions))


@njit(cache=True, nogil=True)
def _legal_actions_many(table, states, actions, counts):
    positions = states_of(states)
    for i in range(len(positions)):
        counts[i] = _legal_at(table, positions[i], row_of(actions, i))


def replay_rows(
    scratch: Scratch,
    starts: NDArray[Any],
    moves: NDArray[np.int64],
    move_offsets: NDArray[np.int64],
    plies: NDArray[np.int64],
    ply_offsets: NDArray[np.int64],
    states: NDArray[Any],
    past: NDArray[Any],
    players: NDArray[np.int8],
    legal: NDArray[np.bool_],
) -> None:
    """Write the positions at given plies of many games: `states` [rows], and who is to move.

    Game g begins at the record `starts[g]`, before which nothing is known, and has the actions
    `moves[move_offsets[g]:move_offsets[g + 1]]`, at most `max_plies`; its rows are at the plies
    `plies[ply_offsets[g]:ply_offsets[g + 1]]`, in ascending order. `past` are the boards before
    each row, records [rows, past_boards], newest first; `players` int8 [rows].

    Stored moves are not trusted: a rule given an illegal move may write out of bounds, since
    compiled code checks no index. So each move is checked before it is played. `legal` bool [games]
    marks the games whose moves were all legal; the rows of the others are left unchanged.
    """
    boards = bytes_of(scratch.boards)
    wanted = (moves, move_offsets, plies, ply_offsets)
    rows = (bytes_of(states), bytes_of(past), players, legal)
    table = table_of(game_of(states))
    _replay_rows(table, scratch.allowed, scratch.keys, boards, bytes_of(starts), *wanted, *rows)


@njit(cache=True, nogil=True)
def _replay_rows(
    table,
    allowed,
    keys,
    boards,
    starts,
    moves,
    move_offsets,
    plies,
    ply_offsets,
    states,
    past,
    players,
    legal,
):
    listed, earlier, first = rows_of(allowed), rows_of(keys), states_of(starts)
    seen, found = states_of(boards), states_of(states)
    here = states_of(np.zeros((1, starts.shape[1]), np.uint8))
    for g in range(len(move_offsets) - 1):
        here[0] = first[g]
        state = here[0]
        ply = 0
        legal[g] = True
        for row in range(ply_offsets[g], ply_offsets[g + 1]):
            while legal[g] and ply < plies[row]:
                place = move_offsets[g] + ply
                legal[g] = place < move_offsets[g + 1] and is_legal(
                    table, state, moves[place], listed
                )
                if legal[g]:
                    if past.shape[1] > 0:
                        seen[ply] = state
                    play(table, state, earlier, ply, moves[place])
                    ply += 1
            if not legal[g]:
                break
            found[row] = state
            players[row] = rule_table.to_play(table, state)
            before = states_row(past, row)
            for back in range(past.shape[1]):
                before[back] = seen[max(ply - 1 - back, 0)] if ply > 0 else state


@jitable
def is_legal(table, state, action, allowed):
    """Return whether an action is legal; `allowed` is scratch, Rows of int32 [max_legal]."""
    for k in range(_legal_at(table, state, allowed)):
        if allowed[k] == action:
            return True
    return False


@jitable
def play(table, state, keys, count, action):
    """Play a legal action; see `envs.game.advance`. `keys` are Rows of uint64."""
    if rule_table.remembers(table):
        keys[count] = rule_table.position_key(table, state)
    rule_table.advance(table, state, action, pointer_of(keys), count + 1)


def statuses(
    states: NDArray[Any],
    players: NDArray[np.int64],
    over: NDArray[np.bool_],
    values_to_play: NDArray[np.float64],
) -> None:
    """Write who is to move in each record [n], whether its game is over, and its result.

    Writes players int64 [n], over bool [n], values_to_play float64 [n] (0 for unfinished games).
    """
    _statuses(table_of(game_of(states)), bytes_of(states), players, over, values_to_play)


@njit(cache=True, nogil=True)
def _statuses(table, states, players, over, values_to_play):
    positions = states_of(states)
    for i in range(len(positions)):
        players[i] = rule_table.to_play(table, positions[i])
        value = rule_table.result(table, positions[i])
        over[i] = not np.isnan(value)
        values_to_play[i] = value if over[i] else 0.0


def final_areas(states: NDArray[Any], owners: NDArray[np.int8], leads: NDArray[np.float32]) -> None:
    """Write who owns each cell of finished games: int8 [n, H*W] and float32 [n]; NaN if unfinished.

    See `envs.game.final_ownership`; the cells of an unfinished game are left as they are.
    """
    _final_areas(table_of(game_of(states)), bytes_of(states), owners, leads)


@njit(cache=True, nogil=True)
def _final_areas(table, states, owners, leads):
    positions = states_of(states)
    for i in range(len(positions)):
        leads[i] = np.nan
        if not np.isnan(rule_table.result(table, positions[i])):
            place = pointer_of(row_of(owners, i))
            leads[i] = rule_table.final_ownership(table, positions[i], place, owners.shape[1])


def play_random(
    scratch: Scratch,
    states: NDArray[Any],
    wanted: NDArray[np.int64],
    draws: NDArray[np.float64],
    moves: NDArray[np.uint16],
) -> int:
    """Play up to wanted[i] random moves on each new game [n] in place, fewer where it ends.

    Move p of record i is chosen among the legal ones by draws[i, p], uniform in [0, 1), and written
    to moves[i, p]. wanted int64 [n]; draws float64 and moves uint16 [n, longest wanted or more].
    Returns the moves played in all.
    """
    table, memory = table_of(game_of(states)), (scratch.allowed, scratch.keys)
    return int(_play_random(table, *memory, bytes_of(states), wanted, draws, moves))


@njit(cache=True, nogil=True)
def _play_random(table, allowed, keys, states, wanted, draws, moves):
    positions, listed, earlier = states_of(states), rows_of(allowed), rows_of(keys)
    total = 0
    for i in range(len(positions)):
        for ply in range(wanted[i]):
            count = _legal_at(table, positions[i], listed)
            if count == 0:
                break
            total += 1
            action = listed[int(draws[i, ply] * count)]
            moves[i, ply] = action
            play(table, positions[i], earlier, ply, action)
    return total


def successors(states: NDArray[Any], allowed: NDArray[np.int32], children: NDArray[Any]) -> int:
    """Write the unfinished positions one ply after records [n]; return how many.

    `children` is a record array with room for all: n times `max_legal`; `allowed` is scratch, int32
    [max_legal]. A successor of two records is written twice; positions that end the game are left
    out. Rules that look back are given no earlier positions.
    """
    given, room = bytes_of(states), bytes_of(children)
    return int(_successors(table_of(game_of(states)), given, allowed, room))


@njit(cache=True, nogil=True)
def _successors(table, states, allowed, children):
    count, positions, found, listed = 0, states_of(states), states_of(children), rows_of(allowed)
    none = rows_of(np.zeros(1, np.uint64))
    for i in range(len(positions)):
        for k in range(_legal_at(table, positions[i], listed)):
            found[count] = positions[i]
            rule_table.advance(table, found[count], listed[k], pointer_of(none), 0)
            if np.isnan(rule_table.result(table, found[count])):
                count += 1
    return count
