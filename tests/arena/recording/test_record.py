import av
import numpy as np
import pytest

from arena.play.pictures.session import PictureSession
from arena.recording.drawing import CAPTION, VALUES_WIDTH, FilmDrawing
from arena.recording.films import FilmError
from arena.recording.record import game_text, record, recording_text
from tests.arena.play.pictures.screens import RED, Scripted, Walk


def session(agent=None, **walk):
    return PictureSession(Walk(**walk), agent or Scripted(2), now=lambda: 0.0)


def frames_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_film_has_every_step_and_holds_the_end_of_each_game(tmp_path):
    path, reported = tmp_path / "walk.gif", []
    done = record(session(), path, 2, report=reported.append)
    assert done.path == str(path)
    assert (done.agent, done.environment, done.protocol) == ("scripted", "walk", "nature")
    assert [game.score for game in done.games] == [1.0, 1.0]
    assert done.mean == 1.0
    assert reported == [1, 2]
    moments, held = 4, 10  # a second at 10 steps a second
    assert done.pictures == 2 * (moments + held) == round(10 * done.seconds)
    # A GIF's reader joins pictures that are the same; the places of the dot are all there.
    places = []
    for frame in frames_of(path):
        columns = np.flatnonzero((frame[CAPTION:] == RED).all(axis=(0, 2)))
        if not places or places[-1] != columns[0]:
            places.append(int(columns[0]))
    assert len(places) == 8
    assert places[:4] == places[4:] == sorted(places[:4])


def test_values_are_drawn_beside_the_picture_if_asked(tmp_path):
    plain = FilmDrawing(session(), values=False).draw()
    playing = session()
    drawing = FilmDrawing(playing, values=True)
    before = drawing.draw()
    playing.advance()
    after = drawing.draw()
    assert before.shape == after.shape == (plain.shape[0], plain.shape[1] + VALUES_WIDTH, 3)
    beside = slice(plain.shape[1], None)
    assert (after[:, beside] != before[:, beside]).any()


def test_a_film_of_no_games_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="games = 0"):
        record(session(), tmp_path / "a.gif", 0)
    with pytest.raises(FilmError):
        record(session(), tmp_path / "a.avi", 1)
    assert list(tmp_path.iterdir()) == []


def test_the_text_tells_scores_steps_and_measures(tmp_path):
    playing = session()
    done = record(playing, tmp_path / "a.gif", 2)
    lines = recording_text(done, playing.environment.measures).splitlines()
    assert lines[0].endswith("a.gif: 3 s of walk, protocol nature, scripted plays")
    assert lines[1] == "game 1: score 1, 3 steps, past the middle 66.7%"
    assert lines[-1] == "mean score 1.0"
    limited = record(session(Scripted(0), limit=5), tmp_path / "b.gif", 1)
    assert "ended by a limit" in game_text(limited.games[0], playing.environment.measures)
