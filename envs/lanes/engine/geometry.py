"""Distances, the map and the random draws of Lanes, compiled."""

from __future__ import annotations

import numpy as np

from envs.lanes.compiling import compiled, inlined
from envs.lanes.rules import CORE_X, EDGE, INNER_X, MODES, RIVER, RIVER_PERCENT, SLOW_PERCENT

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

# y of each lane by the number of lanes
_LANE_Y = np.zeros((4, 3))
for _mode in MODES.values():
    _LANE_Y[len(_mode.lanes), : len(_mode.lanes)] = _mode.lanes
# (x, y) of the four camps by the number of lanes
_CAMP = np.zeros((4, 4, 2))
for _mode in MODES.values():
    _CAMP[len(_mode.lanes)] = [*_mode.camps, *((-x, y) for x, y in _mode.camps)]


@compiled
def on_side(team, x):
    """Return x as given for the left side, on the side of a team."""
    return x if team == 0 else -x


@compiled
def lane_y(lanes, lane):
    """Return y of the straight part of a lane."""
    return _LANE_Y[lanes, lane]


@compiled
def camp(lanes, number):
    """Return (x, y) of a camp."""
    return _CAMP[lanes, number, 0], _CAMP[lanes, number, 1]


@inlined
def distance2(a, b):
    """Return the squared distance of two units, as they stand."""
    dx = np.float64(a.x) - np.float64(b.x)
    dy = np.float64(a.y) - np.float64(b.y)
    return dx * dx + dy * dy


@inlined
def within(a, b, reach):
    """Return whether two units are at most `reach` apart."""
    return distance2(a, b) <= reach * reach


@compiled
def clamped(value):
    """Return a coordinate kept on the map."""
    return min(max(value, -EDGE), EDGE)


@inlined
def step_towards(unit, x, y, length):
    """Move a unit's next place by `length` towards (x, y), or onto it if it is nearer."""
    from_x, from_y = np.float64(unit.x), np.float64(unit.y)
    dx, dy = x - from_x, y - from_y
    distance = np.sqrt(dx * dx + dy * dy)
    if distance <= length:
        unit.to_x, unit.to_y = np.float32(x), np.float32(y)
    else:
        unit.to_x = np.float32(from_x + dx * length / distance)
        unit.to_y = np.float32(from_y + dy * length / distance)


@inlined
def pace(unit):
    """Return how far a unit walks in this tick: slowed, in the river, both or neither."""
    length = np.float64(unit.speed)
    if unit.slow > 0:
        length = length * SLOW_PERCENT / 100
    if abs(np.float64(unit.x)) < RIVER:
        length = length * RIVER_PERCENT / 100
    return length


@compiled
def waypoint(team, lane, leg, lanes):
    """Return (x, y) of the end of a leg of a creep's way: to its lane, along it, to the core."""
    if leg == 0:
        return on_side(team, INNER_X), _LANE_Y[lanes, lane]
    if leg == 1:
        return on_side(1 - team, INNER_X), _LANE_Y[lanes, lane]
    return on_side(1 - team, CORE_X), 0.0


@compiled
def draw(seed, tick, slot, salt):
    """Return 64 random bits of a match at a tick for a slot of a team (SplitMix64's finaliser).

    Both teams' units of a slot draw alike, so that a mirrored match is the mirror of the match.
    """
    z = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15) * np.uint64(
        (np.uint64(tick) << np.uint64(12)) + (np.uint64(slot) << np.uint64(4)) + np.uint64(salt)
    )
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
