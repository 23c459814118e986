"""Record games of an agent as a film."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.play.pictures.panels import number
from arena.play.pictures.session import FinishedGame, PictureSession, play_out
from arena.recording.drawing import FilmDrawing
from arena.recording.films import open_film
from envs.pictures.pictured import Measure

LAST_PICTURE_S = 1.0  # that the end of a game stays
MOST_RATE = 60.0  # pictures a second, of an environment that is faster


@dataclass(frozen=True)
class Recording:
    """A film that was written.

    Attributes:
        path: its file.
        agent: who plays.
        environment: what is played.
        protocol: of its scores; empty for none.
        pictures: in the film.
        seconds: its length.
        games: their scores, steps, ends and measures, in order.
        mean: of the scores.
    """

    path: str
    agent: str
    environment: str
    protocol: str
    pictures: int
    seconds: float
    games: list[FinishedGame]
    mean: float


def record(
    session: PictureSession,
    path: Path,
    games: int,
    *,
    values: bool = False,
    report: Callable[[int], None] = lambda finished: None,
) -> Recording:
    """Play games from the session's start and write them as one film.

    Args:
        session: an agent at the stick, before its first step.
        path: ends in .mp4 or .gif.
        games: to play.
        values: draw the action values beside the picture.
        report: called with the games finished, after each.

    Raises FilmError for a film that cannot be written, ValueError for fewer games than one.
    """
    if games < 1:
        raise ValueError(f"games = {games}: expected 1 or more")
    rate = min(session.environment.steps_per_second, MOST_RATE)
    drawing, pictures = FilmDrawing(session, values=values), 0
    with open_film(path, rate) as film:
        for _ in play_out(session, games):
            times = 1 + round(LAST_PICTURE_S * rate) if session.is_over else 1
            picture = drawing.draw()
            for _ in range(times):
                film.add(picture)
            pictures += times
            if session.is_over:
                report(len(session.finished))
    environment = session.environment
    return Recording(
        str(path),
        session.player,
        environment.name,
        environment.protocol,
        pictures,
        round(pictures / rate, 2),
        session.finished,
        mean_score(session.finished),
    )


def mean_score(games: list[FinishedGame]) -> float:
    """Return the mean score of games."""
    return sum(game.score for game in games) / len(games)


def recording_text(done: Recording, measures: Sequence[Measure]) -> str:
    """Describe a film: a line for it, and one for each game."""
    protocol = f", protocol {done.protocol}" if done.protocol else ""
    lines = [
        f"{done.path}: {done.seconds:.0f} s of {done.environment}{protocol}, {done.agent} plays"
    ]
    lines += [
        f"game {place}: {game_text(game, measures)}"
        for place, game in enumerate(done.games, start=1)
    ]
    if len(done.games) > 1:
        lines.append(f"mean score {done.mean:.1f}")
    return "\n".join(lines)


def game_text(game: FinishedGame, measures: Sequence[Measure]) -> str:
    """Describe a game: its score, its steps and its measures."""
    labels = {measure.name: measure.label for measure in measures}
    shares = "".join(f", {labels[name]} {100 * share:.1f}%" for name, share in game.shares.items())
    how = ", ended by a limit" if game.truncated else ""
    return f"score {number(game.score)}, {game.steps:,} steps{how}{shares}"
