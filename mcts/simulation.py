"""One simulation of one tree: descend to a leaf, expand it, back up its value.

A simulation ends in one of three ways: at a leaf that needs the evaluator (it waits in its slot),
at a result known without it (a proven node or edge, or the cache), which is backed up at once, or
in a collision with a leaf in flight (only with several leaves per tree), which is undone.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment,arg-type"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from envs.compiled import rule_table
from envs.compiled.rows import pointer_of
from mcts import cache, past, proof
from mcts.compile import inlined
from mcts.forest import EXPANDED, NEW, NO_NODE, PENDING
from mcts.game_calls import look_at_edges, play_child
from mcts.scores import select_edge

RESOLVED, WAITING, COLLIDED = 0, 1, 2  # how a simulation ended
SIMULATIONS, EVALUATIONS, CACHE_HITS, PROVEN_LEAVES, PROVEN_ROOTS = 0, 1, 2, 3, 4  # counters


@inlined
def clear_tree(tree):
    """Make `states[0]` a root without children."""
    tree.info[0].num_nodes = 0
    tree.info[0].num_edges = 0
    tree.info[0].full = 0
    tree.info[0].in_flight = 0
    tree.info[0].num_only = 0
    tree.info[0].deepest = 0
    root = add_node(tree)
    tree.nodes[root].to_play = rule_table.to_play(tree.calls, tree.states[root])
    tree.nodes[root].exact = rule_table.result(tree.calls, tree.states[root])


@inlined
def add_node(tree):
    """Create a node at the next index, and return it; the rules have `to_play` and `exact`."""
    node = np.int64(tree.info[0].num_nodes)
    tree.info[0].num_nodes = node + 1
    tree.nodes[node].stage = NEW
    tree.nodes[node].visits = 0
    tree.nodes[node].value_sum = 0.0
    tree.nodes[node].num_edges = 0
    tree.nodes[node].plies = 0
    return node


@inlined
def add_child(tree, slot, node, e):
    """Create the child of the slot's last edge: its parent's position with the move played."""
    child = add_node(tree)
    play_child(tree, node, child, tree.edges[e].action, past.earlier(tree, slot))
    tree.edges[e].child = child
    return child


@inlined
def has_room(tree):
    """Return whether the tree has room for one more node with all of its edges."""
    edges_left = len(tree.edges) - 1 - tree.info[0].num_edges
    nodes_left = len(tree.nodes) - tree.info[0].num_nodes
    return nodes_left > 0 and edges_left >= len(tree.root_gumbel)


@inlined
def keep_only(tree, actions, count):
    """Remove from a list the actions that the root is not restricted to; return its length."""
    kept = 0
    for k in range(count):
        for i in range(tree.info[0].num_only):
            if tree.only[i] == actions[k]:
                actions[kept] = actions[k]
                kept += 1
                break
    return kept


@inlined
def add_edges(tree, params, node):
    """Create a node's edges, without priors, and look ahead along each in searches that do."""
    first = np.int64(tree.info[0].num_edges)
    actions, room = tree.look_actions, len(tree.root_gumbel)
    count = rule_table.legal_actions(tree.calls, tree.states[node], pointer_of(actions), room)
    if node == 0 and tree.info[0].num_only > 0:
        count = keep_only(tree, actions, count)
    end = first + count
    for e in range(first, end):
        tree.edges[e].action = actions[e - first]
        tree.edges[e].prior = 0.0
        tree.edges[e].visits = 0
        tree.edges[e].value_sum = 0.0
        tree.edges[e].child = NO_NODE
        tree.edges[e].exact = np.nan
        tree.edges[e].plies = 0
    tree.nodes[node].first_edge = first
    tree.nodes[node].num_edges = end - first
    tree.info[0].num_edges = end
    tree.nodes[node].stage = PENDING
    if params.lookahead > 0:
        look_at_edges(tree, params, node)


@inlined
def expand(tree, node, logits, value):
    """Expand a node with float32 logits of its edges, whose softmax is its prior, and a value."""
    first = np.int64(tree.nodes[node].first_edge)
    for k in range(tree.nodes[node].num_edges):
        tree.edges[first + k].logit = logits[k]
    softmax_logits(tree, node)
    tree.nodes[node].raw_value = value
    tree.nodes[node].stage = EXPANDED


@inlined
def softmax_logits(tree, node):
    """Compute the priors of a node's edges from their logits."""
    first = np.int64(tree.nodes[node].first_edge)
    last = first + tree.nodes[node].num_edges
    top = -np.inf
    for e in range(first, last):
        top = max(top, np.float64(tree.edges[e].logit))
    total = 0.0
    for e in range(first, last):
        weight = np.exp(np.float64(tree.edges[e].logit) - top)
        tree.edges[e].prior = np.float32(weight)
        total += weight
    for e in range(first, last):
        tree.edges[e].prior = np.float32(tree.edges[e].prior / total)


@inlined
def expand_from_cache(tree, params, node, entry):
    """Expand a node with the value and the priors (Gumbel: logits) of a cache entry."""
    first = np.int64(tree.nodes[node].first_edge)
    for k in range(tree.nodes[node].num_edges):
        known = tree.cache_prior[entry * tree.cache_width + k]
        if params.gumbel:
            tree.edges[first + k].logit = known
        else:
            tree.edges[first + k].prior = known
    if params.gumbel:
        softmax_logits(tree, node)
    tree.nodes[node].raw_value = tree.cache[entry].value
    tree.nodes[node].stage = EXPANDED


