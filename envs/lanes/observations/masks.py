"""Which actions a hero of Lanes may choose, by what its team sees."""

from __future__ import annotations

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.compiling import inlined
from envs.lanes.engine.orders import at_base, skill_is_ready

# mypy: disable-error-code="no-untyped-def,no-untyped-call"


@inlined
def _mask_targets(mask, targets, start, stop):
    """Allow the units in target slots; return whether there is any.

    Without a branch: who is there is as good as random.
    """
    found = False
    for slot in range(start, stop):
        there = targets[slot] >= 0
        mask[slot] = there
        found |= there
    return found


@inlined
def _mask_skill(mask, hero, targets, skill):
    """Allow a skill's targets or directions; return whether it can be used."""
    direction = s.DIRECTION_MASK + (1 + skill) * r.DIRECTIONS
    target = s.TARGET_MASK + (1 + skill) * s.TARGETS
    kind = r.SKILL_KIND[hero.role, skill]
    if kind == r.DASH:
        mask[direction : direction + r.DIRECTIONS] = 1
        mask[target] = 1
        return True
    mask[direction] = 1
    allowed = mask[target : target + s.TARGETS]
    if kind == r.HEAL:
        return _mask_targets(allowed, targets, s.ALLY_SLOT, s.TARGETS)
    found = _mask_targets(allowed, targets, 0, s.ENEMY_STRUCTURE_SLOT)
    return found | _mask_targets(allowed, targets, s.NEUTRAL_SLOT, s.ALLY_SLOT)


@inlined
def write_masks(units, heroes, index, targets, mask):
    """Write 1 for each choice that a hero has; holding is always one of them.

    Args:
        targets: int16 [TARGETS], the unit in each target slot.
        mask: uint8 [MASK], all 0: primary actions, then directions of move and the two skills,
            then targets of attack and the two skills. Where a primary action is not allowed, or
            does not use a head, there is one choice.
    """
    unit, hero = units[index], heroes[index]
    mask[r.HOLD] = 1
    mask[s.DIRECTION_MASK : s.DIRECTION_MASK + r.DIRECTIONS] = 1
    if not unit.alive or at_base(unit):
        for item in range(len(r.ITEMS)):
            can_pay = hero.gold >= r.ITEM_COST[item] and not (hero.items >> item) & 1
            mask[r.BUY + item] = 1 if can_pay else 0
    may_act = unit.alive and unit.stun == 0
    if may_act:
        mask[r.MOVE] = 1
        mask[r.GO_HOME] = 0 if at_base(unit) else 1
    # all enemies in target slots: structures are there only while they can be hurt
    attack = mask[s.TARGET_MASK : s.TARGET_MASK + s.TARGETS]
    has_target = _mask_targets(attack, targets, 0, s.ALLY_SLOT)
    mask[r.ATTACK] = 1 if may_act and has_target else 0
    if not has_target:
        mask[s.TARGET_MASK] = 1
    for skill in range(2):
        usable = _mask_skill(mask, hero, targets, skill)
        if not usable:
            mask[s.TARGET_MASK + (1 + skill) * s.TARGETS] = 1
        ready = may_act and usable and skill_is_ready(hero, skill)
        mask[r.SKILL_A + skill] = 1 if ready else 0
