"""What heroes do in a tick, as their orders say: walk, hit, use a skill, go home, buy."""

from __future__ import annotations

import numpy as np

from envs.lanes import rules as r
from envs.lanes.compiling import compiled
from envs.lanes.engine.geometry import clamped, draw, on_side, pace, step_towards, within
from envs.lanes.engine.minions import is_vulnerable
from envs.lanes.engine.start import buy

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@compiled
def at_base(unit):
    """Return whether a hero is near enough to its core to heal and to buy."""
    dx = np.float64(unit.x) - on_side(unit.team, r.CORE_X)
    dy = np.float64(unit.y)
    return dx * dx + dy * dy <= r.BASE_RADIUS * r.BASE_RADIUS


@compiled
def skill_amount(unit, hero, skill):
    """Return the health that a skill takes or gives, by level and items."""
    amount = r.SKILL_AMOUNT[hero.role, skill] + r.SKILL_LEVEL[hero.role, skill] * (unit.level - 1)
    if (hero.items >> r.TOME) & 1:
        amount = amount * r.TOME_PERCENT // 100
    return amount


@compiled
def skill_is_ready(hero, skill):
    """Return whether a skill has cooled down and its mana is there."""
    cooldown = hero.cooldown_a if skill == 0 else hero.cooldown_b
    return cooldown == 0 and hero.mana >= r.SKILL_MANA[hero.role, skill]


@compiled
def may_be_hit(units, index, layout):
    """Return whether a unit is there to be hit."""
    if not units[index].alive:
        return False
    if layout.structures <= index < layout.creeps:
        return is_vulnerable(units, index, layout)
    return True


@compiled
def hero_hits(units, heroes, index, target, amount, layout):
    """Let a hero take health from a unit, at the end of the tick, and remember who hit hardest."""
    unit = units[target]
    unit.hurt += amount
    if amount > unit.best_hit:
        unit.best_hit, unit.hit_by = amount, index
    elif amount == unit.best_hit and unit.hit_by >= 0:
        if units[unit.hit_by].team != units[index].team:
            unit.hit_by = -2  # a neutral that both teams hit alike: it is no one's
    if unit.kind == r.HERO:
        heroes[index].aggro = r.AGGRO


@compiled
def _sees(unit, goal):
    """Return whether a hero itself sees the place of a unit, so that its order may follow it."""
    return goal.team == unit.team or within(unit, goal, r.SIGHT[r.HERO])


@compiled
def _walk_to_memory(unit, seen, target, layout):
    """Walk to where the team saw a unit last: what it does not see must not move its heroes."""
    place = remembered(target, unit.team, layout)
    if place >= 0 and seen[unit.team, place].tick >= 0:
        memory = seen[unit.team, place]
        step_towards(unit, np.float64(memory.x), np.float64(memory.y), pace(unit))


@compiled
def remembered(index, team, layout):
    """Return where a team remembers a unit: an enemy hero or structure, a neutral; else -1."""
    enemy = 1 - team
    if index < layout.structures:
        return index - enemy * layout.agents
    if index < layout.creeps:
        return layout.agents + index - layout.structures - enemy * layout.towers
    if index >= layout.neutrals:
        return layout.agents + layout.towers + index - layout.neutrals
    return -1


@compiled
def _attack(match, units, heroes, seen, index, layout):
    hero, unit = heroes[index], units[index]
    target = hero.order_target
    if target < 0:
        return
    goal = units[target]
    if not _sees(unit, goal):
        _walk_to_memory(unit, seen, target, layout)
    elif not may_be_hit(units, target, layout):
        return
    elif not within(unit, goal, np.float64(unit.reach)):
        step_towards(unit, np.float64(goal.x), np.float64(goal.y), pace(unit))
    elif unit.cooldown == 0:
        slot = index % layout.agents
        luck = np.int64(draw(match.seed, match.tick, slot, 2) % np.uint64(2 * r.SPREAD + 1))
        amount = unit.damage * (100 - r.SPREAD + luck) // 100
        hero_hits(units, heroes, index, target, amount, layout)
        unit.cooldown = unit.period


