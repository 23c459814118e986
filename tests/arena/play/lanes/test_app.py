"""The app by Textual's pilot: what stands on the screen, and what the keys do."""

import asyncio

import pytest

from arena.play.lanes.app import LanesApp
from arena.play.lanes.person import Person
from arena.play.screen.help_screen import HelpScreen
from tests.arena.play.lanes.matches import session
from tests.arena.play.pictures.test_app import screen_text

SIZES = [(60, 20), (100, 30), (160, 50)]


def act(scene, size=(100, 30), monkeypatch=None, **words):
    """Run a scene with an app whose clock stands still."""
    app = LanesApp(session(**words), "welcome")

    async def run():
        async with app.run_test(size=size) as pilot:
            await pilot.pause(0.05)
            await scene(pilot, app)

    asyncio.run(run())
    return app


async def shown(pilot, app):
    """Wait until the screen shows the session as it is; return its text."""
    await pilot.pause()
    app._show()
    await pilot.pause()
    return screen_text(app)


@pytest.mark.parametrize("size", SIZES)
def test_map_score_and_heroes_stand_beside_each_other(size):
    async def scene(pilot, app):
        text = await shown(pilot, app)
        for part in ("lanes_5v5", "fighter against pusher", "full view", "of 10:00", "▀", "◆"):
            assert part in text
        assert text.count("▲") == 12
        assert "welcome" in text
        assert len(text.splitlines()) <= size[1]

    act(scene, size, game="lanes_5v5")


def test_who_watches_pauses_steps_seeks_and_changes_the_view():
    async def scene(pilot, app):
        watched = app.session
        await pilot.press(*["full_stop"] * 12)
        assert (watched.timeline.at, watched.paused) == (12, True)
        assert "paused" in await shown(pilot, app)
        await pilot.press("comma", "comma")
        assert watched.timeline.at == 10
        assert "10/12" in await shown(pilot, app)
        await pilot.press("left")
        assert watched.timeline.at == 0
        await pilot.press("end")
        assert watched.timeline.at == 12
        await pilot.press("home", "right")
        assert watched.timeline.at == 10
        await pilot.press("v")
        assert "view of the left team" in await shown(pilot, app)
        await pilot.press("plus")
        assert watched.speed == 2.0
        await pilot.press("space")
        assert not watched.paused
        await pilot.press("n")
        assert watched.match.seed == 4

    act(scene)


def test_a_person_plays_by_keys_also_tab():
    async def scene(pilot, app):
        playing = app.session
        text = await shown(pilot, app)
        assert "view of the left team" in text
        assert "order: hold" in text
        await pilot.press("full_stop", "right", "full_stop")
        assert playing.match.heroes["primary"][0] == 1
        assert "walk →" in await shown(pilot, app)
        for _ in range(14):
            await pilot.press("full_stop")
        await pilot.press("tab")
        assert playing.person.chosen >= 0 or "no enemy" in playing.message
        await pilot.press("b")
        assert "1 boots" in await shown(pilot, app)
        await pilot.press("escape", "t")
        assert playing.by_turns
        assert "by turns" in await shown(pilot, app)

    act(scene, left=None, person=Person(0, 0, 1))


def test_the_panel_of_the_own_hero_goes_when_the_match_is_over():
    async def scene(pilot, app):
        playing = app.session
        assert app.query_one("#own").display
        playing.match.units["alive"][playing.match.layout.creeps - 1] = 0
        await pilot.press("full_stop")
        text = await shown(pilot, app)
        assert "left wins" in text
        assert not app.query_one("#own").display
        await pilot.press("home")
        assert playing.timeline.at == 0

    act(scene, left=None, person=Person(0, 0, 1))


@pytest.mark.parametrize("person", [None, Person(0, 0, 1)])
def test_help_lists_the_keys_and_takes_them_meanwhile(person):
    async def scene(pilot, app):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        text = screen_text(app)
        assert ("recall to the base" in text) == (person is not None)
        at = app.session.timeline.at
        await pilot.press("right", "escape")
        assert app.session.timeline.at == at
        assert not isinstance(app.screen, HelpScreen)

    act(scene, (80, 40), left=None if person else "fighter", person=person)


def test_the_map_is_drawn_for_a_new_size_and_saved_by_a_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def scene(pilot, app):
        await pilot.resize_terminal(140, 46)
        text = await shown(pilot, app)
        assert max(line.count("▀") for line in text.splitlines()) > 70
        await pilot.press("full_stop", "w")
        assert "saved to" in await shown(pilot, app)

    act(scene)
    assert [path.suffix for path in tmp_path.iterdir()] == [".replay"]


def test_it_leaves_at_q():
    async def scene(pilot, app):
        await pilot.press("q")

    assert act(scene).return_code == 0
