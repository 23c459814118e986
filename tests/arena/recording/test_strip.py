import numpy as np
import pytest
from PIL import Image

from arena.play.pictures.session import PictureSession
from arena.recording.films import FilmError
from arena.recording.strip import PICTURES, _chosen, film_strip, strips_text, write_strips
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


def test_pictures_are_those_that_a_measure_counted_where_one_is_near():
    pictures = [np.full((1, 1, 3), i, np.uint8) for i in range(91)]
    evenly = [int(p[0, 0, 0]) for p in _chosen([(False, p) for p in pictures])]
    assert evenly == [20, 40, 60, 80]
    counted = [(i in (35, 63, 64), p) for i, p in enumerate(pictures)]
    assert [int(p[0, 0, 0]) for p in _chosen(counted)] == [20, 35, 63, 80]


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
