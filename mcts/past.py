"""What lies before a position of a tree: the keys and the boards of the game and of the path.

A tree has the keys of its game's positions before the root, oldest first, and its last boards. A
simulation appends the keys of the nodes on its way down, so that rules that look back are given the
whole past of a new node. Games that do not look back have no keys, and those whose planes show no
earlier boards have none.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from envs.compiled import rule_table
from envs.compiled.rows import pointer_of
from mcts.compile import inlined


@inlined
def begin_game(tree):
    """Forget what lies before the root: its own board is all that the planes can show."""
    tree.info[0].num_keys = 0
    for back in range(len(tree.boards)):
        tree.boards[back] = tree.states[0]


@inlined
def note_root(tree):
    """Add the root to the past of its game, before a move is played there."""
    count = np.int64(tree.info[0].num_keys)
    if rule_table.remembers(tree.calls):
        tree.keys[count] = rule_table.position_key(tree.calls, tree.states[0])
    tree.info[0].num_keys = count + 1
    for back in range(len(tree.boards) - 1, 0, -1):
        tree.boards[back] = tree.boards[back - 1]
    if len(tree.boards) > 0:
        tree.boards[0] = tree.states[0]


@inlined
def note_hop(tree, slot, node):
    """Append the key of a node on the slot's path, whose edge has just been followed."""
    if rule_table.remembers(tree.calls):
        place = np.int64(tree.info[0].num_keys) + tree.slots[slot].length - 1
        tree.keys[place] = rule_table.position_key(tree.calls, tree.states[node])


@inlined
def earlier(tree, slot):
    """Return how many positions come before one that the slot's path has just led to."""
    return np.int64(tree.info[0].num_keys) + tree.slots[slot].length


@inlined
def advance_root(tree, action):
    """Play a move in the root's record, when the root itself is noted in the game's past."""
    count = np.int64(tree.info[0].num_keys)
    rule_table.advance(tree.calls, tree.states[0], action, pointer_of(tree.keys), count)


@inlined
def write_past(tree, slot):
    """Write the boards before a slot's leaf to `tree.past`, newest first."""
    length = np.int64(tree.slots[slot].length)
    first = np.int64(tree.slots[slot].first_hop)
    for back in range(len(tree.past)):
        if back < length:
            tree.past[back] = tree.states[np.int64(tree.path[first + length - 1 - back].node)]
        else:
            tree.past[back] = tree.boards[back - length]
