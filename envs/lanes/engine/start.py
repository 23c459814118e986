"""The beginning of a match of Lanes, and what enters it later: waves of creeps and levels."""

from __future__ import annotations

import numpy as np

from envs.lanes import rules as r
from envs.lanes.compiling import compiled
from envs.lanes.engine.geometry import camp, draw, lane_y, on_side

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@compiled
def _place(unit, kind, team, lane, x, y):
    """Put a unit on the map with nothing done to it."""
    unit.kind, unit.team, unit.lane, unit.leg = kind, team, lane, 0
    unit.x, unit.y = np.float32(x), np.float32(y)
    unit.to_x, unit.to_y = unit.x, unit.y
    unit.target, unit.cooldown, unit.alive = -1, 0, 1
    unit.stun, unit.slow, unit.wait = 0, 0, 0
    clear_effects(unit)


@compiled
def clear_effects(unit):
    """Forget what a tick did to a unit."""
    unit.push_x, unit.push_y = np.float32(0.0), np.float32(0.0)
    unit.hurt, unit.best_hit, unit.hit_by = 0, 0, -1
    unit.new_stun, unit.new_slow, unit.heal = 0, 0, 0


@compiled
def _arm(unit, hp, damage, reach, period, speed):
    """Give a unit full health and its weapon."""
    unit.hp, unit.max_hp, unit.damage = hp, hp, damage
    unit.reach, unit.period, unit.speed = np.float32(reach), period, np.float32(speed)


