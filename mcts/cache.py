"""The evaluation cache: a direct-mapped table from position key to priors and value.

It belongs to one forest and one version of the network; clear it when the weights change. Priors
are stored in the order of a node's edges, which depends on the position alone; an entry counts
them, so that those of another position with the same key are not taken. A position with more legal
actions than an entry has room for is not stored.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from envs.compiled import rule_table
from envs.compiled.rows import pointer_of
from mcts.compile import inlined
from mcts.past import write_past

ODD = np.uint64(0xD6E8FEB86659FD93)


@inlined
def key_of(tree, slot, node):
    """Return the key of a slot's leaf, never 0 (which marks an empty entry)."""
    write_past(tree, slot)
    count = np.int64(tree.nodes[node].num_edges)
    if rule_table.remembers(tree.calls):
        for k in range(count):
            tree.look_actions[k] = tree.edges[tree.nodes[node].first_edge + k].action
    past, actions = tree.past[0], pointer_of(tree.look_actions)
    state = tree.states[node]
    key = rule_table.input_key(tree.calls, state, past, len(tree.past), actions, count)
    return key if key != np.uint64(0) else ODD


@inlined
def index_of(tree, key):
    """Return the index of the one entry that may hold a key."""
    return np.int64(((key * ODD) >> np.uint64(20)) & np.uint64(len(tree.cache) - 1))


@inlined
def is_restricted(tree, node):
    """Return whether a node has only some of its position's moves, which its key does not tell."""
    return node == 0 and tree.info[0].num_only > 0


@inlined
def lookup(tree, slot, node):
    """Return the index of the entry that holds a slot's leaf, or -1."""
    if len(tree.cache) == 0 or is_restricted(tree, node):
        return -1
    key = key_of(tree, slot, node)
    i = index_of(tree, key)
    same = tree.cache[i].key == key and tree.cache[i].edges == tree.nodes[node].num_edges
    return i if same else -1


@inlined
def insert(tree, params, slot, node):
    """Store an expanded leaf's priors and raw value, replacing the entry.

    Gumbel roots select by logits, which determine the priors, so the logits are stored instead.
    """
    if len(tree.cache) == 0 or tree.nodes[node].num_edges > tree.cache_width:
        return
    if is_restricted(tree, node):
        return
    key = key_of(tree, slot, node)
    i = index_of(tree, key)
    tree.cache[i].key = key
    tree.cache[i].value = tree.nodes[node].raw_value
    tree.cache[i].edges = tree.nodes[node].num_edges
    first = np.int64(tree.nodes[node].first_edge)
    for k in range(tree.nodes[node].num_edges):
        edge = tree.edges[first + k]
        tree.cache_prior[i * tree.cache_width + k] = edge.logit if params.gumbel else edge.prior
