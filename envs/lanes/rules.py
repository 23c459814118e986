"""The numbers of Lanes: map, units, roles, skills, items, rewards. The rules: docs/lanes.md.

Lengths are in tiles, times in ticks of 0.2 s. The map is a square of 32 x 32 tiles with the origin
in its middle, so that mirroring (x to -x) is exact; team 0 has the left side, team 1 the right one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from envs.settings import NonNegativeFloat, PositiveFloat, Settings

EDGE = 15.5  # of the map for units, from its middle
TICKS = 4  # of a decision
TICK_S = 0.2
LIMIT = 3000  # ticks of a match, 10 minutes
MOST_AGENTS, MOST_LANES = 5, 3


@dataclass(frozen=True)
class Mode:
    """A size of the game.

    Attributes:
        name: "lanes_5v5".
        agents: heroes of a team.
        lanes: y of each lane in its straight part.
        camps: (x, y) of the camps of the left side; those of the right side mirror them.
    """

    name: str
    agents: int
    lanes: tuple[float, ...]
    camps: tuple[tuple[float, float], ...]


MODES = {
    "lanes_1v1": Mode("lanes_1v1", 1, (0.0,), ((-5.0, -7.0), (-5.0, 7.0))),
    "lanes_3v3": Mode("lanes_3v3", 3, (-8.0, 8.0), ((-5.0, -2.5), (-5.0, 2.5))),
    "lanes_5v5": Mode("lanes_5v5", 5, (-11.0, 0.0, 11.0), ((-5.0, -5.5), (-5.0, 5.5))),
}
CAMPS = 4  # of both sides

# --- the map: x of the left side ----------------------------------------------------------------
CORE_X = -13.0
INNER_X, OUTER_X = -9.0, -4.0  # towers of a lane; its straight part begins at the inner one
SPAWN_X = -12.0  # of creeps
RIVER = 1.5  # half its width, around x = 0
RIVER_PERCENT = 75  # of the speed of who wades
BASE_RADIUS = 4.0  # around the own core: healing and purchases

# --- kinds of units -------------------------------------------------------------------------------
HERO, TOWER, CORE, CREEP, NEUTRAL = range(5)
SIGHT = np.array([7.0, 6.0, 7.0, 4.5, 0.0])  # by kind

TOWER_HP, TOWER_DAMAGE, TOWER_REACH, TOWER_PERIOD = 800, 40, 5.0, 5
CORE_HP, CORE_DAMAGE, CORE_REACH, CORE_PERIOD = 1200, 40, 5.0, 5
AGGRO = 10  # ticks in which towers prefer a hero who hit a hero

CREEPS = 8  # of a team and lane at most; more do not come
WAVE_PERIOD, FIRST_WAVE = 150, 25
WAVE_MELEE, WAVE_RANGED = 3, 1
WAVE_GROWTH = 15  # percent of health and damage a wave
MELEE_HP, MELEE_DAMAGE, MELEE_REACH = 140, 10, 0.8
RANGED_HP, RANGED_DAMAGE, RANGED_REACH = 90, 16, 3.0
CREEP_PERIOD, CREEP_SPEED = 5, 1.2 * TICK_S
ACQUIRE, RELEASE = 4.0, 4.5  # distances at which creeps take a target and leave it

NEUTRAL_HP, NEUTRAL_DAMAGE, NEUTRAL_REACH, NEUTRAL_PERIOD = 320, 22, 1.2, 6
NEUTRAL_SPEED, LEASH = 1.2 * TICK_S, 4.0
NEUTRAL_HEAL = 8  # a tick, while nobody is after it
NEUTRAL_RESPAWN = 300  # ticks after its death

# --- heroes ---------------------------------------------------------------------------------------
SUPPORT, ASSASSIN, MAGE, TANK, CARRY = range(5)
ROLES = ("support", "assassin", "mage", "tank", "carry")
MOST_LEVEL = 10
XP_OF_LEVEL = np.array([0, 0, 120, 280, 480, 720, 1000, 1320, 1680, 2080, 2520], np.int32)
START_GOLD = 150
REGEN_PERIOD, REGEN_HP, REGEN_MANA, BASE_REGEN = 5, 2, 3, 40
RECALL = 15  # ticks that it takes
SPREAD = 10  # percent up or down of a hero's hit, at random

#                        support assassin mage tank carry
HERO_HP = np.array([520, 540, 480, 760, 520], np.int32)
HERO_HP_LEVEL = np.array([50, 52, 45, 75, 52], np.int32)
HERO_MANA = np.array([320, 240, 340, 240, 260], np.int32)
HERO_MANA_LEVEL = 20
HERO_DAMAGE = np.array([24, 36, 24, 30, 32], np.int32)
HERO_DAMAGE_LEVEL = np.array([2, 4, 2, 3, 4], np.int32)
HERO_REACH = np.array([3.5, 1.2, 4.0, 1.2, 4.0])
HERO_PERIOD = np.array([6, 5, 6, 6, 5], np.int32)
HERO_SPEED = np.array([1.5, 1.8, 1.5, 1.6, 1.5]) * TICK_S

# --- skills: two of each role -------------------------------------------------------------------
DAMAGE, STUN, SLOW, HEAL, DASH, PUSH, PULL = range(7)
SKILL_NAMES = ("damage", "stun", "slow", "heal", "dash", "push", "pull")
#                          support         assassin         mage             tank           carry
SKILL_KIND = np.array([[HEAL, SLOW], [DASH, DAMAGE], [DAMAGE, STUN], [STUN, PULL], [PUSH, DAMAGE]])
SKILL_RANGE = np.array([[5.0, 5.0], [4.0, 1.8], [5.0, 4.5], [1.8, 5.0], [3.5, 4.5]])
SKILL_AMOUNT = np.array([[110, 40], [0, 140], [110, 40], [60, 50], [50, 80]], np.int32)
SKILL_LEVEL = np.array([[20, 8], [0, 25], [22, 8], [10, 10], [8, 16]], np.int32)  # a level more
SKILL_TICKS = np.array([[0, 15], [0, 0], [0, 6], [7, 0], [0, 0]], np.int32)  # that it lasts
SKILL_RADIUS = np.array([[0.0, 0.0], [0.0, 0.0], [1.5, 0.0], [0.0, 0.0], [0.0, 2.0]])
SKILL_COOLDOWN = np.array([[40, 45], [40, 35], [30, 60], [50, 55], [45, 35]], np.int32)
SKILL_MANA = np.array([[60, 50], [40, 60], [60, 70], [60, 50], [50, 60]], np.int32)
SLOW_PERCENT = 50  # of its speed for who is slowed
PUSH_TILES, PULL_GAP = 3.0, 1.0
PUSH_GRAIN = 65536.0  # shifts are rounded to this part of a tile

# --- items: each once ---------------------------------------------------------------------------
BOOTS, BLADE, VEST, TOME = range(4)
ITEMS = ("boots", "blade", "vest", "tome")
ITEM_COST = np.array([250, 400, 400, 350], np.int32)
BOOTS_PERCENT, BLADE_DAMAGE, VEST_HP, TOME_PERCENT, TOME_MANA = 120, 16, 220, 130, 100

# --- what a death brings ------------------------------------------------------------------------
XP_RADIUS = 7.0
CREEP_XP, CREEP_GOLD = 30, 22
NEUTRAL_XP, NEUTRAL_GOLD = 60, 50
HERO_XP, HERO_XP_LEVEL, HERO_GOLD, ASSIST_GOLD = 80, 20, 150, 100
TOWER_GOLD = 100  # for each hero of the other team
RESPAWN, RESPAWN_LEVEL = 25, 10  # ticks, and a level more

# --- actions ------------------------------------------------------------------------------------
HOLD, MOVE, ATTACK, SKILL_A, SKILL_B, GO_HOME, BUY = range(7)  # BUY and the three after it
PRIMARIES = ("hold", "move", "attack", "skill A", "skill B", "recall", *(f"buy {i}" for i in ITEMS))
DIRECTIONS = 8  # from straight ahead (the enemy's side), against y, in steps of 45 degrees
_DIAGONAL = 0.7071067811865476
DIRECTION_X = np.array([1, _DIAGONAL, 0, -_DIAGONAL, -1, -_DIAGONAL, 0, _DIAGONAL])
DIRECTION_Y = np.array([0, _DIAGONAL, 1, _DIAGONAL, 0, -_DIAGONAL, -1, -_DIAGONAL])

RUNNING, DRAW = -1, 2  # outcomes besides the number of the team that won


@dataclass(frozen=True)
class RewardWeights(Settings):
    """Weights of the rewards of Lanes (OpenAI Five, Berner et al. 2019, appendix G, Table 6).

    Each hero's rewards are added, decayed by the time of the match but for the win, and made
    zero-sum by subtracting the mean of the other team. A learner may share them in a team
    (`shaping.team_spirit`).
    """

    table: ClassVar[str] = "rewards"

    win: NonNegativeFloat = 5.0
    """For each hero of the team that wins."""
    xp: NonNegativeFloat = 0.002
    """A point of experience."""
    gold: NonNegativeFloat = 0.006
    """A coin that a kill, a tower or a last hit brings."""
    health: NonNegativeFloat = 2.0
    """Of full health; worth more where little is left: (x + 1 - (1 - x)^4) / 2 at a share x."""
    mana: NonNegativeFloat = 0.75
    """Of full mana."""
    last_hit: float = -0.16
    """A creep or neutral killed by the own hit; negative, as gold and experience pay it, too."""
    kill: float = -0.6
    """A hero killed by the own hit; negative for the same reason."""
    death: float = -1.0
    """An own death."""
    tower_damage: NonNegativeFloat = 2.0
    """Full health of a tower of the other team, for each hero."""
    tower_kill: NonNegativeFloat = 1.0
    """A tower of the other team destroyed, for each hero."""
    core_damage: NonNegativeFloat = 2.5
    """Full health of the other team's core, for each hero."""
    decay: PositiveFloat = 0.6
    """Factor on all but the win at the time limit, 10 minutes; in between by its powers."""

    def as_array(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return the weights in the order of their fields, [12]."""
        return np.array([getattr(self, field.name) for field in fields(self)], np.float64)


(
    W_WIN,
    W_XP,
    W_GOLD,
    W_HEALTH,
    W_MANA,
    W_LAST_HIT,
    W_KILL,
    W_DEATH,
    W_TOWER_DAMAGE,
    W_TOWER_KILL,
    W_CORE_DAMAGE,
    W_DECAY,
) = range(12)
