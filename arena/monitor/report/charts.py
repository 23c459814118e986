"""Small line charts as inline SVG: no script, no outside resource, colours from the page's style.

A chart is `WIDTH` x `HEIGHT` user units and scales with the page. Series are told apart by colour
and by dashes, and named in a legend beside their last number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

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
        """An axis over these numbers; of finite length in any case.

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
        """Where a number lies between the ends, 0 to 1."""
        return (number - self.low) / (self.high - self.low)


def tick_step(low: float, high: float, most: int = 6) -> float:
    """A round distance (1, 2, 2.5 or 5 times a power of ten) for at most so many ticks."""
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in STEPS if step * power >= rough * (1 - 1e-9))


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most MOST_POINTS of them: means over equal parts of x, the last as it is.

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


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_text: Callable[[float], str],
    y_text: Callable[[float], str],
    from_zero: bool = False,
) -> str:
    """A figure with its legend as HTML; a sentence where no series has a point.

    Args:
        title: what the curves are of.
        series: drawn in this order; those without points are left out.
        x_text, y_text: write a number on the axes, y also in the legend.
        from_zero: whether the vertical axis has to show 0.
    """
    drawn = [(s, thinned(s.points) if not s.errors else list(s.points)) for s in series]
    drawn = [(s, points) for s, points in drawn if points]
    caption = f"<figcaption>{escape(title)}</figcaption>"
    if not drawn:
        return f"<figure>{caption}<p class='none'>nothing was recorded</p></figure>"
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y + d for s, points in drawn for d in _reach(s) for _, y in points]
    x_axis = Axis.over(xs, x_text, from_zero=True, whole=False)
    y_axis = Axis.over(ys, y_text, from_zero=from_zero)
    curves = [_curve(i, s, points, x_axis, y_axis) for i, (s, points) in enumerate(drawn)]
    legend = [
        f"<li class='s{i % COLOURS}'>{escape(s.name)} <b>{escape(y_text(points[-1][1]))}</b></li>"
        for i, (s, points) in enumerate(drawn)
    ]
    return (
        f"<figure>{caption}"
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(title, quote=True)}'>"
        f"{_grid(x_axis, y_axis)}{''.join(curves)}</svg>"
        f"<ul class='legend'>{''.join(legend)}</ul></figure>"
    )


def _reach(series: Series) -> tuple[float, ...]:
    """How far a series goes beyond its points, down and up."""
    most = max(series.errors, default=0.0)
    return (-most, most) if most else (0.0,)


def _x(axis: Axis, number: float) -> float:
    return round(LEFT + axis.share(number) * (WIDTH - LEFT - RIGHT), 1)


def _y(axis: Axis, number: float) -> float:
    return round(HEIGHT - BOTTOM - axis.share(number) * (HEIGHT - TOP - BOTTOM), 1)


def _grid(x_axis: Axis, y_axis: Axis) -> str:
    parts = []
    bottom = HEIGHT - BOTTOM
    for tick in y_axis.ticks:
        y = _y(y_axis, tick)
        parts.append(f"<line class='grid' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y}' y2='{y}'/>")
        label = escape(y_axis.text(tick))
        parts.append(f"<text x='{LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>{label}</text>")
    for tick in x_axis.ticks:
        x = _x(x_axis, tick)
        parts.append(f"<line class='tick' x1='{x}' x2='{x}' y1='{bottom}' y2='{bottom + 5}'/>")
        label = escape(x_axis.text(tick))
        parts.append(f"<text x='{x}' y='{bottom + 22}' text-anchor='middle'>{label}</text>")
    return "".join(parts)


def _curve(
    number: int, series: Series, points: Sequence[tuple[float, float]], x_axis: Axis, y_axis: Axis
) -> str:
    style = f"s{number % COLOURS}" + (" dashed" if number >= COLOURS else "")
    places = [(_x(x_axis, x), _y(y_axis, y)) for x, y in points]
    parts = []
    for (x, y), (at, middle), error in zip(places, points, series.errors, strict=False):
        low, high = _y(y_axis, middle - error), _y(y_axis, middle + error)
        said = escape(f"{at:,.10g}: {y_axis.text(middle)} ± {error:.3g}")  # under the pointer
        parts.append(f"<line class='{style}' x1='{x}' x2='{x}' y1='{low}' y2='{high}'/>")
        parts.append(
            f"<circle class='{style}' cx='{x}' cy='{y}' r='4'><title>{said}</title></circle>"
        )
    if len(places) == 1 and not parts:
        parts.append(f"<circle class='{style}' cx='{places[0][0]}' cy='{places[0][1]}' r='3'/>")
    path = " ".join(f"{x},{y}" for x, y in places)
    return f"<polyline class='{style}' points='{path}'/>{''.join(parts)}"
