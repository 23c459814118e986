"""The geometry of the charts: everything inside, ticks at their numbers, curves at their points."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.monitor.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Chart,
    Series,
    line_chart,
    thinned,
    tick_step,
)
from arena.monitor.report.rendering import environment

numbers = st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-9)


def figure_of(chart: Chart) -> str:
    """The chart as the page has it."""
    return str(environment().get_template("chart.html").module.draw(chart))


def drawn(*series: Series, **options: Any) -> ElementTree.Element:
    options = {"x_text": str, "y_text": lambda y: f"{y:g}", **options}
    figure = ElementTree.fromstring(figure_of(line_chart("a chart", series, **options)))
    svg = figure.find("svg")
    assert svg is not None
    return svg


def places(svg: ElementTree.Element) -> list[tuple[float, float]]:
    line = svg.find("polyline")
    assert line is not None
    return [(float(x), float(y)) for x, y in (p.split(",") for p in line.get("points", "").split())]


def test_the_ends_of_the_axes_are_the_ends_of_the_plot() -> None:
    svg = drawn(Series("s", [(0.0, 0.0), (10.0, 100.0)]))
    assert places(svg) == [(LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, TOP)]


def test_a_curve_passes_through_its_points_in_proportion() -> None:
    svg = drawn(Series("s", [(0.0, 0.0), (2.5, 75.0), (10.0, 100.0)]))
    x, y = places(svg)[1]
    assert x == pytest.approx(LEFT + (WIDTH - LEFT - RIGHT) / 4, abs=0.1)
    assert y == pytest.approx(TOP + (HEIGHT - TOP - BOTTOM) / 4, abs=0.1)


def test_gridlines_are_where_their_numbers_say() -> None:
    svg = drawn(Series("s", [(0.0, 0.0), (10.0, 40.0)]))
    lines = [float(e.get("y1", "")) for e in svg.iter("line") if e.get("class") == "grid"]
    labels = [float(e.text or "") for e in svg.iter("text") if float(e.get("x", "")) < LEFT]
    assert labels == [0, 10, 20, 30, 40]
    for line, label in zip(lines, labels, strict=True):
        share = (HEIGHT - BOTTOM - line) / (HEIGHT - TOP - BOTTOM)
        assert share == pytest.approx(label / 40, abs=0.01)


@given(st.lists(st.tuples(st.floats(0, 1e7), numbers), min_size=1, max_size=30), st.booleans())
def test_nothing_is_drawn_outside(points: list[tuple[float, float]], from_zero: bool) -> None:
    svg = drawn(Series("s", sorted(points)), from_zero=from_zero)
    for element in svg.iter():
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(element.get(name, 0)) <= WIDTH
        for name in ("y", "y1", "y2", "cy"):
            assert 0 <= float(element.get(name, 0)) <= HEIGHT
    for x, y in places(svg):
        assert LEFT - 0.1 <= x <= WIDTH - RIGHT + 0.1
        assert TOP - 0.1 <= y <= HEIGHT - BOTTOM + 0.1


@given(st.lists(numbers, min_size=1, max_size=9), st.booleans())
def test_an_axis_holds_its_numbers_between_few_round_ticks(
    found: list[float], from_zero: bool
) -> None:
    axis = Axis.over(found, str, from_zero=from_zero)
    slack = 1e-6 * (axis.high - axis.low)
    assert axis.low - slack <= min(found)
    assert max(found) <= axis.high + slack
    assert 2 <= len(axis.ticks) <= 8


def test_the_horizontal_axis_ends_with_its_numbers() -> None:
    """A day is 24 hours long, though its ticks are 5 apart."""
    svg = drawn(Series("s", [(0.0, 0.0), (24.0, 1.0)]), x_text=lambda x: f"{x:g} h")
    assert places(svg)[-1][0] == WIDTH - RIGHT
    labels = [e.text for e in svg.iter("text") if float(e.get("y", "")) > HEIGHT - BOTTOM + 6]
    assert labels == ["0 h", "5 h", "10 h", "15 h", "20 h"]


@given(st.lists(numbers, min_size=1, max_size=9), st.booleans())
def test_an_axis_that_is_not_widened_has_its_ticks_inside(
    found: list[float], from_zero: bool
) -> None:
    axis = Axis.over(found, str, from_zero=from_zero, whole=False)
    assert 2 <= len(axis.ticks) <= 7
    assert all(-1e-6 <= axis.share(tick) <= 1 + 1e-6 for tick in axis.ticks)


@pytest.mark.parametrize("numbers", [(0.0, 5e-324), (-5e-324, 0.0), (3.0, 3.0), (0.0, 0.0)])
def test_an_axis_over_hardly_anything_has_a_length(numbers: tuple[float, float]) -> None:
    axis = Axis.over(numbers, str, from_zero=False, whole=False)
    assert axis.high - axis.low >= 1
    assert len(axis.ticks) >= 2


def test_steps_are_round() -> None:
    assert [tick_step(0, high) for high in (1.0, 5.0, 6.0, 12.0, 24.0, 26.0)] == pytest.approx(
        [0.2, 1.0, 2.0, 2.5, 5.0, 10.0]
    )


def test_unknown_numbers_are_left_out_and_one_point_is_a_dot() -> None:
    svg = drawn(Series("s", [(0.0, math.nan), (1.0, 2.0)]))
    assert len(places(svg)) == 1
    assert svg.find("circle") is not None
    empty = line_chart("t", [Series("s", [(0.0, math.nan)])], x_text=str, y_text=str)
    assert "nothing was recorded" in figure_of(empty)


def test_long_series_are_thinned_to_the_means_of_equal_times() -> None:
    """Half of the points lie in the last tenth of the time, and weigh no more there."""
    early = [(float(i), float(i)) for i in range(1000)]
    late = [(1000 + i / 10, 1000 + i / 10) for i in range(1000)]
    kept = thinned([*early, *late])
    assert len(kept) <= MOST_POINTS
    assert kept[-1] == late[-1]
    assert all(x == pytest.approx(y) for x, y in kept)
    assert sum(x > 1000 for x, _ in kept) < MOST_POINTS / 8


def test_error_bars_reach_as_far_as_they_say() -> None:
    svg = drawn(Series("s", [(0.0, 50.0), (1.0, 50.0)], [50.0, 25.0]))
    bars = [e for e in svg.iter("line") if e.get("class") == "s0"]
    heights = [float(e.get("y1", "")) - float(e.get("y2", "")) for e in bars]
    assert heights[0] == pytest.approx(HEIGHT - TOP - BOTTOM, abs=0.2)
    assert heights[1] == pytest.approx(heights[0] / 2, abs=0.2)
    assert [title.text for title in svg.iter("title")] == ["0: 50 ± 50", "1: 50 ± 25"]


def test_names_are_escaped() -> None:
    chart = line_chart("<a&'>", [Series("<b>", [(0, 1)])], x_text=str, y_text=lambda _: "<")
    figure = figure_of(chart)
    ElementTree.fromstring(figure)
    assert "&lt;b&gt;" in figure
