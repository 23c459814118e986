"""Observations of Lanes: what a hero's team sees and remembers, int8 in 1/127, seen from the left.

`agents.ppo` and the scripted players read the same rows, so neither sees through the fog. The
entries are listed in docs/lanes.md; a test decodes positions from them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.engine.geometry import distance2, lane_y, on_side
from envs.lanes.engine.minions import is_vulnerable
from envs.lanes.engine.orders import at_base, remembered, skill_is_ready

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

_FAR = 1e9


@njit(cache=True)
def quantised(value):
    """Return a number of [-1, 1] as int8 in 1/127; outside numbers are clipped."""
    return np.int8(np.rint(min(max(value, -1.0), 1.0) * 127.0))


@njit(cache=True)
def _put_place(row, at, unit, x, y):
    """Write where something is, from a hero: ahead, aside, how far; in 1/16 and 1/23 of tiles."""
    dx = on_side(unit.team, x - np.float64(unit.x))
    dy = y - np.float64(unit.y)
    distance = np.sqrt(dx * dx + dy * dy)
    row[at + 2] = quantised(dx / 16.0)
    row[at + 3] = quantised(dy / 16.0)
    row[at + 4] = quantised(distance / 23.0)
    row[at + 9] = 127 if distance <= np.float64(unit.reach) else 0


@njit(cache=True)
def _put_health(row, at, hp, max_hp):
    row[at + 5] = quantised(hp / max(max_hp, 1))
    row[at + 6] = quantised(hp / 2000.0)


@njit(cache=True)
def _put_unit(row, slot, unit, index, goal):
    """Write a unit that the team sees, or its own one."""
    at = s.OWN + slot * s.FEATURES
    row[at], row[at + 1] = 127, 127
    _put_place(row, at, unit, np.float64(goal.x), np.float64(goal.y))
    _put_health(row, at, goal.hp, goal.max_hp)
    row[at + 7] = quantised(goal.damage / 100.0)
    row[at + 8] = quantised(np.float64(goal.reach) / 8.0)
    row[at + 10] = quantised(goal.stun / 15.0)
    row[at + 11] = quantised(goal.slow / 15.0)
    row[at + 14] = quantised(goal.level / 10.0) if goal.kind == r.HERO else 0
    if goal.kind != r.HERO:
        row[at + 15] = 127 if goal.target == index else 0


@njit(cache=True)
def _put_memory(row, slot, unit, match, memory):
    """Write a unit as it was last seen, and how long ago that was, in 1/60 s."""
    at = s.OWN + slot * s.FEATURES
    row[at], row[at + 1] = 127, 0
    _put_place(row, at, unit, np.float64(memory.x), np.float64(memory.y))
    row[at + 9] = 0
    _put_health(row, at, memory.hp, memory.max_hp)
    row[at + 12] = quantised((match.tick - memory.tick) / 300.0)
    row[at + 14] = quantised(memory.level / 10.0)


@njit(cache=True)
def _put_heroes(row, targets, match, units, heroes, seen, visible, index, layout):
    """Write the enemy's heroes and the allies, the hero itself last; one slot each."""
    unit = units[index]
    k, team = layout.agents, unit.team
    for agent in range(k):
        enemy = (1 - team) * k + agent
        goal = units[enemy]
        at = s.OWN + agent * s.FEATURES
        if visible[team, enemy]:
            _put_unit(row, agent, unit, index, goal)
            targets[agent] = enemy
        elif goal.alive and seen[team, agent].tick >= 0:
            _put_memory(row, agent, unit, match, seen[team, agent])
        row[at] = 127
        row[at + 13] = 0 if goal.alive else 127
        row[at + 15 + heroes[enemy].role] = 127
    slot = s.ALLY_SLOT
    for agent in range(k):
        ally = team * k + agent
        goal = units[ally]
        place = slot if ally != index else s.SELF_SLOT
        slot += ally != index
        at = s.OWN + place * s.FEATURES
        if goal.alive:
            _put_unit(row, place, unit, index, goal)
            targets[place] = ally
        row[at] = 127
        row[at + 13] = 0 if goal.alive else 127
        row[at + 15 + heroes[ally].role] = 127


