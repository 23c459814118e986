"""The compiled entry points: a simulation of every tree, and whole searches without a network.

Numba's on-disk cache holds these functions; everything they call is compiled into them, but for the
rules of a game, which they call by address. So they are compiled once for all games.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from envs.compiled import rule_table
from envs.compiled.rows import part_of, pointer_of, rows_of, states_of, states_row
from mcts import past, reuse, root, simulation
from mcts.compile import inlined, kernel
from mcts.forest import EXPANDED, tree_at
from mcts.game_calls import rollout
from mcts.scores import edge_value

UNIFORM, ROLLOUT, NETWORK = 0, 1, 2  # evaluators; the first two are compiled into the search


@inlined
def next_leaf(tree, params, slot):
    """Simulate until a leaf waits in the slot (True) or no leaf is available (False)."""
    info = tree.info
    while True:
        if tree.nodes[0].stage == EXPANDED and not info[0].ready:
            root.make_ready(tree, params)
        if info[0].target == 0 or root.is_done(tree):
            return False
        if not simulation.has_room(tree):
            info[0].full = 1
            return False
        outcome = simulation.simulate(tree, params, slot)
        if outcome != simulation.RESOLVED:
            return outcome == simulation.WAITING


@inlined
def leaves_now(tree, params):
    """Return how many leaves of a tree may be in flight, by its visits so far."""
    if params.visits_per_leaf == 0:
        return params.leaves_per_tree
    return min(params.leaves_per_tree, 1 + tree.nodes[0].visits // params.visits_per_leaf)


@inlined
def write_planes(tree, slot, planes, row):
    """Encode a slot's leaf into a row of planes [B*K, C, H, W]."""
    planes[row] = 0.0
    past.write_past(tree, slot)
    shape = planes.shape[1:]
    size = shape[0] * shape[1] * shape[2]
    place = pointer_of(part_of(rows_of(planes), row * size, size))
    state = tree.states[np.int64(tree.slots[slot].leaf)]
    rule_table.encode(tree.calls, state, tree.past[0], len(tree.past), place, shape)


@inlined
def write_leaf(tree, t, slot, planes, actions, counts, batch, row):
    """Write a slot's leaf, of tree t, to a row of what the evaluator gets."""
    write_planes(tree, slot, planes, row)
    leaf = np.int64(tree.slots[slot].leaf)
    first, legal = np.int64(tree.nodes[leaf].first_edge), np.int64(tree.nodes[leaf].num_edges)
    counts[row] = legal
    for k in range(legal):
        actions[row, k] = tree.edges[first + k].action
    batch[row, 0] = t
    batch[row, 1] = slot


@kernel
def simulate_batch(forest, params, evaluator, planes, actions, counts):
    """Advance every searching tree to its next leaves or, with a compiled evaluator, to its end.

    One kernel does both, since the descent is most of what there is to compile. For a NETWORK the
    leaves are encoded into planes [B*K, C, H, W]; writes the legal actions of each, int32
    [B*K, L], and their numbers; `forest.batch` has the tree and slot of each. UNIFORM and ROLLOUT
    give uniform priors, and a value of zero or of a rollout. Returns the number of rows written.
    """
    count = 0
    for t in range(len(forest.info) - 1):
        tree = tree_at(forest, t)
        slot, leaves = np.int64(0), leaves_now(tree, params)
        while slot < leaves and next_leaf(tree, params, slot):
            if evaluator == NETWORK:
                write_leaf(tree, t, slot, planes, actions, counts, forest.batch, count)
                count += 1
                slot += 1
            else:
                value = rollout(tree, tree.slots[slot].leaf) if evaluator == ROLLOUT else 0.0
                simulation.receive_uniform(tree, params, slot, np.float32(value))
    return count


@kernel
def receive_batch(forest, params, logits, values_to_play):
    """Back up the evaluator's float32 logits [n, L] and values [n] for the n selected rows."""
    for i in range(len(values_to_play)):
        tree = tree_at(forest, forest.batch[i, 0])
        simulation.receive(tree, params, forest.batch[i, 1], logits[i], values_to_play[i])


