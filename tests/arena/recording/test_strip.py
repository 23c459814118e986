import numpy as np
import pytest
from PIL import Image

from arena.play.pictures.session import PictureSession
from arena.recording.films import FilmError
from arena.recording.strip import (
    MOST_KEPT,
    PICTURES,
    Moments,
    film_strip,
    strips_text,
    write_strips,
)
from tests.arena.play.pictures.screens import Scripted, Walk


class Learner(Scripted):
    """Plays its second game better than the others."""

    name = "learner@5"

    def __init__(self):
        super().__init__()
        self.games = 0

    def act(self, rng):
        self.games = sum(self.began)
        return np.array([2 if self.games == 2 else 1])


def strip(agent=None, games=3):
    agent = agent or Learner()
    return film_strip("after 10 minutes", PictureSession(Walk(length=9), agent), games)


def test_a_strip_shows_the_best_of_its_games_in_order():
    found = strip()
    assert [game.score for game in found.games] == [-1.0, 1.0, -1.0]
    assert (found.best, found.mean) == (1.0, -1 / 3)
    places = [int(np.flatnonzero(picture.any(axis=(0, 2)))[0]) for picture in found.pictures]
    assert len(places) == PICTURES
    assert places == sorted(set(places))
    assert found.measured == ["past the middle 62.5%"]


def moments(count, counted=()):
    """A game whose pictures are their own places in it."""
    found = Moments()
    for i in range(count):
        found.add(np.full((1, 1, 3), i, np.int64), is_counted=i in counted)
        assert found.kept <= 2 * MOST_KEPT
    return found


def places(game):
    return [int(picture[0, 0, 0]) for picture in game.chosen()]


def test_pictures_are_those_that_a_measure_counted_where_one_is_near():
    assert places(moments(91)) == [20, 40, 60, 80]
    assert places(moments(91, counted=(35, 63, 64))) == [20, 35, 63, 80]


def test_of_a_long_game_few_pictures_are_kept_and_its_rare_moments_among_them():
    """27,000 are the steps of half an hour of Atari."""
    count, evenly = 27_000, [6000, 12_000, 18_000, 24_000]
    most = count / MOST_KEPT  # between two that are kept
    assert places(moments(count)) == pytest.approx(evenly, abs=most)
    rare = moments(count, counted=(11_000, 23_999))
    assert places(rare)[1::2] == [11_000, 23_999]
    often = moments(count, counted=range(0, count, 3))
    assert places(often) == pytest.approx(evenly, abs=most)
    assert all(place % 3 == 0 for place in places(often))


@pytest.mark.parametrize("games", [0, -4])
def test_a_strip_of_no_game_is_refused(games):
    with pytest.raises(ValueError, match=f"games = {games}: expected 1 or more"):
        strip(games=games)


def test_strips_stand_side_by_side_in_one_picture(tmp_path):
    path = tmp_path / "strip.png"
    write_strips(path, [strip(games=1), strip(), strip()], "walk, run learner")
    with Image.open(path) as drawn:
        assert drawn.format == "PNG"
        assert drawn.width > 3 * drawn.height / 10
    assert list(tmp_path.iterdir()) == [path]


def test_the_text_tells_every_game(tmp_path):
    found = strip()
    lines = strips_text(tmp_path / "s.png", [found], Walk().measures).splitlines()
    assert lines[0].endswith("s.png: 1 checkpoint")
    assert lines[1].startswith("after 10 minutes (learner@5): score -1, 2 steps")
    assert lines[1].count("score") == 3
    assert found.to_json()["best"] == 1.0


def test_another_ending_or_folder_is_refused(tmp_path):
    with pytest.raises(FilmError, match=r"\.png"):
        write_strips(tmp_path / "a.jpg", [strip()], "")
    with pytest.raises(FilmError, match="no folder"):
        write_strips(tmp_path / "no" / "a.png", [strip()], "")