@compiled
def start_match(match, units, heroes, seen, layout, seed):
    """Write the first state of a match: roles by its seed, the same for both teams.

    Nothing is left of the match before, so a state follows from the seed and the actions.
    """
    match.seed, match.tick, match.wave, match.winner, match.steps = seed, 0, 0, r.RUNNING, 0
    for team in range(2):
        match.kills[team], match.towers[team] = 0, 0
        match.tower_hp[team], match.core_hp[team] = 0, 0
        for agent in range(layout.agents):
            index = team * layout.agents + agent
            _start_hero(units[index], heroes[index], team, agent, _role(seed, agent, layout.agents))
        for number in range(layout.towers):
            _start_structure(units, team, number, layout)
    for number in range(layout.neutrals - layout.creeps):
        team, place = number // layout.per_team, number % layout.per_team
        unit = units[layout.creeps + number]
        _place(unit, r.CREEP, team, place // r.CREEPS, 0.0, 0.0)
        _arm(unit, 0, 0, 0.0, 0, 0.0)
        unit.alive = 0
    for number in range(r.CAMPS):
        start_neutral(units[layout.neutrals + number], number, layout.lanes)
    for team in range(2):
        _start_memory(units, seen[team], 1 - team, layout)


@compiled
def _role(seed, agent, agents):
    """Return the role of an agent: all five in order, or different ones drawn by the seed."""
    if agents == r.MOST_AGENTS:
        return agent
    taken, role = 0, 0
    for number in range(agent + 1):
        left = r.MOST_AGENTS - number
        place = np.int64(draw(seed, 0, number, 1) % np.uint64(left))
        for role in range(r.MOST_AGENTS):
            if not (taken >> role) & 1:
                if place == 0:
                    break
                place -= 1
        taken |= 1 << role
    return role


@compiled
def _start_hero(unit, hero, team, agent, role):
    _place(unit, r.HERO, team, -1, 0.0, 0.0)
    hero.role, hero.items, unit.level = role, 0, 1
    hero.xp, hero.gold = 0, r.START_GOLD
    hero.cooldown_a, hero.cooldown_b, hero.recall, hero.aggro = 0, 0, 0, 0
    hero.primary, hero.direction, hero.order_target, hero.spent = r.HOLD, 0, -1, 0
    hero.kills, hero.deaths, hero.last_hits, hero.hurt = 0, 0, 0, 0
    hero.won_xp, hero.won_gold, hero.won_hits, hero.won_kills, hero.won_deaths = 0, 0, 0, 0, 0
    hero.old_hp, hero.old_mana = np.float32(0.0), np.float32(0.0)
    _arm(
        unit,
        r.HERO_HP[role],
        r.HERO_DAMAGE[role],
        r.HERO_REACH[role],
        r.HERO_PERIOD[role],
        r.HERO_SPEED[role],
    )
    hero.max_mana = r.HERO_MANA[role]
    enter_base(unit, team, agent)
    revive(unit, hero)


@compiled
def enter_base(unit, team, agent):
    """Put a hero beside its core."""
    unit.x, unit.y = np.float32(on_side(team, r.CORE_X + 1.0)), np.float32(agent - 2.0)
    unit.to_x, unit.to_y = unit.x, unit.y


@compiled
def revive(unit, hero):
    """Give a hero full health and mana."""
    unit.hp, hero.mana, unit.alive, unit.wait = unit.max_hp, hero.max_mana, 1, 0


@compiled
def _start_structure(units, team, number, layout):
    unit = units[layout.structures + team * layout.towers + number]
    if number == layout.towers - 1:
        _place(unit, r.CORE, team, -1, on_side(team, r.CORE_X), 0.0)
        _arm(unit, r.CORE_HP, r.CORE_DAMAGE, r.CORE_REACH, r.CORE_PERIOD, 0.0)
        return
    lane = number // 2
    x = r.OUTER_X if number % 2 == 0 else r.INNER_X
    _place(unit, r.TOWER, team, lane, on_side(team, x), lane_y(layout.lanes, lane))
    _arm(unit, r.TOWER_HP, r.TOWER_DAMAGE, r.TOWER_REACH, r.TOWER_PERIOD, 0.0)


@compiled
def _start_memory(units, seen, enemy, layout):
    """Let a team know the map: the enemy's structures, and of nothing else where it is."""
    for place in range(len(seen)):
        memory = seen[place]
        memory.x, memory.y, memory.tick = np.float32(0.0), np.float32(0.0), -1
        memory.hp, memory.max_hp, memory.level = 0, 0, 0
    for number in range(layout.towers):
        unit = units[layout.structures + enemy * layout.towers + number]
        memory = seen[layout.agents + number]
        memory.x, memory.y, memory.tick = unit.x, unit.y, 0
        memory.hp, memory.max_hp, memory.level = unit.hp, unit.max_hp, 0


@compiled
def start_neutral(unit, number, lanes):
    """Put the neutral of a camp in its place."""
    x, y = camp(lanes, number)
    _place(unit, r.NEUTRAL, 2, number, x, y)
    _arm(
        unit,
        r.NEUTRAL_HP,
        r.NEUTRAL_DAMAGE,
        r.NEUTRAL_REACH,
        r.NEUTRAL_PERIOD,
        r.NEUTRAL_SPEED,
    )


@compiled
def send_wave(match, units, layout):
    """Put a wave of creeps beside each core, as far as there is room for them in their lane."""
    growth = 100 + r.WAVE_GROWTH * match.wave
    for team in range(2):
        for lane in range(layout.lanes):
            first = layout.creeps + team * layout.per_team + lane * r.CREEPS
            sent = 0
            for index in range(first, first + r.CREEPS):
                unit = units[index]
                if unit.alive or sent == r.WAVE_MELEE + r.WAVE_RANGED:
                    continue
                _place(unit, r.CREEP, team, lane, on_side(team, r.SPAWN_X), 0.0)
                if sent < r.WAVE_MELEE:
                    hp, damage, reach = r.MELEE_HP, r.MELEE_DAMAGE, r.MELEE_REACH
                else:
                    hp, damage, reach = r.RANGED_HP, r.RANGED_DAMAGE, r.RANGED_REACH
                hp, damage = hp * growth // 100, damage * growth // 100
                _arm(unit, hp, damage, reach, r.CREEP_PERIOD, r.CREEP_SPEED)
                sent += 1
    match.wave += 1


@compiled
def raise_level(unit, hero):
    """Raise a hero's level while its experience suffices."""
    while unit.level < r.MOST_LEVEL and hero.xp >= r.XP_OF_LEVEL[unit.level + 1]:
        unit.level += 1
        unit.max_hp += r.HERO_HP_LEVEL[hero.role]
        unit.damage += r.HERO_DAMAGE_LEVEL[hero.role]
        hero.max_mana += r.HERO_MANA_LEVEL
        if unit.alive:
            unit.hp += r.HERO_HP_LEVEL[hero.role]
            hero.mana += r.HERO_MANA_LEVEL


@compiled
def buy(unit, hero, item):
    """Give a hero an item that it can pay and does not have; return whether it did."""
    if (hero.items >> item) & 1 or hero.gold < r.ITEM_COST[item]:
        return False
    hero.gold -= r.ITEM_COST[item]
    hero.items |= 1 << item
    if item == r.BOOTS:
        unit.speed = np.float32(r.HERO_SPEED[hero.role] * r.BOOTS_PERCENT / 100)
    elif item == r.BLADE:
        unit.damage += r.BLADE_DAMAGE
    elif item == r.VEST:
        unit.max_hp += r.VEST_HP
        unit.hp += r.VEST_HP if unit.alive else 0
    else:
        hero.max_mana += r.TOME_MANA
        hero.mana += r.TOME_MANA if unit.alive else 0
    return True
