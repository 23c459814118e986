import av
import numpy as np
import pytest

from arena.recording.films import FilmError, open_film


def pictures(count=12, height=20, width=36):
    """A white dot that moves over a red and blue ground."""
    for i in range(count):
        picture = np.zeros((height, width, 3), np.uint8)
        picture[: height // 2] = 200, 30, 30
        picture[height // 2 :] = 20, 40, 180
        picture[4:8, 2 * i : 2 * i + 4] = 255
        yield picture


def write(path, frames, rate=15.0):
    with open_film(path, rate) as film:
        for frame in frames:
            film.add(frame)


def read(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return frames, stream.codec_context.name


def test_a_gif_has_every_picture_exactly(tmp_path):
    write(tmp_path / "a.gif", pictures())
    found, codec = read(tmp_path / "a.gif")
    assert codec == "gif"
    assert len(found) == 12
    for mine, theirs in zip(pictures(), found, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_an_mp4_has_every_picture_nearly_and_lasts_as_long(tmp_path):
    frames = [picture.repeat(4, axis=0).repeat(4, axis=1) for picture in pictures(30)]
    write(tmp_path / "a.mp4", frames)
    found, codec = read(tmp_path / "a.mp4")
    assert codec == "h264"
    assert len(found) == 30
    for mine, theirs in zip(frames, found, strict=True):
        assert np.abs(mine.astype(int) - theirs).mean() < 6
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.duration / 1e6 == pytest.approx(2.0, abs=0.1)


def test_odd_sides_get_an_edge_in_an_mp4(tmp_path):
    write(tmp_path / "a.mp4", pictures(3, 21, 37))
    assert read(tmp_path / "a.mp4")[0][0].shape == (22, 38, 3)


def test_a_gif_of_more_colours_than_it_has_room_for_takes_the_nearest(tmp_path):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (20, 20, 3), dtype=np.uint8) for _ in range(3)]
    write(tmp_path / "a.gif", frames)
    found, _ = read(tmp_path / "a.gif")
    assert len(found) == 3
    errors = [np.abs(a.astype(int) - b).mean() for a, b in zip(frames, found)]
    assert max(errors) < 32
    assert max(errors) > 0


@pytest.mark.parametrize("name", ["a.avi", "a", "a.mp4.txt"])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(FilmError, match=r"ends in \.mp4 or \.gif"), open_film(tmp_path / name, 15):
        pass


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(FilmError, match="no folder"), open_film(tmp_path / "no" / "a.gif", 15):
        pass


def test_what_was_begun_goes_where_something_fails_and_an_earlier_film_stays(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"earlier")
    frames = pictures()

    def draw():
        yield next(frames)
        raise KeyError("of whoever draws")

    with pytest.raises(KeyError):
        write(path, draw())
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_pictures_of_two_sizes_and_no_pictures_are_refused(tmp_path):
    with pytest.raises(FilmError, match="expected one size"):
        write(tmp_path / "a.gif", [next(pictures()), next(pictures(1, 10, 10))])
    with pytest.raises(FilmError, match="without pictures"):
        write(tmp_path / "a.gif", [])
    assert list(tmp_path.iterdir()) == []


def test_an_ffmpeg_without_the_encoder_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setattr("arena.recording.films._Mp4.codec", "no_such_codec")
    with pytest.raises(FilmError, match=r"no encoder 'no_such_codec'.*wheel"):
        write(tmp_path / "a.mp4", pictures(1))
    assert list(tmp_path.iterdir()) == []
