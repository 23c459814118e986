import asyncio

import numpy as np
import pytest

from arena.play.pictures.app import PictureApp
from arena.play.pictures.blocks import HALF
from arena.play.pictures.session import PictureSession
from arena.play.pictures.widget import PictureView
from arena.play.screen.help_screen import HelpScreen
from tests.arena.play.pictures.screens import Scripted, Walk

SIZES = [(48, 16), (160, 50)]


def screen_text(app):
    """The characters on the screen, without the blanks at the ends of lines."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(s.text for s in strip).rstrip() for strip in strips)


def act(scene, agent=None, size=(80, 24), walk=None, **words):
    """Run a scene with an app whose clock stands still."""
    session = PictureSession(walk or Walk(), agent, now=lambda: 0.0, **words)
    app = PictureApp(session, "welcome")

    async def run():
        async with app.run_test(size=size) as pilot:
            await pilot.pause(0.1)
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
def test_picture_score_values_and_protocol_stand_beside_each_other(size):
    async def scene(pilot, app):
        app.session.advance()
        text = await shown(pilot, app)
        for part in ("walk  protocol nature", "scripted plays", "score 0", "lives 2", "RIGHT"):
            assert part in text
        assert HALF in text
        assert "welcome" in text
        assert len(text.splitlines()) <= size[1]

    act(scene, Scripted(0), size)


def test_the_picture_is_in_the_colours_of_the_frame():
    async def scene(pilot, app):
        view = app.query_one(PictureView)
        strip = view.render_line(view.size.height // 2)
        colours = {s.style.color.triplet for s in strip if HALF in s.text}
        ((red, green, blue),) = colours - {(0, 0, 0)}  # (200, 72, 72) in the terminal's colours
        assert abs(red - 200) < 20 > abs(green - 72)
        assert green == blue

    act(scene, Scripted(0))


def test_only_the_rows_that_changed_are_drawn_again():
    async def scene(pilot, app):
        view = app.query_one(PictureView)
        drawn = []
        view.refresh = lambda *regions, **words: drawn.extend(regions or [None])
        picture = app.session.game.seen.picture.copy()
        view.show(picture)
        assert drawn == []
        picture[:3] = 255
        view.show(picture)
        assert 1 <= len(drawn) <= 4
        assert all(region.height == 1 for region in drawn)

    act(scene, Scripted(0))


def test_a_resized_screen_draws_the_picture_for_its_size():
    async def scene(pilot, app):
        await pilot.resize_terminal(120, 40)
        await pilot.pause(0.1)
        view = app.query_one(PictureView)
        lines = [view.render_line(y) for y in range(view.size.height)]
        assert all(sum(len(s.text) for s in line) == view.size.width for line in lines)
        assert len(view._drawn) > 15

    act(scene, Scripted(0))


def test_keys_pause_step_take_over_and_play():
    async def scene(pilot, app):
        session = app.session
        await pilot.press("p")
        assert session.paused
        steps = session.game.steps
        await pilot.press("full_stop")
        assert session.game.steps == steps + 1
        assert "paused" in await shown(pilot, app)
        await pilot.press("left")
        assert "takes over" in await shown(pilot, app)
        await pilot.press("t")
        assert "a press holds for" in await shown(pilot, app)
        at = session.environment.at
        await pilot.press("right", "full_stop")
        assert session.environment.at == at + 1
        await pilot.press("plus")
        assert session.speed == 2.0
        await pilot.press("n")
        assert session.environment.begun == 2

    act(scene, Scripted(0), walk=Walk(length=9))


def test_help_lists_the_keys_and_takes_them_meanwhile():
    async def scene(pilot, app):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert "take over" in screen_text(app)
        assert "column" not in screen_text(app)  # that is of board games
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)

    act(scene, Scripted(0))


def test_a_person_plays_alone():
    async def scene(pilot, app):
        text = await shown(pilot, app)
        assert "you are at the stick" in text
        for _ in range(3):
            await pilot.press("right")
            app.session.advance()
        assert app.session.finished[0].score == 1.0
        assert "n begins the next" in await shown(pilot, app)

    act(scene)


def test_it_leaves_at_q():
    async def scene(pilot, app):
        await pilot.press("q")

    assert act(scene, Scripted(0)).return_code == 0


def test_a_gray_picture_is_drawn_too():
    async def scene(pilot, app):
        app.query_one(PictureView).show(np.full((84, 84), 128, np.uint8))
        await pilot.pause()
        assert HALF in screen_text(app)

    act(scene)
