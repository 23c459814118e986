"""Advance one match of Lanes by a tick: the rules of `stepping`, for `LanesMatch`.

match: MATCH [1]; units: UNIT [units]; heroes: HERO [players]; seen: SEEN [2, remembered].
"""

from __future__ import annotations

from numba import njit

from envs.lanes.engine.start import start_match
from envs.lanes.engine.vision import look
from envs.lanes.observations.shared import new_shared
from envs.lanes.stepping import begin_decision, show, tick

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@njit(cache=True)
def start_one(match, units, heroes, seen, visible, targets, rows, seed, layout):
    """Start the match of a seed, and show it."""
    start_match(match[0], units, heroes, seen, layout, seed)
    shared = new_shared(layout)
    show(match[0], units, heroes, seen, visible, targets, rows, shared, layout)


@njit(cache=True)
def order_one(match, units, heroes, targets, rows, actions, layout):
    """Begin a decision by the actions int8 [players, 3]; `rows` say which are legal."""
    begin_decision(match[0], units, heroes, targets, rows, actions, layout)
    match[0].steps += 1


@njit(cache=True)
def tick_one(match, units, heroes, seen, layout):
    """Advance by a tick."""
    tick(match[0], units, heroes, seen, layout)


@njit(cache=True)
def show_one(match, units, heroes, seen, visible, targets, rows, layout):
    """Write what all heroes observe and may do, once a decision is over."""
    shared = new_shared(layout)
    show(match[0], units, heroes, seen, visible, targets, rows, shared, layout)


@njit(cache=True)
def look_one(match, units, seen, visible, layout):
    """Write what the teams see within a decision, uint8 [2, units], and remember."""
    look(match[0], units, seen, visible, new_shared(layout).lookers, layout)
