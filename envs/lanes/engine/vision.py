"""Fog of war: what a team sees, and what it remembers of what it no longer sees."""

from __future__ import annotations

from numba import njit

from envs.lanes import rules as r
from envs.lanes.engine.geometry import within
from envs.lanes.engine.orders import remembered

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@njit(cache=True)
def _range_sees(units, goal, start, stop, sight):
    for index in range(start, stop):
        if units[index].alive and within(units[index], goal, sight):
            return True
    return False


@njit(cache=True)
def _is_seen(units, index, team, layout):
    """Return whether any unit of a team is near enough to see a living unit of another one."""
    goal = units[index]
    if goal.kind == r.CREEP:  # mostly it fights those of its lane: look from there first
        start = layout.creeps + team * layout.per_team + goal.lane * r.CREEPS
        if _range_sees(units, goal, start, start + r.CREEPS, r.SIGHT[r.CREEP]):
            return True
    start = team * layout.agents
    if _range_sees(units, goal, start, start + layout.agents, r.SIGHT[r.HERO]):
        return True
    start = layout.structures + team * layout.towers
    last = start + layout.towers - 1
    if _range_sees(units, goal, start, last, r.SIGHT[r.TOWER]):
        return True
    if _range_sees(units, goal, last, last + 1, r.SIGHT[r.CORE]):
        return True
    start = layout.creeps + team * layout.per_team
    return _range_sees(units, goal, start, start + layout.per_team, r.SIGHT[r.CREEP])


@njit(cache=True)
def look(match, units, seen, visible, layout):
    """Write what each team sees, uint8 [2, units], and what it remembers.

    A team sees its own units, and no dead ones. It knows which structures stand: their fall is
    announced, and so is the death of a hero.
    """
    for index in range(layout.units):
        unit = units[index]
        for team in range(2):
            if unit.team == team:
                visible[team, index] = unit.alive
                continue
            sees = unit.alive and _is_seen(units, index, team, layout)
            visible[team, index] = sees
            if sees:
                _remember(match, unit, seen[team], remembered(index, team, layout))


@njit(cache=True)
def _remember(match, unit, seen, place):
    if place < 0:
        return
    memory = seen[place]
    memory.x, memory.y = unit.x, unit.y
    memory.hp, memory.max_hp = unit.hp, unit.max_hp
    memory.level, memory.tick = unit.level, match.tick
