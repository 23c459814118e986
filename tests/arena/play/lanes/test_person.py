"""A person's keys, orders and actions."""

import numpy as np
import pytest

from arena.play.lanes.person import COMPASS, HOLD, SKILL_KEYS, TOGETHER_S, WALKS, Person, unit_name
from envs.lanes import rules as r
from envs.lanes import state as s
from envs.lanes.one_match import LanesMatch
from tests.arena.play.lanes.matches import played


def step(match, person):
    """Make a decision; all others hold."""
    actions = np.zeros((match.spec.players, 3), np.int8)
    actions[person.player] = person.action(match)
    match.step(actions)
    return actions[person.player]


def show(match):
    """Let observations and masks follow what a test has written: all hold for a decision."""
    match.step(np.zeros((match.spec.players, 3), np.int8))


@pytest.mark.parametrize("team", [0, 1])
@pytest.mark.parametrize(("key", "direction"), WALKS.items())
def test_a_walk_goes_where_the_key_points_for_both_teams(team, key, direction):
    match, person = LanesMatch("lanes_1v1", 1), Person(team, 0, 1)
    match.units["x"][person.player], match.units["y"][person.player] = 5.0, 5.0
    assert person.press(key, match, 0.0)
    step(match, person)
    moved = np.array([match.units["x"][person.player] - 5, match.units["y"][person.player] - 5])
    assert np.hypot(*moved) > 0.5
    assert np.sign(np.round(moved, 3)).tolist() == list(COMPASS[direction])


def test_an_order_stands_until_the_next():
    match, person = LanesMatch("lanes_1v1", 1), Person(0, 0, 1)
    person.press("right", match, 0.0)
    assert [step(match, person)[0] for _ in range(3)] == [r.MOVE] * 3
    person.press("space", match, 5.0)
    assert step(match, person)[0] == r.HOLD


def test_two_arrows_at_once_are_a_diagonal():
    match, person = LanesMatch("lanes_1v1", 1), Person(0, 0, 1)
    person.press("up", match, 1.0)
    person.press("right", match, 1.0 + TOGETHER_S / 2)
    assert COMPASS[person.standing.direction] == (1, 1)
    person.press("down", match, 3.0)
    assert COMPASS[person.standing.direction] == (0, -1)
    person.press("up", match, 3.0)
    assert COMPASS[person.standing.direction] == (0, 1)


def near_enemy(team=0, game="lanes_1v1"):
    """A match with the person's hero in reach of the other hero, in the middle."""
    match, person = LanesMatch(game, 1), Person(team, 0, LanesMatch(game, 1).layout.agents)
    other = person.player + match.layout.agents * (1 if team == 0 else -1)
    match.units["x"][[person.player, other]] = -1.0, 1.0
    match.units["y"][[person.player, other]] = 13.0
    step(match, person)
    return match, person, other


@pytest.mark.parametrize("team", [0, 1])
def test_an_attack_hits_the_nearest(team):
    match, person, other = near_enemy(team)
    before = int(match.units["hp"][other])
    assert person.press("a", match, 0.0)
    for _ in range(3):
        step(match, person)
    assert match.units["hp"][other] < before
    assert person.standing.unit == other


def test_an_attack_without_an_enemy_in_sight_is_no_order():
    match, person = LanesMatch("lanes_1v1", 1), Person(0, 0, 1)
    match.units["alive"][:] = 0
    match.units["alive"][person.player] = 1
    step(match, person)
    assert not person.press("a", match, 0.0)
    assert "no enemy" in person.message
    assert person.standing == HOLD


def test_tab_goes_through_the_targets_by_distance():
    match = played("lanes_5v5", 60)
    person = Person(0, 1, 5)
    enemies = person.enemies(match)
    assert len(enemies) >= 2
    own = match.units[person.player]
    away = [
        np.hypot(match.units["x"][i] - own["x"], match.units["y"][i] - own["y"]) for i in enemies
    ]
    assert away == sorted(away)
    chosen = []
    for _ in range(len(enemies) + 1):
        assert not person.press("tab", match, 0.0)
        chosen.append(person.chosen)
    assert chosen == [*enemies, enemies[0]]
    person.press("a", match, 0.0)
    assert person.standing.unit == enemies[0]
    person.press("tab", match, 0.0)
    assert person.standing.unit == enemies[1]


