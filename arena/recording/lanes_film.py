"""Record a match of Lanes as a film: the map with the heroes beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from arena.play.lanes.painting import GONE, HEALTHY, HURT, TEAM, TILES, Pixels, paint
from arena.play.lanes.panels import ITEM_NAMES, SIDE_NAMES, clock, result_text
from arena.play.lanes.scene import HeroFacts, Mark, Scene, View, scene_of
from arena.play.lanes.session import LanesSession
from arena.recording.drawing import BACK, CAPTION, DIM, GOLD, INK, font
from arena.recording.films import check_film_name, open_film
from envs.lanes import rules as r

MAP = 512  # pixels of a side
BESIDE = 264  # pixels of the text at the right
TICKS_PER_S = 1 / r.TICK_S
MOST_RATE = {".mp4": 30.0, ".gif": 10.0}  # pictures a second; a faster film leaves ticks out
LAST_PICTURE_S = 2.0  # that the end stays
BAR = 62
WIDTH, HEIGHT = MAP + BESIDE, MAP + CAPTION


@dataclass(frozen=True)
class MatchFilm:
    """A film that was written.

    Attributes:
        path: its file.
        game: the mode.
        agents: who played left and right.
        seed: of the match.
        view: what is seen.
        pictures: in the film.
        seconds: its length.
        result: of the match, "" if the film ends before it does.
    """

    path: str
    game: str
    agents: tuple[str, str]
    seed: int
    view: str
    pictures: int
    seconds: float
    result: str


def record_match(
    session: LanesSession,
    path: Path,
    *,
    view: View = "full",
    speed: float = 4.0,
    start_s: float = 0.0,
    seconds: float | None = None,
) -> MatchFilm:
    """Play a match of agents, or a replay, from its beginning and write it as a film.

    Args:
        session: at its beginning.
        path: ends in .mp4 or .gif.
        view: what is seen.
        speed: of the film, times the match's own.
        start_s: seconds of the match to leave out at its beginning.
        seconds: of the match to film; None for all.

    Raises FilmError for a film that cannot be written, ValueError for a speed out of bounds, or
    where the match has nothing after `start_s`.
    """
    _check_times(speed, start_s, seconds)
    check_film_name(path)
    every = max(
        1, round(TICKS_PER_S * speed / MOST_RATE[path.suffix.lower()])
    )  # ticks between two pictures
    rate = TICKS_PER_S * speed / every
    stop_s = np.inf if seconds is None else start_s + seconds
    moments = _moments(session, start_s, stop_s, every)
    first = next(moments, None)
    if first is None:
        raise ValueError(f"the match has nothing after {start_s:g} s")
    pictures, scene = 0, scene_of(session.match, view)
    with open_film(path, rate) as film:
        picture = draw_match(session, scene)
        film.add(picture)
        pictures += 1
        for _ in moments:
            scene = scene_of(session.match, view)
            picture = draw_match(session, scene)
            film.add(picture)
            pictures += 1
        for _ in range(round(LAST_PICTURE_S * rate)):
            film.add(picture)
            pictures += 1
    names, match = session.names, session.match
    length, result = round(pictures / rate, 2), result_text(scene)
    return MatchFilm(str(path), match.game, names, match.seed, view, pictures, length, result)


def _check_times(speed: float, start_s: float, seconds: float | None) -> None:
    if not 0.1 <= speed <= 100:
        raise ValueError(f"speed = {speed:g}: expected 0.1 to 100")
    if not start_s >= 0.0 or (seconds is not None and not seconds > 0.0):
        raise ValueError(f"from {start_s:g} s, {seconds} s of the match: expected some of it")


def _moments(
    session: LanesSession, start_s: float, stop_s: float, every: int
) -> Iterator[LanesSession]:
    """Yield the session at every n-th tick of a part of the match, and at its end."""
    timeline = session.timeline
    timeline.seek(0)
    is_last = False
    while not is_last:
        ticks = session.match.ticks
        is_last = timeline.is_at_end or ticks * r.TICK_S >= stop_s
        if ticks * r.TICK_S >= start_s and (ticks % every == 0 or is_last):
            yield session
        timeline.tick()


def film_text(film: MatchFilm) -> str:
    """Describe a film."""
    left, right = film.agents
    result = f"; {film.result}" if film.result else ""
    return f"{film.path}: {film.seconds:.0f} s of {film.game}, {left} against {right}{result}"


def draw_match(session: LanesSession, scene: Scene) -> Pixels:
    """Draw a scene of a session with caption and heroes, uint8 [HEIGHT, WIDTH, 3]."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), BACK)
    pen = ImageDraw.Draw(sheet)
    _draw_caption(pen, session, scene)
    sheet.paste(_map_picture(scene), (0, CAPTION))
    for place, hero in enumerate(scene.heroes):
        _draw_hero(pen, hero, CAPTION + _hero_top(place, len(scene.heroes)))
    # 16 levels a channel: the smooth edges of letters would fill the palette of a GIF.
    return (np.asarray(sheet) // 16 * 17).astype(np.uint8)


def _map_picture(scene: Scene) -> Image.Image:
    picture = Image.fromarray(paint(scene, MAP))
    pen = ImageDraw.Draw(picture)
    for mark in scene.marks:
        if mark.letter:
            colour = (60, 60, 60) if mark.is_remembered else (0, 0, 0)
            pen.text(_map_place(mark), mark.letter, colour, font(16), anchor="mm")
    return picture


def _map_place(mark: Mark) -> tuple[float, float]:
    scale = MAP / TILES
    return (mark.x + TILES / 2) * scale, (TILES / 2 - mark.y) * scale


def _draw_caption(pen: ImageDraw.ImageDraw, session: LanesSession, scene: Scene) -> None:
    left, right = session.names
    views = "" if scene.view == "full" else f"   view of the {scene.view} team"
    pen.text((6, 2), f"{session.match.game}   {left} against {right}{views}", DIM, font(12))
    result = result_text(scene)
    pen.text((6, 18), f"{clock(scene.seconds)}   {result}", GOLD if result else INK, font())
    for team, side in enumerate(SIDE_NAMES):
        told = (
            f"{side}: kills {scene.kills[team]}, towers {scene.towers[team]}, "
            f"core {100 * scene.core[team]:.0f}%"
        )
        pen.text((MAP + 10, 3 + 18 * team), told, TEAM[team], font(13))


def _hero_top(place: int, count: int) -> int:
    """Return where a hero's lines begin, in pixels below the caption."""
    return 8 + place * 48 + (16 if place >= count // 2 else 0)


def _draw_hero(pen: ImageDraw.ImageDraw, hero: HeroFacts, top: int) -> None:
    left, colour = MAP + 10, TEAM[hero.team]
    level = "" if hero.level is None else f" {hero.level}"
    pen.text((left, top), f"{r.ROLES[hero.role]}{level}", colour, font(13))
    if not hero.is_alive:
        wait = "" if hero.wait_s is None else f", back in {hero.wait_s:.0f} s"
        pen.text((left + 90, top), f"dead{wait}", DIM, font(13))
    elif hero.hp is None or hero.max_hp is None:
        pen.text((left + 90, top), "not seen yet", DIM, font(13))
    else:
        share = hero.hp / max(1, hero.max_hp)
        pen.rectangle((left + 90, top + 4, left + 90 + BAR, top + 12), GONE)
        fill = DIM if hero.seen_s else HEALTHY if share > 0.5 else HURT
        pen.rectangle((left + 90, top + 4, left + 90 + BAR * share, top + 12), fill)
        ago = f"  {hero.seen_s:.0f} s ago" if hero.seen_s else ""
        pen.text((left + 98 + BAR, top), f"{hero.hp}{ago}", INK if not ago else DIM, font(13))
    if hero.mana is not None:
        items = " ".join(n for i, n in enumerate(ITEM_NAMES) if (hero.items or 0) >> i & 1)
        told = f"{hero.kills}/{hero.deaths}   {hero.gold} gold   {hero.mana} mana   {items}"
        pen.text((left, top + 18), told, DIM, font(12))
