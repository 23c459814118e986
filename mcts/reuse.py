"""Tree reuse: the subtree of the played move becomes the tree of the next search."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from mcts import past
from mcts.compile import inlined
from mcts.forest import EXPANDED, NO_NODE
from mcts.simulation import clear_tree


@inlined
def keep_subtree(tree, scratch, queue, root):
    """Make node `root` the root of the tree; copies breadth first through the scratch tree."""
    queue[0] = root
    nodes, edges, i = 1, 0, 0
    depth, level_end = 0, 1  # of the nodes so far, and the first node that is deeper
    while i < nodes:
        if i == level_end:
            depth, level_end = depth + 1, nodes
        old = queue[i]
        scratch.states[i] = tree.states[old]
        scratch.nodes[i] = tree.nodes[old]
        scratch.nodes[i].first_edge = edges
        first = np.int64(tree.nodes[old].first_edge)
        for e in range(first, first + tree.nodes[old].num_edges):
            scratch.edges[edges] = tree.edges[e]
            child = tree.edges[e].child
            if child != NO_NODE:
                scratch.edges[edges].child = nodes
                queue[nodes] = child
                nodes += 1
            edges += 1
        i += 1
    for node in range(nodes):
        tree.states[node] = scratch.states[node]
        tree.nodes[node] = scratch.nodes[node]
    for e in range(edges):
        tree.edges[e] = scratch.edges[e]
    tree.info[0].num_nodes = nodes
    tree.info[0].num_edges = edges
    tree.info[0].full = 0
    tree.info[0].num_only = 0
    tree.info[0].deepest = depth


@inlined
def kept_child(tree, action):
    """Return the root's child of an action if it is evaluated or proven, else NO_NODE."""
    if tree.nodes[0].stage != EXPANDED:
        return NO_NODE
    first = np.int64(tree.nodes[0].first_edge)
    for e in range(first, first + tree.nodes[0].num_edges):
        child = tree.edges[e].child
        if tree.edges[e].action == action and child != NO_NODE:
            evaluated = tree.nodes[child].stage == EXPANDED
            return child if evaluated or not np.isnan(tree.nodes[child].exact) else NO_NODE
    return NO_NODE


@inlined
def play_at_root(tree, scratch, queue, action, keep):
    """Advance the root by one legal action, keeping the subtree if `keep`."""
    child = kept_child(tree, action) if keep else NO_NODE
    past.note_root(tree)
    if child != NO_NODE:
        keep_subtree(tree, scratch, queue, child)
        return
    past.advance_root(tree, action)
    clear_tree(tree)
