"""Between the twin and the arrays of the compiled game: read a state, compare two, give orders."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.batch import LanesVector
from tests.envs.lanes.twin import NOBODY, Order, Twin

# What units do to each other in a tick is noted here; between two ticks it means nothing.
NOTES = {"to_x", "to_y", "push_x", "push_y", "hurt", "heal", "new_stun", "new_slow"}
NOTES |= {"best_hit", "hit_by"}
UNIT_FIELDS = [name for name in s.UNIT.names or () if name not in NOTES]
HERO_FIELDS = list(s.HERO.names or ())
MATCH_FIELDS = list(s.MATCH.names or ())
SEEN_FIELDS = list(s.SEEN.names or ())


def _groups(twin: Twin, vector: LanesVector, m: int) -> Iterator[tuple[str, Any, Any, list[str]]]:
    """Yield name, the twin's records, the game's and their fields, of each kind of record."""
    yield "unit", twin.units, vector.units[m], UNIT_FIELDS
    yield "hero", twin.heroes, vector.heroes[m], HERO_FIELDS
    yield "match", [twin], vector.matches[m : m + 1], MATCH_FIELDS
    for team, memory in enumerate(twin.memory):
        seen = list(memory.seen.values())
        yield f"what team {team} remembers in place", seen, vector.seen[m, team], SEEN_FIELDS


def load(vector: LanesVector, m: int) -> Twin:
    """Return a twin in the state of a match of the compiled game."""
    twin = Twin(vector.name, int(vector.matches["seed"][m]))
    for _, records, arrays, fields in _groups(twin, vector, m):
        for record, array in zip(records, arrays, strict=True):
            for name in fields:
                setattr(record, name, array[name].tolist())
    for team, memory in enumerate(twin.memory):
        memory.visible = vector.visible[m, team].astype(bool).tolist()
    return twin


def differences(twin: Twin, vector: LanesVector, m: int) -> list[str]:
    """Return where the twin differs from a match of the compiled game, in words."""
    found = []
    for what, records, arrays, fields in _groups(twin, vector, m):
        fields_of = attrgetter(*fields)
        for number, (record, row) in enumerate(zip(records, arrays[fields].tolist(), strict=True)):
            if fields_of(record) != (row := tuple(_plain(value) for value in row)):
                found += [
                    f"{what} {number}: {name} is {theirs}, the twin's {mine}"
                    for name, mine, theirs in zip(fields, fields_of(record), row, strict=True)
                    if mine != theirs
                ]
    for team, memory in enumerate(twin.memory):
        if memory.visible != vector.visible[m, team].astype(bool).tolist():
            found.append(f"team {team} sees others than in the twin")
    return found


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def orders_of(vector: LanesVector, m: int, actions: NDArray[np.int8]) -> list[Order]:
    """Return the orders that actions mean, [players, 3]: illegal ones hold."""
    masks = vector.rows[m, :, s.OBSERVATION : s.OBSERVATION + s.MASK]
    return [
        _order(vector, m, index, masks[index].tolist(), *action)
        for index, action in enumerate(actions.tolist())
    ]


def _order(
    vector: LanesVector,
    m: int,
    index: int,
    mask: list[int],
    primary: int,
    direction: int,
    target: int,
) -> Order:
    if not 0 <= primary < len(r.PRIMARIES) or not mask[primary]:
        return Order(r.HOLD)
    role, which = vector.heroes["role"][m, index], primary - r.SKILL_A
    dashes = which in (0, 1) and r.SKILL_KIND[role, which] == r.DASH
    if primary == r.MOVE or dashes:
        is_direction = 0 <= direction < r.DIRECTIONS
        return Order(primary, direction, NOBODY) if is_direction else Order(r.HOLD)
    if primary in (r.ATTACK, r.SKILL_A, r.SKILL_B):
        first = s.TARGET_MASK + s.TARGETS * (r.ATTACK, r.SKILL_A, r.SKILL_B).index(primary)
        if not 0 <= target < s.TARGETS or not mask[first + target]:
            return Order(r.HOLD)
        return Order(primary, 0, int(vector.targets[m, index, target]))
    return Order(primary)
