import pytest

from arena.match.clock import TimeControl, parse_clock


@pytest.mark.parametrize(
    ("text", "control", "written"),
    [
        ("10+0.1", TimeControl(10.0, 0.1), "10+0.1"),
        ("300", TimeControl(300.0, 0.0), "300+0"),
        (" 0.5+0 ", TimeControl(0.5, 0.0), "0.5+0"),
    ],
)
def test_a_clock_has_seconds_and_an_increment(
    text: str, control: TimeControl, written: str
) -> None:
    assert parse_clock(text) == control
    assert str(control) == written


@pytest.mark.parametrize("text", ["", "10+", "+1", "ten", "10:00", "-1+2", "1e3", "nan", "0+1"])
def test_other_texts_are_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected seconds") as caught:
        parse_clock(text)
    assert repr(text) in str(caught.value)