@pytest.mark.parametrize("role", range(5))
@pytest.mark.parametrize("number", [0, 1])
def test_each_skill_is_used_once_and_takes_its_mana(role, number):
    match, person, other = near_enemy()
    match.heroes["role"][person.player] = role
    match.units["reach"][person.player] = r.HERO_REACH[role]
    match.units["x"][other] = 0.0
    match.units["hp"][person.player] //= 2
    step(match, person)
    mana = int(match.heroes["mana"][person.player])
    assert person.why_not(number, match) == ""
    assert person.press(SKILL_KEYS[number], match, 0.0)
    step(match, person)
    kind = r.SKILL_KIND[role, number]
    used = mana - int(match.heroes["mana"][person.player])
    assert used >= r.SKILL_MANA[role, number] - 2 * r.REGEN_MANA
    assert not person.press(SKILL_KEYS[number], match, 0.0)
    assert "ready in" in person.message
    after = step(match, person)
    expected = r.HOLD if kind in (r.DASH, r.HEAL) else r.ATTACK
    assert after[0] == expected


def test_why_a_skill_cannot_be_used():
    match, person, _ = near_enemy()
    hero, unit = match.heroes[person.player], match.units[person.player]
    hero["mana"] = 1
    assert "of" in person.why_not(0, match)
    assert not person.press("s", match, 0.0)
    assert "1 of" in person.message
    unit["alive"] = 0
    assert person.why_not(0, match) == "you are dead"


def test_buying_by_the_list():
    match, person = LanesMatch("lanes_1v1", 1), Person(0, 0, 1)
    match.heroes["gold"][0] = 300
    show(match)
    assert not person.press("b", match, 0.0)
    assert person.is_buying
    assert not person.press("2", match, 0.0)
    assert "300 of 400" in person.message
    person.press("b", match, 0.0)
    assert person.press("1", match, 0.0)
    step(match, person)
    assert match.heroes["items"][0] == 1 << r.BOOTS
    assert match.heroes["gold"][0] == 50
    person.press("b", match, 0.0)
    assert not person.press("1", match, 0.0)
    assert person.message == "you have the boots"
    match.units["x"][0] = 0.0
    person.press("b", match, 0.0)
    person.press("2", match, 0.0)
    assert "in your base" in person.message
    person.press("b", match, 0.0)
    assert not person.press("escape", match, 0.0)
    assert not person.is_buying
    person.press("b", match, 0.0)
    assert person.press("right", match, 0.0)  # any other key closes the list and is taken
    assert person.standing.kind == "walk"


def test_a_recall_ends_in_the_base():
    match, person, _ = near_enemy()
    match.units["alive"][1:] = 0
    match.units["alive"][match.layout.structures :] = 1
    person.press("r", match, 0.0)
    kinds = [step(match, person)[0] for _ in range(8)]
    assert kinds[0] == r.GO_HOME
    assert kinds[-1] == r.HOLD
    assert match.units["x"][0] == r.CORE_X + 1


@pytest.mark.parametrize("game", ["lanes_1v1", "lanes_3v3", "lanes_5v5"])
def test_random_keys_give_legal_actions(game):
    match = played(game, 30)
    rng = np.random.default_rng(2)
    person = Person(1, match.layout.agents - 1, match.layout.agents)
    keys = ["a", "tab", "s", "d", "r", "b", "1", "2", "left", "down", "space"]
    idle = np.zeros((match.spec.players, 3), np.int8)
    for _ in range(200):
        for key in rng.choice(keys, 2):
            person.press(str(key), match, 0.0)
        primary, direction, target = (int(part) for part in person.action(match))
        mask = match.masks(1)[person.number]
        assert mask[primary] or primary in (r.MOVE, r.GO_HOME, r.ATTACK)  # the dead may not
        assert 0 <= direction < r.DIRECTIONS
        if primary in (r.ATTACK, r.SKILL_A, r.SKILL_B):
            row = {r.ATTACK: 0, r.SKILL_A: 1, r.SKILL_B: 2}[primary]
            assert mask[s.TARGET_MASK + row * s.TARGETS + target]
        idle[person.player] = primary, direction, target
        match.step(idle)
        if match.is_over:
            break


def test_units_have_names():
    match = LanesMatch("lanes_5v5", 1)
    layout = match.layout
    names = [unit_name(match, i, 0) for i in (0, 9, layout.structures, layout.creeps - 1)]
    assert names == ["your support", "their carry", "your outer tower", "their core"]
    assert unit_name(match, layout.neutrals, 0) == "a neutral"


def test_a_hero_that_the_team_does_not_have_is_refused():
    with pytest.raises(ValueError, match="hero 6: expected 1 to 5"):
        Person(0, 5, 5)
