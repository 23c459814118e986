"""The rules of Lanes a second time, slow and plain: docs/lanes.md, with the names of its numbers.

It shares the numbers (`rules`) and the order of the units (`state`) with the compiled game, and no
code. A decision takes orders with units as targets, and only legal ones; what a hero sees of the
match is not its matter. Records have the names of the fields in `state`, so that a test can compare
the two by names.
"""

import ctypes
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from envs.lanes import rules as r
from envs.lanes.state import layout_of

NOBODY, BOTH_TEAMS = -1, -2  # whose hit counts, if not one hero's
NEUTRAL_TEAM, NO_LANE = 2, -1


def stored(number: float) -> float:
    """Round a number as float32 stores it."""
    return ctypes.c_float(number).value


def draw(seed: int, tick: int, slot: int, salt: int) -> int:
    """Return 64 random bits: SplitMix64's finaliser (Steele, Lea and Flood 2014)."""
    bits = seed + 0x9E3779B97F4A7C15 * (tick * 4096 + slot * 16 + salt)
    bits &= 2**64 - 1
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & 2**64 - 1
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & 2**64 - 1
    return bits ^ bits >> 31


def on_side(team: int, x: float) -> float:
    """Return an x of the left side, or its mirror image for team 1."""
    return x if team == 0 else -x


def kept_on_map(place: float) -> float:
    """Return the place, moved to the edge if it is beyond."""
    return max(-r.EDGE, min(r.EDGE, place))


class Order(NamedTuple):
    """What a hero does in a decision; `target` is the index of a unit."""

    primary: int
    direction: int = 0
    target: int = NOBODY


@dataclass
class Unit:
    """One of a match's units, with the fields of `state.UNIT`."""

    index: int
    kind: int
    team: int
    lane: int = NO_LANE
    x: float = 0.0
    y: float = 0.0
    hp: int = 0
    max_hp: int = 0
    damage: int = 0
    speed: float = 0.0
    reach: float = 0.0
    target: int = NOBODY
    cooldown: int = 0
    period: int = 0
    stun: int = 0
    slow: int = 0
    wait: int = 0
    leg: int = 0
    alive: bool = False
    level: int = 0
    # What the others do to it in a tick.
    to_x: float = 0.0
    to_y: float = 0.0
    push_x: float = 0.0
    push_y: float = 0.0
    hurt: int = 0
    heal: int = 0
    new_stun: int = 0
    new_slow: int = 0
    best_hit: int = 0
    hit_by: int = NOBODY

    def stands_at(self, x: float, y: float) -> None:
        """Put it on a place, where it stays."""
        self.x, self.y = stored(x), stored(y)
        self.to_x, self.to_y = self.x, self.y

    def distance2(self, x: float, y: float) -> float:
        """Return its squared distance from a point."""
        dx, dy = x - self.x, y - self.y
        return dx * dx + dy * dy

    def within(self, other: "Unit", distance: float) -> bool:
        """Return whether the other one is at most so far away."""
        return self.distance2(other.x, other.y) <= distance * distance

    def step(self) -> float:
        """Return how far it walks in this tick."""
        length = self.speed
        if self.slow > 0:
            length = length * r.SLOW_PERCENT / 100
        if abs(self.x) < r.RIVER:
            length = length * r.RIVER_PERCENT / 100
        return length

    def walk_to(self, x: float, y: float) -> None:
        """Take a step towards a point."""
        dx, dy = x - self.x, y - self.y
        distance, length = math.sqrt(dx * dx + dy * dy), self.step()
        if distance <= length:
            self.to_x, self.to_y = stored(x), stored(y)
        else:
            self.to_x = stored(self.x + dx * length / distance)
            self.to_y = stored(self.y + dy * length / distance)

    def count_down(self) -> None:
        """Lower what falls with time."""
        self.cooldown = max(0, self.cooldown - 1)
        self.stun, self.slow = max(0, self.stun - 1), max(0, self.slow - 1)

    def forget_tick(self) -> None:
        """Forget what the last tick did to it: it stays where it is, unhurt."""
        self.to_x, self.to_y = self.x, self.y
        self.push_x = self.push_y = 0.0
        self.hurt = self.heal = self.new_stun = self.new_slow = self.best_hit = 0
        self.hit_by = NOBODY


