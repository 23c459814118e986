"""What is shown of a moment of a match of Lanes: everything, or what one team sees and remembers.

Drawings and panels read a scene and never the match, so none of them sees through the fog.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from envs.lanes import rules as r
from envs.lanes.engine.orders import remembered
from envs.lanes.one_match import LanesMatch, Sight

View = Literal["full", "left", "right"]
VIEWS: tuple[View, ...] = ("full", "left", "right")
SIDES: tuple[View, View] = ("left", "right")
ROLE_LETTERS = "SAMTC"


@dataclass(frozen=True)
class Mark:
    """A unit on the map.

    Attributes:
        unit: its index.
        kind: HERO, TOWER, CORE, CREEP or NEUTRAL.
        team: 0, 1, or 2 for neutrals.
        x, y: in tiles.
        health: share of full health, 0 to 1.
        letter: of a hero's role, else "".
        is_remembered: it is not seen now, and shown as it was last seen.
        is_ranged: of creeps.
    """

    unit: int
    kind: int
    team: int
    x: float
    y: float
    health: float
    letter: str = ""
    is_remembered: bool = False
    is_ranged: bool = False


@dataclass(frozen=True)
class Hit:
    """A line from who hit, or used a skill, in this tick to the target; both are seen."""

    start: tuple[float, float]
    end: tuple[float, float]
    team: int
    is_skill: bool = False


@dataclass(frozen=True)
class HeroFacts:
    """What is known of a hero; None where it is not known.

    Attributes:
        team, number: its place in its team, from 0.
        role: 0 to 4.
        level, hp, max_hp: now, or as last seen.
        seen_s: seconds since it was last seen; 0 while it is seen.
        wait_s: seconds until it comes back, of a dead one.
        mana, max_mana, gold, cooldowns (seconds), items (bits), recall (share), kills, deaths: of
            heroes of the own team.
    """

    team: int
    number: int
    role: int
    is_alive: bool
    level: int | None = None
    hp: int | None = None
    max_hp: int | None = None
    seen_s: float = 0.0
    wait_s: float | None = None
    mana: int | None = None
    max_mana: int | None = None
    gold: int | None = None
    cooldowns: tuple[float, float] | None = None
    items: int | None = None
    recall: float = 0.0
    is_stunned: bool = False
    kills: int | None = None
    deaths: int | None = None
    last_hits: int | None = None


@dataclass(frozen=True)
class Scene:
    """A moment in a view.

    Attributes:
        mode: of the game.
        view: whose.
        seconds: of the match so far.
        winner: a team, DRAW or RUNNING.
        marks: structures first, heroes last.
        hits: of this tick.
        lit: (x, y, radius) of what the team sees; None in the full view.
        heroes: of the left team, then of the right one.
        kills, towers: of each team; core: its share of full health, as known.
    """

    mode: r.Mode
    view: View
    seconds: float
    winner: int
    marks: tuple[Mark, ...]
    hits: tuple[Hit, ...]
    lit: tuple[tuple[float, float, float], ...] | None
    heroes: tuple[HeroFacts, ...]
    kills: tuple[int, int]
    towers: tuple[int, int]
    core: tuple[float, float]


def scene_of(match: LanesMatch, view: View) -> Scene:
    """Return a match in a view, as it is in this tick."""
    sight = match.sight()
    eye = None if view == "full" else SIDES.index(view)
    layout = match.layout
    standing = [
        int(match.units["alive"][first : first + layout.towers - 1].sum())
        for first in (layout.structures, layout.structures + layout.towers)
    ]
    kills = match.match["kills"][0].tolist()
    return Scene(
        mode=match.mode,
        view=view,
        seconds=match.ticks * r.TICK_S,
        winner=match.winner,
        marks=tuple(_marks(match, sight, eye)),
        hits=tuple(_hits(match, sight, eye)),
        lit=None if eye is None else tuple(_lit(match, eye)),
        heroes=tuple(_facts(match, sight, eye, hero) for hero in range(layout.structures)),
        kills=(kills[0], kills[1]),
        towers=(standing[0], standing[1]),
        core=(_core(match, sight, eye, 0), _core(match, sight, eye, 1)),
    )


def _memory(match: LanesMatch, sight: Sight, eye: int, unit: int) -> Any:
    """Return what a team remembers of a unit, SEEN; None if nothing."""
    place = remembered(unit, eye, match.layout)
    if place < 0 or sight.seen[eye, place]["tick"] < 0:
        return None
    return sight.seen[eye, place]


def _marks(match: LanesMatch, sight: Sight, eye: int | None) -> list[Mark]:
    """Return the marks of all units that are seen or remembered, heroes last."""
    layout, found = match.layout, []
    order = [
        *range(layout.structures, layout.creeps),
        *range(layout.neutrals, layout.units),
        *range(layout.creeps, layout.neutrals),
        *range(layout.structures),
    ]
    lit = [] if eye is None else _lit(match, eye)
    for index in order:
        unit = match.units[index]
        if unit["alive"] and (eye is None or sight.visible[eye, index]):
            found.append(_mark(match, index, unit, is_remembered=False))
        elif eye is not None and unit["team"] != eye:
            memory = _memory(match, sight, eye, index)
            if memory is not None and _is_held_true(unit, memory, lit):
                found.append(_mark(match, index, memory, is_remembered=True))
    return found


def _is_held_true(unit: Any, memory: Any, lit: list[tuple[float, float, float]]) -> bool:
    """Return whether a team takes a unit to be where it saw it last.

    Deaths of heroes and structures are announced. A neutral counts until its place is seen empty.
    """
    if unit["kind"] != r.NEUTRAL:
        return bool(unit["alive"])
    x, y = float(memory["x"]), float(memory["y"])
    return not any((x - a) ** 2 + (y - b) ** 2 <= radius**2 for a, b, radius in lit)


def _mark(match: LanesMatch, index: int, shown: Any, *, is_remembered: bool) -> Mark:
    unit = match.units[index]
    is_hero = unit["kind"] == r.HERO
    return Mark(
        unit=index,
        kind=int(unit["kind"]),
        team=int(unit["team"]),
        x=float(shown["x"]),
        y=float(shown["y"]),
        health=float(shown["hp"]) / max(1.0, float(shown["max_hp"])),
        letter=ROLE_LETTERS[match.heroes["role"][index]] if is_hero else "",
        is_remembered=is_remembered,
        is_ranged=bool(unit["kind"] == r.CREEP and unit["reach"] > r.MELEE_REACH + 1),
    )


def _lit(match: LanesMatch, eye: int) -> list[tuple[float, float, float]]:
    """Return the circles that a team's living units see, in tiles."""
    own = match.units[(match.units["team"] == eye) & (match.units["alive"] == 1)]
    radius = r.SIGHT[own["kind"]]
    return list(zip(own["x"].tolist(), own["y"].tolist(), radius.tolist(), strict=True))


