"""Compute the geometry of small line charts, which `templates/chart.html` draws as inline SVG.

A chart is `WIDTH` x `HEIGHT` user units and scales with the page. Series differ by colour and by
dashes, and a legend names them beside their last number. Texts are plain: the template escapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 62, 26, 12, 36  # margins around the plot
COLOURS = 6  # series classes s0 .. s5 in the page's style
MOST_POINTS = 240  # of a series: about one for two units
TINY = 1e-100  # a shorter axis has no ticks that floats can tell apart
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Series:
    """A curve: its name and its points (x, y), in the order of x; y may be NaN where unknown."""

    name: str
    points: Sequence[tuple[float, float]]
    errors: Sequence[float] = field(default=())  # half the length of each point's error bar


@dataclass(frozen=True)
class Axis:
    """A scale: where its data lie, its ticks, and how a number is written on it."""

    low: float
    high: float
    ticks: tuple[float, ...]
    text: Callable[[float], str]

    @classmethod
    def over(
        cls,
        numbers: Sequence[float],
        text: Callable[[float], str],
        *,
        from_zero: bool,
        whole: bool = True,
    ) -> Axis:
        """Make an axis over these numbers, always of finite length.

        With `whole` it is widened to whole ticks, else it ends with its numbers.
        """
        low, high = min(numbers), max(numbers)
        if from_zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if high - low < TINY:
            near_zero = abs(low) < TINY
            low, high = (0.0, 1.0) if near_zero else (low - 0.5 * abs(low), low + 0.5 * abs(low))
        step = tick_step(low, high)
        if whole:
            first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
            low, high = first * step, last * step
        else:
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return cls(low, high, tuple(number * step for number in range(first, last + 1)), text)

    def share(self, number: float) -> float:
        """Return a number's place between the ends, 0 to 1."""
        return (number - self.low) / (self.high - self.low)


def tick_step(low: float, high: float, most: int = 6) -> float:
    """Choose a round step (1, 2, 2.5 or 5 times a power of ten) for at most `most` ticks."""
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in STEPS if step * power >= rough * (1 - 1e-9))


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Thin to MOST_POINTS points: means over equal parts of x, the last point unchanged.

    Points without a number are left out.
    """
    known = [point for point in points if math.isfinite(point[1])]
    if len(known) <= MOST_POINTS:
        return known
    first, length = known[0][0], (known[-1][0] - known[0][0]) or 1.0
    count = MOST_POINTS - 1
    parts: dict[int, list[tuple[float, float]]] = {}
    for x, y in known[:-1]:
        parts.setdefault(min(count - 1, int((x - first) / length * count)), []).append((x, y))
    means = [tuple(sum(column) / len(part) for column in zip(*part)) for part in parts.values()]
    return [*((x, y) for x, y in means), known[-1]]


@dataclass(frozen=True)
class Tick:
    """A number on an axis: where it is along that axis, in user units, and how it is written."""

    at: float
    text: str


@dataclass(frozen=True)
class Bar:
    """The error bar of a point, in user units, and the text shown under the pointer."""

    x: float
    low: float
    middle: float
    high: float
    text: str


@dataclass(frozen=True)
class Curve:
    """A drawn series.

    Attributes:
        name: what the legend calls it.
        newest: its last number, as text.
        colour: a class of the style sheet, s0 to s5.
        dashed: whether it is a later curve of the same colour.
        points: (x, y) in user units.
        bars: of its points; empty without errors.
    """

    name: str
    newest: str
    colour: str
    dashed: bool
    points: Sequence[tuple[float, float]]
    bars: Sequence[Bar] = ()


@dataclass(frozen=True)
class Chart:
    """A line chart, whose plot has the same edges in all; without curves nothing was recorded."""

    width: ClassVar[int] = WIDTH
    height: ClassVar[int] = HEIGHT
    left: ClassVar[int] = LEFT
    right: ClassVar[int] = WIDTH - RIGHT
    bottom: ClassVar[int] = HEIGHT - BOTTOM

    title: str
    x_ticks: Sequence[Tick] = ()
    y_ticks: Sequence[Tick] = ()
    curves: Sequence[Curve] = ()


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_text: Callable[[float], str],
    y_text: Callable[[float], str],
    from_zero: bool = False,
) -> Chart:
    """Lay out a chart; it has no curves where no series has a point.

    Args:
        title: what the curves are of.
        series: drawn in this order; those without points are left out.
        x_text, y_text: write a number on the axes, y also in the legend.
        from_zero: whether the vertical axis has to show 0.
    """
    drawn = [(s, thinned(s.points) if not s.errors else list(s.points)) for s in series]
    drawn = [(s, points) for s, points in drawn if points]
    if not drawn:
        return Chart(title)
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y + d for s, points in drawn for d in _reach(s) for _, y in points]
    x_axis = Axis.over(xs, x_text, from_zero=True, whole=False)
    y_axis = Axis.over(ys, y_text, from_zero=from_zero)
    return Chart(
        title,
        [Tick(_x(x_axis, number), x_axis.text(number)) for number in x_axis.ticks],
        [Tick(_y(y_axis, number), y_axis.text(number)) for number in y_axis.ticks],
        [_curve(i, s, points, x_axis, y_axis) for i, (s, points) in enumerate(drawn)],
    )


def _reach(series: Series) -> tuple[float, ...]:
    """Return the reach of a series' error bars, down and up."""
    most = max(series.errors, default=0.0)
    return (-most, most) if most else (0.0,)


def _x(axis: Axis, number: float) -> float:
    return round(LEFT + axis.share(number) * (WIDTH - LEFT - RIGHT), 1)


def _y(axis: Axis, number: float) -> float:
    return round(HEIGHT - BOTTOM - axis.share(number) * (HEIGHT - TOP - BOTTOM), 1)


def _curve(
    number: int, series: Series, points: Sequence[tuple[float, float]], x_axis: Axis, y_axis: Axis
) -> Curve:
    """Make the curve of a series, the `number`-th of its chart."""
    return Curve(
        name=series.name,
        newest=y_axis.text(points[-1][1]),
        colour=f"s{number % COLOURS}",
        dashed=number >= COLOURS,
        points=[(_x(x_axis, x), _y(y_axis, y)) for x, y in points],
        bars=[
            Bar(
                x=_x(x_axis, x),
                low=_y(y_axis, y - error),
                middle=_y(y_axis, y),
                high=_y(y_axis, y + error),
                text=f"{x:,.10g}: {y_axis.text(y)} ± {error:.3g}",
            )
            for (x, y), error in zip(points, series.errors, strict=False)
        ],
    )