@dataclass
class Hero:
    """What a hero has besides its unit, with the fields of `state.HERO`."""

    body: Unit
    number: int
    role: int
    xp: int = 0
    gold: int = r.START_GOLD
    mana: int = 0
    max_mana: int = 0
    cooldown_a: int = 0
    cooldown_b: int = 0
    recall: int = 0
    aggro: int = 0
    items: int = 0
    primary: int = r.HOLD
    direction: int = 0
    order_target: int = NOBODY
    spent: bool = False
    kills: int = 0
    deaths: int = 0
    last_hits: int = 0
    hurt: int = 0
    won_xp: int = 0
    won_gold: int = 0
    won_hits: int = 0
    won_kills: int = 0
    won_deaths: int = 0
    old_hp: float = 0.0
    old_mana: float = 0.0

    @property
    def team(self) -> int:
        """The team it belongs to."""
        return self.body.team

    def has(self, item: int) -> bool:
        """Return whether it has bought an item."""
        return bool(self.items >> item & 1)

    def gain(self, xp: int = 0, gold: int = 0) -> None:
        """Take what a death brings it."""
        self.xp += xp
        self.won_xp += xp
        self.gold += gold
        self.won_gold += gold

    def go_to_base(self) -> None:
        """Stand at its place in the base."""
        self.body.stands_at(on_side(self.team, r.CORE_X + 1), self.number - 2)


@dataclass
class Seen:
    """What a team remembers of a unit, with the fields of `state.SEEN`."""

    x: float = 0.0
    y: float = 0.0
    hp: int = 0
    max_hp: int = 0
    tick: int = -1
    level: int = 0

    def update(self, unit: Unit, tick: int) -> None:
        """Remember how a unit is now."""
        self.x, self.y, self.tick = unit.x, unit.y, tick
        self.hp, self.max_hp, self.level = unit.hp, unit.max_hp, unit.level


@dataclass
class Memory:
    """What one team knows of the others."""

    seen: dict[int, Seen]  # by unit, in the order of `state.SEEN`'s places
    visible: list[bool] = field(default_factory=list)  # by unit


