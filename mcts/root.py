"""The root: its noise, the end of a search, and the results read from it."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,assignment"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np

from mcts import rng
from mcts.compile import inlined
from mcts.scores import edge_value, exploration, improve_logits


@inlined
def root_simulations(tree):
    """Count the visits of the root's edges, including kept ones and those in flight."""
    return tree.nodes[0].visits - 1 + tree.info[0].in_flight


@inlined
def make_ready(tree, params):
    """Note the priors of an expanded root, then add noise to them; once per search."""
    tree.info[0].ready = 1
    first = np.int64(tree.nodes[0].first_edge)
    for k in range(tree.nodes[0].num_edges):
        tree.root_prior[k] = tree.edges[first + k].prior
    if params.gumbel:
        draw_gumbel(tree, params)
    elif tree.info[0].explore and params.dirichlet_fraction > 0.0:
        mix_dirichlet(tree, params)


@inlined
def mix_dirichlet(tree, params):
    """Set P = (1 - fraction) P + fraction * Dirichlet(alpha) (AlphaGo Zero 2017, methods)."""
    first = np.int64(tree.nodes[0].first_edge)
    count = tree.nodes[0].num_edges
    total = 0.0
    for k in range(count):
        tree.root_gumbel[k] = rng.gamma(tree.info, params.dirichlet_alpha)
        total += tree.root_gumbel[k]
    if total <= 0.0:
        return
    for k in range(count):
        noise = tree.root_gumbel[k] / total
        prior = np.float64(tree.edges[first + k].prior)
        mixed = (1.0 - params.dirichlet_fraction) * prior + params.dirichlet_fraction * noise
        tree.edges[first + k].prior = np.float32(mixed)


@inlined
def draw_gumbel(tree, params):
    """Draw the root's scaled Gumbel noise, and plan sequential halving.

    Noise of scale T samples without replacement from the prior at temperature T (Gumbel AlphaZero
    2022, section 2; `gumbel_scale` in mctx).
    """
    count = tree.nodes[0].num_edges
    scale = tree.info[0].noise
    for k in range(count):
        tree.root_gumbel[k] = scale * rng.gumbel(tree.info) if scale > 0.0 else 0.0
    considered = min(params.considered_actions, count)
    plan_halving(tree.considered, considered, tree.info[0].target)


