"""Observations, masks and the true state decode to what the match is, as the twin has it."""

import numpy as np
import pytest

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.batch import LanesVector
from tests.envs.lanes import decoding as d
from tests.envs.lanes.playing import MixedPlay, play
from tests.envs.lanes.twin import on_side
from tests.envs.lanes.twin_records import load

MODES = list(r.MODES)


@pytest.fixture(scope="module", params=MODES)
def matches(request):
    """Twins of matches after different numbers of decisions, with rows and targets of heroes."""
    vector = LanesVector(request.param, 4, seed=5)
    mixed = MixedPlay(np.random.default_rng(5), legal=0.1)
    found = []
    for _ in range(10):
        found += [
            (load(vector, m), vector.rows[m].copy(), vector.targets[m].copy())
            for m in range(vector.count)
        ]
        play(vector, 75, mixed)
    return found


def heroes_of(matches):
    for twin, rows, targets in matches:
        for hero, row, slots in zip(twin.heroes, rows, targets, strict=True):
            yield twin, hero, row, slots


def check(fields, row, truth):
    assert set(truth) <= set(fields)
    for name, number in truth.items():
        assert fields[name].says(row, float(number)), (
            f"{name} reads {fields[name].read(row)}, but is {number}"
        )


def is_ready(hero, which):
    cooldown = (hero.cooldown_a, hero.cooldown_b)[which]
    return cooldown == 0 and hero.mana >= r.SKILL_MANA[hero.role, which]


def test_the_own_entries(matches):
    for twin, hero, row, _ in heroes_of(matches):
        body, k = hero.body, twin.mode.agents
        xp = [int(number) for number in r.XP_OF_LEVEL[body.level : body.level + 2]]
        allies, enemies = (
            [h for h in twin.heroes if (h.team == hero.team) == own] for own in (1, 0)
        )
        truth = {
            **{name: hero.role == role for role, name in enumerate(r.ROLES)},
            **{name: hero.has(item) for item, name in enumerate(r.ITEMS)},
            **{mode: twin.mode.name == mode for mode in r.MODES},
            "level": body.level,
            "next_level": (hero.xp - xp[0]) / (xp[1] - xp[0]) if len(xp) > 1 else 0,
            "health": body.hp / body.max_hp,
            "max_hp": body.max_hp,
            "mana_share": hero.mana / hero.max_mana,
            "mana": hero.mana,
            "gold": hero.gold,
            "cooldown_a": hero.cooldown_a,
            "cooldown_b": hero.cooldown_b,
            "ready_a": is_ready(hero, 0),
            "ready_b": is_ready(hero, 1),
            "cooldown": body.cooldown,
            "stun": body.stun,
            "slow": body.slow,
            "recall": hero.recall,
            "wait": body.wait,
            "alive": body.alive,
            "x": on_side(hero.team, body.x),
            "y": body.y,
            "in_base": twin.in_base(hero),
            "in_river": abs(body.x) < r.RIVER,
            "hurt": hero.hurt / body.max_hp,
            "aggro": hero.aggro,
            "time": twin.tick,
            "wave_time": (twin.tick - r.FIRST_WAVE) % r.WAVE_PERIOD,
            "lead": twin.kills[hero.team] - twin.kills[1 - hero.team],
            "allies_dead": k - sum(ally.body.alive for ally in allies),
            "enemies_dead": k - sum(enemy.body.alive for enemy in enemies),
        }
        assert set(truth) == set(d.OWN)
        check(d.OWN, row, truth)


def test_the_structures_and_lanes(matches):
    for twin, hero, row, _ in heroes_of(matches):
        for team, towers, core in (
            (hero.team, d.OWN_TOWERS, d.OWN_CORE),
            (1 - hero.team, d.ENEMY_TOWERS, d.ENEMY_CORE),
        ):
            *standing, last = twin.structures[team]
            states = [127 if tower.alive else -127 for tower in standing]
            assert row[towers:core].tolist() == states + [0] * (6 - len(states))
            hp = last.hp if team == hero.team else twin.memory[hero.team].seen[last.index].hp
            assert d.Field(core, r.CORE_HP).says(row, hp)
        for lane, y in enumerate(twin.mode.lanes):
            living = [u for u in twin.creeps(hero.team, lane) if u.alive]
            front = max([on_side(u.team, u.x) for u in living], default=-16.0)
            for number, (value, full) in enumerate([(front, 16), (len(living), r.CREEPS), (y, 16)]):
                assert d.Field(d.LANES + 3 * lane + number, full).says(row, value)
        assert not row[d.LANES + 3 * len(twin.mode.lanes) : s.OWN].any()


def nearest(hero, units, count):
    """Return the nearest units, and None for the slots that are left; the first of equals first."""
    found = sorted(units, key=lambda unit: unit.distance2(hero.body.x, hero.body.y))[:count]
    return found + [None] * (count - len(found))


