"""Nothing that a team does not see reaches its observations, its masks or its scripts' actions."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes import stepping
from envs.lanes.batch import LanesVector
from envs.lanes.observations.shared import new_shared
from envs.lanes.scripts import SCRIPTS, act_all
from tests.envs.lanes.playing import MixedPlay, play

MODES = list(r.MODES)
RECORDS = ("matches", "units", "heroes", "seen", "visible", "targets", "rows")
NUMBERS = ("hp", "max_hp", "damage", "cooldown", "stun", "slow", "wait", "period", "leg", "target")
CHANGES = ("place", "alive", "level", *NUMBERS, "heroes", "memory")


@cache
def states(name):
    """Return the records of matches after different numbers of decisions."""
    vector = LanesVector(name, 12, seed=8)
    mixed = MixedPlay(np.random.default_rng(8), legal=0.05, other=0.0)
    found = []
    for _ in range(9):
        play(vector, 80, mixed)
        records = [getattr(vector, part).copy() for part in RECORDS]
        found += [tuple(part[m] for part in records) for m in range(vector.count)]
    return vector.layout, found


def view(state, team, layout):
    """Show a state, and return all that a team gets of it, and what each script does with it."""
    match, *others = (part.copy() for part in state)
    matches = match.reshape(1)
    stepping.show(matches[0], *others, new_shared(layout), layout)
    _, _, seen, visible, targets, rows = others
    mine = slice(team * layout.agents, (team + 1) * layout.agents)
    parts = [rows[mine, : s.OBSERVATION + s.MASK], targets[mine], seen[team], visible[team]]
    for script in range(len(SCRIPTS)):
        scripts = np.full((1, 2), -1, np.int8)
        scripts[0, team] = script
        actions = np.zeros((1, 2 * layout.agents, 3), np.int8)
        act_all(scripts, matches["seed"], matches["steps"], layout.lanes, rows[None], actions)
        parts.append(actions[0, mine])
    return [part.copy() for part in parts]


def unseen_place(rng, units, team):
    """Return a place that no unit of a team sees, or None."""
    lookers = units[(units["team"] == team) & (units["alive"] == 1)]
    places = rng.uniform(-r.EDGE, r.EDGE, (40, 2)).astype(np.float32).astype(float)
    dx, dy = (places[:, None, i] - lookers["xy"[i]].astype(float) for i in (0, 1))
    hidden = (dx * dx + dy * dy > r.SIGHT[lookers["kind"]] ** 2).all(1)
    return places[hidden.argmax()] if hidden.any() else None


def change_hidden(state, team, what, rng, layout):
    """Change what a team does not see of a state; return how many units that were."""
    match, units, heroes, seen, visible, _, _ = state
    hidden = np.flatnonzero((units["team"] != team) & (visible[team] == 0))
    for index in hidden[rng.random(len(hidden)) < 0.7]:
        unit = units[index]
        stays = unit["kind"] in (r.HERO, r.TOWER, r.CORE)
        place = unseen_place(rng, units, team)
        if "alive" in what and not stays and place is not None:
            unit["alive"], unit["x"], unit["y"] = rng.integers(2), *place
        may_move = unit["kind"] not in (r.TOWER, r.CORE) and place is not None
        if "place" in what and may_move:
            unit["x"], unit["y"] = place
        for name in set(what).intersection(NUMBERS):
            unit[name] = rng.integers(1, 50)
        if "level" in what:
            unit["level"] = rng.integers(1, r.MOST_LEVEL + 1)
    if "heroes" in what:  # of those in sight, too: what they have is nowhere to be seen
        enemies = heroes[(1 - team) * layout.agents : (2 - team) * layout.agents]
        for name in heroes.dtype.names:
            if name != "role":
                enemies[name] = rng.integers(1, 4, len(enemies))
    if "memory" in what:
        visible[1 - team] = rng.integers(0, 2, visible.shape[1])
        for name in seen.dtype.names:
            seen[1 - team][name] = rng.integers(-1, 9, seen.shape[1])
        for name in ("tower_hp", "core_hp", "towers"):
            match[name] = rng.integers(0, 9, 2)
    return len(hidden)


def check_nothing_leaks(name, number, team, what, seed):
    layout, found = states(name)
    state = found[number % len(found)]
    changed = tuple(part.copy() for part in state)
    # A record of no dimension is a copy when it is taken out of its array; written through a view.
    match = changed[0].reshape(1)
    change_hidden((match[0], *changed[1:]), team, what, np.random.default_rng(seed), layout)
    before, after = view(state, team, layout), view((match[0], *changed[1:]), team, layout)
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one, other)


CASES = {
    "number": st.integers(0, 2**16),
    "team": st.integers(0, 1),
    "what": st.sets(st.sampled_from(CHANGES), min_size=1),
    "seed": st.integers(0, 2**32 - 1),
}


@pytest.mark.parametrize("name", MODES)
@settings(max_examples=150)
@given(**CASES)
def test_nothing_leaks_through_the_fog(name, number, team, what, seed):
    check_nothing_leaks(name, number, team, what, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODES)
@settings(max_examples=3400)
@given(**CASES)
def test_nothing_leaks_through_the_fog_in_ten_thousand_cases(name, number, team, what, seed):
    check_nothing_leaks(name, number, team, what, seed)


@pytest.mark.parametrize("name", MODES)
def test_there_is_much_to_hide_and_what_is_seen_shows(name):
    # Else the test above could not fail.
    layout, found = states(name)
    hidden, shown, differs = 0, 0, 0
    for state in found:
        _, units, _, _, visible, _, _ = changed = tuple(part.copy() for part in state)
        hidden += int(((units["team"] == 1) & (visible[0] == 0)).sum())
        enemies = slice(layout.agents, 2 * layout.agents)
        in_sight = visible[0, enemies] == 1
        if in_sight.any():
            units["hp"][enemies] = np.where(in_sight, 1, units["hp"][enemies])
            before, after = view(state, 0, layout), view(changed, 0, layout)
            shown += 1
            differs += not np.array_equal(before[0], after[0])
    assert hidden > 5 * len(found)
    assert shown > len(found) // 10
    assert differs == shown