@njit(cache=True)
def _put_creeps(row, targets, units, visible, index, team, slot, slots, near, near_d2, layout):
    """Write the creeps of a team that the hero's team sees, the nearest to the hero first."""
    unit = units[index]
    found = 0
    start = layout.creeps + team * layout.per_team
    for creep in range(start, start + layout.per_team):
        if not visible[unit.team, creep]:
            continue
        d2 = distance2(unit, units[creep])
        if found == slots and d2 >= near_d2[slots - 1]:
            continue
        place = min(found, slots - 1)
        while place > 0 and near_d2[place - 1] > d2:
            near_d2[place], near[place] = near_d2[place - 1], near[place - 1]
            place -= 1
        near_d2[place], near[place] = d2, creep
        found = min(found + 1, slots)
    for place in range(found):
        _put_unit(row, slot + place, unit, index, units[near[place]])
        at = s.OWN + (slot + place) * s.FEATURES
        row[at + 16] = 127 if units[near[place]].reach > 2.0 else 0
        if slot + place < s.TARGETS:
            targets[slot + place] = near[place]


@njit(cache=True)
def _put_structures(row, targets, match, units, seen, visible, index, owner, slot, slots, layout):
    """Write the standing structures of a team that can be hurt, the nearest first."""
    unit = units[index]
    start = layout.structures + owner * layout.towers
    last, last_d2 = -1, -1.0
    for place in range(slots):
        best, best_d2 = -1, _FAR
        for structure in range(start, start + layout.towers):
            if not units[structure].alive or not is_vulnerable(units, structure, layout):
                continue
            d2 = distance2(unit, units[structure])
            is_next = d2 > last_d2 or (d2 == last_d2 and structure > last)
            if is_next and d2 < best_d2:
                best, best_d2 = structure, d2
        if best < 0:
            return
        last, last_d2 = best, best_d2
        if visible[unit.team, best]:
            _put_unit(row, slot + place, unit, index, units[best])
        else:
            known = remembered(best, unit.team, layout)
            _put_memory(row, slot + place, unit, match, seen[unit.team, known])
        at = s.OWN + (slot + place) * s.FEATURES
        row[at + 17] = 127 if units[best].kind == r.TOWER else 0
        row[at + 18] = 127 if units[best].kind == r.CORE else 0
        if slot + place < s.TARGETS:
            targets[slot + place] = best


@njit(cache=True)
def _put_neutrals(row, targets, units, visible, index, layout):
    """Write the two nearest neutrals that the team sees."""
    unit = units[index]
    last, last_d2 = -1, -1.0
    for place in range(s.ALLY_SLOT - s.NEUTRAL_SLOT):
        best, best_d2 = -1, _FAR
        for number in range(r.CAMPS):
            # from the own side outwards, so that equal distances are decided alike for both teams
            neutral = layout.neutrals + (number if unit.team == 0 else (number + 2) % r.CAMPS)
            if not visible[unit.team, neutral]:
                continue
            d2 = distance2(unit, units[neutral])
            if (d2 > last_d2 or (d2 == last_d2 and neutral != last)) and d2 < best_d2:
                best, best_d2 = neutral, d2
        if best < 0:
            return
        last, last_d2 = best, best_d2
        _put_unit(row, s.NEUTRAL_SLOT + place, unit, index, units[best])
        row[s.OWN + (s.NEUTRAL_SLOT + place) * s.FEATURES + 19] = 127
        targets[s.NEUTRAL_SLOT + place] = best


