"""What lies before a position of a tree: the keys and the boards of the game and of the path.

A tree has the keys of its game's positions before the root, oldest first, and its last boards. A
simulation appends the keys of the nodes on its way down, so that rules that look back are given the
whole past of a new node. Games that do not look back, and whose planes show no earlier boards, pay
nothing: what is asked here is known when the code is compiled.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from envs.game import position_key, remember, remembers
from mcts.compile import inlined
from mcts.rows import array_of


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
    if remembers(tree.states[0]):
        tree.keys[count] = position_key(tree.states[0])
    tree.info[0].num_keys = count + 1
    for back in range(len(tree.boards) - 1, 0, -1):
        tree.boards[back] = tree.boards[back - 1]
    if len(tree.boards) > 0:
        tree.boards[0] = tree.states[0]


@inlined
def note_hop(tree, slot, node):
    """Append the key of a node on the slot's path, whose edge has just been followed."""
    if remembers(tree.states[node]):
        place = np.int64(tree.info[0].num_keys) + tree.slots[slot].length - 1
        tree.keys[place] = position_key(tree.states[node])


@inlined
def look_back(tree, slot, node):
    """Write into the record of a new node what its rules say of the positions before it."""
    count = np.int64(tree.info[0].num_keys) + tree.slots[slot].length
    remember(tree.states[node], array_of(tree.keys, 0, len(tree.keys)), count)


@inlined
def look_back_at_root(tree):
    """Do as `look_back` for a root that has just been stepped to."""
    count = np.int64(tree.info[0].num_keys)
    remember(tree.states[0], array_of(tree.keys, 0, len(tree.keys)), count)


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