@inlined
def back_up(tree, params, slot, value, mover):
    """Add a value, for player `mover`, to every node and edge of the slot's path.

    The edges' visits were counted, with their virtual loss, on the way down.
    """
    for i in range(tree.slots[slot].length - 1, -1, -1):
        node, e = (
            np.int64(tree.path[tree.slots[slot].first_hop + i].node),
            np.int64(tree.path[tree.slots[slot].first_hop + i].edge),
        )
        seen = value if tree.nodes[node].to_play == mover else -value
        tree.edges[e].value_sum += seen
        if params.leaves_per_tree > 1:
            tree.edges[e].value_sum += params.virtual_loss
        tree.nodes[node].visits += 1
        tree.nodes[node].value_sum += seen
    tree.counters[SIMULATIONS] += tree.slots[slot].length > 0


@inlined
def back_up_node(tree, params, slot, node, value_to_play):
    """Add a node's own value to it, then back it up along the slot's path."""
    tree.nodes[node].visits += 1
    tree.nodes[node].value_sum += value_to_play
    back_up(tree, params, slot, np.float64(value_to_play), tree.nodes[node].to_play)


@inlined
def undo_path(tree, params, slot):
    """Undo the visits of a simulation that ended at a leaf in flight."""
    for i in range(tree.slots[slot].length):
        e = np.int64(tree.path[tree.slots[slot].first_hop + i].edge)
        tree.edges[e].visits -= 1
        tree.edges[e].value_sum += params.virtual_loss


@inlined
def follow(tree, params, slot, node):
    """Follow one edge from an expanded node, add it to the path, and return it."""
    e = select_edge(tree, params, node)
    depth = np.int64(tree.slots[slot].length)
    hop = tree.slots[slot].first_hop + depth
    tree.path[hop].node = node
    tree.path[hop].edge = e
    tree.slots[slot].length = depth + 1
    tree.info[0].deepest = max(np.int64(tree.info[0].deepest), depth + 1)
    past.note_hop(tree, slot, node)
    tree.edges[e].visits += 1
    if params.leaves_per_tree > 1:
        tree.edges[e].value_sum -= params.virtual_loss
    return e


@inlined
def descend(tree, params, slot):
    """Follow the selection from the root to a node that is new, in flight or proven.

    Returns that node, or NO_NODE if the path ended on a proven edge and was backed up.
    """
    tree.slots[slot].length = 0
    node = np.int64(0)  # a literal would compile all below once more, for a type of its own
    while tree.nodes[node].stage == EXPANDED and np.isnan(tree.nodes[node].exact):
        e = follow(tree, params, slot, node)
        exact = tree.edges[e].exact
        if not np.isnan(exact):
            back_up(tree, params, slot, np.float64(exact), tree.nodes[node].to_play)
            tree.counters[PROVEN_LEAVES] += 1
            return NO_NODE
        child = np.int64(tree.edges[e].child)
        node = add_child(tree, slot, node, e) if child == NO_NODE else child
    return node


@inlined
def simulate(tree, params, slot):
    """Run one simulation; return RESOLVED, WAITING (for the evaluator) or COLLIDED."""
    node = descend(tree, params, slot)
    if node == NO_NODE:
        return RESOLVED
    if np.isnan(tree.nodes[node].exact):
        if tree.nodes[node].stage == PENDING:
            undo_path(tree, params, slot)
            return COLLIDED
        add_edges(tree, params, node)
        if params.lookahead == 0 or not proof.settle(tree, node):
            return evaluate_or_wait(tree, params, slot, node)
    if params.solve:
        proof.propagate(tree, slot)
    tree.counters[PROVEN_LEAVES] += 1
    back_up_node(tree, params, slot, node, tree.nodes[node].exact)
    return RESOLVED


@inlined
def evaluate_or_wait(tree, params, slot, node):
    """Expand a node from the cache and back it up, or put it in its slot for the evaluator."""
    entry = cache.lookup(tree, slot, node)
    if entry < 0:
        tree.slots[slot].leaf = node
        tree.info[0].in_flight += 1
        tree.counters[EVALUATIONS] += 1
        return WAITING
    expand_from_cache(tree, params, node, entry)
    tree.counters[CACHE_HITS] += 1
    back_up_node(tree, params, slot, node, tree.nodes[node].raw_value)
    return RESOLVED


@inlined
def take_leaf(tree, slot):
    """Take the leaf out of a slot and return it."""
    node = np.int64(tree.slots[slot].leaf)
    tree.slots[slot].leaf = NO_NODE
    tree.info[0].in_flight -= 1
    return node


@inlined
def receive_uniform(tree, params, slot, value):
    """Expand and back up a slot's leaf with equal priors for all legal actions."""
    node = take_leaf(tree, slot)
    first = np.int64(tree.nodes[node].first_edge)
    count = tree.nodes[node].num_edges
    for e in range(first, first + count):
        tree.edges[e].prior = np.float32(1.0 / count)
        tree.edges[e].logit = 0.0
    tree.nodes[node].raw_value = value
    tree.nodes[node].stage = EXPANDED
    back_up_node(tree, params, slot, node, tree.nodes[node].raw_value)


@inlined
def receive(tree, params, slot, logits, value):
    """Expand and back up a slot's leaf with float32 logits of its edges and its value_to_play."""
    node = take_leaf(tree, slot)
    expand(tree, node, logits, value)
    cache.insert(tree, params, slot, node)
    back_up_node(tree, params, slot, node, tree.nodes[node].raw_value)
