"""Lay checkpoints side by side as strips of film, with their scores: how a game was learned.

After the slide that shows DQN's Breakout after 10, 120 and 240 minutes of training.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from arena.play.pictures.panels import number
from arena.play.pictures.session import FinishedGame, PictureSession, play_out
from arena.recording.drawing import BACK, DIM, GOLD, INK, enlarge, font, scale_of
from arena.recording.films import FilmError
from arena.recording.record import game_text, mean_score
from envs.pictures.pictured import Measure

PICTURES = 4  # of a checkpoint, from the game's first third to its end
MOST_KEPT = 128  # pictures of a running game evenly, and as many that measures counted
HOLE, EDGE, GAP = 10, 22, 8  # pixels: perforation, its margin, and between pictures
HEAD, FOOT, BETWEEN = 34, 64, 24
FILM_BLACK, HOLE_WHITE = (0, 0, 0), (225, 225, 225)


@dataclass(frozen=True)
class Strip:
    """A checkpoint at play.

    Attributes:
        title: such as "after 10 minutes".
        agent: who played.
        pictures: of the best game, in order of time, uint8 [height, width, 3] each.
        games: all games that were played.
        measured: lines on the best game's measures.
    """

    title: str
    agent: str
    pictures: list[NDArray[np.uint8]]
    games: list[FinishedGame]
    measured: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """Return the strip's figures, as JSON values and dataclasses of them."""
        return {
            "title": self.title,
            "agent": self.agent,
            "best": self.best,
            "mean": self.mean,
            "games": self.games,
        }

    @property
    def best(self) -> float:
        """Return the highest score."""
        return max(game.score for game in self.games)

    @property
    def mean(self) -> float:
        """Return the mean score."""
        return mean_score(self.games)


def film_strip(title: str, session: PictureSession, games: int) -> Strip:
    """Play games and take pictures of the best one.

    Pictures of the running game alone are kept, those that measures counted first: where the ball
    is behind the wall, that is what should be seen. Raises ValueError for fewer games than one.
    """
    if games < 1:
        raise ValueError(f"games = {games}: expected 1 or more")
    best: list[NDArray[np.uint8]] = []
    best_score, measured = -np.inf, list[str]()
    running, counts = Moments(), tuple[int, ...]()
    for _ in play_out(session, games):
        game = session.game
        if game.steps == 0:
            running, counts = Moments(), ()
        running.add(game.seen.picture, is_counted=game.counts > counts)
        counts = game.counts
        if session.is_over and game.score > best_score:
            best, best_score, measured = running.chosen(), game.score, session.measured()
    return Strip(title, session.player, best, list(session.finished), measured)


