"""What an agent thinks of a position at one moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agents.players import Analysis
from arena.engine.tree import ROOT, Branch, branches, node_value, principal_variation
from mcts.forest import Forest


@dataclass(frozen=True)
class Candidate:
    """A legal move as an agent sees it; values are for the side that makes it."""

    action: int
    share: float  # of the visits, else of the policy
    visits: int  # 0 for an agent that does not search
    prior: float | None
    value: float | None
    exact: float | None


@dataclass(frozen=True)
class Line:
    """One of the best moves with what is expected to follow; values are for its mover."""

    moves: tuple[int, ...]
    visits: int  # of the first move
    value_to_play: float | None  # for the side to move at the root
    exact: float | None
    plies: int  # to the proven end, 0 where nothing is proven


@dataclass(frozen=True)
class Snapshot:
    """An agent's analysis of a position at one moment; values are for the side to move."""

    candidates: tuple[Candidate, ...]  # the best first
    lines: tuple[Line, ...]  # as many of them as were asked for, the best first
    simulations: int  # visits of the moves, those of a kept tree included
    target: int  # simulations of the finished search, 0 where it has no such end
    value_to_play: float | None
    exact: float | None
    plies: int
    nodes: int = 0  # new visits
    seconds: float = 0.0
    deepest: int = 0  # plies of the longest path in the tree
    share_of_memory: float = 0.0  # of the tree's, 1 is full

    @property
    def line(self) -> tuple[int, ...]:
        """Return the principal variation."""
        return self.lines[0].moves if self.lines else ()

    @property
    def depth(self) -> int:
        """Return the plies of the principal variation."""
        return len(self.line)

    @property
    def nodes_per_second(self) -> float:
        """Return new visits a second so far."""
        return self.nodes / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Spent:
    """What a search has used up at one moment: new visits, seconds."""

    nodes: int = 0
    seconds: float = 0.0


NOTHING = Spent()


def look_at(forest: Forest, target: int, multipv: int = 1, spent: Spent = NOTHING) -> Snapshot:
    """Make a snapshot of the forest's first tree, which no search may be changing."""
    found = branches(forest, ROOT)
    total = sum(branch.visits for branch in found)
    value, exact, plies = node_value(forest, ROOT)
    best = principal_variation(forest)
    found.sort(key=lambda b: (b.action != (best[0] if best else None), b.exact == -1.0))  # stable
    candidates = [
        Candidate(
            b.action, b.visits / total if total else b.prior, b.visits, b.prior, b.value, b.exact
        )
        for b in found
    ]
    known = [b for b in found if b.visits or b.exact is not None]
    lines = [_line(forest, b, best if i == 0 else None) for i, b in enumerate(known[:multipv])]
    return Snapshot(
        tuple(candidates),
        tuple(lines),
        total,
        target,
        value,
        exact,
        plies,
        spent.nodes,
        spent.seconds,
        int(forest.info["deepest"][0]),
        share_of_memory(forest),
    )


def _line(forest: Forest, branch: Branch, moves: list[int] | None) -> Line:
    if moves is None:
        moves = [branch.action, *principal_variation(forest, node=branch.child)]
    return Line(tuple(moves), branch.visits, branch.value, branch.exact, branch.plies)


def share_of_memory(forest: Forest) -> float:
    """Return the share of the first tree's nodes or edges in use, whichever is larger."""
    info = forest.info[0]
    used = (info["num_nodes"] / forest.nodes.shape[1], info["num_edges"] / forest.edges.shape[1])
    return 1.0 if info["full"] else float(max(used))


def opinion_of(analysis: Analysis, legal: Sequence[int], multipv: int = 1) -> Snapshot:
    """Make a snapshot of an agent's analysis of one position, as far as `legal` moves go."""
    exact, plies = _known(analysis.exact[0]), int(analysis.plies[0])
    candidates = [
        Candidate(a, float(analysis.policy[0, a]), 0, None, _known(analysis.q[0, a]), None)
        for a in legal
    ]
    best = int(analysis.best_action[0])
    candidates.sort(key=lambda c: (c.action != best, -c.share))
    value = _known(analysis.value_to_play[0])
    lines = [
        Line((c.action,), 0, value if c.action == best else c.value, None, 0)
        for c in candidates[:multipv]
    ]
    if candidates and candidates[0].action == best:
        lines[0] = Line((best,), 0, value, exact, plies)
    return Snapshot(tuple(candidates), tuple(lines), 0, 0, value, exact, plies)


def _known(number: float) -> float | None:
    return None if math.isnan(number) else float(number)
