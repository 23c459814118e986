import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.board_text import draw_board, format_cell, parse_cell


@given(st.integers(1, 20), st.integers(1, 26), st.data())
def test_cells_round_trip(height, width, data):
    cell = data.draw(st.integers(0, height * width - 1))
    text = format_cell(cell, width)
    assert parse_cell(text, height, width) == cell
    assert parse_cell(text.upper(), height, width) == cell


def test_cells_are_counted_from_the_top_left():
    assert format_cell(0, 8) == "a1"
    assert format_cell(7, 8) == "h1"
    assert format_cell(8, 8) == "a2"


@given(st.text(st.sampled_from("aAhHiäİ0189 -٣²"), max_size=4))
def test_what_is_read_is_written_alike_and_all_else_is_refused(text):
    try:
        cell = parse_cell(text, 8, 8)
    except ValueError:
        return
    assert format_cell(cell, 8) == text.lower()


@pytest.mark.parametrize("text", ["a9", "i1", "a0", "a01", "1a", "a1 ", "a-1"])
def test_cells_off_the_board_are_refused(text):
    with pytest.raises(ValueError, match="is not a cell"):
        parse_cell(text, 8, 8)


def test_a_drawing_has_letters_and_aligned_numbers():
    drawing = draw_board(["."] * 20, 2)
    assert drawing.splitlines()[0] == " 1 . ."
    assert drawing.splitlines()[9] == "10 . ."
    assert drawing.splitlines()[-1] == "   a b"
