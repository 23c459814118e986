"""What all heroes of a match read alike: gathered once a decision, and not once a hero."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.compiling import inlined
from envs.lanes.engine.geometry import on_side
from envs.lanes.engine.minions import is_vulnerable

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

# Groups of units of which a hero observes the nearest, and their slots.
ENEMY_CREEPS, ENEMY_STRUCTURES, NEUTRALS, ALLIED_CREEPS, ALLIED_STRUCTURES = range(5)
GROUP_SLOT = (
    s.ENEMY_CREEP_SLOT,
    s.ENEMY_STRUCTURE_SLOT,
    s.NEUTRAL_SLOT,
    s.ALLIED_CREEP_SLOT,
    s.ALLIED_STRUCTURE_SLOT,
)
GROUP_SLOTS = (6, 2, 2, 3, 1)


class Shared(NamedTuple):
    """Working memory of `show`, used again for each match.

    Attributes:
        features: int8 [units, FEATURES] of each living unit, without what depends on who looks.
        found: int64 [2, 5, most], units that a team may observe, by group; the first of equally
            near ones first.
        counts: int64 [2, 5], how many of `found`.
        near, near_d2: int64 and float64 [8], the nearest units of a group.
        lookers: float64 [3, units], x, y and squared sight of a team's living units.
        hero_states: int8 [players, STATE_HERO], each hero in the true state of team 0.
        lanes: int8 [2, MOST_LANES, 2], of each team and lane how far ahead its foremost creep is,
            and how many creeps there are.
    """

    features: NDArray[np.int8]
    found: NDArray[np.int64]
    counts: NDArray[np.int64]
    near: NDArray[np.int64]
    near_d2: NDArray[np.float64]
    lookers: NDArray[np.float64]
    hero_states: NDArray[np.int8]
    lanes: NDArray[np.int8]


@njit(cache=True)
def new_shared(layout):
    """Return working memory for the matches of a layout."""
    return Shared(
        np.empty((layout.units, s.FEATURES), np.int8),
        np.empty((2, 5, layout.per_team), np.int64),  # 8 and more: also for structures and camps
        np.empty((2, 5), np.int64),
        np.empty(8, np.int64),
        np.empty(8, np.float64),
        np.empty((3, layout.units), np.float64),
        np.empty((layout.structures, s.STATE_HERO), np.int8),
        np.empty((2, r.MOST_LANES, 2), np.int8),
    )


@inlined
def quantised(value):
    """Return a number of [-1, 1] as int8 in 1/127; outside numbers are clipped."""
    return np.int8(np.rint(min(max(value, -1.0), 1.0) * 127.0))


@inlined
def put_health(row, at, hp, max_hp):
    """Write the share of full health and the health."""
    row[at + 5] = quantised(hp / max(max_hp, 1))
    row[at + 6] = quantised(hp / 2000.0)


@inlined
def put_kind(row, at, kind):
    """Write what a unit is that is no hero."""
    row[at + 17] = 127 if kind == r.TOWER else 0
    row[at + 18] = 127 if kind == r.CORE else 0
    row[at + 19] = 127 if kind == r.NEUTRAL else 0


@inlined
def _write_features(units, heroes, features, layout):
    """Write of each living unit what all read of it alike."""
    for index in range(layout.units):
        unit, row = units[index], features[index]
        if not unit.alive:
            continue
        for entry in range(s.FEATURES):
            row[entry] = 0
        row[0], row[1] = 127, 127
        put_health(row, 0, unit.hp, unit.max_hp)
        row[7] = quantised(unit.damage / 100.0)
        row[8] = quantised(np.float64(unit.reach) / 8.0)
        row[10] = quantised(unit.stun / 15.0)
        row[11] = quantised(unit.slow / 15.0)
        if index < layout.structures:
            row[14] = quantised(unit.level / 10.0)
            row[15 + heroes[index].role] = 127
        else:
            put_kind(row, 0, unit.kind)
            row[16] = 127 if unit.kind == r.CREEP and unit.reach > 2.0 else 0


@inlined
def _find_range(visible, start, stop, found):
    """Write the visible units of a range; return how many they are."""
    count = 0
    for index in range(start, stop):
        if visible[index]:
            found[count] = index
            count += 1
    return count


@inlined
def _find_open(units, team, found, layout):
    """Write the standing structures of a team that can be hurt; return how many they are."""
    start = layout.structures + team * layout.towers
    count = 0
    for index in range(start, start + layout.towers):
        if units[index].alive and is_vulnerable(units, index, layout):
            found[count] = index
            count += 1
    return count


@inlined
def _find_fronts(units, lanes, layout):
    """Write of each team's creeps of a lane how far the foremost is, and how many there are."""
    for team in range(2):
        for lane in range(layout.lanes):
            start = layout.creeps + team * layout.per_team + lane * r.CREEPS
            front, count = -16.0, 0
            for creep in range(start, start + r.CREEPS):
                if units[creep].alive:
                    front = max(front, on_side(team, np.float64(units[creep].x)))
                    count += 1
            lanes[team, lane, 0] = quantised(front / 16.0)
            lanes[team, lane, 1] = quantised(count / r.CREEPS)


@inlined
def gather(units, heroes, visible, shared, layout):
    """Write what all heroes of a match read alike."""
    _write_features(units, heroes, shared.features, layout)
    _find_fronts(units, shared.lanes, layout)
    all_found, all_counts = shared.found, shared.counts
    for team in range(2):
        found, counts = all_found[team], all_counts[team]
        enemy, sees = 1 - team, visible[team]
        start = layout.creeps + enemy * layout.per_team
        counts[ENEMY_CREEPS] = _find_range(
            sees, start, start + layout.per_team, found[ENEMY_CREEPS]
        )
        start = layout.creeps + team * layout.per_team
        counts[ALLIED_CREEPS] = _find_range(
            sees, start, start + layout.per_team, found[ALLIED_CREEPS]
        )
        counts[ENEMY_STRUCTURES] = _find_open(units, enemy, found[ENEMY_STRUCTURES], layout)
        counts[ALLIED_STRUCTURES] = _find_open(units, team, found[ALLIED_STRUCTURES], layout)
        # from the own side outwards, so that equal distances are decided alike for both teams
        first, half = layout.neutrals, r.CAMPS // 2
        near, far = first + team * half, first + (1 - team) * half
        count = _find_range(sees, near, near + half, found[NEUTRALS])
        count += _find_range(sees, far, far + half, found[NEUTRALS][count:])
        counts[NEUTRALS] = count
