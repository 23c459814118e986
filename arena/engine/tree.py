"""Read a search tree for display: the moves of a node, and the principal variation.

Reads the arrays of a forest that no search is changing: between two slices, or after the end.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from mcts.forest import NO_NODE, Forest

ROOT = 0
LONGEST_LINE = 24  # plies of a principal variation


class Branch(NamedTuple):
    """One move of a node; values are for the side that makes it."""

    action: int
    prior: float
    visits: int
    value: float | None  # exact where proven, else the visits' mean; None where unvisited
    exact: float | None
    plies: int  # to the proven end, 0 where nothing is proven
    child: int | None  # its node, None where the search has not made one


def branches(forest: Forest, node: int, tree: int = 0) -> list[Branch]:
    """List the moves of a node, most visited first, then by prior."""
    first = int(forest.nodes["first_edge"][tree, node])
    count = int(forest.nodes["num_edges"][tree, node])
    found = []
    for edge in forest.edges[tree, first : first + count]:
        visits, exact = int(edge["visits"]), _known(float(edge["exact"]))
        mean = float(edge["value_sum"]) / visits if visits else None
        found.append(
            Branch(
                action=int(edge["action"]),
                prior=float(edge["prior"]),
                visits=visits,
                value=mean if exact is None else exact,
                exact=exact,
                plies=int(edge["plies"]),
                child=None if edge["child"] == NO_NODE else int(edge["child"]),
            )
        )
    return sorted(found, key=lambda branch: (-branch.visits, -branch.prior, branch.action))


def node_value(forest: Forest, node: int, tree: int = 0) -> tuple[float | None, float | None, int]:
    """Return a node's value for the side to move, its proven value, and the plies to it."""
    record = forest.nodes[tree, node]
    exact = _known(float(record["exact"]))
    mean = float(record["value_sum"]) / int(record["visits"]) if record["visits"] else None
    return mean if exact is None else exact, exact, int(record["plies"])


def principal_variation(forest: Forest, tree: int = 0, node: int | None = ROOT) -> list[int]:
    """List the moves that both sides are expected to make, from the root or another node.

    At most LONGEST_LINE; what is proven comes to its end.
    """
    line: list[int] = []
    longest = LONGEST_LINE
    if node is not None and not np.isnan(forest.nodes["exact"][tree, node]):
        longest = max(longest, int(forest.nodes["plies"][tree, node]))
    while node is not None and len(line) < longest:
        edge = _best(forest, tree, node)
        if edge is None:
            break
        line.append(int(edge["action"]))
        node = None if edge["child"] == NO_NODE else int(edge["child"])
    return line


def _best(forest: Forest, tree: int, node: int) -> Any:
    """Return the edge that proves a proven node, else the most visited that is not lost, or None.

    Of equals the likeliest. Without an object for each edge: a line passes many wide nodes.
    """
    record = forest.nodes[tree, node]
    first = int(record["first_edge"])
    edges = forest.edges[tree, first : first + int(record["num_edges"])]
    if not np.isnan(record["exact"]):
        proofs = edges[edges["exact"] == record["exact"]]
        far = np.abs(proofs["plies"].astype(np.int64) - int(record["plies"]))
        return proofs[far.argmin()] if len(proofs) else None
    seen = edges[edges["visits"] > 0]
    if not len(seen):
        return None
    lost = seen["exact"] == -1.0
    return seen[np.lexsort((-seen["prior"], -seen["visits"], lost))[0]]


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