def units_in_slots(twin, hero):
    """Return the unit of each slot, None for an empty one."""
    team, k = hero.team, twin.mode.agents
    sees = twin.memory[team].visible
    heroes = [[h.body for h in twin.heroes if h.team == t] for t in (0, 1)]
    creeps = [[u for u in twin.units if u.kind == r.CREEP and u.team == t] for t in (0, 1)]
    open_to_hits = [
        [u for u in twin.structures[t] if u.alive and twin.can_be_hurt(u)] for t in (0, 1)
    ]
    camps = [unit for unit, _ in twin.neutrals]
    camps = camps if team == 0 else camps[2:] + camps[:2]
    return [
        *heroes[1 - team],
        *[None] * (r.MOST_AGENTS - k),
        *nearest(hero, [u for u in creeps[1 - team] if sees[u.index]], 6),
        *nearest(hero, open_to_hits[1 - team], 2),
        *nearest(hero, [u for u in camps if sees[u.index]], 2),
        *[ally for ally in heroes[team] if ally is not hero.body],
        *[None] * (r.MOST_AGENTS - k),
        hero.body,
        *nearest(hero, [u for u in creeps[team] if u.alive], 3),
        *nearest(hero, open_to_hits[team], 1),
    ]


def place_truth(hero, x, y):
    ahead, aside = on_side(hero.team, x - hero.body.x), y - hero.body.y
    return {"ahead": ahead, "aside": aside, "distance": (ahead**2 + aside**2) ** 0.5}


def seen_truth(hero, unit):
    is_hero = unit.kind == r.HERO
    truth = {
        "known": 1,
        "seen": 1,
        "health": unit.hp / unit.max_hp,
        "hp": unit.hp,
        "damage": unit.damage,
        "reach": unit.reach,
        "in_reach": hero.body.within(unit, hero.body.reach),
        "stun": unit.stun,
        "slow": unit.slow,
        "age": 0,
        "dead": 0,
        "level": unit.level if is_hero else 0,
    }
    return truth | place_truth(hero, unit.x, unit.y)


def remembered_truth(twin, hero, seen):
    truth = {
        "known": 1,
        "seen": 0,
        "health": seen.hp / seen.max_hp,
        "hp": seen.hp,
        "damage": 0,
        "in_reach": 0,
        "age": twin.tick - seen.tick,
        "level": seen.level,
    }
    return truth | place_truth(hero, seen.x, seen.y)


def test_the_slots_of_units(matches):
    counts = dict.fromkeys(("seen", "remembered", "dead", "unknown", "empty"), 0)
    for twin, hero, row, targets in heroes_of(matches):
        memory = twin.memory[hero.team]
        for slot, unit in enumerate(units_in_slots(twin, hero)):
            features = d.slot_of(row, slot)
            sees = unit is not None and memory.visible[unit.index]
            if slot < s.TARGETS:
                may_target = sees or (unit is not None and unit.kind in (r.TOWER, r.CORE))
                assert targets[slot] == (unit.index if may_target else -1)
            if unit is None:
                counts["empty"] += 1
                assert not features.any()
                continue
            if unit.kind == r.HERO:
                roles = [field.read(features) for field in d.ROLE]
                assert roles == [float(twin.heroes[unit.index].role == i) for i in range(5)]
            else:
                is_me = sees and unit.target == hero.body.index
                ranged = unit.kind == r.CREEP and unit.reach == r.RANGED_REACH
                kinds = {
                    "targets_me": is_me,
                    "ranged": ranged,
                    "tower": unit.kind == r.TOWER,
                    "core": unit.kind == r.CORE,
                    "neutral": unit.kind == r.NEUTRAL,
                }
                check(d.NOT_A_HERO, features, kinds)
            if sees:
                counts["seen"] += 1
                check(d.UNIT, features, seen_truth(hero, unit))
            elif not unit.alive:
                counts["dead"] += 1
                check(d.UNIT, features, dict.fromkeys(d.UNIT, 0) | {"known": 1, "dead": 1})
            elif (seen := memory.seen[unit.index]).tick >= 0:
                counts["remembered"] += 1
                check(d.UNIT, features, remembered_truth(twin, hero, seen))
            else:
                counts["unknown"] += 1
                check(d.UNIT, features, dict.fromkeys(d.UNIT, 0) | {"known": 1})
    assert min(counts.values()) > 0, counts


