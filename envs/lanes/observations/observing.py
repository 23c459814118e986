"""Observations of Lanes: what a hero's team sees and remembers, int8 in 1/127, seen from the left.

`agents.ppo` and the scripted players read the same rows, so neither sees through the fog. The
entries are listed in docs/lanes.md; a test decodes positions from them.

An array is seven and more arguments of a compiled function: what is called for each unit is
inlined, as the call took longer than the work.
"""

from __future__ import annotations

import numpy as np

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.compiling import inlined
from envs.lanes.engine.geometry import distance2, lane_y, on_side
from envs.lanes.engine.orders import at_base, remembered, skill_is_ready
from envs.lanes.observations.shared import (
    GROUP_SLOT,
    GROUP_SLOTS,
    put_health,
    put_kind,
    quantised,
)

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@inlined
def _put_place(row, at, unit, x, y):
    """Write where something is, from a hero: ahead, aside, how far; in 1/16 and 1/23 of tiles."""
    dx = on_side(unit.team, x - np.float64(unit.x))
    dy = y - np.float64(unit.y)
    distance = np.sqrt(dx * dx + dy * dy)
    row[at + 2] = quantised(dx / 16.0)
    row[at + 3] = quantised(dy / 16.0)
    row[at + 4] = quantised(distance / 23.0)
    row[at + 9] = 127 if distance <= np.float64(unit.reach) else 0


@inlined
def _put_unit(row, words, slot, unit, index, units, other, features):
    """Write a unit that the team sees, or its own one."""
    at = s.OWN + slot * s.FEATURES
    goal = units[other]
    place, known = words[at // 4 : at // 4 + s.FEATURES // 4], features[other]
    for word in range(s.FEATURES // 4):
        place[word] = known[word]
    _put_place(row, at, unit, np.float64(goal.x), np.float64(goal.y))
    if goal.kind != r.HERO and goal.target == index:
        row[at + 15] = 127


@inlined
def _put_memory(row, slot, unit, match, memory):
    """Write a unit as it was last seen, and how long ago that was, in 1/60 s."""
    at = s.OWN + slot * s.FEATURES
    row[at], row[at + 1] = 127, 0
    _put_place(row, at, unit, np.float64(memory.x), np.float64(memory.y))
    row[at + 9] = 0  # only who is seen is in reach
    put_health(row, at, memory.hp, memory.max_hp)
    row[at + 12] = quantised((match.tick - memory.tick) / 300.0)
    row[at + 14] = quantised(memory.level / 10.0)


@inlined
def _put_heroes(row, words, targets, match, units, heroes, seen, visible, index, features, layout):
    """Write the enemy's heroes and the allies, the hero itself last; one slot each."""
    unit = units[index]
    k, team = layout.agents, unit.team
    for agent in range(k):
        enemy = (1 - team) * k + agent
        if visible[team, enemy]:
            _put_unit(row, words, agent, unit, index, units, enemy, features)
            targets[agent] = enemy
            continue
        if units[enemy].alive and seen[team, agent].tick >= 0:
            _put_memory(row, agent, unit, match, seen[team, agent])
        _put_who(row, agent, units[enemy], heroes[enemy])
    slot = s.ALLY_SLOT
    for agent in range(k):
        ally = team * k + agent
        place = slot if ally != index else s.SELF_SLOT
        slot += ally != index
        if units[ally].alive:
            _put_unit(row, words, place, unit, index, units, ally, features)
            targets[place] = ally
        else:
            _put_who(row, place, units[ally], heroes[ally])


@inlined
def _put_who(row, slot, goal, hero):
    """Write what is known of a hero that is not seen: its role, and whether it is dead."""
    at = s.OWN + slot * s.FEATURES
    row[at] = 127
    row[at + 13] = 0 if goal.alive else 127
    row[at + 15 + hero.role] = 127


@inlined
def _find_nearest(units, unit, group, found, counts, near, near_d2):
    """Write the nearest units of a group, the nearest first; return how many they are."""
    team, slots, filled = unit.team, GROUP_SLOTS[group], 0
    for number in range(counts[team, group]):
        other = found[team, group, number]
        d2 = distance2(unit, units[other])
        if filled == slots and d2 >= near_d2[slots - 1]:
            continue
        place = min(filled, slots - 1)
        while place > 0 and near_d2[place - 1] > d2:
            near_d2[place], near[place] = near_d2[place - 1], near[place - 1]
            place -= 1
        near_d2[place], near[place] = d2, other
        filled = min(filled + 1, slots)
    return filled


@inlined
def _put_nearest(
    row, words, targets, match, units, seen, visible, index, slot, filled, near, features, layout
):
    """Write the units of a group that are the nearest to a hero."""
    unit = units[index]
    team = unit.team
    for place in range(filled):
        other = near[place]
        if visible[team, other]:
            _put_unit(row, words, slot + place, unit, index, units, other, features)
        else:  # a structure
            known = remembered(other, team, layout)
            _put_memory(row, slot + place, unit, match, seen[team, known])
            put_kind(row, s.OWN + (slot + place) * s.FEATURES, units[other].kind)
        if slot + place < s.TARGETS:
            targets[slot + place] = other


@inlined
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


@inlined
def put_match(row, match, units, seen, team, lanes, layout):
    """Write what a team knows of the match: entries 32 to 63; `lanes` as in `Shared`."""
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
        at = 54 + 3 * lane
        row[at], row[at + 1] = lanes[team, lane, 0], lanes[team, lane, 1]
        row[at + 2] = quantised(lane_y(layout.lanes, lane) / 16.0)


@inlined
def observe(
    match,
    units,
    heroes,
    seen,
    visible,
    index,
    row,
    words,
    targets,
    features,
    found,
    counts,
    near,
    near_d2,
    layout,
):
    """Write the observation of a hero, but for what its team knows of the match, and its targets.

    Args:
        row: int8 [OBSERVATION], all 0; `words` is the same memory, int32, four entries each.
        targets: int16 [TARGETS], the unit in each target slot, -1 for none.
        features, found, counts, near, near_d2: of `Shared`, the features as int32, too. Handing on
            the tuple costs more than what is done here: each array's references are counted.
    """
    targets[:] = -1
    _put_self(row, match, units, heroes, index, layout)
    _put_heroes(row, words, targets, match, units, heroes, seen, visible, index, features, layout)
    for group in range(len(GROUP_SLOT)):
        filled = _find_nearest(units, units[index], group, found, counts, near, near_d2)
        if filled:
            slot = GROUP_SLOT[group]
            _put_nearest(
                row,
                words,
                targets,
                match,
                units,
                seen,
                visible,
                index,
                slot,
                filled,
                near,
                features,
                layout,
            )
