"""Scripted players of Lanes. They read the observations and masks of a policy, and nothing else.

`wanderer` does anything that is allowed, mostly walking. `pusher` goes with the creeps of its lane,
hits what is in reach, and goes home to heal and to buy. `fighter` also uses its skills, fights
heroes where its side is not fewer, and gathers with its team in one lane.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.engine.geometry import draw

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

WANDERER, PUSHER, FIGHTER = range(3)
SCRIPTS = ("wanderer", "pusher", "fighter")

_WEAK, _WELL = 0.35, 0.9  # shares of health at which to go home, and to leave it again
_DANGER = 6.5  # tiles from an enemy structure that no allied creep covers
_FIGHT = 8.0  # tiles within which heroes count for a fight
_GATHER = 0.3  # share of the time limit after which a fighter's team gathers
_SHOPPING = np.array([r.BLADE, r.VEST, r.BOOTS, r.TOME])


@njit(cache=True)
def _at(slot):
    return s.OWN + slot * s.FEATURES


@njit(cache=True)
def _x(row, slot):
    """Return how far ahead the unit of a slot is, in tiles."""
    return row[_at(slot) + 2] * 16.0 / 127.0


@njit(cache=True)
def _y(row, slot):
    return row[_at(slot) + 3] * 16.0 / 127.0


@njit(cache=True)
def _distance(row, slot):
    return np.sqrt(_x(row, slot) ** 2 + _y(row, slot) ** 2)


@njit(cache=True)
def _mask(row, entry):
    return row[s.OBSERVATION + entry] != 0


@njit(cache=True)
def _order(action, primary, direction, target):
    action[0], action[1], action[2] = primary, direction, target


@njit(cache=True)
def _walk(action, dx, dy):
    """Walk in the direction of eight that is nearest to (dx, dy); hold if there is none."""
    if dx * dx + dy * dy < 0.25:
        _order(action, r.HOLD, 0, 0)
        return
    best, best_dot = 0, -1e9
    for direction in range(r.DIRECTIONS):
        dot = dx * r.DIRECTION_X[direction] + dy * r.DIRECTION_Y[direction]
        if dot > best_dot:
            best, best_dot = direction, dot
    _order(action, r.MOVE, best, 0)


@njit(cache=True)
def _pick(seed, step, agent, salt, row, start, size):
    """Return one of the allowed choices of a mask, at random."""
    count = 0
    for choice in range(size):
        count += _mask(row, start + choice)
    place = np.int64(draw(seed, step, agent, salt) % np.uint64(max(count, 1)))
    for choice in range(size):
        if _mask(row, start + choice):
            if place == 0:
                return choice
            place -= 1
    return 0


@njit(cache=True)
def _wander(seed, step, agent, row, action):
    """Do anything that is allowed; for a few decisions on end walk the same way, mostly ahead."""
    if draw(seed, step, agent, 3) % np.uint64(3) > 0 and _mask(row, r.MOVE):
        direction = np.int64(draw(seed, step // 6, agent, 4) % np.uint64(r.DIRECTIONS + 2))
        _order(action, r.MOVE, direction % r.DIRECTIONS, 0)
        return
    primary = _pick(seed, step, agent, 5, row, 0, len(r.PRIMARIES))
    skill = max(primary - r.ATTACK, 0) if primary <= r.SKILL_B else 0
    directions = s.DIRECTION_MASK + skill * r.DIRECTIONS
    direction = _pick(seed, step, agent, 6, row, directions, r.DIRECTIONS)
    target = _pick(seed, step, agent, 7, row, s.TARGET_MASK + skill * s.TARGETS, s.TARGETS)
    _order(action, primary, direction, target)


@njit(cache=True)
def _shop(row, action):
    """Buy what can be bought; return whether something was."""
    for item in _SHOPPING:
        if _mask(row, r.BUY + item):
            _order(action, r.BUY + item, 0, 0)
            return True
    return False


@njit(cache=True)
def _nearest_hero(row):
    """Return the distance of the nearest enemy hero in sight."""
    nearest = 99.0
    for slot in range(r.MOST_AGENTS):
        if row[_at(slot) + 1] > 0:
            nearest = min(nearest, _distance(row, slot))
    return nearest


@njit(cache=True)
def _go_home(row, action):
    """Go home if weak, and stay until well; return whether that is what it does."""
    health = row[7] / 127.0
    home = row[28] > 0
    if not (health < _WEAK or (home and health < _WELL)):
        return False
    if home:
        _order(action, r.HOLD, 0, 0)
    elif _mask(row, r.GO_HOME) and _nearest_hero(row) > 7.0 and _in_reach(row, False) < 0:
        _order(action, r.GO_HOME, 0, 0)
    else:
        _walk(action, r.CORE_X - row[26] * 16.0 / 127.0, -row[27] * 16.0 / 127.0)
    return True


@njit(cache=True)
def _in_reach(row, heroes_first):
    """Return the slot to attack among those in reach: the weakest creep, or hero; -1 for none."""
    best, best_rank = -1, 1e9
    for slot in range(s.ALLY_SLOT):
        at = _at(slot)
        if not _mask(row, s.TARGET_MASK + slot) or row[at + 9] == 0:
            continue
        rank = row[at + 6] / 127.0
        if slot < s.ENEMY_CREEP_SLOT:
            rank += -10.0 if heroes_first else 1.0
        elif slot >= s.NEUTRAL_SLOT:
            rank += 10.0
        elif slot >= s.ENEMY_STRUCTURE_SLOT:
            rank += 2.0
        if rank < best_rank:
            best, best_rank = slot, rank
    return best


@njit(cache=True)
def _is_covered(row, structure):
    """Return whether an allied creep is nearer to a structure than the hero is."""
    own = _distance(row, structure)
    for slot in range(s.ALLIED_CREEP_SLOT, s.ALLIED_STRUCTURE_SLOT):
        if row[_at(slot)] > 0:
            dx = _x(row, structure) - _x(row, slot)
            dy = _y(row, structure) - _y(row, slot)
            if np.sqrt(dx * dx + dy * dy) < min(own, 5.0):
                return True
    return False


@njit(cache=True)
def _back_off(row, action):
    """Walk away from an enemy structure that would hit it; return whether there is one."""
    for slot in range(s.ENEMY_STRUCTURE_SLOT, s.NEUTRAL_SLOT):
        if row[_at(slot)] > 0 and _distance(row, slot) < _DANGER and not _is_covered(row, slot):
            _walk(action, -4.0, 0.0)
            return True
    return False


@njit(cache=True)
def _advance(row, lane, action):
    """Walk to just behind the foremost creep of a lane."""
    front = row[54 + 3 * lane] * 16.0 / 127.0
    x, y = row[26] * 16.0 / 127.0, row[27] * 16.0 / 127.0
    lane_y = row[56 + 3 * lane] * 16.0 / 127.0
    if row[55 + 3 * lane] == 0:
        front = r.INNER_X  # no creeps: wait behind the own tower
    goal = max(front - 1.0, r.INNER_X - 1.0)
    if abs(lane_y - y) > 3.0 and x > r.INNER_X + 1.0 and abs(lane_y) > 1.0:
        goal = min(goal, x)  # across the jungle first, then along the lane
    _walk(action, goal - x, lane_y - y)


@njit(cache=True)
def _push_lane(row, lane, action):
    if _back_off(row, action):
        return
    slot = _in_reach(row, False)
    if slot >= 0:
        _order(action, r.ATTACK, 0, slot)
        return
    _advance(row, lane, action)


@njit(cache=True)
def _front_lane(row, lanes):
    """Return the lane in which the allied creeps are farthest."""
    best = 0
    for lane in range(1, lanes):
        if row[54 + 3 * lane] > row[54 + 3 * best]:
            best = lane
    return best


@njit(cache=True)
def _prey(row):
    """Return the slot of the weakest enemy hero near; -1 for none."""
    best, best_health = -1, 1e9
    for slot in range(r.MOST_AGENTS):
        at = _at(slot)
        if row[at + 1] > 0 and _distance(row, slot) < _FIGHT and row[at + 6] < best_health:
            best, best_health = slot, row[at + 6]
    return best


@njit(cache=True)
def _may_fight(row):
    """Return whether its side near has at least as many heroes, and as much health."""
    allies, enemies = 1, 0
    ours, theirs = row[7] * row[8] / 127.0, 0.0
    for agent in range(r.MOST_AGENTS):
        at = _at(agent)
        if row[at + 1] > 0 and _distance(row, agent) < _FIGHT:
            enemies += 1
            theirs += row[at + 6]
        at = _at(s.ALLY_SLOT + agent)
        if s.ALLY_SLOT + agent != s.SELF_SLOT and row[at + 1] > 0:
            if _distance(row, s.ALLY_SLOT + agent) < _FIGHT:
                allies += 1
                ours += row[at + 6]
    return enemies > 0 and allies >= enemies and ours >= 0.8 * theirs


@njit(cache=True)
def _heal(row, role, action):
    """Heal the weakest ally near, if the skill is one; return whether it does."""
    for skill in range(2):
        if r.SKILL_KIND[role, skill] != r.HEAL or not _mask(row, r.SKILL_A + skill):
            continue
        best, least = -1, 0.7
        for slot in range(s.ALLY_SLOT, s.TARGETS):
            at = _at(slot)
            if row[at + 1] > 0 and _distance(row, slot) < 6.0 and row[at + 5] / 127.0 < least:
                best, least = slot, row[at + 5] / 127.0
        if best >= 0:
            _order(action, r.SKILL_A + skill, 0, best)
            return True
    return False


@njit(cache=True)
def _cast(row, role, prey, action):
    """Use a skill on a hero that is near enough; return whether it does."""
    for skill in range(1, -1, -1):
        kind = r.SKILL_KIND[role, skill]
        if not _mask(row, r.SKILL_A + skill) or kind == r.HEAL:
            continue
        distance = _distance(row, prey)
        if kind == r.DASH:
            if 2.5 < distance < 6.0:
                _walk(action, _x(row, prey), _y(row, prey))
                action[0] = r.SKILL_A + skill
                return True
        elif distance < r.SKILL_RANGE[role, skill] + 1.0:
            _order(action, r.SKILL_A + skill, 0, prey)
            return True
    return False


@njit(cache=True)
def _role(row):
    for role in range(r.MOST_AGENTS):
        if row[role] > 0:
            return role
    return 0


@njit(cache=True)
def _fight(row, lane, lanes, action):
    role = _role(row)
    if _heal(row, role, action):
        return
    prey = _prey(row)
    if prey >= 0 and _may_fight(row):
        if _cast(row, role, prey, action):
            return
        if not _back_off(row, action):
            _order(action, r.ATTACK, 0, prey)
        return
    if prey >= 0 and row[7] < 70 and _distance(row, prey) < 6.0:
        _walk(action, -4.0, 0.0)
        return
    gathers = row[32] / 127.0 > _GATHER
    _push_lane(row, _front_lane(row, lanes) if gathers else lane, action)


@njit(cache=True)
def act_by_script(script, seed, step, agent, lanes, row, action):
    """Choose a hero's action by its observation and masks.

    Args:
        script: WANDERER, PUSHER or FIGHTER.
        seed, step: of the random draws.
        agent: its number in its team, which says its lane.
        row: int8 [ROW].
        action: int8 [3], written.
    """
    _order(action, r.HOLD, 0, 0)
    if script == WANDERER:
        _wander(seed, step, agent, row, action)
        return
    if _shop(row, action) or not _mask(row, r.MOVE) or _go_home(row, action):
        return
    if script == PUSHER:
        _push_lane(row, agent % lanes, action)
    else:
        _fight(row, agent % lanes, lanes, action)


@njit(cache=True, nogil=True)
def act_all(scripts, seeds, steps, lanes, rows, actions):
    """Choose the actions of each team that a script plays.

    Args:
        scripts: int8 [m, 2], the script of each team; -1 for a team that someone else plays.
        seeds, steps: [m], of the random draws.
        rows: int8 [m, players, ROW].
        actions: int8 [m, players, 3], written for those teams.
    """
    agents = rows.shape[1] // 2
    for m in range(len(rows)):
        for player in range(rows.shape[1]):
            script = scripts[m, player // agents]
            if script >= 0:
                agent = player % agents
                act_by_script(
                    script, seeds[m], steps[m], agent, lanes, rows[m, player], actions[m, player]
                )
