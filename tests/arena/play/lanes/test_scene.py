"""Scenes, their pictures and their characters: what a view shows, and that the fog holds."""

import numpy as np
import pytest

from arena.play.lanes.painting import LETTERS, TEAM, TILES, characters, paint
from arena.play.lanes.panels import heroes_text
from arena.play.lanes.scene import ROLE_LETTERS, SIDES, scene_of
from arena.play.pictures.blocks import Size, row_segments
from envs.lanes import rules as r
from tests.arena.play.lanes.matches import played, session

GAMES = ["lanes_1v1", "lanes_5v5"]
SIZE = Size(64, 32)


def hidden(match, eye):
    """Living units of other teams that a team does not see."""
    visible = match.sight().visible[eye]
    return [i for i, u in enumerate(match.units) if u["team"] != eye and not visible[i]]


def letters(scene, size=SIZE, **words):
    """The characters that are no half blocks, {(row, column): letter}."""
    found = {}
    for y, row in enumerate(characters(scene, size, "true", **words)):
        text = "".join(segment.text for segment in row_segments(row))
        assert len(text) == size.columns
        found |= {(y, x): letter for x, letter in enumerate(text) if letter != "▀"}
    return found


@pytest.mark.parametrize("game", GAMES)
def test_the_full_view_has_every_living_unit_where_it_is(game):
    match = played(game, 80)
    marks = {mark.unit: mark for mark in scene_of(match, "full").marks}
    assert marks.keys() == set(np.flatnonzero(match.units["alive"]).tolist())
    for index, mark in marks.items():
        unit = match.units[index]
        assert (mark.x, mark.y, mark.team) == (unit["x"], unit["y"], unit["team"])
        assert mark.health == unit["hp"] / unit["max_hp"]
        assert not mark.is_remembered


@pytest.mark.parametrize("view", SIDES)
@pytest.mark.parametrize("game", GAMES)
def test_what_a_team_does_not_see_changes_nothing_that_its_view_shows(game, view):
    """Places, health, mana, gold and the rest of hidden units, over a whole stretch of play."""
    eye, shown = SIDES.index(view), session(game, seed=5)
    shown._view = view
    rng = np.random.default_rng(0)
    changed = 0
    for _ in range(25):
        for _ in range(5):
            shown.timeline.advance()
        match = shown.match
        scene = scene_of(match, view)
        drawn, text = characters(scene, SIZE, "true"), heroes_text(shown, 40).markup
        before = match.units.copy(), match.heroes.copy()
        for index in hidden(match, eye):
            unit = match.units[index]
            if not unit["alive"]:
                continue
            changed += 1
            unit["hp"] = rng.integers(1, unit["max_hp"] + 1)
            unit["stun"], unit["level"] = rng.integers(0, 5, 2)
            if unit["kind"] not in (r.TOWER, r.CORE):
                unit["x"], unit["y"] = far_from_all(match, eye, rng)
            if index < match.layout.structures:
                hero = match.heroes[index]
                for name in ("mana", "gold", "xp", "cooldown_a", "recall", "kills", "items"):
                    hero[name] = rng.integers(0, 16)
        assert scene_of(match, view) == scene
        assert (characters(scene_of(match, view), SIZE, "true") == drawn).all()
        shown._scene = None
        assert heroes_text(shown, 40).markup == text
        match.units[...], match.heroes[...] = before
    assert changed > 100


def far_from_all(match, eye, rng):
    """A place that the team does not see."""
    own = match.units[(match.units["team"] == eye) & (match.units["alive"] == 1)]
    while True:
        x, y = rng.uniform(-15, 15, 2)
        if ((own["x"] - x) ** 2 + (own["y"] - y) ** 2 > 7.1**2).all():
            return x, y


def test_the_full_view_would_show_such_changes():
    match = played("lanes_5v5", 80)
    before = scene_of(match, "full")
    index = next(i for i in hidden(match, 0) if match.units["alive"][i])
    match.units["hp"][index] -= 1
    assert scene_of(match, "full") != before


