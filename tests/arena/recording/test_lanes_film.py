import av
import numpy as np
import pytest

from arena.play.lanes.scene import scene_of
from arena.recording.films import FilmError
from arena.recording.lanes_film import HEIGHT, MAP, WIDTH, draw_match, film_text, record_match
from envs.lanes import rules as r
from tests.arena.play.lanes.matches import session


def frames_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(("ending", "rate"), [("mp4", 20), ("gif", 10)])
def test_a_film_has_a_part_of_a_match_at_its_speed(tmp_path, ending, rate):
    path = tmp_path / f"a.{ending}"
    film = record_match(session(seed=3), path, start_s=4.0, seconds=4.0)
    assert film.seconds == pytest.approx(1.0 + 1 / rate + 2.0)  # and the end stays
    assert film.pictures == round(film.seconds * rate)
    assert (film.game, film.agents, film.result) == ("lanes_1v1", ("fighter", "pusher"), "")
    frames = frames_of(path)
    assert all(frame.shape == (HEIGHT, WIDTH, 3) for frame in frames)
    assert (frames[0] != frames[-1]).any()
    assert len(frames) <= film.pictures
    assert f"{path}: 3 s of lanes_1v1, fighter against pusher" in film_text(film)


def test_a_film_goes_to_the_end_of_the_match(tmp_path):
    watched = session(seed=3)
    core = watched.match.layout.creeps - 1
    watched.timeline.seek(0)
    watched.match.units["alive"][core] = 0
    watched.timeline._kept[0] = watched.match.snapshot()
    film = record_match(watched, tmp_path / "a.mp4", speed=100)
    assert film.result == "left wins"
    assert film_text(film).endswith("; left wins")


def test_the_heroes_and_the_score_are_drawn_beside_the_map():
    watched = session("lanes_5v5")
    before = draw_match(watched, scene_of(watched.match, "full"))
    watched.match.heroes["gold"][0] += 111
    beside = draw_match(watched, scene_of(watched.match, "full"))
    assert (before[:, MAP:] != beside[:, MAP:]).any()
    assert (before[:, :MAP] == beside[:, :MAP]).all()
    right = draw_match(watched, scene_of(watched.match, "right"))
    watched.match.heroes["gold"][0] += 111
    assert (draw_match(watched, scene_of(watched.match, "right")) == right).all()
    assert len(np.unique(before)) <= 16


def test_films_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(FilmError):
        record_match(session(), tmp_path / "a.avi")
    with pytest.raises(ValueError, match="speed = 0"):
        record_match(session(), tmp_path / "a.gif", speed=0)
    watched = session()
    watched.match.match["tick"] = r.LIMIT - 1
    watched.timeline._kept[0] = watched.match.snapshot()
    with pytest.raises(ValueError, match="nothing after 9999 s"):
        record_match(watched, tmp_path / "a.gif", start_s=9999)
    assert list(tmp_path.iterdir()) == []
