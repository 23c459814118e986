"""Selection: which edge a simulation follows from a node.

The `select_` functions return the index of an edge; ties go to the first edge. Proven edges (with
`solve`): a proven loss is never followed, since a better edge is left while the node is unproven.
Any other proven edge scores exactly its value, without an exploration bonus, since there is nothing
more to learn below it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from mcts.compile import inlined


@inlined
def edge_value(tree, e, otherwise):
    """Return an edge's value for its mover: exact if proven, mean if visited, else `otherwise`."""
    exact = tree.edges[e].exact
    if not np.isnan(exact):
        return np.float64(exact)
    if tree.edges[e].visits > 0:
        return tree.edges[e].value_sum / tree.edges[e].visits
    return otherwise


@inlined
def exploration(tree, parent_visits):
    """Return c(s) sqrt(N) of the AlphaZero paper, N limited to the length of the table."""
    return tree.exploration[min(parent_visits, len(tree.exploration) - 1)]


@inlined
def first_play_value(tree, params, node):
    """Return the assumed value of a node's unvisited edges (first-play urgency)."""
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
    """Select argmax Q + c(s) P sqrt(N) / (1 + n) (AlphaZero 2018); forced playouts at the root."""
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
        exact = np.float64(tree.edges[e].exact)
        if forcing and visits > 0 and np.isnan(exact):
            wanted = np.sqrt(params.forced_playouts * prior * (tree.nodes[0].visits - 1))
            if visits < wanted:
                return e
        score = score if np.isnan(exact) else exact
        score = -np.inf if exact <= -1.0 else score
        best += (e - best) * (score > best_score)
        best_score = score if score > best_score else best_score
    return best


@inlined
def mixed_value(raw, visits, prior_sum, weighted):
    """Return a node's mixed value (Gumbel AlphaZero 2022, appendix D, equation 33).

    `raw` is the evaluator's value; the others are sums over visited edges: of visits, of priors,
    and of priors times Q.
    """
    if visits == 0 or prior_sum <= 0.0:
        return raw
    return (raw + weighted * (visits / prior_sum)) * (1.0 / (1.0 + visits))


@inlined
def improve_logits(tree, params, node):
    """Write logit + sigma(completed Q) of a node's edges to `tree.improved`; return their visits.

    Completed Q values are rescaled to [0, 1] over the node's edges, then multiplied by
    (maxvisit_init + largest visit count) * value_scale, as in mctx. The evaluator's logits need no
    normalisation to log priors: it would add the same to all edges and change no choice.
    """
    first = np.int64(tree.nodes[node].first_edge)
    count = np.int64(tree.nodes[node].num_edges)
    visits, most, unknown = 0, 0, 0
    prior_sum, weighted = 0.0, 0.0
    smallest, largest = np.inf, -np.inf
    for k in range(count):
        n = np.int64(tree.edges[first + k].visits)
        prior = np.float64(tree.edges[first + k].prior)
        exact = np.float64(tree.edges[first + k].exact)
        q = tree.edges[first + k].value_sum / max(n, 1)
        q = q if np.isnan(exact) else exact
        visits += n
        most = max(most, n)
        prior_sum += prior if n > 0 else 0.0
        weighted += prior * q if n > 0 else 0.0
        q = np.nan if n == 0 and np.isnan(exact) else q
        unknown += np.isnan(q)
        smallest = q if q < smallest else smallest
        largest = q if q > largest else largest
        tree.improved[k] = q
    mixed = mixed_value(np.float64(tree.nodes[node].raw_value), visits, prior_sum, weighted)
    if unknown > 0:
        smallest, largest = min(smallest, mixed), max(largest, mixed)
    factor = (params.maxvisit_init + most) * params.value_scale / max(largest - smallest, 1e-8)
    for k in range(count):
        q = tree.improved[k]
        q = mixed if np.isnan(q) else q
        tree.improved[k] = np.float64(tree.edges[first + k].logit) + (q - smallest) * factor
    return visits


@inlined
def select_gumbel_interior(tree, params, node):
    """Select argmax pi'(a) - n(a) / (1 + N): visits follow the improved policy (section 5).

    The scores are compared times the softmax's denominator, which saves a division per edge.
    """
    first = np.int64(tree.nodes[node].first_edge)
    count = np.int64(tree.nodes[node].num_edges)
    if tree.nodes[node].visits == 1 and is_untouched(tree, first, count):
        return likeliest_edge(tree, first, count)
    total = improve_logits(tree, params, node)
    top = -np.inf
    for k in range(count):
        top = tree.improved[k] if tree.improved[k] > top else top
    norm = 0.0
    for k in range(count):
        weight = np.exp(tree.improved[k] - top)
        tree.improved[k] = weight
        norm += weight
    a_visit = norm / (1.0 + total)
    best, best_score = 0, -np.inf
    for k in range(count):
        score = tree.improved[k] - tree.edges[first + k].visits * a_visit
        score = -np.inf if tree.edges[first + k].exact <= -1.0 else score
        best += (k - best) * (score > best_score)  # no branch to mispredict
        best_score = score if score > best_score else best_score
    return first + best


@inlined
def is_untouched(tree, first, count):
    """Return whether none of the edges has a visit or a proof."""
    known = 0
    for e in range(first, first + count):
        known += (tree.edges[e].visits > 0) | (not np.isnan(tree.edges[e].exact))
    return known == 0


@inlined
def likeliest_edge(tree, first, count):
    """Return the first edge with the largest logit."""
    best, best_logit = first, -np.inf
    for e in range(first, first + count):
        logit = np.float64(tree.edges[e].logit)
        best += (e - best) * (logit > best_logit)
        best_logit = logit if logit > best_logit else best_logit
    return best


@inlined
def select_gumbel_root(tree, params):
    """Select the best edge with the visit count of sequential halving (section 3).

    If proven losses leave no edge with that count, the least visited of the others is selected.
    """
    done = improve_logits(tree, params, np.int64(0))
    first = np.int64(tree.nodes[0].first_edge)
    count = np.int64(tree.nodes[0].num_edges)
    wanted = tree.considered[min(done, len(tree.considered) - 1)]
    best, best_score = 0, -np.inf
    for k in range(count):
        edge = tree.edges[first + k]
        score = tree.root_gumbel[k] + tree.improved[k]
        score = score if edge.visits == wanted else -np.inf
        score = -np.inf if edge.exact <= -1.0 else score
        best += (k - best) * (score > best_score)
        best_score = score if score > best_score else best_score
    return first + best if best_score > -np.inf else least_visited(tree, first, count)


@inlined
def least_visited(tree, first, count):
    """Return the first edge with the fewest visits, proven losses excluded."""
    best, fewest = first, 1 << 60
    for e in range(first, first + count):
        if tree.edges[e].visits < fewest and not tree.edges[e].exact <= -1.0:
            best, fewest = e, np.int64(tree.edges[e].visits)
    return best


@inlined
def select_edge(tree, params, node):
    """Select an edge of an expanded node by the configured root and tree policies."""
    if not params.gumbel:
        return select_puct(tree, params, node)
    if node == 0:
        return select_gumbel_root(tree, params)
    return select_gumbel_interior(tree, params, node)
