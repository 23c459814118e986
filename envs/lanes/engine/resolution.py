"""The end of a tick of Lanes: all that the units did happens at once."""

from __future__ import annotations

import numpy as np

from envs.lanes import rules as r
from envs.lanes.compiling import compiled
from envs.lanes.engine.geometry import clamped, within
from envs.lanes.engine.orders import at_base
from envs.lanes.engine.start import clear_effects, enter_base, raise_level, revive, start_neutral

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@compiled
def _settle(unit):
    """Move a unit to its next place, shifted by what pushed it, and apply stuns and slows."""
    if unit.push_x != 0.0 or unit.push_y != 0.0:
        unit.to_x = np.float32(clamped(np.float64(unit.to_x) + np.float64(unit.push_x)))
        unit.to_y = np.float32(clamped(np.float64(unit.to_y) + np.float64(unit.push_y)))
    unit.x, unit.y = unit.to_x, unit.to_y
    unit.stun = max(unit.stun, unit.new_stun)
    unit.slow = max(unit.slow, unit.new_slow)


@compiled
def _share_xp(units, heroes, dead, team, amount, layout):
    """Share experience equally among a team's living heroes near a death."""
    near = 0
    start = team * layout.agents
    for index in range(start, start + layout.agents):
        near += units[index].alive and within(units[index], dead, r.XP_RADIUS)
    if near == 0:
        return
    for index in range(start, start + layout.agents):
        if units[index].alive and within(units[index], dead, r.XP_RADIUS):
            heroes[index].xp += amount // near
            heroes[index].won_xp += amount // near


@compiled
def _pay(hero, gold):
    hero.gold += gold
    hero.won_gold += gold