@inlined
def plan_halving(sequence, considered, simulations):
    """Write the visit count of the edge to follow in each simulation, int32 [simulations].

    `considered` edges are visited equally in the first phase, the better half of them in the next,
    and so on (Gumbel AlphaZero 2022, section 3; the schedule of mctx).
    """
    if considered <= 1:
        for i in range(simulations):
            sequence[i] = i
        return
    phases = 0
    while (1 << phases) < considered:
        phases += 1
    i, visits, edges = 0, 0, considered
    while i < simulations:
        extra = max(1, simulations // (phases * edges))
        for _ in range(extra):
            for _ in range(edges):
                if i < simulations:
                    sequence[i] = visits
                    i += 1
            visits += 1
        edges = max(2, edges // 2)


@inlined
def is_done(tree):
    """Return whether the search has ended: enough visits, a proven root, or no room left."""
    if not np.isnan(tree.nodes[0].exact) or tree.info[0].full:
        return True
    return root_simulations(tree) >= tree.info[0].target


@inlined
def is_best_proof(tree, e):
    """Return whether this edge proves a proven root: same value, and same plies unless a draw."""
    exact = tree.nodes[0].exact
    same = tree.edges[e].exact == exact
    return same and (exact == 0.0 or tree.edges[e].plies == tree.nodes[0].plies)


@inlined
def pruned_visits(tree, params, e, best, best_score):
    """Return an edge's visits less forced ones that PUCT would not make (KataGo 2019, 3.2)."""
    visits = tree.edges[e].visits
    if e == best or visits == 0:
        return visits
    total = root_simulations(tree)
    prior = np.float64(tree.edges[e].prior)
    forced = np.sqrt(params.forced_playouts * prior * total)
    gap = best_score - edge_value(tree, e, 0.0)
    if gap <= 0.0:
        return visits
    needed = exploration(tree, total + 1) * prior / gap - 1.0  # PUCT equals the best score there
    kept = max(np.float64(visits) - forced, min(np.float64(visits), np.ceil(needed)))
    return np.int64(kept) if kept > 1.0 else 0


@inlined
def read_visits(tree, params, policy):
    """Write root visits as weights float32 [L], without proven losses and forced playouts."""
    first = np.int64(tree.nodes[0].first_edge)
    last = first + tree.nodes[0].num_edges
    best, most = first, -1
    for e in range(first, last):
        if tree.edges[e].visits > most and not tree.edges[e].exact <= -1.0:
            best, most = e, int(tree.edges[e].visits)
    total = root_simulations(tree)
    bonus = exploration(tree, total + 1) * tree.edges[best].prior
    best_score = edge_value(tree, best, 0.0) + bonus / (1.0 + tree.edges[best].visits)
    prune = tree.info[0].explore != 0 and params.forced_playouts > 0.0
    for e in range(first, last):
        visits = tree.edges[e].visits
        if prune:
            visits = pruned_visits(tree, params, e, best, best_score)
        if tree.edges[e].exact <= -1.0:
            visits = 0
        policy[e - first] = visits


@inlined
def read_improved(tree, params, policy):
    """Write exp(logit + sigma(completed Q)), float32 [L] (Gumbel AlphaZero 2022, equation 11).

    Proven losses have weight 0. The weights are scaled to a largest of 1.
    """
    improve_logits(tree, params, np.int64(0))
    first = np.int64(tree.nodes[0].first_edge)
    last = first + tree.nodes[0].num_edges
    top = -np.inf
    for e in range(first, last):
        if not tree.edges[e].exact <= -1.0:
            top = max(top, tree.improved[e - first])
    for e in range(first, last):
        if not tree.edges[e].exact <= -1.0:
            policy[e - first] = np.exp(tree.improved[e - first] - top)


@inlined
def move_weight(tree, e, by_prior):
    """Return an edge's visits or its prior; 0 for a proven loss.

    Other priors are above 0, since such an edge may be the only one that does not lose.
    """
    if tree.edges[e].exact <= -1.0:
        return 0.0
    return max(np.float64(tree.edges[e].prior), 1e-38) if by_prior else tree.edges[e].visits


@inlined
def read_policy(tree, params, policy):
    """Write the search's policy by edge, float32 [L] summing to 1: the network's training target.

    The policy of a proven root is uniform over the moves that prove it. Any other policy excludes
    proven losses; if no other move was visited, it is the prior over the other moves.
    """
    policy[:] = 0.0
    first = np.int64(tree.nodes[0].first_edge)
    last = first + tree.nodes[0].num_edges
    if not np.isnan(tree.nodes[0].exact):
        for e in range(first, last):
            policy[e - first] = is_best_proof(tree, e)
    elif params.gumbel:
        read_improved(tree, params, policy)
    else:
        read_visits(tree, params, policy)
    weights = policy[: last - first]
    total = weights.sum()
    if total <= 0.0:
        for e in range(first, last):
            policy[e - first] = move_weight(tree, e, True)
        total = weights.sum()
    weights /= total


@inlined
def root_value(tree):
    """Return the root's value_to_play: exact if proven, else the mean without proven losses.

    The evaluator's own value counts as one visit. A proven loss will not be played, so the values
    backed up through it before the proof are ignored.
    """
    exact = tree.nodes[0].exact
    if not np.isnan(exact):
        return np.float64(exact)
    first = np.int64(tree.nodes[0].first_edge)
    total, visits = np.float64(tree.nodes[0].raw_value), 1
    for e in range(first, first + tree.nodes[0].num_edges):
        n = tree.edges[e].visits
        if n > 0 and not tree.edges[e].exact <= -1.0:
            total += n * edge_value(tree, e, 0.0)
            visits += n
    return total / visits


@inlined
def best_edge(tree, params, temperature):
    """Return the edge to play: a proof, else by visits, then by value, then by prior.

    Gumbel roots value a move by the improved policy's logit plus, at a temperature, their noise:
    the argmax of logits + T g samples their softmax at temperature T, and with T = 1 it is the move
    of the paper (Gumbel AlphaZero 2022, algorithm 2).
    """
    first = np.int64(tree.nodes[0].first_edge)
    last = first + tree.nodes[0].num_edges
    proven = not np.isnan(tree.nodes[0].exact)
    if params.gumbel:
        improve_logits(tree, params, np.int64(0))
    scale = tree.info[0].noise
    chance = temperature / scale if temperature > 0.0 and scale > 0.0 else 0.0
    best, best_rank = -1, (-1.0, -np.inf, -np.inf)
    for e in range(first, last):
        if proven and not is_best_proof(tree, e):
            continue
        if not proven and tree.edges[e].exact <= -1.0:
            continue
        score = edge_value(tree, e, -1.0)
        if params.gumbel and not proven:
            score = tree.improved[e - first] + chance * tree.root_gumbel[e - first]
        rank = (np.float64(tree.edges[e].visits), score, np.float64(tree.edges[e].prior))
        if best < 0 or rank > best_rank:
            best, best_rank = e, rank
    return best


@inlined
def sample_action(tree, params, temperature):
    """Sample the action to play by visits^(1 / temperature); the best one at temperature 0.

    Gumbel roots choose by their noise instead, see `best_edge`. A proven loss is never sampled
    while another move is left; if none of the others was visited, they are sampled by prior.
    """
    best = best_edge(tree, params, temperature)
    proven = not np.isnan(tree.nodes[0].exact)
    if temperature <= 0.0 or params.gumbel or proven:
        return np.int64(tree.edges[best].action)
    by_prior = tree.edges[best].visits == 0
    first = np.int64(tree.nodes[0].first_edge)
    last = first + tree.nodes[0].num_edges
    most = 0.0
    for e in range(first, last):
        most = max(most, np.float64(move_weight(tree, e, by_prior)))
    total = 0.0
    for e in range(first, last):
        total += (move_weight(tree, e, by_prior) / most) ** (1.0 / temperature)
    left = rng.uniform(tree.info) * total
    for e in range(first, last):
        left -= (move_weight(tree, e, by_prior) / most) ** (1.0 / temperature)
        if left <= 0.0:
            return np.int64(tree.edges[e].action)
    return np.int64(tree.edges[best].action)