@pytest.mark.parametrize("game", GAMES)
def test_a_view_shows_what_its_team_sees_and_remembers(game):
    match = played(game, 100)
    sight, layout = match.sight(), match.layout
    for eye, view in enumerate(SIDES):
        scene = scene_of(match, view)
        seen = {mark.unit for mark in scene.marks if not mark.is_remembered}
        assert seen == set(np.flatnonzero(sight.visible[eye]).tolist())
        for mark in scene.marks:
            if mark.is_remembered and mark.kind == r.HERO:
                memory = sight.seen[eye, mark.unit - (1 - eye) * layout.agents]
                assert (mark.x, mark.y) == (memory["x"], memory["y"])
        own = [hero for hero in scene.heroes if hero.team == eye]
        others = [hero for hero in scene.heroes if hero.team != eye]
        assert all(hero.gold is not None for hero in own)
        assert all(hero.gold is None and hero.cooldowns is None for hero in others)


def test_looking_within_a_decision_changes_no_match():
    quiet, watched = played(decisions=50), played(decisions=50)
    orders = np.tile(np.array([r.MOVE, 0, 0], np.int8), (2, 1))
    for _ in range(40):
        quiet.step(orders)
        watched.order(orders)
        while not watched.tick():
            scene_of(watched, "left")
    assert watched.digest() == quiet.digest()


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [32, 80, 512])
def test_a_unit_is_painted_where_it_stands_in_its_teams_colour(side):
    match = played(decisions=0)
    match.units["alive"][2:] = 0
    match.units["x"][:2], match.units["y"][:2] = (-6.2, 9.3), (4.2, -7.1)
    picture = paint(scene_of(match, "full"), side)
    assert picture.shape == (side, side, 3)
    for team, (x, y) in enumerate(((-6.2, 4.2), (9.3, -7.1))):
        rows, columns = np.nonzero((picture == TEAM[team]).all(axis=2))
        scale = side / TILES
        assert abs(columns.mean() + 0.5 - (x + 16) * scale) <= max(1, scale / 4)
        assert abs(rows.mean() + 0.5 - (16 - y) * scale) <= max(1, scale / 4)


def test_a_picture_too_small_is_refused():
    with pytest.raises(ValueError, match="side = 8"):
        paint(scene_of(played(decisions=0), "full"), 8)


def test_what_a_team_does_not_see_is_dark():
    match = played(decisions=0)
    full, left = (paint(scene_of(match, view), 64).astype(int) for view in ("full", "left"))
    assert (left[:2, -8:] < full[:2, -8:]).all()  # a corner of the other side
    assert (left[32, 2] == full[32, 2]).all()  # the own base


@pytest.mark.parametrize("game", GAMES)
def test_each_hero_has_a_letter_also_where_they_stand_together(game):
    match = played(game, 0)
    match.units["x"][: match.layout.structures] = 3.0
    match.units["y"][: match.layout.structures] = 3.0
    found = sorted(letter for letter in letters(scene_of(match, "full")).values())
    heroes = [ROLE_LETTERS[role] for role in match.heroes["role"]]
    structures = 2 * (match.layout.towers - 1) * LETTERS[r.TOWER] + 2 * LETTERS[r.CORE]
    assert found == sorted([*heroes, *structures])


def test_the_persons_hero_and_target_stand_out():
    match = played(decisions=20)
    scene = scene_of(match, "left")
    creep = next(mark.unit for mark in scene.marks if mark.kind == r.CREEP)
    plain, marked = letters(scene), letters(scene, you=0, chosen=creep)
    assert set(marked.values()) - set(plain.values()) == {"•"}
    assert (characters(scene, SIZE, "true") != characters(scene, SIZE, "true", you=0)).sum() == 1


def test_hits_are_lines_between_units_that_are_seen():
    match = played("lanes_5v5", 0)
    shown = session("lanes_5v5", seed=3)
    found = 0
    for _ in range(600):
        shown.timeline.tick()
        match = shown.match
        full, left = (scene_of(match, view) for view in ("full", "left"))
        assert set(left.hits) <= set(full.hits)
        found += len(full.hits) - len(left.hits)
    assert found > 0