@compiled
def _hero_dies(match, units, heroes, index, layout):
    unit, hero = units[index], heroes[index]
    team = 1 - unit.team
    hero.deaths += 1
    hero.won_deaths += 1
    match.kills[team] += 1
    _share_xp(units, heroes, unit, team, r.HERO_XP + r.HERO_XP_LEVEL * unit.level, layout)
    killer = unit.hit_by
    if killer < 0:
        return
    heroes[killer].kills += 1
    heroes[killer].won_kills += 1
    _pay(heroes[killer], r.HERO_GOLD)
    near = 0
    start = team * layout.agents
    for ally in range(start, start + layout.agents):
        near += ally != killer and units[ally].alive and within(units[ally], unit, r.XP_RADIUS)
    for ally in range(start, start + layout.agents):
        if ally != killer and units[ally].alive and within(units[ally], unit, r.XP_RADIUS):
            _pay(heroes[ally], r.ASSIST_GOLD // near)


@compiled
def _reward_death(match, units, heroes, index, layout):
    """Hand out what a death brings; who dies in the same tick counts as living."""
    unit = units[index]
    if unit.kind == r.HERO:
        _hero_dies(match, units, heroes, index, layout)
    elif unit.kind == r.TOWER or unit.kind == r.CORE:
        enemy = 1 - unit.team
        for hero in range(enemy * layout.agents, (enemy + 1) * layout.agents):
            _pay(heroes[hero], r.TOWER_GOLD)
    elif unit.kind == r.CREEP:
        _share_xp(units, heroes, unit, 1 - unit.team, r.CREEP_XP, layout)
        _last_hit(heroes, unit.hit_by, r.CREEP_GOLD)
    elif unit.hit_by >= 0:
        _share_xp(units, heroes, unit, units[unit.hit_by].team, r.NEUTRAL_XP, layout)
        _last_hit(heroes, unit.hit_by, r.NEUTRAL_GOLD)


@compiled
def _last_hit(heroes, killer, gold):
    if killer >= 0:
        heroes[killer].last_hits += 1
        heroes[killer].won_hits += 1
        _pay(heroes[killer], gold)


@compiled
def _bury(unit):
    """Take a dead unit off the map, and say when it comes back."""
    unit.alive, unit.hp, unit.target = 0, 0, -1
    unit.stun, unit.slow = 0, 0
    if unit.kind == r.HERO:
        unit.wait = r.RESPAWN + r.RESPAWN_LEVEL * unit.level
    elif unit.kind == r.NEUTRAL:
        unit.wait = r.NEUTRAL_RESPAWN


@compiled
def resolve(match, units, heroes, layout):
    """Move all units, take health, hand out what deaths bring, and decide the match."""
    deaths = 0
    for index in range(layout.units):
        unit = units[index]
        if not unit.alive:
            continue
        _settle(unit)
        if unit.heal > 0:
            unit.hp = min(unit.max_hp, unit.hp + unit.heal)
        if unit.hurt > 0:
            unit.hp -= unit.hurt
            if unit.kind == r.HERO:
                heroes[index].hurt += unit.hurt
                heroes[index].recall = 0
            elif unit.kind == r.NEUTRAL and unit.target < 0 and unit.hit_by >= 0:
                unit.target = unit.hit_by
            if unit.hp <= 0:
                deaths += 1
                continue
        clear_effects(unit)
    if deaths:
        for index in range(layout.units):
            if units[index].alive and units[index].hp <= 0:
                _reward_death(match, units, heroes, index, layout)
        for index in range(layout.units):
            if units[index].alive and units[index].hp <= 0:
                _bury(units[index])
                clear_effects(units[index])
    for index in range(layout.structures):
        raise_level(units[index], heroes[index])
    match.winner = _winner(match, units, layout)


@compiled
def _standing(units, team, layout):
    """Return how many towers of a team stand."""
    first = layout.structures + team * layout.towers
    standing = 0
    for index in range(first, first + layout.towers - 1):
        standing += units[index].alive
    return standing


@compiled
def _winner(match, units, layout):
    """Return the outcome: by a core, at the time limit by towers, then by kills, then a draw."""
    last = layout.structures + layout.towers - 1
    has_0, has_1 = units[last].alive, units[last + layout.towers].alive
    if has_0 and has_1 and match.tick + 1 < r.LIMIT:
        return r.RUNNING
    first, second = np.int64(has_0), np.int64(has_1)
    if first == second == 1:
        first, second = _standing(units, 0, layout), _standing(units, 1, layout)
        if first == second:
            first, second = np.int64(match.kills[0]), np.int64(match.kills[1])
    if first == second:
        return r.DRAW
    return 0 if first > second else 1


@compiled
def _regenerate(unit, hero):
    extra = r.BASE_REGEN if at_base(unit) else 0
    unit.hp = min(unit.max_hp, unit.hp + r.REGEN_HP + extra)
    hero.mana = min(hero.max_mana, hero.mana + r.REGEN_MANA + extra)


@compiled
def begin_tick(match, units, heroes, layout):
    """Count down what lasts, bring back heroes and neutrals, and heal."""
    for index in range(layout.units):
        unit = units[index]
        if unit.alive:
            unit.to_x, unit.to_y = unit.x, unit.y
            unit.cooldown = max(0, unit.cooldown - 1)
            unit.stun = max(0, unit.stun - 1)
            unit.slow = max(0, unit.slow - 1)
        elif unit.wait > 0:
            unit.wait -= 1
            if unit.wait == 0:
                if unit.kind == r.HERO:
                    enter_base(unit, unit.team, index % layout.agents)
                    revive(unit, heroes[index])
                else:
                    start_neutral(unit, index - layout.neutrals, layout.lanes)
    for index in range(layout.structures):
        unit, hero = units[index], heroes[index]
        hero.cooldown_a = max(0, hero.cooldown_a - 1)
        hero.cooldown_b = max(0, hero.cooldown_b - 1)
        hero.aggro = max(0, hero.aggro - 1)
        if not unit.alive:
            continue
        if match.tick % r.REGEN_PERIOD == 0:
            _regenerate(unit, hero)
        if hero.recall >= r.RECALL:
            hero.recall = 0
            enter_base(unit, unit.team, index % layout.agents)
