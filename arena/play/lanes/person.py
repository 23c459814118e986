"""A person who plays a hero of Lanes: keys become orders, and an order an action a decision.

An order stands until the next one: who walks goes on walking. A skill or a purchase is done once;
after a skill on an enemy the hero attacks that, after any other it goes on with its order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.engine.orders import at_base
from envs.lanes.one_match import LanesMatch

TOGETHER_S = 0.25  # two arrows within it make a diagonal
ENGAGE = 6.0  # tiles within which the next target is taken when the last one is gone

ARROWS = {"right": (1, 0), "up": (0, 1), "left": (-1, 0), "down": (0, -1)}
WALKS = {  # directions on the screen, counted from the right against the clock
    **{"right": 0, "pageup": 1, "up": 2, "home": 3, "left": 4, "end": 5, "down": 6, "pagedown": 7},
    **{"6": 0, "9": 1, "8": 2, "7": 3, "4": 4, "1": 5, "2": 6, "3": 7},
}
COMPASS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
SKILL_KEYS = ("s", "d")
KEYS = (*WALKS, "5", "space", "a", "tab", *SKILL_KEYS, "r", "b", "escape")

Kind = Literal["hold", "walk", "attack", "skill", "recall", "buy"]


@dataclass(frozen=True)
class Order:
    """What a hero is to do.

    Attributes:
        direction: of a walk or a dash, on the screen.
        unit: the target.
        number: of a skill or an item.
    """

    kind: Kind
    direction: int = 0
    unit: int = -1
    number: int = 0


HOLD = Order("hold")


class Person:
    """A person's hero.

    Args:
        team: 0 is left.
        number: of the hero in its team, from 0.
        agents: heroes of a team.

    Raises ValueError for a number that the team does not have.

    Attributes:
        standing: the order that stands.
        chosen: the unit to attack; -1 for the nearest.
        is_buying: the list of items is open, and digits buy.
        message: what the last key did or could not do.
    """

    def __init__(self, team: int, number: int, agents: int) -> None:
        if not 0 <= number < agents:
            raise ValueError(f"hero {number + 1}: expected 1 to {agents}")
        self.team, self.number = team, number
        self.player = team * agents + number
        self.begin()

    def begin(self) -> None:
        """Forget the orders of another match."""
        self.standing, self._once = HOLD, HOLD
        self.chosen, self.is_buying, self.message = -1, False, ""
        self._direction = 0
        self._arrow, self._arrow_at = "", -1.0

    # --- keys ---

    def press(self, key: str, match: LanesMatch, now: float) -> bool:
        """Take a key, pressed at `now` seconds; return whether it gave an order."""
        self.message = ""
        if self.is_buying:
            self.is_buying = False
            if key in ("1", "2", "3", "4"):
                return self._buy(int(key) - 1, match)
            if key in ("b", "escape"):
                return False
        if key in WALKS:
            self._direction = self._walk(key, now)
            return self._stand(Order("walk", direction=self._direction))
        if key in ("5", "space"):
            return self._stand(HOLD)
        if key == "a":
            return self._attack(match)
        if key == "tab":
            return self._choose_next(match)
        if key in SKILL_KEYS:
            return self._skill(SKILL_KEYS.index(key), match)
        if key == "r":
            return self._stand(Order("recall"))
        if key == "b":
            self.is_buying = True
        return False

    def _stand(self, order: Order) -> bool:
        self.standing, self._once = order, HOLD
        return True

    def _walk(self, key: str, now: float) -> int:
        """Return a walk's direction; an arrow after one across it makes a diagonal."""
        before, at = self._arrow, self._arrow_at
        self._arrow, self._arrow_at = (key, now) if key in ARROWS else ("", -1.0)
        if key not in ARROWS or before not in ARROWS or now - at > TOGETHER_S:
            return WALKS[key]
        x, y = (a + b for a, b in zip(ARROWS[before], ARROWS[key], strict=True))
        return COMPASS.index((x, y)) if x and y else WALKS[key]

    def _attack(self, match: LanesMatch) -> bool:
        units = self.enemies(match)
        if not units:
            self.message = "no enemy to attack is in sight"
            return False
        unit = self.chosen if self.chosen in units else units[0]
        return self._stand(Order("attack", unit=unit))

    def _choose_next(self, match: LanesMatch) -> bool:
        """Choose the next enemy by distance; an attack goes over to it."""
        units = self.enemies(match)
        if not units:
            self.message = "no enemy is in sight"
            return False
        place = units.index(self.chosen) + 1 if self.chosen in units else 0
        self.chosen = units[place % len(units)]
        self.message = f"target: {unit_name(match, self.chosen, self.team)}"
        if self.standing.kind == "attack":
            self.standing = Order("attack", unit=self.chosen)
        return False

    def _skill(self, number: int, match: LanesMatch) -> bool:
        if reason := self.why_not(number, match):
            name = r.SKILL_NAMES[r.SKILL_KIND[match.heroes["role"][self.player], number]]
            self.message = f"{name}: {reason}"
            return False
        self._once = Order("skill", direction=self._direction, unit=self.chosen, number=number)
        return True

    def why_not(self, number: int, match: LanesMatch) -> str:
        """Return why a skill cannot be used now, "" if it can."""
        unit, hero = match.units[self.player], match.heroes[self.player]
        left = hero["cooldown_a" if number == 0 else "cooldown_b"] * r.TICK_S
        mana = r.SKILL_MANA[hero["role"], number]
        if not unit["alive"]:
            return "you are dead"
        if left > 0:
            return f"ready in {left:.1f} s"
        if hero["mana"] < mana:
            return f"{hero['mana']} of {mana} mana"
        if unit["stun"] > 0:
            return "you are stunned"
        if not self._mask(match)[r.SKILL_A + number]:
            return "no target is in sight"
        return ""

    def _buy(self, item: int, match: LanesMatch) -> bool:
        unit, hero = match.units[self.player], match.heroes[self.player]
        name, cost = r.ITEMS[item], int(r.ITEM_COST[item])
        if hero["items"] >> item & 1:
            self.message = f"you have the {name}"
        elif unit["alive"] and not at_base(unit):
            self.message = "you can buy in your base, or while you are dead"
        elif hero["gold"] < cost:
            self.message = f"{name}: {hero['gold']} of {cost} gold"
        else:
            self._once = Order("buy", number=item)
            return True
        return False

    # --- actions ---

    def action(self, match: LanesMatch) -> NDArray[np.int8]:
        """Return the action of the next decision, int8 [3]; what is done once is done by this."""
        if self.chosen >= 0 and self.chosen not in self.enemies(match):
            self.chosen = -1
        order, self._once = (self._once, HOLD) if self._once != HOLD else (self.standing, HOLD)
        primary, direction, target = self._encode(order, match)
        return np.array([primary, direction, target], np.int8)

    def _encode(self, order: Order, match: LanesMatch) -> tuple[int, int, int]:
        if order.kind == "walk":
            return r.MOVE, self._ahead(order.direction), 0
        if order.kind == "attack":
            return self._encode_attack(order, match)
        if order.kind == "skill":
            return self._encode_skill(order, match)
        if order.kind == "buy":
            return r.BUY + order.number, 0, 0
        if order.kind == "recall":
            if not at_base(match.units[self.player]):
                return r.GO_HOME, 0, 0
            self.standing = HOLD
        return r.HOLD, 0, 0

    def _encode_attack(self, order: Order, match: LanesMatch) -> tuple[int, int, int]:
        """Attack a unit, and when it is gone the nearest one that is close."""
        units = self.enemies(match)
        if order.unit not in units:
            if not units or self._distance(match, units[0]) > ENGAGE:
                self.standing = HOLD
                return r.HOLD, 0, 0
            self.standing = Order("attack", unit=units[0])
        return r.ATTACK, 0, self._slot(match, self.standing.unit)

    def _encode_skill(self, order: Order, match: LanesMatch) -> tuple[int, int, int]:
        """Use a skill on the chosen unit, else on the nearest; heal whom it helps most."""
        primary = r.SKILL_A + order.number
        kind = r.SKILL_KIND[match.heroes["role"][self.player], order.number]
        if kind == r.DASH:
            return primary, self._ahead(order.direction), 0
        units = self._targets(match, 1 + order.number)
        if not units:
            return r.HOLD, 0, 0
        if kind == r.HEAL:
            health = match.units["hp"] / np.maximum(match.units["max_hp"], 1)
            return primary, 0, self._slot(match, min(units, key=lambda unit: health[unit]))
        unit = order.unit if order.unit in units else units[0]
        self.standing = Order("attack", unit=unit)
        return primary, 0, self._slot(match, unit)

    def _ahead(self, direction: int) -> int:
        """Return a direction of the screen as a team counts it: from the enemy's side."""
        return direction if self.team == 0 else (4 - direction) % r.DIRECTIONS

    # --- what is there ---

    def enemies(self, match: LanesMatch) -> list[int]:
        """Return the units that can be attacked, the nearest first."""
        return self._targets(match, 0)

    def _targets(self, match: LanesMatch, row: int) -> list[int]:
        """Return the legal targets of attack (0) or of a skill (1, 2), the nearest first."""
        start = s.TARGET_MASK + row * s.TARGETS
        legal = self._mask(match)[start : start + s.TARGETS].astype(bool)
        units = [int(u) for u in match.targets[self.player][legal] if u >= 0]
        return sorted(units, key=lambda unit: self._distance(match, unit))

    def _distance(self, match: LanesMatch, unit: int) -> float:
        own, other = match.units[self.player], match.units[unit]
        return float(np.hypot(other["x"] - own["x"], other["y"] - own["y"]))

    def _slot(self, match: LanesMatch, unit: int) -> int:
        return int(np.flatnonzero(match.targets[self.player] == unit)[0])

    def _mask(self, match: LanesMatch) -> NDArray[np.uint8]:
        return match.masks(self.team)[self.number]


def unit_name(match: LanesMatch, index: int, team: int) -> str:
    """Name a unit for a person of a team."""
    unit: Any = match.units[index]
    whose = "your" if unit["team"] == team else "their"
    if unit["kind"] == r.HERO:
        return f"{whose} {r.ROLES[match.heroes['role'][index]]}"
    if unit["kind"] == r.TOWER:
        return f"{whose} {'outer' if abs(unit['x']) < abs(r.INNER_X) else 'inner'} tower"
    names = {r.CORE: "core", r.CREEP: "creep"}
    return "a neutral" if unit["kind"] == r.NEUTRAL else f"{whose} {names[int(unit['kind'])]}"