@kernel
def begin(forest, trees, simulations, explore, temperatures):
    """Start a search in each of `trees` int64 [n], with its simulations and noise settings.

    The Gumbel noise has scale 1 in exploring searches, else the temperature of the move.
    """
    for i in range(len(trees)):
        info = forest.info[trees[i]]
        info.target = simulations[i]
        info.explore = explore[i]
        info.noise = 1.0 if explore[i] else temperatures[i]
        info.ready = 0


@kernel
def place_roots(forest, trees, states):
    """Make position i, of uint8 `states` [n, bytes], the root of `trees[i]`, without a past."""
    given = states_of(states)
    for i in range(len(trees)):
        tree = tree_at(forest, trees[i])
        tree.states[0] = given[i]
        past.begin_game(tree)
        tree.info[0].target = 0
        simulation.clear_tree(tree)


@kernel
def place_past(forest, trees, keys, counts, boards):
    """Write what lies before the roots of `trees`.

    Keys [n, M] and their numbers, and boards uint8 [n, H, bytes].
    """
    for i in range(len(trees)):
        tree = tree_at(forest, trees[i])
        tree.info[0].num_keys = counts[i]
        for k in range(min(counts[i], keys.shape[1])):
            tree.keys[k] = keys[i, k]
        given = states_row(boards, i)
        for back in range(len(tree.boards)):
            tree.boards[back] = given[back]


@kernel
def restart_roots(forest, trees):
    """Remove all children of the roots, which keep their past."""
    for i in range(len(trees)):
        tree = tree_at(forest, trees[i])
        tree.info[0].target = 0
        simulation.clear_tree(tree)


@kernel
def restrict_roots(forest, trees, actions):
    """Restart each tree with a root that has no moves but `actions` int32 [k]."""
    for i in range(len(trees)):
        tree = tree_at(forest, trees[i])
        tree.info[0].target = 0
        simulation.clear_tree(tree)
        tree.info[0].num_only = len(actions)
        for k in range(len(actions)):
            tree.only[k] = actions[k]


@kernel
def done_trees(forest, trees):
    """Write the trees whose search has ended and has no leaf in flight; return how many."""
    count = 0
    for t in range(len(forest.info) - 1):
        tree = tree_at(forest, t)
        info = tree.info[0]
        if info.target > 0 and info.in_flight == 0 and root.is_done(tree):
            trees[count] = t
            count += 1
    return count


@kernel
def read_roots(forest, params, trees, temperatures, out):
    """Fill RootResults for `trees`, sampling each move at its temperature, and end the searches."""
    for i in range(len(trees)):
        tree = tree_at(forest, trees[i])
        nodes, edges = tree.nodes, tree.edges
        first, count = np.int64(nodes[0].first_edge), np.int64(nodes[0].num_edges)
        root.read_policy(tree, params, out.policy[i])
        out.value_to_play[i] = root.root_value(tree)
        out.action[i] = root.sample_action(tree, params, temperatures[i])
        out.best_action[i] = edges[root.best_edge(tree, params, 0.0)].action
        out.exact[i] = nodes[0].exact
        out.plies[i] = nodes[0].plies
        out.counts[i] = count
        if tree.info[0].ready:
            out.prior[i] = 0.0
        for k in range(count):
            if tree.info[0].ready:
                out.prior[i, k] = tree.root_prior[k]
            out.legal[i, k] = edges[first + k].action
            out.visits[i, k] = edges[first + k].visits
            out.q[i, k] = edge_value(tree, first + k, np.nan)
        forest.counters[simulation.PROVEN_ROOTS] += not np.isnan(out.exact[i])
        tree.info[0].target = 0


@kernel
def play_roots(forest, trees, actions, keep):
    """Play `actions[i]` at the root of `trees[i]`, keeping the subtree if `keep`."""
    scratch = tree_at(forest, len(forest.info) - 1)
    for i in range(len(trees)):
        tree = tree_at(forest, trees[i])
        reuse.play_at_root(tree, scratch, forest.queue, actions[i], keep)
