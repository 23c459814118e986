"""The state of a match of Lanes, and where each unit and each entry of an observation stands.

Units of a match of k heroes and l lanes a team, in this order: heroes of team 0, heroes of team 1;
structures of team 0 (outer and inner tower of lane 0, ..., the core), those of team 1; creeps of
team 0 (CREEPS of lane 0, ...), those of team 1; neutrals (the camps of the left side, then those of
the right side).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.lanes.rules import (
    ATTACK,
    CAMPS,
    CREEPS,
    DIRECTIONS,
    MOST_AGENTS,
    MOST_LANES,
    MOVE,
    PRIMARIES,
    SKILL_A,
    SKILL_B,
    TICK_S,
    TICKS,
    Mode,
)
from envs.teams.steps import ActionHead, TeamSpec, UnitGroup

UNIT = np.dtype(
    [
        ("x", np.float32),
        ("y", np.float32),
        ("hp", np.int32),
        ("max_hp", np.int32),
        ("damage", np.int32),
        ("speed", np.float32),  # tiles a tick
        ("reach", np.float32),
        ("target", np.int16),  # a unit, -1 for none
        ("cooldown", np.int16),  # ticks until it can hit again
        ("period", np.int16),  # ticks between two hits
        ("stun", np.int16),  # ticks left
        ("slow", np.int16),  # ticks left
        ("wait", np.int16),  # ticks until it comes back: heroes and neutrals
        ("kind", np.int8),
        ("team", np.int8),  # 2 for neutrals
        ("lane", np.int8),  # of creeps and towers; the camp of neutrals; else -1
        ("leg", np.int8),  # of a creep's way
        ("alive", np.int8),
        ("level", np.int8),  # of a hero
        # What a tick does to it, applied at its end so that all units act at once.
        ("to_x", np.float32),
        ("to_y", np.float32),
        ("push_x", np.float32),
        ("push_y", np.float32),
        ("hurt", np.int32),
        ("best_hit", np.int32),  # the largest hit by a hero
        ("hit_by", np.int16),  # that hero; -1 for none, -2 if heroes of both teams hit alike
        ("new_stun", np.int16),
        ("new_slow", np.int16),
        ("heal", np.int32),
    ],
    align=True,
)

HERO = np.dtype(
    [
        ("xp", np.int32),
        ("gold", np.int32),
        ("mana", np.int32),
        ("max_mana", np.int32),
        ("cooldown_a", np.int16),
        ("cooldown_b", np.int16),
        ("recall", np.int16),  # ticks of it done
        ("aggro", np.int16),  # ticks left in which towers prefer it
        ("role", np.int8),
        ("items", np.int8),  # bit i for item i
        ("primary", np.int8),  # its order
        ("direction", np.int8),
        ("order_target", np.int16),  # a unit, -1 for none
        ("spent", np.int8),  # whether the order's skill or purchase is done
        ("kills", np.int16),
        ("deaths", np.int16),
        ("last_hits", np.int16),
        ("hurt", np.int32),  # health lost in this decision
        # What this decision brought, for its reward.
        ("won_xp", np.int32),
        ("won_gold", np.int32),
        ("won_hits", np.int16),
        ("won_kills", np.int16),
        ("won_deaths", np.int16),
        ("old_hp", np.float32),  # worth of its health before it, see docs/lanes.md
        ("old_mana", np.float32),  # share of full mana
    ],
    align=True,
)

MATCH = np.dtype(
    [
        ("seed", np.uint64),
        ("tick", np.int32),
        ("wave", np.int32),
        ("winner", np.int32),
        ("steps", np.int32),
        ("tower_hp", np.int32, (2,)),  # health of each team's towers before this decision
        ("core_hp", np.int32, (2,)),
        ("towers", np.int32, (2,)),
        ("kills", np.int32, (2,)),
    ],
    align=True,
)

SEEN = np.dtype(
    [
        ("x", np.float32),
        ("y", np.float32),
        ("hp", np.int32),
        ("max_hp", np.int32),
        ("tick", np.int32),  # when it was last seen; -1 for never
        ("level", np.int8),
    ],
    align=True,
)


class Layout(NamedTuple):
    """Indices of the units of a mode; a tuple of integers, which compiled code takes as constants.

    Attributes:
        agents, lanes: k and l of a team.
        structures: the first structure; `towers` a team, core included.
        creeps: the first creep; `per_team` a team.
        neutrals: the first neutral.
        units: all of them.
    """

    agents: int
    lanes: int
    structures: int
    towers: int
    creeps: int
    per_team: int
    neutrals: int
    units: int


def layout_of(mode: Mode) -> Layout:
    """Return where the units of a mode are."""
    agents, lanes = mode.agents, len(mode.lanes)
    structures = 2 * agents
    towers = 2 * lanes + 1
    creeps = structures + 2 * towers
    per_team = CREEPS * lanes
    neutrals = creeps + 2 * per_team
    return Layout(agents, lanes, structures, towers, creeps, per_team, neutrals, neutrals + CAMPS)


# --- an observation: int8 in 1/127, as if its team had the left side ------------------------
OWN = 64  # entries about the hero itself and its match
OWN_HERO = 32  # of these, those about itself
FEATURES = 20  # of a unit
GROUPS = (  # name, slots; the first 20 slots are targets
    ("enemy_heroes", MOST_AGENTS),
    ("enemy_creeps", 6),
    ("enemy_structures", 2),
    ("neutrals", 2),
    ("allied_heroes", MOST_AGENTS),  # the last one is the hero itself
    ("allied_creeps", 3),
    ("allied_structures", 1),
)
ENEMY_CREEP_SLOT, ENEMY_STRUCTURE_SLOT, NEUTRAL_SLOT, ALLY_SLOT = 5, 11, 13, 15
TARGETS = 20
ALLIED_CREEP_SLOT, ALLIED_STRUCTURE_SLOT, SLOTS = 20, 23, 24
SELF_SLOT = TARGETS - 1
OBSERVATION = OWN + SLOTS * FEATURES

# Masks: of the primary action, of the direction for move and the two skills, of the target for
# attack and the two skills. What a skill does not need has one legal choice, and so no gradient.
DIRECTION_MASK = len(PRIMARIES)
TARGET_MASK = DIRECTION_MASK + 3 * DIRECTIONS
MASK = TARGET_MASK + 3 * TARGETS

# --- the true state, for a critic, from the side of one of its heroes ----------------------------
STATE_HERO = 16
STATE_TOWERS = 2 * (2 * MOST_LANES + 1)
STATE_LANE = 4
STATE = 2 * MOST_AGENTS * STATE_HERO + STATE_TOWERS + MOST_LANES * STATE_LANE + CAMPS + 8
ROW = OBSERVATION + MASK + STATE  # of one agent in the one array that a step writes


def spec_of(mode: Mode) -> TeamSpec:
    """Return the spec of a mode, for algorithms of teams."""
    groups, start, target = [], OWN, 0
    for name, slots in GROUPS:
        groups.append(UnitGroup(name, start, slots, FEATURES, target if target < TARGETS else None))
        start += slots * FEATURES
        target += slots
    return TeamSpec(
        name=mode.name,
        kind="lanes",
        teams=2,
        agents=mode.agents,
        observation_shape=(OBSERVATION,),
        observation_dtype=np.dtype(np.int8),
        heads=(
            ActionHead("primary", len(PRIMARIES)),
            ActionHead(
                "direction", DIRECTIONS, used_by=(MOVE, SKILL_A, SKILL_B), masked_by_first=True
            ),
            ActionHead("target", TARGETS, used_by=(ATTACK, SKILL_A, SKILL_B), masked_by_first=True),
        ),
        state_size=STATE,
        groups=tuple(groups),
        own=(0, OWN),
        seconds=TICKS * TICK_S,
    )
