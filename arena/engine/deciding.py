"""When to end the thinking about a position."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from arena.engine.limits import Budget, Limit, budget_of
from mcts.forest import Forest

# Why the thinking ended.
NODES, TIME, DECIDED, PROVEN, FULL = "nodes", "time", "decided", "proven", "full"
STOPPED, OVER, ANSWERED, FAILED = "stopped", "over", "answered", "failed"

SPEED_UP = 1.5  # times the speed so far that the rest is expected to have at most: batches grow
RIVAL = 0.1  # share of the leader's visits from which a better value contests its lead


class Lead(NamedTuple):
    """How far the leading move of the root is ahead."""

    visits: float  # more than the next move that is not lost; inf if there is no such move
    is_contested: bool  # a move with fewer visits has a better value


NO_LEAD = Lead(0.0, False)


def lead_of(forest: Forest) -> Lead:
    """Return the lead of the most visited move at the root of the first tree."""
    root = forest.nodes[0, 0]
    edges = forest.edges[0, int(root["first_edge"]) :][: int(root["num_edges"])]
    open_moves = edges[~(edges["exact"] == -1.0)]
    if not len(open_moves):
        return NO_LEAD
    if len(open_moves) == 1:
        return Lead(math.inf, False)
    order = np.argsort(-open_moves["visits"], kind="stable")
    visits = open_moves["visits"][order]
    rivals = visits > max(0.0, RIVAL * visits[0])
    means = open_moves["value_sum"][order][rivals] / visits[rivals]
    return Lead(float(visits[0] - visits[1]), len(means) > 1 and bool(means.argmax() != 0))


class Moment(NamedTuple):
    """What a search has come to when it may be ended."""

    nodes: int  # new visits
    seconds: float  # that count, of its limit
    thinking_s: float  # seconds in all, with those of pondering
    step_s: float  # that its last step took, as the next one may


def budget_for(limit: Limit, side: int, moves: int) -> Budget:
    """Return the seconds that a limit gives the side to move, with about `moves` moves to come."""
    most = limit.seconds or math.inf
    if limit.clocks is None:
        return Budget(most, most)
    budget = budget_of(limit.clocks.of(side), limit.clocks.overhead, moves)
    return Budget(min(budget.optimum, most), min(budget.maximum, most))


def reason_to_end(limit: Limit, budget: Budget, moment: Moment, forest: Forest) -> str | None:
    """Return why a search that may go on should end now, or None."""
    if moment.seconds + moment.step_s > budget.maximum:
        return TIME
    may_decide = limit.early and not limit.is_infinite
    if not may_decide and moment.seconds < budget.optimum:
        return None
    lead = lead_of(forest)
    if moment.seconds >= budget.optimum and not lead.is_contested:
        return TIME
    if may_decide and lead.visits > visits_left(limit, budget, moment, lead):
        return DECIDED
    return None


def visits_left(limit: Limit, budget: Budget, moment: Moment, lead: Lead) -> float:
    """Estimate the visits still to come at most, by the nodes and the seconds left."""
    most = float(limit.nodes - moment.nodes) if limit.nodes else math.inf
    ends = budget.maximum if lead.is_contested else budget.optimum
    if math.isfinite(ends) and moment.thinking_s > 0:
        speed = moment.nodes / moment.thinking_s
        most = min(most, SPEED_UP * speed * max(0.0, ends - moment.seconds))
    return most
