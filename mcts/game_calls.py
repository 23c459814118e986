"""The parts of a search that are compiled for each game, like its rules, and called by address.

A move takes a few nanoseconds in some games: what plays several, or does more than one thing with a
position, is one call. The rest of the search is the same code for every game.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import carray, njit, types  # type: ignore[attr-defined]

from envs.compiled.calling import BY_ADDRESS, address_of, prototype, record_at
from envs.compiled.jitable import jitable
from envs.compiled.rows import array_of, part_of, pointer_of, rows_at
from envs.compiled.rule_table import ACTIONS, COUNT, KEYS, STATE, TABLE, table_of
from envs.game import (
    Game,
    is_terminal,
    legal_actions,
    remember,
    step,
    to_play,
    value_to_play,
    whole_step,
)
from mcts import rng
from mcts.compile import inlined_with_rules
from mcts.forest import EDGE, FRAME, INFO, NODE

WIN = 1.0  # the largest value of a game: an edge with it makes the others irrelevant

_NODE, _EDGES, _FRAMES, _INFO = (
    types.CPointer(numba.from_dtype(kind)) for kind in (NODE, EDGE, FRAME, INFO)
)
call_play = prototype(types.none, STATE, STATE, types.int64, KEYS, COUNT, _NODE)
call_look = prototype(
    types.none, STATE, _EDGES, COUNT, types.int64, COUNT, STATE, ACTIONS, COUNT, _FRAMES
)
call_rollout = prototype(types.float64, STATE, _INFO, STATE, ACTIONS, COUNT)


@njit(**BY_ADDRESS)
def _play_child(parent, child, action, keys, count, node):
    record = rows_at(child, 1)
    record[0] = record_at(parent)
    state = record[0]
    whole_step(state, action)
    remember(state, carray(keys, (count,)), count)
    made = rows_at(node, 1)[0]
    made.to_play = to_play(state)
    made.exact = value_to_play(state) if is_terminal(state) else np.nan


@jitable
def play_child(tree, node, child, action, count):
    """Play a move of a node into the record of its child, and note who is to move and the end.

    The tree's first `count` keys are those of the positions before the child.
    """
    keys, made = pointer_of(tree.keys), pointer_of(part_of(tree.nodes, child, 1))
    given = (tree.states[node], tree.states[child], np.int64(action), keys, count, made)
    call_play(tree.calls[0].play_child, given)


class Levels(NamedTuple):
    """The scratch memory of a lookahead: a position, its moves and their results a level."""

    states: Any  # the game's record [levels]
    actions: Any  # int32 [levels * width]
    width: Any  # the most legal actions, L
    frames: Any  # FRAME [levels]


@inlined_with_rules
def actions_at(levels, level):
    """Return the list of moves of a level, int32 [L]."""
    return array_of(levels.actions, level * levels.width, levels.width)


@inlined_with_rules
def open_frame(levels, level):
    """Begin with the moves of the position at a level."""
    frame = levels.frames[level]
    frame.moves = legal_actions(levels.states[level], actions_at(levels, level))
    frame.next = 0
    frame.open_moves = 0
    frame.best = -np.inf
    frame.to_play = to_play(levels.states[level])


@inlined_with_rules
def report(levels, level, value):
    """Report a child's value_to_play to the frame at a level; NaN means open."""
    frame = levels.frames[level]
    if np.isnan(value):
        frame.open_moves += 1
        return
    same = to_play(levels.states[level + 1]) == frame.to_play
    frame.best = max(frame.best, value if same else -value)


@inlined_with_rules
def play_next(levels, level):
    """Write the position after the frame's next legal move one level up; False if none is left.

    A frame that has found a win plays no more moves.
    """
    frame = levels.frames[level]
    if frame.next == frame.moves or frame.best >= WIN:
        return False
    action = levels.actions[level * levels.width + frame.next]
    frame.next += 1
    levels.states[level + 1] = levels.states[level]
    step(levels.states[level + 1], action)
    return True


