"""Paint a scene of Lanes: as a picture, and as characters of a terminal.

The map is a square of 32 x 32 tiles, x to the right and y upwards. Both paint the same pixels; the
picture has bars of health on all units, the characters have a letter for each hero.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from arena.play.lanes.scene import Mark, Scene
from arena.play.pictures.blocks import Depth, Size, cells, colour_codes, with_letter
from envs.lanes import rules as r

TILES = 32  # a side of the map
FINE = 6.0  # pixels a tile from which all units have a bar of health, and shapes of their own

TEAM = ((86, 156, 255), (255, 106, 80), (214, 190, 90))  # left, right, neutral
STRUCTURE = ((46, 96, 190), (178, 56, 42))
GROUND, LANE, WATER = (38, 56, 40), (84, 76, 58), (38, 68, 104)
BASE = ((30, 48, 84), (84, 40, 34))
HEALTHY, HURT, WEAK, GONE = (96, 210, 110), (230, 200, 80), (235, 80, 70), (20, 20, 20)
SKILL, CHOSEN, YOU = (220, 130, 255), (255, 240, 120), (255, 255, 255)
FOG = 0.45  # what is left of the colours where a team does not see
MEMORY = 0.5  # of a unit that is remembered
_AROUND = sorted(  # rows and columns from a character, the nearest first; a row is two columns high
    ((down, right) for down in range(-2, 3) for right in range(-3, 4)),
    key=lambda place: (4 * place[0] ** 2 + place[1] ** 2, place),
)
LETTERS = {r.TOWER: "▲", r.CORE: "◆"}

Colour = tuple[int, int, int]
Pixels = NDArray[np.uint8]


def paint(scene: Scene, side: int, marked: Iterable[int] = ()) -> Pixels:
    """Paint a scene as a picture, uint8 [side, side, 3].

    Args:
        side: pixels of a side; from 16 on.
        marked: units to put a ring around.

    Raises ValueError for a smaller picture.
    """
    if side < TILES // 2:
        raise ValueError(f"side = {side}: expected {TILES // 2} pixels or more")
    picture = _ground(scene.mode, side).copy()
    if scene.lit is not None:
        _darken(picture, scene.lit)
    for hit in scene.hits:
        _line(picture, hit.start, hit.end, SKILL if hit.is_skill else TEAM[hit.team])
    for mark in scene.marks:
        _unit(picture, mark)
    for mark in scene.marks:
        _health(picture, mark)
        if mark.unit in marked:
            _ring(picture, mark)
    return picture


def characters(
    scene: Scene, size: Size, depth: Depth, you: int = -1, chosen: int = -1
) -> NDArray[np.int64]:
    """Paint a scene as the characters of a terminal, as `blocks.cells` codes them.

    Args:
        size: in characters; columns are twice the rows.
        you: the person's own hero, a unit.
        chosen: the person's target, a unit.

    Returns: int64 [rows, columns].
    """
    drawn = cells(paint(scene, size.columns), size, depth)
    taken: set[tuple[int, int]] = set()
    for mark in reversed(scene.marks):  # heroes choose their places first
        letter = mark.letter or LETTERS.get(mark.kind, "")
        if not letter and mark.unit != chosen:
            continue
        row, column = _free_place(mark, size, taken)
        taken.add((row, column))
        ink, back = _letter_colours(mark, you, chosen)
        pair = colour_codes(np.array([[ink, back]], np.uint8), depth)[0].tolist()
        drawn[row, column] = with_letter(letter or "•", pair[0], pair[1])
    return drawn


def _letter_colours(mark: Mark, you: int, chosen: int) -> tuple[Colour, Colour]:
    """Return the colours of a letter and of what is behind it."""
    own: Colour = TEAM[mark.team]
    if mark.unit == you:
        return (0, 0, 0), YOU
    if mark.unit == chosen:
        return (0, 0, 0), CHOSEN
    if mark.kind in (r.TOWER, r.CORE):
        return (YOU if not mark.is_remembered else (150, 150, 150)), STRUCTURE[mark.team]
    if mark.is_remembered:
        return (190, 190, 190), _dim(own, MEMORY)
    return (0, 0, 0), own


def _free_place(mark: Mark, size: Size, taken: set[tuple[int, int]]) -> tuple[int, int]:
    """Return the nearest character that no other letter has, [row, column]."""
    x, y = _pixel(mark.x, mark.y, size.columns)
    row, column = min(int(y) // 2, size.rows - 1), min(int(x), size.columns - 1)
    for down, right in _AROUND:
        place = row + down, column + right
        inside = 0 <= place[0] < size.rows and 0 <= place[1] < size.columns
        if inside and place not in taken:
            return place
    return row, column


def _pixel(x: float, y: float, side: int) -> tuple[float, float]:
    """Return the place of a point of the map in a picture, from its upper left corner."""
    scale = side / TILES
    return (x + TILES / 2) * scale, (TILES / 2 - y) * scale


@lru_cache(maxsize=16)
def _ground(mode: r.Mode, side: int) -> Pixels:
    """Paint the map without units."""
    places = (np.arange(side) + 0.5) * TILES / side - TILES / 2
    x, y = places[None, :], -places[:, None]
    picture = np.empty((side, side, 3), np.uint8)
    picture[:] = GROUND
    for team, sign in enumerate((1.0, -1.0)):
        inside = (x - sign * r.CORE_X) ** 2 + y**2 <= r.BASE_RADIUS**2
        picture[np.broadcast_to(inside, (side, side))] = BASE[team]
    for lane in mode.lanes:
        picture[_near_lane(x, y, lane, max(0.7, TILES / side))] = LANE
    river = np.broadcast_to(np.abs(x) < r.RIVER, (side, side))
    picture[river] = (picture[river] * 0.35 + np.array(WATER) * 0.65).astype(np.uint8)
    picture.setflags(write=False)
    return picture


def _near_lane(
    x: NDArray[np.float64], y: NDArray[np.float64], lane: float, width: float
) -> NDArray[np.bool_]:
    """Return which places are within `width` of a lane: core, inner tower, and mirrored."""
    points = [(r.SPAWN_X, 0.0), (r.INNER_X, lane), (-r.INNER_X, lane), (-r.SPAWN_X, 0.0)]
    near = np.zeros((y.shape[0], x.shape[1]), np.bool_)
    for (ax, ay), (bx, by) in pairwise(points):
        dx, dy = bx - ax, by - ay
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        near |= (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2 <= width * width
    return near


def _darken(picture: Pixels, lit: Iterable[tuple[float, float, float]]) -> None:
    """Darken what lies outside of all circles."""
    side = len(picture)
    seen = np.zeros((side, side), np.bool_)
    for x, y, radius in lit:
        rows, columns, inside = _circle(side, x, y, radius)
        seen[rows, columns] |= inside
    picture[~seen] = (picture[~seen] * FOG).astype(np.uint8)


def _circle(side: int, x: float, y: float, radius: float) -> tuple[slice, slice, NDArray[np.bool_]]:
    """Return the pixels around a place, and which of them are within `radius` tiles."""
    across, down = _pixel(x, y, side)
    reach = radius * side / TILES
    columns = slice(max(0, int(across - reach)), min(side, int(across + reach) + 2))
    rows = slice(max(0, int(down - reach)), min(side, int(down + reach) + 2))
    dx = np.arange(columns.start, columns.stop)[None] + 0.5 - across
    dy = np.arange(rows.start, rows.stop)[:, None] + 0.5 - down
    return rows, columns, dx * dx + dy * dy <= reach * reach


def _box(picture: Pixels, x: float, y: float, width: float, height: float, colour: Colour) -> None:
    """Fill a box around a place; sizes in tiles, a pixel at least."""
    side = len(picture)
    across, down = _pixel(x, y, side)
    wide, high = (max(1, round(size * side / TILES)) for size in (width, height))
    left, top = round(across - wide / 2), round(down - high / 2)
    picture[max(0, top) : max(0, top + high), max(0, left) : max(0, left + wide)] = colour


def _unit(picture: Pixels, mark: Mark) -> None:
    """Paint a unit's shape in its team's colour, darker when it is remembered."""
    colour: Colour = TEAM[mark.team]
    if mark.kind in (r.TOWER, r.CORE):
        colour = STRUCTURE[mark.team]
    if mark.is_remembered:
        colour = _dim(colour, MEMORY)
    is_fine = len(picture) >= FINE * TILES
    if mark.kind == r.CORE:
        _box(picture, mark.x, mark.y, 1.8, 1.8, colour)
    elif mark.kind == r.TOWER:
        _box(picture, mark.x, mark.y, 1.1, 1.5, colour)
    elif mark.kind == r.CREEP:
        size = 0.5 if is_fine else 0.1
        _box(picture, mark.x, mark.y, size, size, colour)
        if mark.is_ranged and is_fine:
            _box(picture, mark.x, mark.y, 0.2, 0.2, (240, 240, 240))
    else:
        radius = (0.75 if mark.kind == r.HERO else 0.55) if is_fine else 0.45
        if is_fine:  # an edge, so that heroes on one another can be told apart
            _disc(picture, mark, radius + 0.13, GONE)
        _disc(picture, mark, radius, colour)


def _disc(picture: Pixels, mark: Mark, radius: float, colour: Colour) -> None:
    rows, columns, inside = _circle(len(picture), mark.x, mark.y, radius)
    picture[rows, columns][inside] = colour


def _health(picture: Pixels, mark: Mark) -> None:
    """Paint the bar of health above a unit; small pictures have those of heroes and structures."""
    side = len(picture)
    is_fine = side >= FINE * TILES
    is_small = mark.kind in (r.CREEP, r.NEUTRAL)
    if is_small and (not is_fine or mark.health == 1.0):
        return
    pixel = TILES / side
    width = {r.HERO: 1.6, r.CORE: 2.0, r.TOWER: 1.6}.get(mark.kind, 0.8)
    width = width if is_fine else 3 * pixel
    above = {r.HERO: 1.1, r.CORE: 1.3, r.TOWER: 1.1}.get(mark.kind, 0.6) if is_fine else 2 * pixel
    height = max(0.22, pixel)
    colour = HEALTHY if mark.health > 0.6 else HURT if mark.health > 0.3 else WEAK
    if mark.is_remembered:
        colour = _dim(colour, MEMORY)
    across, down = _pixel(mark.x, mark.y + above, side)
    wide = round(width / pixel)
    left, top = round(across - wide / 2), round(down)
    rows = slice(max(0, top), max(0, top + max(1, round(height / pixel))))
    filled = max(1, round(wide * mark.health)) if mark.health > 0 else 0
    picture[rows, max(0, left) : max(0, left + wide)] = GONE
    picture[rows, max(0, left) : max(0, left + filled)] = colour


def _ring(picture: Pixels, mark: Mark) -> None:
    """Paint a ring around a unit."""
    rows, columns, inside = _circle(len(picture), mark.x, mark.y, 1.15)
    _, _, inner = _circle(len(picture), mark.x, mark.y, 0.95)
    hole = np.zeros_like(inside)
    top, left = ((inside.shape[i] - inner.shape[i]) // 2 for i in range(2))
    hole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    picture[rows, columns][inside & ~hole] = CHOSEN


def _line(
    picture: Pixels, start: tuple[float, float], end: tuple[float, float], colour: Colour
) -> None:
    """Paint a line, a pixel wide."""
    side = len(picture)
    (ax, ay), (bx, by) = _pixel(*start, side), _pixel(*end, side)
    steps = max(2, int(2 * max(abs(bx - ax), abs(by - ay))))
    columns = np.clip(np.linspace(ax, bx, steps).astype(int), 0, side - 1)
    rows = np.clip(np.linspace(ay, by, steps).astype(int), 0, side - 1)
    picture[rows, columns] = colour


def _dim(colour: Colour, share: float) -> Colour:
    red, green, blue = colour
    return int(red * share), int(green * share), int(blue * share)
