"""Exact results: a short lookahead at new nodes, and propagation towards the root.

MCTS-Solver (Winands, Bjornsson & Saito 2008), extended to draws: a node is proven when one of its
edges is a proven win, or when all of its edges are proven.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,arg-type"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from envs.game import is_terminal, legal_actions, step, to_play, value_to_play
from mcts.compile import INLINED, inlined
from mcts.rows import array_of

WIN = 1.0  # the largest value of a game: an edge with it makes the others irrelevant


@inlined
def look_actions(tree, level):
    """Return the scratch list of a level, int32 [L]."""
    return array_of(tree.look_actions, level * len(tree.root_gumbel), len(tree.root_gumbel))


@inlined
def open_frame(tree, level):
    """Begin with the moves of the position at a level of the lookahead."""
    frame = tree.look_frames[level]
    frame.moves = legal_actions(tree.look_states[level], look_actions(tree, level))
    frame.next = 0
    frame.open_moves = 0
    frame.best = -np.inf
    frame.to_play = to_play(tree.look_states[level])


@inlined
def report(tree, level, value):
    """Report a child's value_to_play to the frame at a level; NaN means open."""
    frame = tree.look_frames[level]
    if np.isnan(value):
        frame.open_moves += 1
        return
    same = to_play(tree.look_states[level + 1]) == frame.to_play
    frame.best = max(frame.best, value if same else -value)


@inlined
def play_next(tree, level):
    """Write the position after the frame's next legal move one level up; False if none is left.

    A frame that has found a win plays no more moves.
    """
    frame = tree.look_frames[level]
    if frame.next == frame.moves or frame.best >= WIN:
        return False
    action = tree.look_actions[level * len(tree.root_gumbel) + frame.next]
    frame.next += 1
    tree.look_states[level + 1] = tree.look_states[level]
    step(tree.look_states[level + 1], action)
    return True


@inlined
def look(tree, depth):
    """Return the exact value_to_play of unfinished `look_states[0]` within `depth` plies, or NaN.

    Depth first with its own stack: Numba cannot load a recursive function from its on-disk cache.
    """
    level = 0
    open_frame(tree, 0)
    while True:
        if play_next(tree, level):
            child = tree.look_states[level + 1]
            if is_terminal(child):
                report(tree, level, value_to_play(child))
            elif level + 1 == depth:
                report(tree, level, np.nan)
            else:
                level += 1
                open_frame(tree, level)
            continue
        frame = tree.look_frames[level]
        value = np.nan if frame.open_moves > 0 and frame.best < WIN else frame.best
        if level == 0:
            return value
        level -= 1
        report(tree, level, value)


@inlined
def look_at_edge(tree, node, e, depth):
    """Mark an edge as proven if its move forces an end within `depth` plies, that move included."""
    tree.look_states[0] = tree.states[node]
    child = tree.look_states[0]
    step(child, np.int32(tree.edges[e].action))
    sign = 1.0 if to_play(child) == tree.nodes[node].to_play else -1.0
    if is_terminal(child):
        tree.edges[e].exact = sign * value_to_play(child)
        tree.edges[e].plies = 1
        return
    for plies in range(1, depth):  # iterative deepening finds the shortest end first
        value = look(tree, plies)
        if not np.isnan(value):
            tree.edges[e].exact = sign * value
            tree.edges[e].plies = plies + 1
            return


def looks_ahead(params):
    """Return whether a search looks ahead, which is known when its code is compiled."""
    return params.lookahead is not None


def look_at_edges(tree, params, first, end, node):
    """Look ahead along a node's edges from `first` to before `end`, in searches that do."""
    for e in range(first, end):
        look_at_edge(tree, node, e, params.lookahead)


# A search without a lookahead does not compile it: it is half of the search's code in games with
# long rules, of which it has five copies.


def _look_nowhere(tree, params, first, end, node):
    pass


@overload(looks_ahead, jit_options=INLINED)
def _looks_ahead(params):
    return (lambda params: True) if _has_lookahead(params) else (lambda params: False)


@overload(look_at_edges, jit_options=INLINED)
def _look_at_edges(tree, params, first, end, node):
    return look_at_edges if _has_lookahead(params) else _look_nowhere


def _has_lookahead(params):
    return not isinstance(params.types[params.fields.index("lookahead")], types.NoneType)


@inlined
def settle(tree, node):
    """Prove a node from its edges if possible; return whether it is proven now.

    Its plies are those of the shortest known win, else of the longest defence.
    """
    first = np.int64(tree.nodes[node].first_edge)
    best, plies, open_edges = -np.inf, 0, 0
    for e in range(first, first + tree.nodes[node].num_edges):
        value = tree.edges[e].exact
        if np.isnan(value):
            open_edges += 1
            continue
        length = tree.edges[e].plies
        better = length < plies if value >= WIN else length > plies
        if value > best or (value == best and better):
            best, plies = value, length
    if best >= WIN or (open_edges == 0 and tree.nodes[node].num_edges > 0):
        tree.nodes[node].exact = best
        tree.nodes[node].plies = plies
        return True
    return False


@inlined
def propagate(tree, slot):
    """Propagate a proven leaf along the slot's path while it proves its ancestors."""
    for i in range(tree.slots[slot].length - 1, -1, -1):
        node, e = (
            np.int64(tree.path[tree.slots[slot].first_hop + i].node),
            np.int64(tree.path[tree.slots[slot].first_hop + i].edge),
        )
        child = np.int64(tree.edges[e].child)
        same = tree.nodes[child].to_play == tree.nodes[node].to_play
        value = tree.nodes[child].exact
        tree.edges[e].exact = value if same else -value
        tree.edges[e].plies = tree.nodes[child].plies + 1
        if not np.isnan(tree.nodes[node].exact) or not settle(tree, node):
            return