class Twin:
    """One match: `decide` advances it by a decision."""

    def __init__(self, name: str, seed: int) -> None:
        self.mode, self.seed = r.MODES[name], seed
        self.tick = self.wave = self.steps = 0
        self.winner = r.RUNNING
        self.kills = [0, 0]
        self.units: list[Unit] = []
        self.heroes: list[Hero] = []
        self._make_heroes()
        self.structures = [self._make_structures(team) for team in (0, 1)]
        for team in (0, 1):
            for lane in range(len(self.mode.lanes)):
                for _ in range(r.CREEPS):
                    self._new_unit(r.CREEP, team, lane)
        camps = [(on_side(team, x), y) for team in (0, 1) for x, y in self.mode.camps]
        self.neutrals = [
            (self._new_unit(r.NEUTRAL, NEUTRAL_TEAM, number), camp)
            for number, camp in enumerate(camps)
        ]
        for neutral, camp in self.neutrals:
            self._come_to_camp(neutral, camp)
        self.memory = [self._first_memory(team) for team in (0, 1)]
        self.tower_hp, self.core_hp, self.towers = [0, 0], [0, 0], [0, 0]  # before a decision
        self._look()

    # --- how a match begins -----------------------------------------------------------------

    def _new_unit(self, kind: int, team: int, lane: int = NO_LANE) -> Unit:
        unit = Unit(len(self.units), kind, team, lane)
        self.units.append(unit)
        return unit

    def _make_heroes(self) -> None:
        for team in (0, 1):
            left = list(range(len(r.ROLES)))
            for number in range(self.mode.agents):
                choice = draw(self.seed, 0, number, 1) % len(left)
                role = number if self.mode.agents == len(r.ROLES) else left.pop(choice)
                body = self._new_unit(r.HERO, team)
                hero = Hero(body, number, role)
                self.heroes.append(hero)
                body.max_hp = body.hp = int(r.HERO_HP[role])
                hero.max_mana = hero.mana = int(r.HERO_MANA[role])
                body.damage, body.period = int(r.HERO_DAMAGE[role]), int(r.HERO_PERIOD[role])
                body.reach = stored(r.HERO_REACH[role])
                body.speed = stored(r.HERO_SPEED[role])
                body.level, body.alive = 1, True
                hero.go_to_base()

    def _make_structures(self, team: int) -> list[Unit]:
        made = []
        for lane, y in enumerate(self.mode.lanes):
            for x in (r.OUTER_X, r.INNER_X):
                tower = self._new_unit(r.TOWER, team, lane)
                tower.stands_at(on_side(team, x), y)
                tower.hp, tower.damage = r.TOWER_HP, r.TOWER_DAMAGE
                tower.reach, tower.period = r.TOWER_REACH, r.TOWER_PERIOD
                made.append(tower)
        core = self._new_unit(r.CORE, team)
        core.stands_at(on_side(team, r.CORE_X), 0.0)
        core.hp, core.damage = r.CORE_HP, r.CORE_DAMAGE
        core.reach, core.period = r.CORE_REACH, r.CORE_PERIOD
        made.append(core)
        for structure in made:
            structure.max_hp, structure.alive = structure.hp, True
        return made

    def _come_to_camp(self, neutral: Unit, camp: tuple[float, float]) -> None:
        neutral.stands_at(*camp)
        neutral.hp = neutral.max_hp = r.NEUTRAL_HP
        neutral.damage, neutral.period = r.NEUTRAL_DAMAGE, r.NEUTRAL_PERIOD
        neutral.reach, neutral.speed = stored(r.NEUTRAL_REACH), stored(r.NEUTRAL_SPEED)
        neutral.target, neutral.cooldown, neutral.alive = NOBODY, 0, True

    def _first_memory(self, team: int) -> Memory:
        enemies = [hero.body for hero in self.heroes if hero.team != team]
        others = [*enemies, *self.structures[1 - team], *(unit for unit, _ in self.neutrals)]
        memory = Memory({unit.index: Seen() for unit in others})
        for structure in self.structures[1 - team]:
            memory.seen[structure.index].update(structure, 0)
        return memory

    # --- a decision -------------------------------------------------------------------------

    def decide(self, orders: Sequence[Order]) -> None:
        """Advance by a decision, with an order of each hero."""
        self._note_what_was()
        for hero, order in zip(self.heroes, orders, strict=True):
            hero.primary, hero.direction, hero.order_target = order
            hero.spent = False
            hero.hurt = hero.won_xp = hero.won_gold = 0
            hero.won_hits = hero.won_kills = hero.won_deaths = 0
        self.steps += 1
        for number in range(r.TICKS):
            self._advance(first=number == 0)
            if self.winner != r.RUNNING:
                break
        self._look()

    def _note_what_was(self) -> None:
        self.tower_hp, self.core_hp, self.towers = self._strength()
        for hero in self.heroes:
            hero.old_hp, hero.old_mana = map(stored, self._worths(hero))

    def _strength(self) -> tuple[list[int], list[int], list[int]]:
        """Return each team's health of towers and of the core, and its standing towers."""
        towers = [team[:-1] for team in self.structures]
        return (
            [sum(tower.hp for tower in team) for team in towers],
            [team[-1].hp for team in self.structures],
            [sum(tower.alive for tower in team) for team in towers],
        )

    def _worths(self, hero: Hero) -> tuple[float, float]:
        """Return what a hero's health and mana are worth, each at most 1."""
        if not hero.body.alive:
            return 0.0, 0.0
        share = hero.body.hp / hero.body.max_hp
        return (share + 1 - (1 - share) ** 4) / 2, hero.mana / hero.max_mana

    def _advance(self, first: bool) -> None:
        self._count_down()
        if self.tick >= r.FIRST_WAVE and (self.tick - r.FIRST_WAVE) % r.WAVE_PERIOD == 0:
            self._send_wave()
        self._act(first)
        self._resolve()
        self.tick += 1
        self._judge()

    # --- step 1 and 2 -----------------------------------------------------------------------

    def _count_down(self) -> None:
        for unit in self.units:
            unit.forget_tick()
            if unit.alive:
                unit.count_down()
            elif unit.wait > 0:
                unit.wait -= 1
                if unit.wait == 0:
                    self._come_back(unit)
        for hero in self.heroes:
            hero.cooldown_a = max(0, hero.cooldown_a - 1)
            hero.cooldown_b = max(0, hero.cooldown_b - 1)
            hero.aggro = max(0, hero.aggro - 1)
            if hero.body.alive:
                self._regain(hero)

    def _come_back(self, unit: Unit) -> None:
        if unit.kind == r.HERO:
            hero = self.heroes[unit.index]
            unit.alive, unit.hp, hero.mana = True, unit.max_hp, hero.max_mana
            hero.go_to_base()
        else:
            self._come_to_camp(unit, next(camp for other, camp in self.neutrals if other is unit))

    def in_base(self, hero: Hero) -> bool:
        """Return whether a hero is near enough to its core's place to heal and to buy."""
        x = on_side(hero.team, r.CORE_X)
        return hero.body.distance2(x, 0.0) <= r.BASE_RADIUS * r.BASE_RADIUS

    def _regain(self, hero: Hero) -> None:
        body = hero.body
        if self.tick % r.REGEN_PERIOD == 0:
            more = r.BASE_REGEN if self.in_base(hero) else 0
            body.hp = min(body.max_hp, body.hp + r.REGEN_HP + more)
            hero.mana = min(hero.max_mana, hero.mana + r.REGEN_MANA + more)
        if hero.recall >= r.RECALL:
            hero.go_to_base()
            hero.recall = 0

    def _send_wave(self) -> None:
        for team in (0, 1):
            for lane in range(len(self.mode.lanes)):
                places = [u for u in self.creeps(team, lane) if not u.alive]
                ranged = [False] * r.WAVE_MELEE + [True] * r.WAVE_RANGED
                for creep, is_ranged in zip(places, ranged, strict=False):
                    self._come_with_wave(creep, is_ranged)
        self.wave += 1

    def creeps(self, team: int, lane: int) -> list[Unit]:
        """Return the places of a team's creeps in a lane."""
        layout = layout_of(self.mode)
        first = layout.creeps + team * layout.per_team + lane * r.CREEPS
        return self.units[first : first + r.CREEPS]

    def _come_with_wave(self, creep: Unit, is_ranged: bool) -> None:
        growth = 100 + r.WAVE_GROWTH * self.wave
        hp, damage, reach = (
            (r.RANGED_HP, r.RANGED_DAMAGE, r.RANGED_REACH)
            if is_ranged
            else (r.MELEE_HP, r.MELEE_DAMAGE, r.MELEE_REACH)
        )
        creep.stands_at(on_side(creep.team, r.SPAWN_X), 0.0)
        creep.hp = creep.max_hp = hp * growth // 100
        creep.damage = damage * growth // 100
        creep.reach, creep.speed = stored(reach), stored(r.CREEP_SPEED)
        creep.period, creep.cooldown = r.CREEP_PERIOD, 0
        creep.target, creep.leg, creep.alive = NOBODY, 0, True

    # --- step 3: acting ---------------------------------------------------------------------

    def _act(self, first: bool) -> None:
        living = [unit for unit in self.units if unit.alive]
        self._living_heroes = [
            [u for u in living if u.kind == r.HERO and u.team == t] for t in (0, 1)
        ]
        self._living_creeps = [
            [u for u in living if u.kind == r.CREEP and u.team == t] for t in (0, 1)
        ]
        for hero in self.heroes:
            self._act_hero(hero, first)
        for unit in living:
            if unit.kind in (r.TOWER, r.CORE):
                self._act_structure(unit)
        for unit in living:
            if unit.kind == r.CREEP and unit.stun == 0:
                self._act_creep(unit)
        for unit, camp in self.neutrals:
            if unit.alive and unit.stun == 0:
                self._act_neutral(unit, camp)

    @staticmethod
    def _nearest(unit: Unit, others: Sequence[Unit], distance: float) -> Unit | None:
        """Return the nearest one nearer than a distance, the first of equals."""
        best, best2 = None, distance * distance
        for other in others:
            distance2 = unit.distance2(other.x, other.y)
            if distance2 < best2:
                best, best2 = other, distance2
        return best

    def _fight(self, unit: Unit, target: Unit) -> None:
        """Hit a target in reach, or walk to it."""
        if not unit.within(target, unit.reach):
            unit.walk_to(target.x, target.y)
        elif unit.cooldown == 0:
            target.hurt += unit.damage
            unit.cooldown = unit.period

    def _act_structure(self, unit: Unit) -> None:
        if unit.cooldown > 0:
            return
        heroes, creeps = self._living_heroes[1 - unit.team], self._living_creeps[1 - unit.team]
        if unit.kind == r.TOWER:
            creeps = [creep for creep in creeps if creep.lane == unit.lane]
        rude = [hero for hero in heroes if self.heroes[hero.index].aggro > 0]
        for group in (rude, creeps, heroes):
            target = self._nearest(unit, group, unit.reach)
            if target is not None:
                self._fight(unit, target)
                return

    def _act_creep(self, unit: Unit) -> None:
        kept = self.units[unit.target] if unit.target != NOBODY else None
        if kept is None or not kept.alive or not unit.within(kept, r.RELEASE):
            kept = self._new_target(unit)
            unit.target = NOBODY if kept is None else kept.index
        if kept is not None:
            self._fight(unit, kept)
        else:
            self._go_its_way(unit)

    def _new_target(self, unit: Unit) -> Unit | None:
        creeps = [other for other in self._living_creeps[1 - unit.team] if other.lane == unit.lane]
        target = self._nearest(unit, [*creeps, *self._living_heroes[1 - unit.team]], r.ACQUIRE)
        if target is not None:
            return target
        outer, inner = self.structures[1 - unit.team][2 * unit.lane : 2 * unit.lane + 2]
        core = self.structures[1 - unit.team][-1]
        structure = outer if outer.alive else inner if inner.alive else core
        return structure if unit.within(structure, r.ACQUIRE) else None

    def _go_its_way(self, unit: Unit) -> None:
        y = self.mode.lanes[unit.lane]
        way = [
            (on_side(unit.team, r.INNER_X), y),
            (on_side(1 - unit.team, r.INNER_X), y),
            (on_side(1 - unit.team, r.CORE_X), 0.0),
        ]
        goal = way[unit.leg]
        unit.walk_to(*goal)
        if (unit.to_x, unit.to_y) == goal and unit.leg < 2:
            unit.leg += 1

    def _act_neutral(self, unit: Unit, camp: tuple[float, float]) -> None:
        target = self.units[unit.target] if unit.target != NOBODY else None
        if target and target.alive and target.distance2(*camp) <= r.LEASH * r.LEASH:
            self._fight(unit, target)
        else:
            unit.target = NOBODY
            unit.walk_to(*camp)
            unit.hp = min(unit.max_hp, unit.hp + r.NEUTRAL_HEAL)

    # --- step 3: heroes ---------------------------------------------------------------------

    def _act_hero(self, hero: Hero, first: bool) -> None:
        body = hero.body
        if hero.primary >= r.BUY and first:
            self._buy(hero, hero.primary - r.BUY)
            hero.spent = True
        if not body.alive or body.stun > 0:
            hero.recall = 0
            return
        hero.recall = hero.recall + 1 if hero.primary == r.GO_HOME else 0
        if hero.primary == r.MOVE:
            self._move(hero, body.step())
        elif hero.primary == r.ATTACK:
            self._attack(hero, self.units[hero.order_target])
        elif hero.primary in (r.SKILL_A, r.SKILL_B):
            self._skill(hero, hero.primary - r.SKILL_A)

    def _buy(self, hero: Hero, item: int) -> None:
        body, cost = hero.body, int(r.ITEM_COST[item])
        if hero.gold < cost or hero.has(item) or (body.alive and not self.in_base(hero)):
            return
        hero.gold -= cost
        hero.items |= 1 << item
        if item == r.BOOTS:
            body.speed = stored(r.HERO_SPEED[hero.role] * r.BOOTS_PERCENT / 100)
        elif item == r.BLADE:
            body.damage += r.BLADE_DAMAGE
        elif item == r.VEST:
            body.max_hp += r.VEST_HP
            body.hp += r.VEST_HP if body.alive else 0
        else:
            hero.max_mana += r.TOME_MANA
            hero.mana += r.TOME_MANA if body.alive else 0

    def _move(self, hero: Hero, length: float) -> None:
        body = hero.body
        ahead = on_side(hero.team, float(r.DIRECTION_X[hero.direction]))
        aside = float(r.DIRECTION_Y[hero.direction])
        body.to_x = stored(kept_on_map(body.x + ahead * length))
        body.to_y = stored(kept_on_map(body.y + aside * length))

    def _walk_to_memory(self, hero: Hero, target: Unit) -> bool:
        """Walk to where the target was seen last, if the hero does not see it itself."""
        if target.team == hero.team or hero.body.within(target, float(r.SIGHT[r.HERO])):
            return False
        seen = self.memory[hero.team].seen.get(target.index)
        if seen is not None and seen.tick >= 0:
            hero.body.walk_to(seen.x, seen.y)
        return True

    def can_be_hurt(self, unit: Unit) -> bool:
        """Return whether a hero can hurt a unit: a structure, if what is before it has fallen."""
        if unit.kind not in (r.TOWER, r.CORE):
            return True
        mine = self.structures[unit.team]
        if unit.kind == r.CORE:
            return not all(inner.alive for inner in mine[1:-1:2])
        outer = mine[2 * unit.lane]
        return unit is outer or not outer.alive

    def _attack(self, hero: Hero, target: Unit) -> None:
        body = hero.body
        if self._walk_to_memory(hero, target):
            return
        if not target.alive or not self.can_be_hurt(target):
            return
        if not body.within(target, body.reach):
            body.walk_to(target.x, target.y)
        elif body.cooldown == 0:
            d = draw(self.seed, self.tick, hero.number, 2) % (2 * r.SPREAD + 1)
            self._hit(hero, target, body.damage * (100 - r.SPREAD + d) // 100)
            body.cooldown = body.period

    def _hit(self, hero: Hero, target: Unit, amount: int) -> None:
        """Note a hit of a hero and whose hit counts if the target dies."""
        target.hurt += amount
        if target.kind == r.HERO:
            hero.aggro = r.AGGRO
        if amount > target.best_hit:
            target.best_hit, target.hit_by = amount, hero.body.index
        elif amount == target.best_hit and target.hit_by >= 0:
            if self.heroes[target.hit_by].team != hero.team:
                target.hit_by = BOTH_TEAMS

    def _skill(self, hero: Hero, which: int) -> None:
        body, kind = hero.body, int(r.SKILL_KIND[hero.role, which])
        reach = float(r.SKILL_RANGE[hero.role, which])
        if hero.spent:
            if kind not in (r.DASH, r.HEAL):
                self._attack(hero, self.units[hero.order_target])
            return
        cooldown, cost = (hero.cooldown_a, hero.cooldown_b)[which], r.SKILL_MANA[hero.role, which]
        ready = cooldown == 0 and hero.mana >= cost
        if kind == r.DASH:
            if ready:
                self._move(hero, reach)
                self._spend(hero, which)
            return
        target = self.units[hero.order_target]
        if self._walk_to_memory(hero, target) or not target.alive:
            return
        if not body.within(target, reach):
            body.walk_to(target.x, target.y)
        elif ready:
            self._use_on(hero, which, target)
            self._spend(hero, which)

    def _spend(self, hero: Hero, which: int) -> None:
        hero.spent = True
        hero.mana -= int(r.SKILL_MANA[hero.role, which])
        cooldown = int(r.SKILL_COOLDOWN[hero.role, which])
        if which == 0:
            hero.cooldown_a = cooldown
        else:
            hero.cooldown_b = cooldown

    def _use_on(self, hero: Hero, which: int, target: Unit) -> None:
        row = hero.role, which
        kind, lasts = int(r.SKILL_KIND[row]), int(r.SKILL_TICKS[row])
        amount = int(r.SKILL_AMOUNT[row]) + int(r.SKILL_LEVEL[row]) * (hero.body.level - 1)
        if hero.has(r.TOME):
            amount = amount * r.TOME_PERCENT // 100
        if kind == r.HEAL:
            target.heal += amount
            return
        self._hit(hero, target, amount)
        if kind == r.DAMAGE:
            self._splash(hero, target, amount, float(r.SKILL_RADIUS[row]))
        elif kind == r.STUN:
            target.new_stun = max(target.new_stun, lasts)
        elif kind == r.SLOW:
            target.new_slow = max(target.new_slow, lasts)
        else:
            self._shift(hero.body, target, kind)

    def _splash(self, hero: Hero, target: Unit, amount: int, radius: float) -> None:
        if radius == 0:
            return
        for unit in self.units:
            hostile = unit.alive and unit.team != hero.team and unit is not target
            if hostile and unit.kind not in (r.TOWER, r.CORE) and target.within(unit, radius):
                self._hit(hero, unit, amount)

    def _shift(self, body: Unit, target: Unit, kind: int) -> None:
        dx, dy = target.x - body.x, target.y - body.y
        distance = math.sqrt(dx * dx + dy * dy)
        if distance == 0:
            return
        length = r.PUSH_TILES if kind == r.PUSH else min(0.0, r.PULL_GAP - distance)
        target.push_x += round(dx * length / distance * r.PUSH_GRAIN) / r.PUSH_GRAIN
        target.push_y += round(dy * length / distance * r.PUSH_GRAIN) / r.PUSH_GRAIN

    # --- step 4: resolution -----------------------------------------------------------------

    def _resolve(self) -> None:
        living = [unit for unit in self.units if unit.alive]
        for unit in living:
            self._settle(unit)
        fallen = [unit for unit in living if unit.hp <= 0]
        for unit in fallen:
            self._bring(unit)
        for unit in fallen:
            self._leave(unit)
        for hero in self.heroes:
            self._rise(hero)

    def _settle(self, unit: Unit) -> None:
        unit.x = stored(kept_on_map(unit.to_x + unit.push_x))
        unit.y = stored(kept_on_map(unit.to_y + unit.push_y))
        unit.stun, unit.slow = max(unit.stun, unit.new_stun), max(unit.slow, unit.new_slow)
        unit.hp = min(unit.max_hp, unit.hp + unit.heal) - unit.hurt
        if unit.kind == r.NEUTRAL and unit.target == NOBODY and unit.hit_by >= 0:
            unit.target = unit.hit_by
        if unit.kind == r.HERO and unit.hurt > 0:
            self.heroes[unit.index].recall = 0
            self.heroes[unit.index].hurt += unit.hurt

    def _near(self, team: int, unit: Unit) -> Iterator[Hero]:
        """Yield the heroes of a team who get a share of a death."""
        for hero in self.heroes:
            if hero.team == team and hero.body.alive and unit.within(hero.body, r.XP_RADIUS):
                yield hero

    def _share_xp(self, team: int, unit: Unit, amount: int) -> None:
        near = list(self._near(team, unit))
        for hero in near:
            hero.gain(xp=amount // len(near))

    def _bring(self, unit: Unit) -> None:
        """Give what a death brings."""
        killer = self.heroes[unit.hit_by] if unit.hit_by >= 0 else None
        if unit.kind == r.HERO:
            self._bring_hero(self.heroes[unit.index], killer)
        elif unit.kind == r.CREEP:
            self._share_xp(1 - unit.team, unit, r.CREEP_XP)
            if killer:
                self._last_hit(killer, r.CREEP_GOLD)
        elif unit.kind == r.NEUTRAL:
            if killer:
                self._share_xp(killer.team, unit, r.NEUTRAL_XP)
                self._last_hit(killer, r.NEUTRAL_GOLD)
        else:
            for hero in self.heroes:
                if hero.team != unit.team:
                    hero.gain(gold=r.TOWER_GOLD)

    def _last_hit(self, killer: Hero, gold: int) -> None:
        killer.gain(gold=gold)
        killer.last_hits += 1
        killer.won_hits += 1

    def _bring_hero(self, dead: Hero, killer: Hero | None) -> None:
        team, body = 1 - dead.team, dead.body
        self.kills[team] += 1
        dead.deaths += 1
        dead.won_deaths += 1
        self._share_xp(team, body, r.HERO_XP + r.HERO_XP_LEVEL * body.level)
        if killer:
            killer.kills += 1
            killer.won_kills += 1
            killer.gain(gold=r.HERO_GOLD)
            helpers = [hero for hero in self._near(team, body) if hero is not killer]
            for hero in helpers:
                hero.gain(gold=r.ASSIST_GOLD // len(helpers))

    def _leave(self, unit: Unit) -> None:
        unit.alive = False
        unit.hp = unit.stun = unit.slow = 0
        unit.target = NOBODY
        if unit.kind == r.HERO:
            unit.wait = r.RESPAWN + r.RESPAWN_LEVEL * unit.level
        elif unit.kind == r.NEUTRAL:
            unit.wait = r.NEUTRAL_RESPAWN

    def _rise(self, hero: Hero) -> None:
        body, role = hero.body, hero.role
        while body.level < r.MOST_LEVEL and hero.xp >= r.XP_OF_LEVEL[body.level + 1]:
            body.level += 1
            body.max_hp += int(r.HERO_HP_LEVEL[role])
            body.damage += int(r.HERO_DAMAGE_LEVEL[role])
            hero.max_mana += r.HERO_MANA_LEVEL
            if body.alive:
                body.hp += int(r.HERO_HP_LEVEL[role])
                hero.mana += r.HERO_MANA_LEVEL

    def _judge(self) -> None:
        cores = [team[-1].alive for team in self.structures]
        if not all(cores):
            self.winner = r.DRAW if not any(cores) else cores.index(True)
        elif self.tick >= r.LIMIT:
            mine, other = zip(self._strength()[2], self.kills, strict=True)
            self.winner = r.DRAW if mine == other else int(other > mine)

    # --- what the teams see -----------------------------------------------------------------

    def _look(self) -> None:
        for team, memory in enumerate(self.memory):
            lookers = [u for u in self.units if u.alive and u.team == team]
            memory.visible = [
                unit.alive
                and (
                    unit.team == team
                    or any(one.within(unit, float(r.SIGHT[one.kind])) for one in lookers)
                )
                for unit in self.units
            ]
            for index, seen in memory.seen.items():
                unit = self.units[index]
                if memory.visible[index]:
                    seen.update(unit, self.tick)

    # --- rewards ----------------------------------------------------------------------------

    def rewards(self, weights: r.RewardWeights) -> list[float]:
        """Return what the last decision brought each hero."""
        own: list[list[float]] = [[], []]
        shared = [self._shared_reward(team, weights) for team in (0, 1)]
        decay = weights.decay ** (self.tick / r.LIMIT)
        for hero in self.heroes:
            reward = decay * (self._own_reward(hero, weights) + shared[hero.team])
            own[hero.team].append(reward + weights.win * (self.winner == hero.team))
        means = [sum(team) / len(team) for team in own]
        return [reward - means[1 - team] for team in (0, 1) for reward in own[team]]

    def _own_reward(self, hero: Hero, weights: r.RewardWeights) -> float:
        hp, mana = self._worths(hero)
        return (
            weights.xp * hero.won_xp
            + weights.gold * hero.won_gold
            + weights.health * (hp - hero.old_hp)
            + weights.mana * (mana - hero.old_mana)
            + weights.last_hit * hero.won_hits
            + weights.kill * hero.won_kills
            + weights.death * hero.won_deaths
        )

    def _shared_reward(self, team: int, weights: r.RewardWeights) -> float:
        towers, core, standing = (both[1 - team] for both in self._strength())
        return (
            weights.tower_damage * (self.tower_hp[1 - team] - towers) / r.TOWER_HP
            + weights.core_damage * (self.core_hp[1 - team] - core) / r.CORE_HP
            + weights.tower_kill * (self.towers[1 - team] - standing)
        )