class Moments:
    """The pictures of a running game that a strip may show, at most 2 * MOST_KEPT of them.

    A game of Atari may have 27,000 moments of 100 KB each, and a strip shows PICTURES of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self._evenly, self._counted = _Thinned(), _Thinned()

    def add(self, picture: NDArray[np.uint8], *, is_counted: bool) -> None:
        """Add the next moment, and whether a measure counted it."""
        self._evenly.add(self.count, picture)
        if is_counted:
            self._counted.add(self.count, picture)
        self.count += 1

    @property
    def kept(self) -> int:
        """Return how many pictures are kept; one that is kept for both reasons counts twice."""
        return len(self._evenly.kept) + len(self._counted.kept)

    def chosen(self) -> list[NDArray[np.uint8]]:
        """Choose PICTURES, evenly; the nearest that a measure counted, where one is near."""
        last = self.count - 1
        chosen = []
        for i in range(1, PICTURES + 1):
            place = round(last * i / (PICTURES + 0.5))
            reach = last // (2 * PICTURES + 1)
            near = {at: p for at, p in self._counted.kept.items() if abs(at - place) <= reach}
            chosen.append(_nearest(near or self._evenly.kept, place))
        return chosen


def _nearest(kept: Mapping[int, NDArray[np.uint8]], place: int) -> NDArray[np.uint8]:
    return kept[min(kept, key=lambda at: abs(at - place))]


class _Thinned:
    """Pictures by their place in the game: of those added, every 2^k-th, at most MOST_KEPT."""

    def __init__(self) -> None:
        self.kept: dict[int, NDArray[np.uint8]] = {}
        self._added, self._stride = 0, 1

    def add(self, at: int, picture: NDArray[np.uint8]) -> None:
        """Add a picture; where there are too many, drop every second one from now on."""
        if self._added % self._stride == 0:
            self.kept[at] = picture
        self._added += 1
        if len(self.kept) > MOST_KEPT:
            self.kept = dict([*self.kept.items()][::2])
            self._stride *= 2


def draw_strips(strips: Sequence[Strip], headline: str) -> NDArray[np.uint8]:
    """Draw strips side by side under a headline, uint8 [height, width, 3]."""
    drawn = [_draw_strip(strip) for strip in strips]
    width = sum(one.width for one in drawn) + BETWEEN * (len(drawn) + 1)
    height = max(one.height for one in drawn)
    sheet = Image.new("RGB", (max(width, 360), height + HEAD + BETWEEN), BACK)
    pen = ImageDraw.Draw(sheet)
    pen.text((BETWEEN, 9), headline, INK, font(16))
    left = BETWEEN
    for one in drawn:
        sheet.paste(one, (left, HEAD))
        left += one.width + BETWEEN
    return np.asarray(sheet)


def _draw_strip(strip: Strip) -> Image.Image:
    """Draw one strip: its title, its pictures between two perforated edges, its scores."""
    height, width = strip.pictures[0].shape[:2]
    scale = max(1, scale_of(height) // 2)
    tall, wide = height * scale, width * scale
    whole = len(strip.pictures) * (tall + GAP) + GAP
    sheet = Image.new("RGB", (wide + 2 * EDGE, HEAD + whole + FOOT), BACK)
    pen = ImageDraw.Draw(sheet)
    pen.text((2, 8), strip.title, GOLD, font(18))
    pen.rectangle((0, HEAD, wide + 2 * EDGE, HEAD + whole - 1), FILM_BLACK)
    for top in range(HEAD + HOLE // 2, HEAD + whole - HOLE, 2 * HOLE):
        for left in (EDGE // 2 - HOLE // 2, wide + EDGE + EDGE // 2 - HOLE // 2):
            pen.rounded_rectangle((left, top, left + HOLE, top + HOLE), 2, HOLE_WHITE)
    for i, picture in enumerate(strip.pictures):
        place = (EDGE, HEAD + GAP + i * (tall + GAP))
        sheet.paste(Image.fromarray(enlarge(picture, scale)), place)
    foot = HEAD + whole + 4
    score = f"score {number(strip.best)}"
    if len(strip.games) > 1:
        score += f"   mean of {len(strip.games)}: {strip.mean:.1f}"
    pen.text((2, foot), score, INK, font(15))
    for i, line in enumerate([*strip.measured[:1], strip.agent]):
        pen.text((2, foot + 20 + 16 * i), line, DIM, font(12))
    return sheet


def strips_text(path: Path, strips: Sequence[Strip], measures: Sequence[Measure]) -> str:
    """Describe a drawing of strips: a line for it, and one for each game."""
    lines = [f"{path}: {len(strips)} checkpoint{'' if len(strips) == 1 else 's'}"]
    for strip in strips:
        told = "; ".join(game_text(game, measures) for game in strip.games)
        lines.append(f"{strip.title} ({strip.agent}): {told}")
    return "\n".join(lines)


def write_strips(path: Path, strips: Sequence[Strip], headline: str) -> None:
    """Write strips as a PNG; the file appears whole. Raises FilmError for another name."""
    check_strip_name(path)
    begun = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        Image.fromarray(draw_strips(strips, headline)).save(begun, "png")
        begun.replace(path)
    finally:
        begun.unlink(missing_ok=True)


def check_strip_name(path: Path) -> None:
    """Raise FilmError unless a strip can be written there by its name."""
    if path.suffix.lower() != ".png":
        raise FilmError(f"{str(path)!r} is no strip: expected a name that ends in .png")
    if not path.parent.is_dir():
        raise FilmError(f"{str(path)!r}: there is no folder {str(path.parent)!r}")
