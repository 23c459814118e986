"""Exact results: their propagation from proven nodes towards the root.

MCTS-Solver (Winands, Bjornsson & Saito 2008), extended to draws: a node is proven when one of its
edges is a proven win, or when all of its edges are proven.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,arg-type"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from mcts.compile import inlined
from mcts.game_calls import WIN


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
