"""The evaluation cache: a direct-mapped table from position key to priors and value.

It belongs to one forest and one version of the network; clear it when the weights change. Priors
are stored in the order of a node's edges, by ascending action.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from envs.game import position_key
from mcts.compile import inlined

ODD = np.uint64(0xD6E8FEB86659FD93)


@inlined
def key_of(state):
    """Return the key of a position, never 0 (which marks an empty entry)."""
    key = np.uint64(position_key(state))
    return key if key != np.uint64(0) else ODD


@inlined
def index_of(tree, key):
    """Return the index of the one entry that may hold a key."""
    return np.int64(((key * ODD) >> np.uint64(20)) & np.uint64(len(tree.cache) - 1))


@inlined
def lookup(tree, state):
    """Return the index of the entry that holds a position, or -1."""
    if len(tree.cache) == 0:
        return -1
    key = key_of(state)
    i = index_of(tree, key)
    return i if tree.cache[i].key == key else -1


@inlined
def insert(tree, params, node):
    """Store an expanded node's priors and raw value, replacing the entry.

    Gumbel roots select by logits, which determine the priors, so the logits are stored instead.
    """
    if len(tree.cache) == 0:
        return
    key = key_of(tree.states[node])
    i = index_of(tree, key)
    tree.cache[i].key = key
    tree.cache[i].value = tree.nodes[node].raw_value
    first = np.int64(tree.nodes[node].first_edge)
    for k in range(tree.nodes[node].num_edges):
        edge = tree.edges[first + k]
        tree.cache_prior[i * len(tree.root_gumbel) + k] = (
            edge.logit if params.gumbel else edge.prior
        )