@compiled
def _push(unit, target, kind):
    """Shift a unit away from a hero, or to beside it."""
    dx = np.float64(target.x) - np.float64(unit.x)
    dy = np.float64(target.y) - np.float64(unit.y)
    distance = np.sqrt(dx * dx + dy * dy)
    if distance == 0.0:
        return
    tiles = r.PUSH_TILES if kind == r.PUSH else min(0.0, r.PULL_GAP - distance)
    # multiples of one number, whose sum is exact in any order: else team 0 would push first
    target.push_x += np.float32(np.rint(dx * tiles / distance * r.PUSH_GRAIN) / r.PUSH_GRAIN)
    target.push_y += np.float32(np.rint(dy * tiles / distance * r.PUSH_GRAIN) / r.PUSH_GRAIN)


@compiled
def _strike(match, units, heroes, index, target, skill, layout):
    """Apply a skill with a target."""
    hero, unit, goal = heroes[index], units[index], units[target]
    kind, amount = r.SKILL_KIND[hero.role, skill], skill_amount(units[index], hero, skill)
    if kind == r.HEAL:
        goal.heal += amount
        return
    hero_hits(units, heroes, index, target, amount, layout)
    if kind == r.STUN:
        goal.new_stun = max(goal.new_stun, r.SKILL_TICKS[hero.role, skill])
    elif kind == r.SLOW:
        goal.new_slow = max(goal.new_slow, r.SKILL_TICKS[hero.role, skill])
    elif kind == r.PUSH or kind == r.PULL:
        _push(unit, goal, kind)
    elif r.SKILL_RADIUS[hero.role, skill] > 0.0:
        _splash(units, heroes, index, target, amount, r.SKILL_RADIUS[hero.role, skill], layout)


@compiled
def _splash(units, heroes, index, target, amount, radius, layout):
    """Hurt the other enemies around a target: heroes, creeps and neutrals."""
    for other in range(layout.units):
        found = units[other]
        if other == target or not found.alive or found.team == units[index].team:
            continue
        if layout.structures <= other < layout.creeps:
            continue
        if within(units[target], found, radius):
            hero_hits(units, heroes, index, other, amount, layout)


@compiled
def _use_skill(match, units, heroes, seen, index, skill, layout):
    hero, unit = heroes[index], units[index]
    if hero.spent:  # after a skill with a target the hero goes on with its weapon
        if r.SKILL_KIND[hero.role, skill] not in (r.DASH, r.HEAL):
            _attack(match, units, heroes, seen, index, layout)
        return
    if not skill_is_ready(hero, skill):
        return
    reach = r.SKILL_RANGE[hero.role, skill]
    if r.SKILL_KIND[hero.role, skill] == r.DASH:
        _walk(unit, hero.direction, reach)
    else:
        target = hero.order_target
        if target < 0 or layout.structures <= target < layout.creeps:
            return
        goal = units[target]
        if not _sees(unit, goal):
            _walk_to_memory(unit, seen, target, layout)
            return
        if not goal.alive:
            return
        if not within(unit, goal, reach):
            step_towards(unit, np.float64(goal.x), np.float64(goal.y), pace(unit))
            return
        _strike(match, units, heroes, index, target, skill, layout)
    hero.spent = 1
    hero.mana -= r.SKILL_MANA[hero.role, skill]
    if skill == 0:
        hero.cooldown_a = r.SKILL_COOLDOWN[hero.role, skill]
    else:
        hero.cooldown_b = r.SKILL_COOLDOWN[hero.role, skill]


@compiled
def _walk(unit, direction, length):
    """Move by a length in one of eight directions, as the team sees them."""
    x = np.float64(unit.x) + on_side(unit.team, r.DIRECTION_X[direction]) * length
    y = np.float64(unit.y) + r.DIRECTION_Y[direction] * length
    unit.to_x, unit.to_y = np.float32(clamped(x)), np.float32(clamped(y))


@compiled
def act_hero(match, units, heroes, seen, index, layout):
    """Follow a hero's order for a tick."""
    hero, unit = heroes[index], units[index]
    order = hero.primary
    if order >= r.BUY:
        if not hero.spent and (not unit.alive or at_base(unit)):
            buy(unit, hero, order - r.BUY)
        hero.spent = 1
    if not unit.alive or unit.stun > 0:
        hero.recall = 0
        return
    if order == r.GO_HOME:
        hero.recall += 1
        return
    hero.recall = 0
    if order == r.MOVE:
        _walk(unit, hero.direction, pace(unit))
    elif order == r.ATTACK:
        _attack(match, units, heroes, seen, index, layout)
    elif order == r.SKILL_A or order == r.SKILL_B:
        _use_skill(match, units, heroes, seen, index, order - r.SKILL_A, layout)
