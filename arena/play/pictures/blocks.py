"""Draw a picture in a terminal by half blocks: a character is two pixels, one above the other.

The character is the upper half block. Its foreground is the upper pixel and its background the
lower one, so a terminal of 160 x 50 characters shows 160 x 100 pixels, about square. A letter can
stand in the place of two pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

HALF = "▀"
_LETTER = 48  # the first bit of a character other than HALF in a number of `cells`
_BITS = 5  # of a channel; fewer colours than 8 bits make longer runs, and few eyes tell them apart

Depth = Literal["true", "256"]
"""Colours of the terminal: 24 bits, or xterm's cube of 6 x 6 x 6 and its grays."""


class Size(NamedTuple):
    """A drawing's size in characters."""

    columns: int
    rows: int


def fit(height: int, width: int, columns: int, rows: int, widest: float = 1.0) -> Size:
    """Return the largest size for a picture [height, width] within `columns` and `rows`.

    A pixel is drawn at least as wide as high, and up to `widest` times as wide where there is room.
    """
    columns, rows = max(1, columns), max(1, rows)
    narrow = min(rows, int(columns * height / (2 * width)) or 1)
    widest = round(2 * narrow * width / height * widest) or 1
    return Size(min(columns, widest), narrow)


def shrink(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Scale a picture [h, w] or [h, w, 3] to [height, width, 3] by the mean of each pixel's area.

    So a ball smaller than a pixel of the result is dim but never gone. Raises ValueError for a
    picture of another shape.
    """
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"picture of shape {picture.shape}: expected [h, w, 3] or [h, w]")
    if picture.shape[:2] == (height, width):
        return picture
    tall, wide = picture.shape[:2]
    down = _weights(tall, height) @ picture.reshape(tall, -1).astype(np.float32)
    across = _weights(wide, width) @ down.reshape(height, wide, 3)  # [height, width, 3]
    return (across + 0.5).astype(np.uint8)


@lru_cache(maxsize=64)
def _weights(before: int, after: int) -> NDArray[np.float32]:
    """Return each old pixel's share in each new one, float32 [after, before]; rows sum to 1."""
    edges = np.arange(after + 1) * (before / after)
    low, high = edges[:-1, None], edges[1:, None]
    pixels = np.arange(before)[None]
    shares = np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, None)
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def colour_codes(picture: NDArray[np.uint8], depth: Depth) -> NDArray[np.int32]:
    """Return the colour of each pixel [h, w, 3] as a code, int32 [h, w]; `rgb_of` decodes it."""
    channels = (picture >> (8 - _BITS)).astype(np.int32)
    codes = (channels[..., 0] << 2 * _BITS) | (channels[..., 1] << _BITS) | channels[..., 2]
    return codes if depth == "true" else _nearest_of_256()[codes]


def rgb_of(code: int) -> tuple[int, int, int]:
    """Return the red, green and blue, 0 to 255, of a colour's code; black and white are exact."""
    mask = (1 << _BITS) - 1
    red, green, blue = (
        (part << (8 - _BITS)) | (part >> (2 * _BITS - 8))
        for part in (code >> 2 * _BITS & mask, code >> _BITS & mask, code & mask)
    )
    return red, green, blue


@cache
def _nearest_of_256() -> NDArray[np.int32]:
    """Return, for each code, the code of the nearest colour that 256-colour terminals have.

    The cube and the grays of xterm, without the first 16 colours, which users change.
    """
    levels = [0, 95, 135, 175, 215, 255]
    cube = [(r, g, b) for r in levels for g in levels for b in levels]
    palette = np.array(cube + [(8 + 10 * i,) * 3 for i in range(24)], np.float32)
    every = np.array([rgb_of(code) for code in range(1 << 3 * _BITS)], np.float32)
    # |a - b|^2 without the term of `every`, which does not change which is nearest.
    distances = (palette**2).sum(axis=1) - 2 * every @ palette.T
    nearest = palette[distances.argmin(axis=1)].astype(np.int32) >> (8 - _BITS)
    return (nearest[:, 0] << 2 * _BITS) | (nearest[:, 1] << _BITS) | nearest[:, 2]


@lru_cache(maxsize=1 << 15)
def _style(upper: int, lower: int) -> Style:
    return Style(color=Color.from_rgb(*rgb_of(upper)), bgcolor=Color.from_rgb(*rgb_of(lower)))


def cells(picture: NDArray[np.uint8], size: Size, depth: Depth) -> NDArray[np.int64]:
    """Return the two colours of each character of a drawing, as one number, int64 [rows, columns].

    Two rows that are equal here are drawn the same, so only the others need drawing again.
    """
    codes = colour_codes(shrink(picture, 2 * size.rows, size.columns), depth).astype(np.int64)
    return codes[0::2] << 32 | codes[1::2]


def with_letter(letter: str, ink: int, back: int) -> int:
    """Return a character of a drawing that is a letter, of the codes of two colours."""
    return ord(letter) << _LETTER | ink << 32 | back


def row_segments(row: NDArray[np.int64]) -> list[Segment]:
    """Return a row of `cells` [columns] as runs of characters of one style."""
    starts = np.flatnonzero(np.diff(row, prepend=row[:1] - 1)).tolist()
    ends = [*starts[1:], len(row)]
    codes: Sequence[int] = row[starts].tolist()
    return [
        Segment(
            (chr(code >> _LETTER) if code >> _LETTER else HALF) * (end - start),
            _style(code >> 32 & 0xFFFF, code & 0xFFFFFFFF),
        )
        for start, end, code in zip(starts, ends, codes)
    ]
