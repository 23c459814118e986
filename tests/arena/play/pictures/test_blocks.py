import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.play.pictures.blocks import (
    HALF,
    Size,
    cells,
    colour_codes,
    fit,
    rgb_of,
    row_segments,
    shrink,
)

ATARI = (210, 160)


def drawn(picture, size, depth="true"):
    """The colours of the drawing's pixels, [2 * rows, columns, 3], read from its segments."""
    found = np.zeros((2 * size.rows, size.columns, 3), int)
    for y, row in enumerate(cells(picture, size, depth)):
        x = 0
        for segment in row_segments(row):
            assert set(segment.text) == {HALF}
            for _ in segment.text:
                found[2 * y, x] = segment.style.color.triplet
                found[2 * y + 1, x] = segment.style.bgcolor.triplet
                x += 1
        assert x == size.columns
    return found


def test_the_pixels_of_a_picture_of_the_same_size_stand_where_they_were():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (12, 9, 3), dtype=np.uint8)
    assert np.abs(drawn(picture, Size(9, 6)) - picture.astype(int)).max() <= 8


def test_black_and_white_are_exact():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[1] = 255
    for depth in ("true", "256"):
        assert drawn(picture, Size(2, 1), depth)[0].tolist() == [[0] * 3] * 2
        assert drawn(picture, Size(2, 1), depth)[1].tolist() == [[255] * 3] * 2


def test_256_colours_are_those_of_xterms_cube_and_grays():
    every = np.arange(0, 256, 5)
    picture = np.stack(np.meshgrid(every, every, every), axis=-1).reshape(-1, 1, 3)
    codes = np.unique(colour_codes(picture.astype(np.uint8), "256"))
    levels = np.array([0, 95, 135, 175, 215, 255])
    assert 200 < len(codes) <= 240
    for red, green, blue in map(rgb_of, codes.tolist()):
        in_cube = all(np.abs(levels - part).min() < 8 for part in (red, green, blue))
        assert in_cube or max(red, green, blue) - min(red, green, blue) == 0


def test_gray_pictures_are_gray():
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    colours = drawn(gray, Size(8, 4))
    assert (colours == colours[..., :1]).all()
    assert np.abs(colours[..., 0] - gray).max() <= 8


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.integers(0, 255),
)
def test_scaling_keeps_an_even_colour(before, after, level):
    even = np.full((*before, 3), level, np.uint8)
    assert (shrink(even, *after) == level).all()
    assert shrink(even, *after).shape == (*after, 3)


def test_scaling_is_the_mean_of_each_pixels_area():
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (12, 8, 3), dtype=np.uint8)
    mean = picture.reshape(3, 4, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrink(picture, 3, 4) - mean).max() <= 0.5 + 1e-3


def test_a_ball_smaller_than_a_pixel_is_still_seen():
    picture = np.zeros((*ATARI, 3), np.uint8)
    picture[100:104, 80:82] = (200, 72, 72)
    assert shrink(picture, 44, 56).max() > 60


@pytest.mark.parametrize(
    ("columns", "rows", "widest", "expected"),
    [
        (200, 50, 1.0, Size(76, 50)),  # as high as the terminal, with square pixels
        (200, 50, 12 / 7, Size(131, 50)),  # as on a television
        (44, 22, 12 / 7, Size(44, 22)),  # as wide as there is room
        (20, 50, 12 / 7, Size(20, 13)),  # never narrower than square
        (0, 0, 1.0, Size(1, 1)),
    ],
)
def test_a_picture_is_drawn_as_large_as_fits(columns, rows, widest, expected):
    assert fit(*ATARI, columns, rows, widest) == expected


@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 200), st.integers(0, 80))
def test_a_drawing_fits_whatever_the_sizes(height, width, columns, rows):
    size = fit(height, width, columns, rows, 12 / 7)
    assert 1 <= size.columns <= max(1, columns)
    assert 1 <= size.rows <= max(1, rows)


def test_equal_neighbours_are_one_run():
    row = np.array([5, 5, 5, 7, 7, 5])
    assert [len(segment.text) for segment in row_segments(row)] == [3, 2, 1]
    assert [len(s.text) for s in row_segments(np.zeros(4, np.int64))] == [4]


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 4, 2\)"):
        shrink(np.zeros((3, 4, 2), np.uint8), 2, 2)