@inlined_with_rules
def look(levels, depth):
    """Return the exact value_to_play of unfinished `states[0]` within `depth` plies, or NaN.

    Depth first with its own stack: Numba cannot load a recursive function from its on-disk cache.
    """
    level = 0
    open_frame(levels, 0)
    while True:
        if play_next(levels, level):
            child = levels.states[level + 1]
            if is_terminal(child):
                report(levels, level, value_to_play(child))
            elif level + 1 == depth:
                report(levels, level, np.nan)
            else:
                level += 1
                open_frame(levels, level)
            continue
        frame = levels.frames[level]
        value = np.nan if frame.open_moves > 0 and frame.best < WIN else frame.best
        if level == 0:
            return value
        level -= 1
        report(levels, level, value)


@njit(**BY_ADDRESS)
def _look_at_edges(state, edges, count, mover, depth, states, actions, width, frames):
    """Mark the edges of a position whose moves force an end within `depth` plies, each included."""
    levels = Levels(
        rows_at(states, depth), rows_at(actions, depth * width), width, rows_at(frames, depth)
    )
    listed = rows_at(edges, count)
    for e in range(count):
        levels.states[0] = record_at(state)
        child = levels.states[0]
        step(child, listed[e].action)
        sign = 1.0 if to_play(child) == mover else -1.0
        if is_terminal(child):
            listed[e].exact = sign * value_to_play(child)
            listed[e].plies = 1
            continue
        for plies in range(1, depth):  # iterative deepening finds the shortest end first
            value = look(levels, plies)
            if not np.isnan(value):
                listed[e].exact = sign * value
                listed[e].plies = plies + 1
                break


@jitable
def look_at_edges(tree, params, node):
    """Look ahead along a node's edges, `params.lookahead` plies."""
    first, count = np.int64(tree.nodes[node].first_edge), np.int64(tree.nodes[node].num_edges)
    edges = pointer_of(part_of(tree.edges, first, count))
    states, actions = tree.look_states[0], pointer_of(tree.look_actions)
    frames, width = pointer_of(tree.look_frames), len(tree.root_gumbel)
    state, mover = tree.states[node], tree.nodes[node].to_play
    given = (state, edges, count, mover, params.lookahead, states, actions, width, frames)
    call_look(tree.calls[0].look_at_edges, given)


@njit(**BY_ADDRESS)
def _rollout(state, info, scratch, actions, width):
    """Play one game of uniformly random moves; return its value_to_play for the side to move now.

    Rules that look back see none of its positions: it may repeat them, up to the game's last ply.
    """
    stream, allowed = rows_at(info, 1), array_of(rows_at(actions, width), 0, width)
    playing = rows_at(scratch, 1)
    playing[0] = record_at(state)
    now = playing[0]
    while not is_terminal(now):
        count = legal_actions(now, allowed)
        step(now, allowed[rng.below(stream, count)])
    value = np.float64(value_to_play(now))
    return value if to_play(now) == to_play(record_at(state)) else -value


@jitable
def rollout(tree, node):
    """Play one game of uniformly random moves from a node; return its value_to_play there."""
    info, actions = pointer_of(tree.info), pointer_of(tree.look_actions)
    given = (tree.states[node], info, tree.look_states[0], actions, len(tree.root_gumbel))
    return call_rollout(tree.calls[0].rollout, given)


def fill_calls(calls: Any, game: Game, lookahead: int) -> None:
    """Compile what a search calls of a game, or load it, and write its addresses to the record."""
    table = table_of(game)[0]
    for name in TABLE.names or ():
        calls[name] = table[name]
    record = numba.from_dtype(game.dtype)
    calls["play_child"] = address_of(call_play, _play_child, record)
    if lookahead:  # half of the code of a game with long rules
        calls["look_at_edges"] = address_of(call_look, _look_at_edges, record)


def fill_rollout(calls: Any, game: Game) -> None:
    """Do as `fill_calls` for the random games, which only searches without a network play."""
    calls["rollout"] = address_of(call_rollout, _rollout, numba.from_dtype(game.dtype))
