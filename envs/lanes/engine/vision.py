"""Fog of war: what a team sees, and what it remembers of what it no longer sees."""

from __future__ import annotations

import numpy as np

from envs.lanes import rules as r
from envs.lanes.compiling import compiled, inlined
from envs.lanes.engine.orders import remembered

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@compiled
def _find_lookers(units, team, lookers, layout):
    """Write x, y and squared sight of a team's living units; return how many they are."""
    count = 0
    for index in range(layout.neutrals):
        unit = units[index]
        if unit.alive and unit.team == team:
            sight = r.SIGHT[unit.kind]
            lookers[0, count], lookers[1, count] = unit.x, unit.y
            lookers[2, count] = sight * sight
            count += 1
    return count


@inlined
def _is_seen(unit, lookers, count):
    """Return whether a unit is in the sight of any looker."""
    x, y = np.float64(unit.x), np.float64(unit.y)
    seen = False
    for number in range(count):  # without an early end, so that four are looked at at a time
        dx, dy = lookers[0, number] - x, lookers[1, number] - y
        seen |= dx * dx + dy * dy <= lookers[2, number]
    return seen


@compiled
def look(match, units, seen, visible, lookers, layout):
    """Write what each team sees, uint8 [2, units], and what it remembers.

    A team sees its own units, and no dead ones. It knows which structures stand: their fall is
    announced, and so is the death of a hero.

    Args:
        lookers: float64 [3, units], working memory.
    """
    for team in range(2):
        count = _find_lookers(units, team, lookers, layout)
        for index in range(layout.units):
            unit = units[index]
            if unit.team == team:
                visible[team, index] = unit.alive
                continue
            sees = unit.alive and _is_seen(unit, lookers, count)
            visible[team, index] = sees
            if sees:
                _remember(match, unit, seen[team], remembered(index, team, layout))


@compiled
def _remember(match, unit, seen, place):
    if place < 0:
        return
    memory = seen[place]
    memory.x, memory.y = unit.x, unit.y
    memory.hp, memory.max_hp = unit.hp, unit.max_hp
    memory.level, memory.tick = unit.level, match.tick