def _hits(match: LanesMatch, sight: Sight, eye: int | None) -> list[Hit]:
    """Return the hits and skills of this tick between units that are both seen."""
    units, found = match.units, []

    def add(index: int, target: int, *, is_skill: bool) -> None:
        if eye is not None and not (sight.visible[eye, index] and sight.visible[eye, target]):
            return
        start, end = ((float(units["x"][i]), float(units["y"][i])) for i in (index, target))
        found.append(Hit(start, end, int(units["team"][index]), is_skill))

    has_hit = (units["cooldown"] == units["period"]) & (units["alive"] == 1)
    for index in np.flatnonzero(has_hit).tolist():
        is_hero = index < match.layout.structures
        target = (match.heroes["order_target"] if is_hero else units["target"])[index]
        if target >= 0:
            add(index, int(target), is_skill=False)
    for index, hero in enumerate(match.heroes):
        skill = int(hero["primary"]) - r.SKILL_A
        if skill not in (0, 1) or not hero["spent"] or hero["order_target"] < 0:
            continue
        left = hero["cooldown_a" if skill == 0 else "cooldown_b"]
        if left == r.SKILL_COOLDOWN[hero["role"], skill]:  # used in this tick
            add(index, int(hero["order_target"]), is_skill=True)
    return found


def _facts(match: LanesMatch, sight: Sight, eye: int | None, index: int) -> HeroFacts:
    """Return what a view knows of a hero."""
    unit, hero = match.units[index], match.heroes[index]
    team, number = divmod(index, match.layout.agents)
    role, is_alive = int(hero["role"]), bool(unit["alive"])
    if eye is not None and team != eye:
        memory = _memory(match, sight, eye, index)
        if memory is None or not is_alive:
            return HeroFacts(team, number, role, is_alive)
        ago = (match.ticks - int(memory["tick"])) * r.TICK_S
        is_seen = bool(sight.visible[eye, index])
        return HeroFacts(
            *(team, number, role, is_alive),
            level=int(memory["level"]),
            hp=int(memory["hp"]),
            max_hp=int(memory["max_hp"]),
            seen_s=0.0 if is_seen else ago,
            is_stunned=is_seen and bool(unit["stun"] > 0),
        )
    return HeroFacts(
        *(team, number, role, is_alive),
        level=int(unit["level"]),
        hp=int(unit["hp"]),
        max_hp=int(unit["max_hp"]),
        wait_s=None if is_alive else float(unit["wait"] * r.TICK_S),
        mana=int(hero["mana"]),
        max_mana=int(hero["max_mana"]),
        gold=int(hero["gold"]),
        cooldowns=(float(hero["cooldown_a"] * r.TICK_S), float(hero["cooldown_b"] * r.TICK_S)),
        items=int(hero["items"]),
        recall=float(hero["recall"] / r.RECALL),
        is_stunned=bool(unit["stun"] > 0),
        kills=int(hero["kills"]),
        deaths=int(hero["deaths"]),
        last_hits=int(hero["last_hits"]),
    )


def _core(match: LanesMatch, sight: Sight, eye: int | None, team: int) -> float:
    """Return the share of full health of a team's core, as a view knows it."""
    index = match.layout.structures + (team + 1) * match.layout.towers - 1
    unit = match.units[index]
    if not unit["alive"]:
        return 0.0
    if eye is None or team == eye:
        return float(unit["hp"]) / r.CORE_HP
    memory = _memory(match, sight, eye, index)
    return float(memory["hp"]) / r.CORE_HP
