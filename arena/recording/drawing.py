"""Draw a film's pictures: the game enlarged, a caption over it, and the action values beside it."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from arena.play.pictures.panels import number, share_of
from arena.play.pictures.session import PictureSession

WANTED_HEIGHT = 480  # of an enlarged picture, at most; a larger one stays as it is
CAPTION = 40  # pixels over the picture
LINE = 22  # pixels of a line of text
LEAST_WIDTH = 320  # of a film, so that the caption fits
VALUES_WIDTH = 240
CURVE_HEIGHT = 90
TEXT = 15  # pixels of a letter's height, about

INK, DIM, BACK = (235, 235, 235), (150, 150, 150), (18, 18, 22)
BEST, OTHER, CURVE = (110, 200, 120), (90, 120, 190), (90, 190, 200)
GOLD = (240, 200, 90)


@cache
def font(size: int = TEXT) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that comes with Pillow, in a size in pixels."""
    return ImageFont.load_default(size)


def scale_of(height: int) -> int:
    """Return the factor by which a picture of this height is enlarged."""
    return max(1, WANTED_HEIGHT // height)


def enlarge(picture: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Repeat each pixel [h, w, 3] `scale` times in both directions."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


class FilmDrawing:
    """Draws the moments of a session, all in one size.

    Args:
        session: what is filmed.
        values: draw the action values beside the picture.
    """

    def __init__(self, session: PictureSession, *, values: bool) -> None:
        height, width = session.game.seen.picture.shape[:2]
        self._session = session
        self._scale = scale_of(height)
        self._height = height * self._scale
        self._width = max(LEAST_WIDTH, width * self._scale)
        self._left = (self._width - width * self._scale) // 2
        self._values = values

    def draw(self) -> NDArray[np.uint8]:
        """Draw the session as it is now, uint8 [height, width, 3]."""
        beside = VALUES_WIDTH if self._values else 0
        sheet = Image.new("RGB", (self._width + beside, CAPTION + self._height), BACK)
        pen = ImageDraw.Draw(sheet)
        self._draw_caption(pen)
        if self._values:
            self._draw_values(pen, self._width + 10, VALUES_WIDTH - 20)
        # 16 levels a channel for the text: its smooth edges would fill the palette of a GIF.
        drawn = np.asarray(sheet) // 16 * 17
        picture = enlarge(self._session.game.seen.picture, self._scale)
        across = slice(self._left, self._left + picture.shape[1])
        drawn[CAPTION:, across] = picture
        return drawn.astype(np.uint8)

    def _draw_caption(self, pen: ImageDraw.ImageDraw) -> None:
        session, game = self._session, self._session.game
        protocol = session.environment.protocol
        who = f"{session.player}   {session.environment.name}"
        pen.text((6, 2), who + (f" ({protocol})" if protocol else ""), DIM, font(12))
        lives = "" if game.seen.lives is None else f"   lives {game.seen.lives}"
        ended = "   game over" if session.is_over else ""
        score = f"score {number(game.score)}{lives}{ended}"
        pen.text((6, 18), score, GOLD if session.is_over else INK, font())
        measured = "   ".join(session.measured())
        if measured:
            wide = pen.textlength(measured, font(12))
            pen.text((self._width - 6 - wide, 20), measured, CURVE, font(12))

    def _draw_values(self, pen: ImageDraw.ImageDraw, left: int, width: int) -> None:
        session = self._session
        names, values = session.environment.action_names, session.values
        pen.text((left, 2), "action values", DIM, font(12))
        if values.now is None or not values.best:
            return
        low, high = values.range
        best = float(np.nanmax(values.now))
        lines = min(len(names), (self._height - CURVE_HEIGHT) // LINE)
        for action in range(lines):
            top, value = CAPTION + LINE * action, float(values.now[action])
            chosen = action == session.game.action
            pen.text((left, top), names[action].lower(), INK if chosen else DIM, font(12))
            pen.text((left + 70, top), f"{value:.2f}", INK if chosen else DIM, font(12))
            bar = share_of(value, low, high) * (width - 115)
            colour = BEST if value == best else OTHER
            start = left + 115
            pen.rectangle((start, top + 2, start + bar, top + LINE - 8), colour)
        self._draw_curve(pen, left, width, low, high)

    def _draw_curve(
        self, pen: ImageDraw.ImageDraw, left: int, width: int, low: float, high: float
    ) -> None:
        """Draw the best value of the last steps."""
        foot = CAPTION + self._height - 6
        pen.text((left, foot - CURVE_HEIGHT + 6), f"best value, to {high:.2f}", DIM, font(12))
        room = CURVE_HEIGHT - 24
        last = list(self._session.values.best)[-width:]
        points = [(left + x, foot - room * share_of(v, low, high)) for x, v in enumerate(last)]
        if len(points) > 1:
            pen.line(points, CURVE, 2)
