"""The true state of a match of Lanes for a critic: int8 in 1/127, from the side of one hero."""

from __future__ import annotations

import numpy as np

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.compiling import inlined
from envs.lanes.observations.shared import quantised

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

_AFTER_ALLIES = r.MOST_AGENTS * s.STATE_HERO
_AFTER_HEROES = 2 * r.MOST_AGENTS * s.STATE_HERO


@inlined
def _put_hero(row, unit, hero):
    """Write a hero as team 0 has it."""
    row[:] = 0
    row[0] = 127
    row[1] = 127 if unit.alive else 0
    row[2] = quantised(np.float64(unit.x) / 16.0)
    row[3] = quantised(np.float64(unit.y) / 16.0)
    row[4] = quantised(unit.hp / unit.max_hp)
    row[5] = quantised(hero.mana / hero.max_mana)
    row[6] = quantised(unit.level / 10.0)
    row[7] = quantised(hero.gold / 1000.0)
    row[8] = quantised(unit.max_hp / 2000.0)
    row[9] = quantised(unit.damage / 100.0)
    for item in range(len(r.ITEMS)):
        row[10] += 31 if (hero.items >> item) & 1 else 0
    row[11] = quantised(unit.stun / 15.0)
    row[12] = quantised(hero.cooldown_a / 60.0)
    row[13] = quantised(hero.cooldown_b / 60.0)
    row[14] = quantised(unit.wait / 125.0)
    row[15] = quantised(hero.role / 4.0)


@inlined
def _put_lanes(row, at, lanes, team, layout):
    """Write of each lane both teams' foremost creep and their number."""
    for lane in range(layout.lanes):
        for side in range(2):
            owner = team if side == 0 else 1 - team
            place = at + s.STATE_LANE * lane + 2 * side
            row[place], row[place + 1] = lanes[owner, lane, 0], lanes[owner, lane, 1]


@inlined
def _copy_hero(row, at, team, hero_states, index):
    """Write a hero, with the place that its mirror image has for team 1."""
    place, known = row[at : at + s.STATE_HERO], hero_states[index]
    for entry in range(s.STATE_HERO):  # of a view: its bytes are copied at once
        place[entry] = known[entry]
    if team == 1:
        place[2] = -known[2]


@inlined
def _put_match(match, units, team, row, lanes, layout):
    """Write what follows the heroes: structures, lanes, neutrals, the time."""
    at = _AFTER_HEROES
    for side in range(2):
        first = layout.structures + (team if side == 0 else 1 - team) * layout.towers
        for number in range(layout.towers):
            # the core has the last place, however many lanes there are
            place = number if number < layout.towers - 1 else s.STATE_TOWERS // 2 - 1
            unit = units[first + number]
            row[at + side * (s.STATE_TOWERS // 2) + place] = quantised(unit.hp / unit.max_hp)
    at += s.STATE_TOWERS
    _put_lanes(row, at, lanes, team, layout)
    at += r.MOST_LANES * s.STATE_LANE
    for number in range(r.CAMPS):
        camp = number if team == 0 else (number + 2) % r.CAMPS
        neutral = units[layout.neutrals + camp]
        row[at + number] = quantised(neutral.hp / r.NEUTRAL_HP) if neutral.alive else 0
    at += r.CAMPS
    row[at] = quantised(match.tick / r.LIMIT)
    row[at + 1] = quantised((match.kills[team] - match.kills[1 - team]) / 20.0)
    row[at + 2] = quantised(match.wave / 20.0)
    row[at + 3] = quantised(((match.tick - r.FIRST_WAVE) % r.WAVE_PERIOD) / r.WAVE_PERIOD)


@inlined
def write_states(match, units, heroes, rows, hero_states, lanes, layout):
    """Write the states: the hero itself, its allies, its enemies, structures, lanes, neutrals.

    Args:
        rows: int8 [players, STATE], all 0.
        hero_states: int8 [players, STATE_HERO], working memory.
        lanes: int8 [2, MOST_LANES, 2], as in `Shared`.
    """
    k = layout.agents
    for index in range(2 * k):
        _put_hero(hero_states[index], units[index], heroes[index])
    for index in range(2 * k):
        team, row = index // k, rows[index]
        _copy_hero(row, 0, team, hero_states, index)
        at = s.STATE_HERO
        for ally in range(team * k, (team + 1) * k):
            if ally != index:
                _copy_hero(row, at, team, hero_states, ally)
                at += s.STATE_HERO
        if index > team * k:  # the rest is that of the first one of the team
            for entry in range(_AFTER_ALLIES, s.STATE):
                row[entry] = rows[team * k, entry]
            continue
        at = _AFTER_ALLIES
        for enemy in range((1 - team) * k, (2 - team) * k):
            _copy_hero(row, at, team, hero_states, enemy)
            at += s.STATE_HERO
        _put_match(match, units, team, row, lanes, layout)
