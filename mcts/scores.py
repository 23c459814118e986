"""Selection scores: which edge a simulation follows. Plain functions over one node's edges.

`t` is a tree, `node` a node of it. All return the index of an edge. Ties go to the first edge.
Proven edges (with `solve`): a proven loss is never followed, since something better is left while
the node itself is unproven; another proven result counts as exactly its value, with no exploration,
for there is nothing more to learn behind it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from mcts.compile import inlined


@inlined
def edge_value(tree, e, otherwise):
    """Value of an edge for its mover: exact if proven, the mean if visited, else `otherwise`."""
    exact = tree.edges[e].exact
    if not np.isnan(exact):
        return np.float64(exact)
    if tree.edges[e].visits > 0:
        return tree.edges[e].value_sum / tree.edges[e].visits
    return otherwise


@inlined
def exploration(tree, parent_visits):
    """c(s) sqrt(N) of the AlphaZero paper; no node has more visits than its tree has room for."""
    return tree.exploration[min(parent_visits, len(tree.exploration) - 1)]


@inlined
def first_play_value(tree, params, node):
    """First-play urgency: the value that an unvisited edge of the node is taken to have."""
    if not params.fpu_reduction:
        return params.fpu_value
    mean = tree.nodes[node].value_sum / max(tree.nodes[node].visits, 1)
    if node == 0 and tree.info[0].explore != 0 and not params.noisy_root_fpu:
        return mean
    first = np.int64(tree.nodes[node].first_edge)
    seen = 0.0
    for e in range(first, first + tree.nodes[node].num_edges):
        if tree.edges[e].visits > 0:
            seen += tree.edges[e].prior
    return mean - params.fpu_value * np.sqrt(seen)


@inlined
def select_puct(tree, params, node):
    """argmax Q + c(s) P sqrt(N) / (1 + n) (AlphaZero 2018), forced playouts first at the root."""
    unvisited = first_play_value(tree, params, node)
    scale = exploration(tree, tree.nodes[node].visits)
    forcing = node == 0 and tree.info[0].explore != 0 and params.forced_playouts > 0.0
    first = np.int64(tree.nodes[node].first_edge)
    best, best_score = first, -np.inf
    for e in range(first, first + tree.nodes[node].num_edges):
        visits = tree.edges[e].visits
        prior = np.float64(tree.edges[e].prior)
        mean = tree.edges[e].value_sum / max(visits, 1)
        score = mean if visits > 0 else unvisited  # no branch to mispredict
        score += scale * prior / (1.0 + visits)
        if forcing and visits > 0 and np.isnan(tree.edges[e].exact):
            wanted = np.sqrt(params.forced_playouts * prior * (tree.nodes[0].visits - 1))
            if visits < wanted:
                return e
        if not np.isnan(tree.edges[e].exact):
            exact = np.float64(tree.edges[e].exact)
            score = exact if exact > -1.0 else -np.inf
        if score > best_score:
            best, best_score = e, score
    return best


@inlined
def mixed_value(tree, node):
    """The node's value completed by its priors (Gumbel AlphaZero 2022, appendix D, equation 33)."""
    first = np.int64(tree.nodes[node].first_edge)
    visits, prior_sum, weighted = 0, 0.0, 0.0
    for e in range(first, first + tree.nodes[node].num_edges):
        if tree.edges[e].visits > 0:
            visits += tree.edges[e].visits
            prior_sum += tree.edges[e].prior
            weighted += tree.edges[e].prior * edge_value(tree, e, 0.0)
    raw = np.float64(tree.nodes[node].raw_value)
    if visits == 0 or prior_sum <= 0.0:
        return raw
    return (raw + visits * weighted / prior_sum) / (1.0 + visits)


@inlined
def improved_logit_terms(tree, params, node):
    """(mixed value, smallest completed Q, factor): sigma(q) = (q - smallest) * factor.

    Completed Q values are rescaled to [0, 1] over the node's edges, then multiplied by
    (maxvisit_init + largest visit count) * value_scale, as in mctx.
    """
    mixed = mixed_value(tree, node)
    first = np.int64(tree.nodes[node].first_edge)
    smallest, largest, most = np.inf, -np.inf, 0
    for e in range(first, first + tree.nodes[node].num_edges):
        q = edge_value(tree, e, mixed)
        smallest, largest = min(smallest, q), max(largest, q)
        most = max(most, tree.edges[e].visits)
    factor = (params.maxvisit_init + most) * params.value_scale / max(largest - smallest, 1e-8)
    return mixed, smallest, factor


@inlined
def improved_logit(tree, e, mixed, smallest, factor):
    """log prior + sigma(completed Q) of one edge."""
    prior = max(np.float64(tree.edges[e].prior), 1e-38)
    return np.log(prior) + (edge_value(tree, e, mixed) - smallest) * factor


@inlined
def select_gumbel_interior(tree, params, node):
    """argmax pi'(a) - n(a) / (1 + N): visits follow the improved policy (section 5)."""
    mixed, smallest, factor = improved_logit_terms(tree, params, node)
    first = np.int64(tree.nodes[node].first_edge)
    last = first + tree.nodes[node].num_edges
    top, total = -np.inf, 0
    for e in range(first, last):
        top = max(top, improved_logit(tree, e, mixed, smallest, factor))
        total += tree.edges[e].visits
    norm = 0.0
    for e in range(first, last):
        norm += np.exp(improved_logit(tree, e, mixed, smallest, factor) - top)
    best, best_score = first, -np.inf
    for e in range(first, last):
        if tree.edges[e].exact <= -1.0:
            continue
        share = np.exp(improved_logit(tree, e, mixed, smallest, factor) - top) / norm
        score = share - tree.edges[e].visits / (1.0 + total)
        if score > best_score:
            best, best_score = e, score
    return best


@inlined
def select_gumbel_root(tree, params):
    """Sequential halving: the best edge among those with the visit count now wanted (section 3).

    Where proven losses leave no edge with that count, the least visited of the rest is taken.
    """
    mixed, smallest, factor = improved_logit_terms(tree, params, 0)
    first = np.int64(tree.nodes[0].first_edge)
    last = first + tree.nodes[0].num_edges
    done = 0
    for e in range(first, last):
        done += tree.edges[e].visits
    wanted = tree.considered[min(done, len(tree.considered) - 1)]
    best, best_score = -1, -np.inf
    fewest = 1 << 60
    for e in range(first, last):
        if tree.edges[e].exact <= -1.0:
            continue
        visits = tree.edges[e].visits
        score = tree.root_gumbel[e - first]
        score += improved_logit(tree, e, mixed, smallest, factor)
        if visits == wanted and score > best_score:
            best, best_score = e, score
        fewest = min(fewest, visits)
    if best >= 0:
        return best
    for e in range(first, last):
        if tree.edges[e].visits == fewest and not tree.edges[e].exact <= -1.0:
            return e
    return first


@inlined
def select_edge(tree, params, node):
    """The edge that the configured root and tree policies follow from an expanded node."""
    if not params.gumbel:
        return select_puct(tree, params, node)
    if node == 0:
        return select_gumbel_root(tree, params)
    return select_gumbel_interior(tree, params, node)
