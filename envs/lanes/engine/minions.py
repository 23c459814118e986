"""What creeps, towers, cores and neutrals do in a tick, from where all stood at its start."""

from __future__ import annotations

import numpy as np

from envs.lanes import rules as r
from envs.lanes.compiling import compiled, inlined
from envs.lanes.engine.geometry import camp, distance2, pace, step_towards, waypoint, within

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@inlined
def is_vulnerable(units, structure, layout):
    """Return whether a structure can be hurt: those before it on a lane are destroyed."""
    number = (structure - layout.structures) % layout.towers
    first = structure - number
    if number == layout.towers - 1:  # the core: any lane is open
        for inner in range(first + 1, first + layout.towers - 1, 2):
            if not units[inner].alive:
                return True
        return False
    return number % 2 == 0 or not units[structure - 1].alive


@inlined
def hit(attacker, target):
    """Let a creep, a structure or a neutral hit a unit."""
    target.hurt += attacker.damage
    attacker.cooldown = attacker.period


@inlined
def _nearest(units, unit, start, stop, best, best_d2):
    """Return the nearest living unit of a range if nearer than the best so far, and how near."""
    for index in range(start, stop):
        if units[index].alive:
            d2 = distance2(unit, units[index])
            if d2 < best_d2:
                best, best_d2 = index, d2
    return best, best_d2


@compiled
def _open_structure(units, team, lane, layout):
    """Return the structure of a team that creeps of a lane would attack next."""
    first = layout.structures + team * layout.towers
    for index in range(first + 2 * lane, first + 2 * lane + 2):
        if units[index].alive:
            return index
    return first + layout.towers - 1


@inlined
def _find_target(units, creep, meets_creeps, meets_heroes, layout):
    """Return what a creep attacks: the nearest creep or hero, else a structure; -1 for none."""
    enemy = 1 - creep.team
    best, best_d2 = -1, r.ACQUIRE * r.ACQUIRE
    if meets_creeps:
        start = layout.creeps + enemy * layout.per_team + creep.lane * r.CREEPS
        best, best_d2 = _nearest(units, creep, start, start + r.CREEPS, best, best_d2)
    if meets_heroes:
        start = enemy * layout.agents
        best, best_d2 = _nearest(units, creep, start, start + layout.agents, best, best_d2)
    if best >= 0:
        return best
    structure = _open_structure(units, enemy, creep.lane, layout)
    return structure if within(creep, units[structure], r.ACQUIRE) else -1


@compiled
def _walk_lane(creep, layout):
    x, y = waypoint(creep.team, creep.lane, creep.leg, layout.lanes)
    step_towards(creep, x, y, pace(creep))
    if creep.leg < 2 and creep.to_x == np.float32(x) and creep.to_y == np.float32(y):
        creep.leg += 1


@compiled
def _act_structure(units, heroes, structure, layout):
    """Hit an enemy in reach: a hero who hit a hero, else the nearest creep, else a hero."""
    enemy = 1 - structure.team
    limit = np.float64(structure.reach) * np.float64(structure.reach)
    best, best_d2 = -1, limit
    for index in range(enemy * layout.agents, (enemy + 1) * layout.agents):
        if units[index].alive and heroes[index].aggro > 0:
            d2 = distance2(structure, units[index])
            if d2 < best_d2:
                best, best_d2 = index, d2
    if best < 0:
        start = layout.creeps + enemy * layout.per_team
        stop = start + layout.per_team
        if structure.kind == r.TOWER:
            start += structure.lane * r.CREEPS
            stop = start + r.CREEPS
        best, best_d2 = _nearest(units, structure, start, stop, -1, limit)
    if best < 0:
        start = enemy * layout.agents
        best, best_d2 = _nearest(units, structure, start, start + layout.agents, -1, limit)
    if best >= 0:
        hit(structure, units[best])


@compiled
def _act_creep(units, creep, meets_creeps, meets_heroes, layout):
    """Keep or find a target, and hit it, walk to it, or walk along the lane."""
    if creep.stun > 0:
        return
    target = creep.target
    if target < 0 or not units[target].alive or not within(creep, units[target], r.RELEASE):
        target = _find_target(units, creep, meets_creeps, meets_heroes, layout)
        creep.target = target
    if target < 0:
        _walk_lane(creep, layout)
    elif within(creep, units[target], np.float64(creep.reach)):
        if creep.cooldown == 0:
            hit(creep, units[target])
    else:
        goal = units[target]
        step_towards(creep, np.float64(goal.x), np.float64(goal.y), pace(creep))


