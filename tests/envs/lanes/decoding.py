"""What the rows of Lanes say, in units of the game: the entries that docs/lanes.md lists.

A `Field` is where a number is and what 127 means; its error is at most half of 1/127 of that.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.lanes import rules as r
from envs.lanes import state as s


class Field(NamedTuple):
    """An entry and the number that 127 stands for."""

    entry: int
    full: float

    def read(self, row: NDArray[np.int8]) -> float:
        """Return the number."""
        return float(row[self.entry]) / 127 * self.full

    def says(self, row: NDArray[np.int8], number: float) -> bool:
        """Return whether the entry is the nearest one to a number, clipped to what fits."""
        clipped = min(max(number, -self.full), self.full)
        return abs(self.read(row) - clipped) <= self.full / 254 * 1.001


UNIT = {
    "known": Field(0, 1),
    "seen": Field(1, 1),
    "ahead": Field(2, 16),
    "aside": Field(3, 16),
    "distance": Field(4, 23),
    "health": Field(5, 1),
    "hp": Field(6, 2000),
    "damage": Field(7, 100),
    "reach": Field(8, 8),
    "in_reach": Field(9, 1),
    "stun": Field(10, 15),
    "slow": Field(11, 15),
    "age": Field(12, 300),
    "dead": Field(13, 1),
    "level": Field(14, 10),
}
NOT_A_HERO = {
    "targets_me": Field(15, 1),
    "ranged": Field(16, 1),
    "tower": Field(17, 1),
    "core": Field(18, 1),
    "neutral": Field(19, 1),
}
ROLE = [Field(15 + role, 1) for role in range(len(r.ROLES))]

OWN = {
    **{name: Field(role, 1) for role, name in enumerate(r.ROLES)},
    "level": Field(5, 10),
    "next_level": Field(6, 1),
    "health": Field(7, 1),
    "max_hp": Field(8, 2000),
    "mana_share": Field(9, 1),
    "mana": Field(10, 600),
    "gold": Field(11, 1000),
    **{name: Field(12 + item, 1) for item, name in enumerate(r.ITEMS)},
    "cooldown_a": Field(16, 60),
    "cooldown_b": Field(17, 60),
    "ready_a": Field(18, 1),
    "ready_b": Field(19, 1),
    "cooldown": Field(20, 6),
    "stun": Field(21, 15),
    "slow": Field(22, 15),
    "recall": Field(23, r.RECALL),
    "wait": Field(24, 125),
    "alive": Field(25, 1),
    "x": Field(26, 16),
    "y": Field(27, 16),
    "in_base": Field(28, 1),
    "in_river": Field(29, 1),
    "hurt": Field(30, 1),
    "aggro": Field(31, r.AGGRO),
    "time": Field(32, r.LIMIT),
    "wave_time": Field(33, r.WAVE_PERIOD),
    "lead": Field(34, 20),
    "allies_dead": Field(35, 127 / 25),
    "enemies_dead": Field(36, 127 / 25),
    **{mode: Field(37 + number, 1) for number, mode in enumerate(r.MODES)},
}
OWN_TOWERS, OWN_CORE, ENEMY_TOWERS, ENEMY_CORE = 40, 46, 47, 53
LANES = 54  # of each: how far the foremost own creep is, how many there are, the lane's y

STATE_HERO = {
    "there": Field(0, 1),
    "alive": Field(1, 1),
    "x": Field(2, 16),
    "y": Field(3, 16),
    "health": Field(4, 1),
    "mana_share": Field(5, 1),
    "level": Field(6, 10),
    "gold": Field(7, 1000),
    "max_hp": Field(8, 2000),
    "damage": Field(9, 100),
    "items": Field(10, 127 / 31),
    "stun": Field(11, 15),
    "cooldown_a": Field(12, 60),
    "cooldown_b": Field(13, 60),
    "wait": Field(14, 125),
    "role": Field(15, 4),
}


def slot_of(row: NDArray[np.int8], slot: int) -> NDArray[np.int8]:
    """Return the features of a slot."""
    start = s.OWN + slot * s.FEATURES
    return row[start : start + s.FEATURES]
