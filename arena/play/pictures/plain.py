"""Print games of an environment line by line, where there is no screen."""

from __future__ import annotations

from collections.abc import Callable

from arena.play.pictures.panels import number
from arena.play.pictures.session import PictureSession, play_out


def print_games(session: PictureSession, games: int, say: Callable[[str], None]) -> None:
    """Play games and print a line at each change of the score or the lives.

    Raises ValueError where a person is at the stick, who needs a screen, and for less than 1 game.
    """
    if games < 1:
        raise ValueError(f"games = {games}: expected 1 or more")
    if session.by_hand:
        raise ValueError("a person needs a screen to play: name an agent with --agent")
    environment = session.environment
    protocol = f", protocol {environment.protocol}" if environment.protocol else ""
    say(f"{environment.name}{protocol}: {session.player} plays")
    shown: tuple[float, int | None] = (0.0, session.game.seen.lives)
    for _ in play_out(session, games):
        game = session.game
        now = game.score, game.seen.lives
        if game.steps and now != shown:
            lives = "" if game.seen.lives is None else f", lives {game.seen.lives}"
            say(f"step {game.steps:,}: score {number(game.score)}{lives}")
        shown = now
        if session.is_over:
            say(_result(session))
    if games > 1:
        mean = sum(done.score for done in session.finished) / len(session.finished)
        say(f"{len(session.finished)} games: mean score {mean:.2f}")


def _result(session: PictureSession) -> str:
    done = session.finished[-1]
    how = ", ended by a limit" if done.truncated else ""
    measured = "".join(f", {line}" for line in session.measured())
    place = len(session.finished)
    return f"game {place}: score {number(done.score)}, {done.steps:,} steps{how}{measured}"