@inlined
def _box(units, start, stop):
    """Return the least and greatest x and y of the living units of a range; inf, -inf for none."""
    low_x, high_x, low_y, high_y = np.inf, -np.inf, np.inf, -np.inf
    for index in range(start, stop):
        unit = units[index]
        if unit.alive:
            x, y = np.float64(unit.x), np.float64(unit.y)
            low_x, high_x = min(low_x, x), max(high_x, x)
            low_y, high_y = min(low_y, y), max(high_y, y)
    return low_x, high_x, low_y, high_y


@inlined
def _meet(box, other, reach):
    """Return whether a unit of one box may be less than `reach` from one of the other."""
    return (
        box[0] - other[1] < reach
        and other[0] - box[1] < reach
        and box[2] - other[3] < reach
        and other[2] - box[3] < reach
    )


@inlined
def _meets_heroes(units, box, team, reach, layout):
    """Return whether any living hero of a team may be less than `reach` from a unit of a box."""
    for index in range(team * layout.agents, (team + 1) * layout.agents):
        hero = units[index]
        x, y = np.float64(hero.x), np.float64(hero.y)
        if hero.alive and _meet(box, (x, x, y, y), reach):
            return True
    return False


@compiled
def act_lane(units, heroes, lane, layout):
    """Let the towers and creeps of a lane act, who look only for enemies that can be near.

    Mostly there are none, and the search was half of a tick.
    """
    first = layout.creeps + lane * r.CREEPS
    second = first + layout.per_team
    box_0 = _box(units, first, first + r.CREEPS)
    box_1 = _box(units, second, second + r.CREEPS)
    meet = _meet(box_0, box_1, r.ACQUIRE)
    for team in range(2):
        own, enemies = (box_0, box_1) if team == 0 else (box_1, box_0)
        start = layout.structures + team * layout.towers + 2 * lane
        for index in range(start, start + 2):
            tower = units[index]
            if not tower.alive or tower.cooldown > 0:
                continue
            x, y, reach = np.float64(tower.x), np.float64(tower.y), np.float64(tower.reach)
            place = (x, x, y, y)
            near = _meet(place, enemies, reach)
            if near or _meets_heroes(units, place, 1 - team, reach, layout):
                _act_structure(units, heroes, tower, layout)
        meets_heroes = _meets_heroes(units, own, 1 - team, r.ACQUIRE, layout)
        start = first if team == 0 else second
        for index in range(start, start + r.CREEPS):
            if units[index].alive:
                _act_creep(units, units[index], meet, meets_heroes, layout)


@compiled
def act_core(units, heroes, team, layout):
    """Let the core of a team hit an enemy in reach."""
    core = units[layout.structures + (team + 1) * layout.towers - 1]
    if not core.alive or core.cooldown > 0:
        return
    x, y, reach = np.float64(core.x), np.float64(core.y), np.float64(core.reach)
    start = layout.creeps + (1 - team) * layout.per_team
    near = _meets_heroes(units, (x, x, y, y), 1 - team, reach, layout)
    for index in range(start, start + layout.per_team):  # dead ones too: x alone, without a branch
        near |= abs(np.float64(units[index].x) - x) < reach
    if near:
        _act_structure(units, heroes, core, layout)


@compiled
def act_neutral(units, neutral, number, layout):
    """Chase the hero who hit it, as far as its leash; else go home and heal."""
    if neutral.stun > 0:
        return
    x, y = camp(layout.lanes, number)
    target = neutral.target
    if target >= 0:
        goal = units[target]
        dx, dy = np.float64(goal.x) - x, np.float64(goal.y) - y
        if not goal.alive or dx * dx + dy * dy > r.LEASH * r.LEASH:
            neutral.target = -1
        elif within(neutral, goal, np.float64(neutral.reach)):
            if neutral.cooldown == 0:
                hit(neutral, goal)
            return
        else:
            step_towards(neutral, np.float64(goal.x), np.float64(goal.y), pace(neutral))
            return
    step_towards(neutral, x, y, pace(neutral))
    neutral.hp = min(neutral.max_hp, neutral.hp + r.NEUTRAL_HEAL)