@njit(cache=True)
def _put_self(row, match, units, heroes, index, layout):
    """Write what a hero knows of itself: entries 0 to 31."""
    unit, hero = units[index], heroes[index]
    row[hero.role] = 127
    row[5] = quantised(unit.level / 10.0)
    if unit.level < r.MOST_LEVEL:
        base = r.XP_OF_LEVEL[unit.level]
        row[6] = quantised((hero.xp - base) / (r.XP_OF_LEVEL[unit.level + 1] - base))
    row[7] = quantised(unit.hp / unit.max_hp)
    row[8] = quantised(unit.max_hp / 2000.0)
    row[9] = quantised(hero.mana / hero.max_mana)
    row[10] = quantised(hero.mana / 600.0)
    row[11] = quantised(hero.gold / 1000.0)
    for item in range(len(r.ITEMS)):
        row[12 + item] = 127 if (hero.items >> item) & 1 else 0
    row[16] = quantised(hero.cooldown_a / 60.0)
    row[17] = quantised(hero.cooldown_b / 60.0)
    row[18] = 127 if skill_is_ready(hero, 0) else 0
    row[19] = 127 if skill_is_ready(hero, 1) else 0
    row[20] = quantised(unit.cooldown / 6.0)
    row[21] = quantised(unit.stun / 15.0)
    row[22] = quantised(unit.slow / 15.0)
    row[23] = quantised(hero.recall / r.RECALL)
    row[24] = quantised(unit.wait / 125.0)
    row[25] = 127 if unit.alive else 0
    row[26] = quantised(on_side(unit.team, np.float64(unit.x)) / 16.0)
    row[27] = quantised(np.float64(unit.y) / 16.0)
    row[28] = 127 if at_base(unit) else 0
    row[29] = 127 if abs(unit.x) < r.RIVER else 0
    row[30] = quantised(hero.hurt / max(unit.max_hp, 1))
    row[31] = quantised(hero.aggro / r.AGGRO)


@njit(cache=True)
def _put_match(row, match, units, seen, team, layout):
    """Write what a team knows of the match: entries 32 to 63."""
    enemy = 1 - team
    row[32] = quantised(match.tick / r.LIMIT)
    row[33] = quantised(((match.tick - r.FIRST_WAVE) % r.WAVE_PERIOD) / r.WAVE_PERIOD)
    row[34] = quantised((match.kills[team] - match.kills[enemy]) / 20.0)
    for agent in range(layout.agents):
        row[35] += 0 if units[team * layout.agents + agent].alive else 25
        row[36] += 0 if units[enemy * layout.agents + agent].alive else 25
    row[37 + min(layout.agents // 2, 2)] = 127
    for side in range(2):
        first = layout.structures + (team if side == 0 else enemy) * layout.towers
        at = 40 + 7 * side
        for number in range(layout.towers - 1):
            row[at + number] = 127 if units[first + number].alive else -127
        core = first + layout.towers - 1
        hp = units[core].hp if side == 0 else seen[team, layout.agents + layout.towers - 1].hp
        row[at + 6] = quantised(hp / r.CORE_HP)
    for lane in range(layout.lanes):
        _put_lane(row, 54 + 3 * lane, units, team, lane, layout)


@njit(cache=True)
def _put_lane(row, at, units, team, lane, layout):
    """Write how far a team's foremost creep of a lane is, how many there are, and the lane's y."""
    start = layout.creeps + team * layout.per_team + lane * r.CREEPS
    front, count = -16.0, 0
    for creep in range(start, start + r.CREEPS):
        if units[creep].alive:
            front = max(front, on_side(team, np.float64(units[creep].x)))
            count += 1
    row[at] = quantised(front / 16.0)
    row[at + 1] = quantised(count / r.CREEPS)
    row[at + 2] = quantised(lane_y(layout.lanes, lane) / 16.0)


@njit(cache=True)
def observe(match, units, heroes, seen, visible, index, row, targets, near, near_d2, layout):
    """Write the observation of a hero and the units of its target slots.

    Args:
        row: int8 [OBSERVATION], all 0.
        targets: int16 [TARGETS], the unit in each target slot, -1 for none.
        near, near_d2: scratch space for 8 units.
    """
    targets[:] = -1
    team = units[index].team
    _put_self(row, match, units, heroes, index, layout)
    _put_match(row, match, units, seen, team, layout)
    _put_heroes(row, targets, match, units, heroes, seen, visible, index, layout)
    enemy = 1 - team
    slot = s.ENEMY_CREEP_SLOT
    _put_creeps(row, targets, units, visible, index, enemy, slot, 6, near, near_d2, layout)
    slot = s.ALLIED_CREEP_SLOT
    _put_creeps(row, targets, units, visible, index, team, slot, 3, near, near_d2, layout)
    slot = s.ENEMY_STRUCTURE_SLOT
    _put_structures(row, targets, match, units, seen, visible, index, enemy, slot, 2, layout)
    slot = s.ALLIED_STRUCTURE_SLOT
    _put_structures(row, targets, match, units, seen, visible, index, team, slot, 1, layout)
    _put_neutrals(row, targets, units, visible, index, layout)