def test_the_masks(matches):
    for twin, hero, row, targets in heroes_of(matches):
        mask = row[s.OBSERVATION : s.OBSERVATION + s.MASK].tolist()
        units = [twin.units[t] if t >= 0 else None for t in targets.tolist()]
        alive, in_base = hero.body.alive, twin.in_base(hero)
        acts = alive and hero.body.stun == 0
        foes = [
            slot
            for slot, unit in enumerate(units)
            if unit and unit.team != hero.team and twin.can_be_hurt(unit)
        ]
        soft = [slot for slot in foes if units[slot].kind not in (r.TOWER, r.CORE)]
        friends = [slot for slot, unit in enumerate(units) if unit and unit.team == hero.team]
        primary = [True, acts, acts and bool(foes)]
        rows, directions = [foes], [list(range(8))]
        for which in (0, 1):
            kind = r.SKILL_KIND[hero.role, which]
            able = {r.DASH: [0], r.HEAL: friends}.get(int(kind), soft)
            rows.append(able)
            directions.append(list(range(8)) if kind == r.DASH else [0])
            primary.append(acts and bool(able) and is_ready(hero, which))
        primary.append(acts and not in_base)
        for item, cost in enumerate(r.ITEM_COST):
            shop = not alive or in_base
            primary.append(bool(shop and hero.gold >= cost and not hero.has(item)))
        assert mask[: s.DIRECTION_MASK] == [int(allowed) for allowed in primary]
        for number, allowed in enumerate(directions):
            start = s.DIRECTION_MASK + number * r.DIRECTIONS
            assert np.flatnonzero(mask[start : start + r.DIRECTIONS]).tolist() == allowed
        for number, allowed in enumerate(rows):
            start = s.TARGET_MASK + number * s.TARGETS
            assert np.flatnonzero(mask[start : start + s.TARGETS]).tolist() == (allowed or [0])


def test_the_true_state(matches):
    for twin, hero, row, _ in heroes_of(matches):
        state = row[s.OBSERVATION + s.MASK :]
        allies = [h for h in twin.heroes if h.team == hero.team and h is not hero]
        blank = [None] * (r.MOST_AGENTS - twin.mode.agents)
        enemies = [h for h in twin.heroes if h.team != hero.team]
        for place, other in enumerate([hero, *allies, *blank, *enemies, *blank]):
            part = state[place * s.STATE_HERO : (place + 1) * s.STATE_HERO]
            if other is None:
                assert not part.any()
            else:
                check(d.STATE_HERO, part, state_truth(hero.team, other))
        at = 2 * r.MOST_AGENTS * s.STATE_HERO
        for team in (hero.team, 1 - hero.team):
            *towers, core = twin.structures[team]
            for place, unit in [*enumerate(towers), (6, core)]:
                assert d.Field(at + place, unit.max_hp).says(state, unit.hp)
            at += s.STATE_TOWERS // 2
        check_lanes(twin, hero.team, state[at:])
        at += r.MOST_LANES * s.STATE_LANE
        camps = [unit for unit, _ in twin.neutrals]
        for place, unit in enumerate(camps if hero.team == 0 else camps[2:] + camps[:2]):
            assert d.Field(at + place, r.NEUTRAL_HP).says(state, unit.hp)
        at += r.CAMPS
        lead = twin.kills[hero.team] - twin.kills[1 - hero.team]
        wave_time = (twin.tick - r.FIRST_WAVE) % r.WAVE_PERIOD
        last = [(twin.tick, r.LIMIT), (lead, 20), (twin.wave, 20), (wave_time, r.WAVE_PERIOD)]
        for number, (value, full) in enumerate(last):
            assert d.Field(at + number, full).says(state, value)
        assert at + 8 == s.STATE


def state_truth(team, hero):
    body = hero.body
    return {
        "there": 1,
        "alive": body.alive,
        "x": on_side(team, body.x),
        "y": body.y,
        "health": body.hp / body.max_hp,
        "mana_share": hero.mana / hero.max_mana,
        "level": body.level,
        "gold": hero.gold,
        "max_hp": body.max_hp,
        "damage": body.damage,
        "items": hero.items.bit_count(),
        "stun": body.stun,
        "cooldown_a": hero.cooldown_a,
        "cooldown_b": hero.cooldown_b,
        "wait": body.wait,
        "role": hero.role,
    }


def check_lanes(twin, team, row):
    for lane in range(len(twin.mode.lanes)):
        for side, owner in enumerate((team, 1 - team)):
            living = [u for u in twin.creeps(owner, lane) if u.alive]
            front = max([on_side(owner, u.x) for u in living], default=-16.0)
            entry = s.STATE_LANE * lane + 2 * side
            assert d.Field(entry, 16).says(row, front)
            assert d.Field(entry + 1, r.CREEPS).says(row, len(living))


def test_a_place_is_found_again_from_an_observation(matches):
    # What a hero reads of itself and of a unit gives where that stands, to a sixth of a tile.
    found = 0
    for twin, hero, row, targets in heroes_of(matches):
        own = [d.OWN[name].read(row) for name in ("x", "y")]
        for slot in np.flatnonzero(targets >= 0):
            unit = twin.units[targets[slot]]
            if hero.body.within(unit, 15.9):
                ahead, aside = (d.UNIT[n].read(d.slot_of(row, slot)) for n in ("ahead", "aside"))
                assert abs(own[0] + ahead - on_side(hero.team, unit.x)) < 1 / 6
                assert abs(own[1] + aside - unit.y) < 1 / 6
                found += 1
    assert found > 100
