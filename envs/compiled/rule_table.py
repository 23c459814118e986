"""A game's compiled rules by their addresses: what the search calls, in any game.

The functions here are those of `envs.game`, for code that is compiled once for all games. They take
a table, rows of one record that has the fields of TABLE, and positions as pointers to their
records. What they call is compiled for each game.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np
from numba import carray, njit, types  # type: ignore[attr-defined]
from numpy.typing import NDArray

from envs import game as rules
from envs.compiled.calling import BY_ADDRESS, address_of, prototype, record_at
from envs.compiled.jitable import jitable

STATE = types.voidptr
KEYS = types.CPointer(types.uint64)
ACTIONS = types.CPointer(types.int32)
OWNERS = types.CPointer(types.int8)
PLANES = types.CPointer(types.float32)
COUNT = types.int64

call_advance = prototype(types.none, STATE, types.int64, KEYS, COUNT)
call_result = prototype(types.float64, STATE)
call_to_play = prototype(types.int64, STATE)
call_legal_actions = prototype(COUNT, STATE, ACTIONS, COUNT)
call_position_key = prototype(types.uint64, STATE)
call_input_key = prototype(types.uint64, STATE, STATE, COUNT, ACTIONS, COUNT)
call_encode = prototype(types.none, STATE, STATE, COUNT, PLANES, COUNT, COUNT, COUNT)
call_final_ownership = prototype(types.float64, STATE, OWNERS, COUNT)


@njit(**BY_ADDRESS)
def _advance(state, action, keys, count):
    record = record_at(state)
    rules.whole_step(record, action)
    rules.remember(record, carray(keys, (count,)), count)


@njit(**BY_ADDRESS)
def _result(state):
    record = record_at(state)
    return np.float64(rules.value_to_play(record)) if rules.is_terminal(record) else np.nan


@njit(**BY_ADDRESS)
def _to_play(state):
    return np.int64(rules.to_play(record_at(state)))


@njit(**BY_ADDRESS)
def _legal_actions(state, actions, room):
    return np.int64(rules.whole_legal_actions(record_at(state), carray(actions, (room,))))


@njit(**BY_ADDRESS)
def _position_key(state):
    return np.uint64(rules.position_key(record_at(state)))


@njit(**BY_ADDRESS)
def _input_key(state, past, boards, actions, count):
    shown, listed = carray(past, (boards,)), carray(actions, (count,))
    return np.uint64(rules.input_key(record_at(state), shown, listed, count))


@njit(**BY_ADDRESS)
def _encode(state, past, boards, planes, channels, height, width):
    shown, written = carray(past, (boards,)), carray(planes, (channels, height, width))
    rules.encode(record_at(state), shown, written)


@njit(**BY_ADDRESS)
def _final_ownership(state, owners, cells):
    return np.float64(rules.final_ownership(record_at(state), carray(owners, (cells,))))


ENTRIES = {
    "advance": (call_advance, _advance),
    "result": (call_result, _result),
    "to_play": (call_to_play, _to_play),
    "legal_actions": (call_legal_actions, _legal_actions),
    "position_key": (call_position_key, _position_key),
    "input_key": (call_input_key, _input_key),
    "encode": (call_encode, _encode),
    "final_ownership": (call_final_ownership, _final_ownership),
}
TABLE = np.dtype([*((name, "i8") for name in ENTRIES), ("remembers", "i8")])


@cache
def table_of(game: rules.Game) -> NDArray[Any]:
    """Compile a game's rules, or load them; return their addresses, TABLE [1]."""
    table, record = np.zeros(1, TABLE), numba.from_dtype(game.dtype)
    for name, (call, function) in ENTRIES.items():
        table[name] = address_of(call, function, record)
    table["remembers"] = game.rules.remember is not None
    return table


@jitable
def advance(table, state, action, keys, count):
    """Play a legal action, in a game whose `count` earlier positions' keys a pointer has."""
    call_advance(table[0].advance, (state, action, keys, count))


@jitable
def result(table, state):
    """Return the value_to_play of a finished game, NaN of an unfinished one."""
    return call_result(table[0].result, (state,))


@jitable
def to_play(table, state):
    """Return the side to move, 0 or 1."""
    return call_to_play(table[0].to_play, (state,))


@jitable
def legal_actions(table, state, actions, room):
    """Write the legal actions of an unfinished game to a pointer, with room for `room` of them."""
    return call_legal_actions(table[0].legal_actions, (state, actions, room))


@jitable
def remembers(table):
    """Return whether the rules look back at earlier positions."""
    return table[0].remembers != 0


@jitable
def position_key(table, state):
    """Return the key that the rules tell positions apart by."""
    return call_position_key(table[0].position_key, (state,))


@jitable
def input_key(table, state, past, boards, actions, count):
    """Return the key of an evaluation, with pointers to `boards` earlier boards and the actions."""
    return call_input_key(table[0].input_key, (state, past, boards, actions, count))


@jitable
def encode(table, state, past, boards, planes, shape):
    """Write the network's input [C, H, W] to a pointer, with one to `boards` earlier boards."""
    channels, height, width = shape
    call_encode(table[0].encode, (state, past, boards, planes, channels, height, width))


@jitable
def final_ownership(table, state, owners, cells):
    """Write who owns each of `cells` cells of a finished board to a pointer; return the lead."""
    return call_final_ownership(table[0].final_ownership, (state, owners, cells))
